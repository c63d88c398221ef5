"""A whole installation in a temporary folder, with the sample newspaper in it and a clock that stands."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

from digest.app import App
from digest.cli.init import first_config, make
from digest.config import load
from digest.sample import READERS, Sample
from subscribers import Entry
from tests.fakes import FixedClock

WEEK_END = dt.datetime(2026, 11, 16, tzinfo=dt.UTC)
"""A Monday, 00:00: the end of the newest week of the sample."""


def newsroom(
    folder: Path,
    *,
    now: dt.datetime = WEEK_END,
    people: int = 0,
    environ: Mapping[str, str] | None = None,
    stories: bool = True,
    signals: bool = True,
) -> tuple[App, FixedClock]:
    """The installation, with the newsletter `weekly`, known since three weeks before `now`."""
    config, _, _ = make(folder / "news", first_config())
    clock = FixedClock(now)
    app = App(load(config, dict(environ or {})), clock)
    sample = Sample(WEEK_END)
    if stories:
        app.stories.import_drafts("sample", sample.stories({}), seen=WEEK_END)
    if stories and signals:
        app.signals.record(READERS, "sample", sample.readings())
    if people:
        app.editions.ensure_newsletter("weekly", since=WEEK_END - dt.timedelta(days=1))
        subscribe(app, people)
    return app, clock


def subscribe(app: App, people: int) -> list[str]:
    """Takes in so many made-up people; returns their addresses."""
    made = list(Sample(WEEK_END).subscribers(people))
    entries = [Entry(address, name, row=number) for number, (address, name) in enumerate(made, 1)]
    app.subscribers.import_confirmed(entries, "weekly", source="test", basis="made up")
    return [address for address, _ in made]
