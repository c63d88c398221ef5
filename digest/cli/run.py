"""`digest run`: everything on schedule; what systemd starts."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING

import click

from digest.cli.base import Session, pass_session
from digest.cli.output import say

if TYPE_CHECKING:
    from digest.app import App

_PATIENCE = 5.0
"""Seconds for which the pages try to listen where somebody else still does."""


@click.command(
    epilog="""\b
    Examples:
      digest run
      digest run --part work"""
)
@click.option(
    "--part",
    type=click.Choice(["work", "serve"]),
    help="Only one of the two processes, for those who supervise them themselves.",
)
@click.option(
    "--every",
    type=click.FloatRange(0.1, 3600),
    default=10.0,
    show_default=True,
    help="Seconds between two looks at what is due.",
)
@click.option(
    "--parent", type=int, hidden=True, help="The process that started this part, and may be killed."
)
@pass_session
def command(session: Session, part: str | None, every: float, parent: int | None) -> None:
    """Poll, build, lock, send and serve, by itself, until it is stopped.

    Two processes are kept alive: `work` and `serve`. SIGTERM and Ctrl-C end them in order: what is being sent
    is finished and recorded, the rest goes on at the next start. A store that went back in time (a restored
    backup) sends nothing: exit code 3.
    """
    app = session.app
    app.database.check()
    _ = app.keys
    if parent is not None:
        _end_with(parent)
    if part == "work":
        _work(app, every)
    elif part == "serve":
        from digest.web.server import serve  # noqa: PLC0415 - quick start-up

        # Where a `digest run` was killed, its pages may take a moment to notice.
        serve(app, patience=0 if parent is None else _PATIENCE)
    else:
        app.generation.check()
        _both(session, every)


def _end_with(parent: int) -> None:
    """Ends this process in order when its parent is gone: the next one wants the port and the lead."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.3)
        say("digest run is gone: ending.")
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _both(session: Session, every: float) -> None:
    from digest.work.supervise import Child, supervise  # noqa: PLC0415 - quick start-up

    base = [sys.executable, "-m", "digest"]
    if session.config is not None:
        base += ["--config", str(session.config)]
    if session.debug:
        base += ["--debug"]
    base += ["run", "--parent", str(os.getpid())]
    children = [
        Child("work", [*base, "--part", "work", "--every", str(every)]),
        Child("serve", [*base, "--part", "serve"]),
    ]
    supervise(children, _stop_event(), say)


def _work(app: App, every: float) -> None:
    from digest.work.coming import coming_up  # noqa: PLC0415 - quick start-up
    from digest.work.worker import Worker  # noqa: PLC0415

    app.generation.check()  # what would come is not to be promised by a restored backup
    for line in coming_up(app):
        say(line)
    Worker(app, stop=_stop_event(), say=say, every=every).run()


def _stop_event() -> threading.Event:
    """Set by SIGTERM and Ctrl-C."""
    stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return stop
