"""A year of weeks, and the days around clock changes, from wake-up to wake-up with a clock that is handed in.

Only the schedule is real here: what an edition looks like is not rendered hundreds of times.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from digest.app import App
from digest.model import (
    Edition,
    EditionState,
    SlotContext,
    SlotName,
    StoryDraft,
    Variant,
    Window,
    slot_token,
)
from digest.render.renderer import Rendered, Sizes
from digest.work.reconcile import reconcile
from tests.fakes import FixedClock
from tests.newsroom import newsroom

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
EVERY = dt.timedelta(hours=5)  # a story's distance from the next: on no boundary twice in the same way
ZONES = ("Europe/London", "America/New_York", "Australia/Lord_Howe")
CHANGES_2026 = {
    "Europe/London": (dt.date(2026, 3, 29), dt.date(2026, 10, 25)),
    "America/New_York": (dt.date(2026, 3, 8), dt.date(2026, 11, 1)),
    "Australia/Lord_Howe": (dt.date(2026, 4, 5), dt.date(2026, 10, 4)),
}


class Plain:
    """Renders next to nothing."""

    def render(self, edition: Edition, *, nonce: str) -> Rendered:
        slot = slot_token(nonce, SlotName.leave_url, SlotContext.url)
        text = slot_token(nonce, SlotName.leave_url, SlotContext.text)
        made = Variant("default", edition.subject, f'<a href="{slot}">x</a>', f"{text}\n", nonce)
        return Rendered(made, {}, (), Sizes(100, 100, 100))


def schedule(zone: str, window: str, **moments: str) -> dict[str, str]:
    settings = {
        "zone": zone,
        "window": window,
        "order": "latest",
        "count": "50",
        "minimum": "1",
        **moments,
    }
    return {f"DIGEST_NEWSLETTER__WEEKLY__{key.upper()}": value for key, value in settings.items()}


def office(
    folder: Path,
    start: dt.datetime,
    end: dt.datetime,
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[App, FixedClock]:
    app, clock = newsroom(folder, now=start, stories=False, environ=environ)
    monkeypatch.setattr(app, "renderer", lambda _edition: Plain())
    moments = [start + each * EVERY for each in range(int((end - start) / EVERY))]
    drafts = [
        StoryDraft(f"s{number}", f"https://news.example/{number}", f"s{number}", published=moment)
        for number, moment in enumerate(moments)
    ]
    app.stories.import_drafts("news", drafts, seen=start)
    return app, clock


def live(app: App, clock: FixedClock, end: dt.datetime) -> tuple[Counter[str], list[str]]:
    """Lives until `end`: how often each edition was sent, and everything else that was done."""
    sent: Counter[str] = Counter()
    done: list[str] = []
    while clock.now() < end:
        made = reconcile(app)
        done += made.done
        for edition in made.to_send:
            assert clock.now() >= edition.period.send_at
            sent[edition.name] += 1
            for state, to in (
                (EditionState.approved, EditionState.fanning),
                (EditionState.fanning, EditionState.sending),
                (EditionState.sending, EditionState.finished),
            ):
                app.editions.transition(edition.id, {state}, to, at=clock.now(), by="test")
        assert made.wake is not None
        assert made.wake > clock.now()
        clock.set(made.wake)
    return sent, done


def check(app: App, sent: Counter[str]) -> list[Window]:
    """Every window once, one behind the other, each story in the edition of its window and in no other."""
    editions = sorted(app.editions.list_(), key=lambda edition: edition.period.window.start)
    windows = [edition.period.window for edition in editions]
    assert all(one.end == other.start for one, other in pairwise(windows))
    shown = [each.story for edition in editions for each in edition.stories]
    assert len(shown) == len({story.id for story in shown})
    for edition in editions:
        assert all(each.story.date in edition.period.window for each in edition.stories)
    inside = app.stories.list_(since=windows[0].start, before=windows[-1].end, limit=None)
    assert {story.id for story in shown} == {story.id for story in inside}
    finished = [edition for edition in editions if edition.state is EditionState.finished]
    assert sent == Counter(edition.name for edition in finished)
    assert len(editions) - len(finished) <= 1  # the newest may be on its way
    return windows


@pytest.mark.parametrize("zone", ZONES)
def test_a_year_has_an_edition_a_week_whatever_the_clocks_do(
    tmp_path: Path, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = ZoneInfo(zone)
    start = dt.datetime(2026, 1, 1, 12, tzinfo=local).astimezone(dt.UTC)
    end = start + 366 * DAY
    # On the night of the change, within the hour that is skipped or repeated.
    environ = schedule(
        zone, "7d", window_start="sun 01:45", build="sun 02:15", lock="mon 01:30", send="mon 02:00"
    )
    app, clock = office(tmp_path, start, end, environ, monkeypatch)
    sent, done = live(app, clock, end)
    windows = check(app, sent)
    assert len(windows) == 52
    assert set(sent.values()) == {1}
    assert not any("held" in line or "skipped" in line or "late" in line for line in done)
    shift = HOUR / 2 if zone == "Australia/Lord_Howe" else HOUR
    changed = [window.length for window in windows if window.length != 7 * DAY]
    assert len(changed) in (2, 3)  # three where the boundary itself was skipped: it came early
    assert all(7 * DAY - shift <= length <= 7 * DAY + shift for length in changed)
    assert sum((window.length for window in windows), dt.timedelta()) == windows[-1].end - windows[0].start


@pytest.mark.parametrize("change", [0, 1])
@pytest.mark.parametrize("zone", ZONES)
def test_days_around_a_clock_change_have_an_edition_each(
    tmp_path: Path, zone: str, change: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = CHANGES_2026[zone][change]
    start = dt.datetime.combine(day - 4 * DAY, dt.time(12), ZoneInfo(zone)).astimezone(dt.UTC)
    end = start + 9 * DAY
    environ = schedule(zone, "1d", window_start="02:10", build="02:20", lock="02:40", send="03:05")
    app, clock = office(tmp_path, start, end, environ, monkeypatch)
    sent, done = live(app, clock, end)
    windows = check(app, sent)
    assert set(sent.values()) == {1}
    assert len(windows) == 9
    assert {window.length for window in windows} != {DAY}, "the change lies within"
    assert not any("held" in line or "skipped" in line for line in done)


def test_a_week_of_downtime_in_the_week_of_a_change_is_told_and_nothing_is_sent_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone = "Europe/London"
    start = dt.datetime(2026, 3, 15, 12, tzinfo=dt.UTC)
    end = start + 35 * DAY
    app, clock = office(tmp_path, start, end, schedule(zone, "7d"), monkeypatch)
    live(app, clock, dt.datetime(2026, 3, 26, tzinfo=dt.UTC))
    clock.set(dt.datetime(2026, 4, 2, tzinfo=dt.UTC))  # the week of 23 March was due on the 30th
    sent, done = live(app, clock, end)
    (skipped,) = [line for line in done if "skipped" in line]
    assert skipped.startswith("weekly/2026-03-23: skipped, not built in time: due Mon 30 Mar 05:00 UTC")
    assert set(sent) == {"weekly/2026-03-30", "weekly/2026-04-06"}
    windows = sorted(edition.period.window for edition in app.editions.list_())
    assert all(one.end == other.start for one, other in pairwise(windows))


def test_a_zone_that_changes_makes_no_overlap_and_no_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    end = start + 70 * DAY
    app, clock = office(tmp_path, start, end, schedule("Europe/London", "7d"), monkeypatch)
    sent, _ = live(app, clock, start + 20 * DAY)
    for zone, days in (("Pacific/Auckland", 40), ("America/Los_Angeles", 69)):
        weekly = app.newsletter("weekly").model_copy(update={"zone": zone})
        app = App(app.settings.model_copy(update={"newsletter": {"weekly": weekly}}), clock)
        monkeypatch.setattr(app, "renderer", lambda _edition: Plain())
        more, _ = live(app, clock, start + days * DAY)
        sent += more
    check(app, sent)
    assert set(sent.values()) == {1}
