"""The site of one installation, put together; what a visitor sees when something is wrong."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from digest.errors import DigestError, StoreError
from digest.web import editions, facts, leave, preview
from digest.web.guard import HEADERS, Guard
from digest.web.pages import Pages
from digest.work.desk import Desk

log = logging.getLogger("digest.web")

RETRY_AFTER = "30"
"""Seconds after which to come back when the store is busy."""

_WORDS = {
    400: ("That did not arrive in one piece", "Please go back and try again."),
    404: ("There is no such page", "The address may have been cut off when it was copied."),
    405: ("That cannot be done here", "Please go back and try again."),
    413: ("That is too much", "What was sent is longer than anything this page takes."),
    429: ("That was a lot of clicks", "Please wait a minute and try again."),
    500: ("Something went wrong here", "It is our fault, not yours. Please try again later."),
    503: ("One moment, please", "Nothing was changed yet: please try again in half a minute."),
}


def create_app(desk: Desk) -> FastAPI:
    """The pages over the parts of `desk`. Opens nothing until the first request."""
    names = [each.name for each in desk.settings.newsletter.values()]
    name = names[0] if len(names) == 1 else urlsplit(desk.settings.site.url).hostname or ""
    pages = Pages(
        desk.settings.path(desk.settings.templates) if desk.settings.templates else None,
        {"name": name, "postal_address": desk.settings.site.postal_address},
    )
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_middleware(Guard)
    for part in (leave, editions, preview, facts):
        app.include_router(part.routes(desk, pages))

    def problem(request: Request, status: int, headers: dict[str, str] | None = None) -> Response:
        heading, words = _WORDS.get(status, _WORDS[400 if status < 500 else 500])
        return pages.answer(
            request, "problem.html", status=status, headers=headers, heading=heading, words=words
        )

    def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problem(request, error.status_code, dict(error.headers or {}))

    def misspelt(request: Request, _error: Exception) -> Response:
        # The only things that are validated are parts of addresses.
        return problem(request, 404)

    def busy(request: Request, error: Exception) -> Response:
        log.error("%s: %s", _route(request), error)
        return problem(request, 503, {"retry-after": RETRY_AFTER})

    def mistaken(request: Request, error: Exception) -> Response:
        log.error("%s: %s", _route(request), error)
        return problem(request, 500)

    def broken(request: Request, _error: Exception) -> Response:
        # Made outside the middleware, so that it has to bring the headers itself. uvicorn logs the traceback.
        log.error("%s: a fault in the program", _route(request))
        return problem(request, 500, dict(HEADERS))

    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, misspelt)
    app.add_exception_handler(StoreError, busy)
    app.add_exception_handler(DigestError, mistaken)
    app.add_exception_handler(Exception, broken)
    return app


def _route(request: Request) -> str:
    """Which page, for the log: its pattern and not its address, which may hold a token."""
    return f"{request.method} {getattr(request.scope.get('route'), 'path', '?')}"
