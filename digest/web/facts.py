"""What machines ask for: pictures, the style sheet, whether all is well, and whose site this is."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from digest.errors import StoreError
from digest.web.pages import Pages
from digest.work.desk import Desk

_TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


def routes(desk: Desk, pages: Pages) -> APIRouter:
    """/media/HASH, /static/NAME, /health and /.well-known/newsletter-digest."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/media/{name}", methods=["GET", "HEAD"])
    def media(request: Request, name: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]) -> Response:
        found = desk.stories.media(name)
        if found is None:
            raise HTTPException(404)
        content, media_type = found
        headers = {
            # Named by its content: it can never change.
            "cache-control": "public, max-age=31536000, immutable",
            # Mail programs on the web show it on pages of their own.
            "cross-origin-resource-policy": "cross-origin",
            # An SVG is a document of its own when it is opened directly.
            "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        }
        return _cached(request, content, media_type, f'"{name}"', headers)

    @router.api_route("/static/{name}", methods=["GET", "HEAD"])
    def static(request: Request, name: Annotated[str, Path(pattern=r"^[a-z0-9-]+\.(css|svg)$")]) -> Response:
        content = pages.static(name)
        if content is None:
            raise HTTPException(404)
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        media_type = _TYPES[name[name.rindex(".") :]]
        return _cached(request, content, media_type, etag, {"cache-control": "public, max-age=300"})

    @router.api_route("/favicon.ico", methods=["GET", "HEAD"])
    def icon(request: Request) -> Response:
        return static(request, "icon.svg")

    @router.api_route("/health", methods=["GET", "HEAD"])
    def health() -> Response:
        try:
            _ = desk.installation.generation
        except StoreError:
            # Without the reason: it names files, and this page is public. The log has it.
            return JSONResponse({"store": "unusable"}, status_code=503, headers={"retry-after": "30"})
        return JSONResponse({"store": "ok"})

    @router.api_route("/.well-known/newsletter-digest", methods=["GET", "HEAD"])
    def whose() -> Response:
        return JSONResponse({"installation": desk.installation.id})

    @router.api_route("/robots.txt", methods=["GET", "HEAD"])
    def robots() -> Response:
        return Response("User-agent: *\nDisallow: /u/\nDisallow: /preview/\n", media_type="text/plain")

    return router


def _cached(
    request: Request, content: bytes, media_type: str, etag: str, headers: dict[str, str]
) -> Response:
    headers = {**headers, "etag": etag}
    known = re.findall(r'"[^"]*"', request.headers.get("if-none-match", ""))
    if etag in known:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)
