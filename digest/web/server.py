"""Runs the pages until it is asked to stop: `digest serve`, and the serving half of `digest run`."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable
from types import FrameType
from urllib.parse import urlsplit

import uvicorn

from digest.errors import UsageError
from digest.tokens import preview_link
from digest.web.site import create_app
from digest.work.desk import Desk

GRACE = 10
"""Seconds that requests in progress have to end after SIGTERM."""

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def to_stderr(text: str) -> None:
    """Where the server says what it does unless told otherwise."""
    print(text, file=sys.stderr, flush=True)


def serve(
    desk: Desk, *, listen: str = "", say: Callable[[str], None] = to_stderr, patience: float = 0
) -> None:
    """Serves the pages of `desk` on `listen` (HOST:PORT) or site.listen; returns after SIGTERM or Ctrl-C.

    Requests in progress get `GRACE` seconds. Says where the pages are, with a link to the preview of each
    newsletter, good for 30 days. Raises `UsageError` where it cannot listen within `patience` seconds, and
    `StoreError` or `ConfigError` for a store or keys that cannot be used: once, here, not on every page.
    """
    _ = desk.installation.id, desk.keys
    with contextlib.closing(_listening(listen or desk.settings.site.listen, patience)) as listener:
        _greet(desk, listener, say)
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
        config = uvicorn.Config(
            create_app(desk),
            access_log=False,  # addresses of pages have tokens in them
            log_config=None,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=GRACE,
        )
        # uvicorn ends in order and then raises the signal once more for whoever listened before it. That must
        # be nobody, or being asked to end would be an error.
        before = {each: signal.signal(each, _ended) for each in (signal.SIGTERM, signal.SIGINT)}
        try:
            uvicorn.Server(config).run(sockets=[listener])
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)
    say("The pages have stopped.")


def _ended(_number: int, _frame: FrameType | None) -> None:
    """Does nothing: the pages have ended already."""


def _greet(desk: Desk, listener: socket.socket, say: Callable[[str], None]) -> None:
    host, port = listener.getsockname()[:2]
    site = desk.settings.site.url.rstrip("/")
    say(f"Serving {site}/ from http://{f'[{host}]' if ':' in host else host}:{port}/ (stop with Ctrl-C)")
    parts = urlsplit(site)
    if parts.hostname in _LOOPBACK and (parts.port or 80) != port:
        # On one's own machine no proxy stands between: every link in the mail would be dead.
        say(f"Note: site.url is {site}, but these pages listen on port {port}: links in mail will not work.")
    for slug in sorted(desk.settings.newsletter):
        say(f"Preview of {slug}: {site}/preview/{preview_link(desk.keys, slug)}/")


def _listening(where: str, patience: float) -> socket.socket:
    """A socket that listens on HOST:PORT; raises `UsageError` where that cannot be."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return _bound(where)
        except UsageError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.2)


def _bound(where: str) -> socket.socket:
    host, colon, port = where.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isascii() and port.isdecimal() and int(port) < 65536):
        raise UsageError(
            f"{where!r} is not HOST:PORT", hint="Such as 127.0.0.1:8765: change --listen or site.listen."
        )
    # The protocol is named because asyncio looks at it before it turns off Nagle's algorithm: without that
    # every answer to a POST waits 40 ms for an acknowledgement.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, int(port)))
        listener.listen(256)
    except (OSError, UnicodeError) as error:
        listener.close()
        said = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"cannot listen on {where}: {said}", hint="Stop what is there, or change --listen or site.listen."
        ) from None
    return listener
