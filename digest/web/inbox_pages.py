"""The pages of the local mailbox: a list of what arrived, and each message in all its forms."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from digest.web.guard import MAIL_POLICY, PAGE_POLICY, Guard
from digest.web.maildir import Letter, Maildir
from digest.web.pages import Pages

_PAGE = 100
_BOXED = MAIL_POLICY + "; sandbox allow-popups allow-popups-to-escape-sandbox"
_TYPES = {"css": "text/css; charset=utf-8", "svg": "image/svg+xml"}


def create_app(maildir: Maildir) -> FastAPI:
    """The pages over one folder; they change nothing in it."""
    pages = Pages(None, {"name": "Inbox", "postal_address": ""})
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_middleware(Guard)

    @app.get("/")
    def listing(request: Request, after: str = "") -> Response:
        names = maildir.names()
        start = names.index(after) + 1 if after in names else 0
        shown = names[start : start + _PAGE]
        return pages.answer(
            request,
            "inbox.html",
            total=len(names),
            first=start + 1,
            lines=maildir.lines(shown),
            older=shown[-1] if start + _PAGE < len(names) else "",
        )

    @app.get("/message/{name}")
    def message(request: Request, name: str) -> Response:
        headers = {"content-security-policy": PAGE_POLICY + "; frame-src 'self'"}
        return pages.answer(request, "inbox-message.html", letter=_letter(maildir, name), headers=headers)

    @app.get("/message/{name}/html")
    def html(name: str) -> Response:
        headers = {"content-security-policy": _BOXED}
        content = _letter(maildir, name).html
        return Response(content, media_type="text/html; charset=utf-8", headers=headers)

    @app.get("/message/{name}/source")
    def source(name: str) -> Response:
        return Response(_letter(maildir, name).source, media_type="text/plain; charset=utf-8")

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        content = pages.static(name)
        media_type = _TYPES.get(name.rpartition(".")[2])
        if content is None or media_type is None:
            raise HTTPException(404)
        return Response(content, media_type=media_type, headers={"cache-control": "max-age=300"})

    return app


def _letter(maildir: Maildir, name: str) -> Letter:
    letter = maildir.letter(name)
    if letter is None:
        raise HTTPException(404)
    return letter
