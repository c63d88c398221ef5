"""`digest inbox`: a local mailbox that takes all mail and shows it."""

from __future__ import annotations

import signal
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

import click

from digest.cli.output import say


@click.command(
    epilog="""\b
    Examples:
      digest inbox
      digest inbox --port 2525 --maildir received
    Then, in config.toml: [smtp] host = "127.0.0.1", port = 2525"""
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=2525, show_default=True, help="For mail; 0: any."
)
@click.option(
    "--web-port", type=click.IntRange(0, 65535), default=8025, show_default=True, help="For the page; 0: any."
)
@click.option("--no-web", is_flag=True, help="Serve no page.")
@click.option(
    "--maildir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the mail in this folder (a Maildir); default: forget it at the end.",
)
def command(port: int, web_port: int, no_web: bool, maildir: Path | None) -> None:
    """Take all mail on 127.0.0.1, keep it, and show it on a page; nothing is passed on.

    Each file of the Maildir is a message as it arrived, byte for byte, behind Return-Path and Delivered-To.
    Ends with Ctrl-C or SIGTERM.
    """
    from digest.web.inbox import HOST, Inbox  # noqa: PLC0415 - quick start-up

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as held:
        folder = maildir or Path(held.enter_context(tempfile.TemporaryDirectory(prefix="digest-inbox-")))
        inbox = held.enter_context(Inbox(port=port, maildir=folder, web_port=None if no_web else web_port))
        say(f"Mail is taken on {HOST}:{inbox.port} and kept in {folder} (stop with Ctrl-C)")
        if inbox.url:
            say(f"Look at it: {inbox.url}")
        stop.wait()
