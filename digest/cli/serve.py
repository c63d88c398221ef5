"""`digest serve`: the public pages."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from digest.cli.base import pass_app
from digest.cli.output import say
from digest.errors import UsageError

if TYPE_CHECKING:
    from digest.app import App

GRACE = 10
"""Seconds that requests in progress have to end after SIGTERM."""


@click.command(
    epilog="""\b
    Examples:
      digest serve
      digest serve --listen 0.0.0.0:8080"""
)
@click.option("--listen", metavar="HOST:PORT", help="Where to listen; otherwise site.listen of config.toml.")
@pass_app
def command(app: App, listen: str | None) -> None:
    """Serve the public pages: leaving, web version, preview. Ends on Ctrl-C or SIGTERM.

    Readers reach them at site.url of config.toml; put a proxy with a certificate there. Prints a link to the
    preview of each newsletter's coming edition, good for 30 days, for those who may see it.
    """
    import uvicorn  # noqa: PLC0415 - quick start-up

    from digest.tokens import preview_link  # noqa: PLC0415
    from digest.web import create_app  # noqa: PLC0415

    _ = app.installation.id  # a store that cannot be used is said here, and not on every page
    with contextlib.closing(_listening(listen or app.settings.site.listen)) as listener:
        host, port = listener.getsockname()[:2]
        where = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        site = app.settings.site.url.rstrip("/")
        say(f"Serving {site}/ from {where}/ (stop with Ctrl-C)")
        _warn_of_another_port(site, port)
        for slug in sorted(app.settings.newsletter):
            say(f"Preview of {slug}: {site}/preview/{preview_link(app.keys, slug)}/")
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
        server = uvicorn.Server(
            uvicorn.Config(
                create_app(app),
                access_log=False,  # addresses of pages have tokens in them
                log_config=None,
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=GRACE,
            )
        )
        # uvicorn ends in order and then raises the signal once more for whoever listened before it: nobody,
        # so that asking it to end is not an error.
        before = {each: signal.signal(each, _ended) for each in (signal.SIGTERM, signal.SIGINT)}
        try:
            server.run(sockets=[listener])
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)
    say("Stopped.")


def _ended(_number: int, _frame: Any) -> None:
    """Does nothing: the pages have ended already."""


def _listening(where: str) -> socket.socket:
    """A socket that listens on HOST:PORT; raises `UsageError` where that cannot be."""
    host, colon, port = where.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isdecimal() and int(port) < 65536):
        raise UsageError(
            f"{where!r} is not HOST:PORT", hint="Such as 127.0.0.1:8765: change --listen or site.listen."
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio looks at it before it turns off Nagle's algorithm: without that
    # every answer to a POST waits 40 ms for an acknowledgement.
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


def _warn_of_another_port(site: str, port: int) -> None:
    """On one's own machine the two are the same, or every link in the mail is dead."""
    parts = urlsplit(site)
    if parts.hostname in {"127.0.0.1", "localhost", "::1"} and (parts.port or 80) != port:
        say(f"Note: site.url is {site}, but these pages listen on port {port}: links in mail will not work.")
