"""What surrounds every page: security headers, and limits on what is read and how often a link acts."""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BODY = 16 * 1024
"""Octets of a request's body. The longest that is meant is a form with one field."""

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""Our own pages: no script at all, and nothing from elsewhere."""

MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data: https: http:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""An email as a page: its styles stand in the HTML and its pictures may be anywhere, but nothing runs."""

HEADERS: Mapping[str, str] = {
    "content-security-policy": PAGE_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",  # an address with a token in it must not reach the next site
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), interest-cohort=()",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}
"""On every answer that does not say something else."""


class Guard:
    """ASGI middleware: adds `HEADERS`, refuses bodies longer than `MOST_BODY` with 413."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        read = 0
        announced = Headers(scope=scope).get("content-length", "0")
        too_long = announced.isdecimal() and int(announced) > MOST_BODY

        async def limited() -> Message:
            nonlocal read
            if too_long:
                raise HTTPException(413)
            message = await receive()
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
                if read > MOST_BODY:
                    raise HTTPException(413)
            return message

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if headers["content-security-policy"] != PAGE_POLICY:
                    # What its own policy lets be framed must not be forbidden by the older header.
                    del headers["x-frame-options"]
            await send(message)

        await self._app(scope, limited, guarded)


class Attempts:
    """How often each key acted lately; remembers at most `most_keys`, the latest.

    Per link, not per visitor: one-click posts of a whole provider's readers come from a few addresses.
    """

    def __init__(self, limit: int, within: dt.timedelta, most_keys: int = 10_000) -> None:
        self._limit, self._within, self._most_keys = limit, within, most_keys
        self._seen: OrderedDict[str, tuple[dt.datetime, int]] = OrderedDict()
        self._lock = Lock()

    def wait(self, key: str, now: dt.datetime) -> int:
        """Counts an attempt. 0 when it may go ahead, else in how many seconds the next one may."""
        with self._lock:
            since, count = self._seen.pop(key, (now, 0))
            if not dt.timedelta(0) <= now - since < self._within:
                since, count = now, 0
            self._seen[key] = (since, count + 1)
            while len(self._seen) > self._most_keys:
                self._seen.popitem(last=False)
        if count < self._limit:
            return 0
        return max(1, -int((now - since - self._within).total_seconds() // 1))
