"""`digest run`: everything on schedule; what systemd starts."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING

import click

from digest.cli.base import Session, pass_session
from digest.cli.output import say

if TYPE_CHECKING:
    from digest.app import App


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
@pass_session
def command(session: Session, part: str | None, every: float) -> None:
    """Poll, build, lock, send and serve, by itself, until it is stopped.

    Two processes are kept alive: `work` and `serve`. SIGTERM and Ctrl-C end them in order: what is being sent
    is finished and recorded, the rest goes on at the next start. A store that went back in time (a restored
    backup) sends nothing: exit code 3.
    """
    app = session.app
    app.database.check()
    if part == "work":
        _work(app, every)
    elif part == "serve":
        from digest.web.server import serve  # noqa: PLC0415 - quick start-up

        serve(app)
    else:
        app.generation.check()
        _both(session, every)


def _both(session: Session, every: float) -> None:
    from digest.work.supervise import Child, supervise  # noqa: PLC0415 - quick start-up

    base = [sys.executable, "-m", "digest"]
    if session.config is not None:
        base += ["--config", str(session.config)]
    if session.debug:
        base += ["--debug"]
    children = [
        Child("work", [*base, "run", "--part", "work", "--every", str(every)]),
        Child("serve", [*base, "run", "--part", "serve"]),
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
