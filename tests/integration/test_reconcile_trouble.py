"""What goes wrong in a year that nobody looks: trouble stays where it is, is reported, and mends itself."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from digest import edition as editing
from digest.app import App
from digest.edition import Action
from digest.errors import NothingToDo, StoreError, TransportError
from digest.model import EditionState
from digest.sample import READERS, Sample
from digest.work import build
from digest.work.reconcile import Round, reconcile
from digest.work.send import send
from tests.fakes import FixedClock
from tests.newsroom import WEEK_END, newsroom

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
BEFORE = WEEK_END - HOUR
BUILD = WEEK_END + 6 * HOUR
LOCK = WEEK_END + 32 * HOUR
SEND = WEEK_END + 33 * HOUR
EDITORS = {"DIGEST_NEWSLETTER__WEEKLY__EDITORS": "ed@example.org"}


def begun(folder: Path, **kwargs: object) -> tuple[App, FixedClock]:
    """Known since an hour before the week ended, so that this week is the first that is promised."""
    app, clock = newsroom(folder, now=BEFORE, **kwargs)  # type: ignore[arg-type]
    reconcile(app)
    return app, clock


def at(app: App, clock: FixedClock, moment: dt.datetime) -> Round:
    clock.set(moment)
    return reconcile(app)


def states(app: App) -> dict[str, str]:
    return {edition.name: edition.state.value for edition in app.editions.list_()}


def alerts(app: App) -> set[str]:
    return {alert.key for alert in app.installation.open_alerts()}


# --- held by the program --------------------------------------------------------------------------


def test_a_draft_without_figures_alerts_and_mends_itself_when_they_come(tmp_path: Path) -> None:
    app, clock = begun(tmp_path, signals=False)
    at(app, clock, BUILD)
    assert app.editions.get("weekly").held
    assert "held weekly/2026-11-09" in alerts(app)
    assert at(app, clock, BUILD + HOUR).done == []
    app.signals.record(READERS, "sample", Sample(WEEK_END).readings())
    assert at(app, clock, BUILD + 2 * HOUR).done == [
        "weekly/2026-11-09: built again, no longer held",
        "weekly/2026-11-09: editors told",
    ]
    mended = app.editions.get("weekly")
    assert (mended.held, mended.metric, len(mended.stories)) == ("", "readers", 10)
    at(app, clock, BUILD + 2 * HOUR)
    assert "held weekly/2026-11-09" not in alerts(app)
    assert at(app, clock, LOCK).done == ["weekly/2026-11-09: approved by the schedule"]


def test_a_held_draft_is_made_on_trial_every_ten_minutes_and_not_every_round(tmp_path: Path) -> None:
    app, clock = begun(tmp_path, signals=False)
    at(app, clock, BUILD)
    at(app, clock, BUILD + HOUR)
    app.signals.record(READERS, "sample", Sample(WEEK_END).readings())
    assert at(app, clock, BUILD + HOUR + dt.timedelta(minutes=9, seconds=59)).done == []
    assert at(app, clock, BUILD + HOUR + dt.timedelta(minutes=10)).done


def test_what_an_editor_holds_is_not_mended(tmp_path: Path) -> None:
    app, clock = begun(tmp_path, signals=False)
    at(app, clock, BUILD)
    app.editions.hold(app.editions.get("weekly").id, "waiting for the court", at=clock.now(), by="ed")
    app.signals.record(READERS, "sample", Sample(WEEK_END).readings())
    assert at(app, clock, BUILD + HOUR).done == []
    assert app.editions.get("weekly").held == "waiting for the court"


def test_after_lock_time_a_held_draft_is_a_person_s(tmp_path: Path) -> None:
    app, clock = begun(tmp_path, signals=False)
    at(app, clock, BUILD)
    app.signals.record(READERS, "sample", Sample(WEEK_END).readings())
    assert at(app, clock, LOCK).done == []
    mended = build.rebuild(app, app.editions.get("weekly"), by="ed")
    assert mended.held == ""
    assert [e.name for e in at(app, clock, SEND).to_send] == ["weekly/2026-11-09"]


def test_an_edition_too_long_for_gmail_is_held_until_a_person_lets_it_go(tmp_path: Path) -> None:
    app, clock = begun(tmp_path)
    at(app, clock, BUILD)
    longer = {"intro": "word " * 16_000}
    edition = build.set_words(app, app.editions.get("weekly"), longer, by="ed")
    assert "102 kB that Gmail shows" in edition.held
    assert at(app, clock, SEND).to_send == []
    app.editions.release(edition.id, at=clock.now(), by="ed")
    assert [e.name for e in at(app, clock, SEND + HOUR).to_send] == ["weekly/2026-11-09"]


def test_an_edition_that_was_shortened_again_is_no_longer_held(tmp_path: Path) -> None:
    app, clock = begun(tmp_path)
    at(app, clock, BUILD)
    longer = {"intro": "word " * 16_000}
    edition = build.set_words(app, app.editions.get("weekly"), longer, by="ed")
    assert build.set_words(app, edition, {"intro": "Good morning."}, by="ed").held == ""


# --- sources that change their mind ---------------------------------------------------------------


@pytest.mark.parametrize("withdrawn_at", [BUILD, LOCK])
def test_a_withdrawn_story_holds_the_edition_until_a_person_decides(
    tmp_path: Path, withdrawn_at: dt.datetime
) -> None:
    app, clock = begun(tmp_path)
    at(app, clock, BUILD)
    at(app, clock, withdrawn_at)
    edition = app.editions.get("weekly")
    gone = edition.stories[1].story
    app.stories.withdraw(gone.id, at=clock.now(), by="source")
    at(app, clock, withdrawn_at + HOUR)
    held = app.editions.get("weekly")
    assert f"#{gone.id}" in held.held
    assert "held weekly/2026-11-09" in alerts(app)
    changed = build.choose(app, held, Action.exclude, lambda c: editing.exclude(c, gone.id), by="ed")
    assert gone.id not in {each.story.id for each in changed.stories}
    app.editions.release(edition.id, at=clock.now(), by="ed")
    assert [e.name for e in at(app, clock, SEND).to_send] == ["weekly/2026-11-09"]


def test_a_person_may_send_a_withdrawn_story_all_the_same(tmp_path: Path) -> None:
    app, clock = begun(tmp_path)
    at(app, clock, BUILD)
    edition = app.editions.get("weekly")
    app.stories.withdraw(edition.stories[0].story.id, at=clock.now(), by="source")
    at(app, clock, BUILD + HOUR)
    app.editions.release(edition.id, at=clock.now(), by="ed")
    assert [e.name for e in at(app, clock, SEND).to_send] == ["weekly/2026-11-09"]
    assert app.editions.get("weekly").hash == edition.hash


def test_a_story_withdrawn_at_the_last_moment_stops_a_send_by_hand(tmp_path: Path) -> None:
    app, clock = begun(tmp_path)
    at(app, clock, BUILD)
    at(app, clock, LOCK)
    approved = app.editions.get("weekly")
    app.stories.withdraw(approved.stories[0].story.id, at=clock.now(), by="source")
    with pytest.raises(NothingToDo, match="withdrawn by the source"):
        send(app, approved)
    assert app.editions.get("weekly").held


# --- a fault in one place -------------------------------------------------------------------------


def test_an_edition_in_trouble_does_not_stop_the_next_one(tmp_path: Path) -> None:
    app, clock = begun(tmp_path, stories=False)
    at(app, clock, BUILD)
    app.editions.release(app.editions.get("weekly").id, at=clock.now(), by="ed")
    made = at(app, clock, LOCK)
    assert "has no stories and cannot be approved" in made.done[0]
    assert "edition weekly/2026-11-09" in alerts(app)
    at(app, clock, BUILD + 7 * DAY)
    assert "weekly/2026-11-16" in states(app)
    app.editions.cancel(app.editions.get("weekly/2026-11-09").id, at=clock.now(), by="ed")
    at(app, clock, BUILD + 7 * DAY + HOUR)
    assert "edition weekly/2026-11-09" not in alerts(app)


def test_a_fault_of_the_program_in_one_newsletter_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, clock = newsroom(tmp_path, now=BEFORE)
    weekly = app.newsletter("weekly")
    app = App(app.settings.model_copy(update={"newsletter": {"broken": weekly, "weekly": weekly}}), clock)
    reconcile(app)
    original = app.ranking_settings

    def ranking_settings(slug: str) -> object:
        if slug == "broken":
            raise ZeroDivisionError("of all things")
        return original(slug)

    monkeypatch.setattr(app, "ranking_settings", ranking_settings)
    made = at(app, clock, BUILD)
    assert any("a fault in the program, ZeroDivisionError" in line for line in made.done)
    assert states(app) == {"weekly/2026-11-09": "draft"}
    monkeypatch.undo()
    at(app, clock, BUILD + HOUR)
    assert "newsletter broken" not in alerts(app)


def test_a_relay_that_is_down_is_asked_once_a_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app, clock = begun(tmp_path, environ=EDITORS)
    asked = []

    def transport() -> object:
        asked.append(1)
        raise TransportError("relay", "connect", "refused")

    monkeypatch.setattr(app, "transport", transport)
    at(app, clock, BUILD)
    assert len(asked) == 1
    assert "letters weekly/2026-11-09" in alerts(app)
    at(app, clock, LOCK)
    at(app, clock, LOCK + HOUR / 60)
    assert states(app) == {"weekly/2026-11-09": "approved"}
    assert alerts(app) == set()


def test_a_store_that_fails_in_the_middle_is_told_by_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, clock = begun(tmp_path)

    def fail(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(app.installation, "raise_alert", fail)
    monkeypatch.setattr(app.editions, "list_", fail)
    clock.set(BUILD)
    with pytest.raises(StoreError, match="disk is full"):
        reconcile(app)


def test_an_editor_who_was_faster_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app, clock = begun(tmp_path)
    at(app, clock, BUILD)
    original = app.editions.approve

    def overtaken(number: int, approved_hash: str, **kwargs: object) -> object:
        build.set_words(app, app.editions.get(number), {"subject": "Changed just now"}, by="ed")
        return original(number, approved_hash, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(app.editions, "approve", overtaken)
    assert at(app, clock, LOCK).done == []
    assert alerts(app) == set()
    monkeypatch.undo()
    at(app, clock, LOCK + HOUR / 60)
    approved = app.editions.get("weekly")
    assert (approved.state, approved.subject) == (EditionState.approved, "Changed just now")


def test_alerts_that_others_raised_about_an_edition_are_left_to_them(tmp_path: Path) -> None:
    app, clock = begun(tmp_path)
    at(app, clock, BUILD)
    others = {"sending weekly/2026-11-09", "uncertain weekly/2026-11-09", "rejected: weekly/2026-11-09"}
    for key in others:
        app.installation.raise_alert(key, "something", at=clock.now())
    for hour in (1, 2, 20):
        at(app, clock, BUILD + hour * HOUR)
    assert others <= alerts(app)
    app.editions.cancel(app.editions.get("weekly").id, at=clock.now(), by="ed")
    at(app, clock, BUILD + 21 * HOUR)
    assert others - alerts(app) == {"sending weekly/2026-11-09"}


# --- time that is not what it was -----------------------------------------------------------------


def test_a_released_edition_is_late_again_after_a_long_outage(tmp_path: Path) -> None:
    app, clock = begun(tmp_path)
    at(app, clock, BUILD)
    edition = app.editions.get("weekly")
    app.editions.hold(edition.id, "wait", at=clock.now(), by="ed")
    app.editions.release(edition.id, at=clock.now(), by="ed")
    made = at(app, clock, BUILD + 20 * DAY)
    assert made.to_send == []
    assert "too late to lock" in app.editions.get("weekly/2026-11-09").held


@pytest.mark.parametrize("ahead", [8 * DAY, 400 * DAY, 4000 * DAY])
def test_a_clock_that_ran_ahead_and_was_put_right_loses_no_week(tmp_path: Path, ahead: dt.timedelta) -> None:
    app, clock = begun(tmp_path)
    at(app, clock, BUILD + ahead)
    assert "skipped" in states(app).values()
    at(app, clock, BUILD)
    assert app.editions.get("weekly/2026-11-09").state is EditionState.draft
    assert not app.editions.get("weekly/2026-11-09").held
    for week in (1, 2):
        at(app, clock, BUILD + week * 7 * DAY)
        edition = app.editions.for_period("weekly", (WEEK_END + (week - 1) * 7 * DAY).date())
        assert edition is not None
        assert edition.state is EditionState.draft


def test_a_clock_that_goes_back_repeats_nothing(tmp_path: Path) -> None:
    app, clock = begun(tmp_path)
    at(app, clock, BUILD)
    before = at(app, clock, LOCK)
    assert before.done
    for moment in (BUILD, BEFORE, BUILD - 300 * DAY, LOCK):
        assert at(app, clock, moment).done == []
    assert states(app) == {"weekly/2026-11-09": "approved"}
    assert [e.name for e in at(app, clock, SEND).to_send] == ["weekly/2026-11-09"]


def test_an_edition_of_a_window_that_is_not_over_is_pointed_out(tmp_path: Path) -> None:
    app, clock = begun(tmp_path)
    build.build(app, "weekly", build.period_at(app, "weekly", WEEK_END), by="ed")
    at(app, clock, BEFORE)
    assert alerts(app) == {"early weekly/2026-11-09"}
    assert at(app, clock, WEEK_END).done == []
    assert at(app, clock, BUILD).done == ["weekly/2026-11-09: built again, now that its window is over"]
    at(app, clock, BUILD)
    assert alerts(app) == set()


def test_a_missed_week_can_be_sent_as_the_alert_says(tmp_path: Path) -> None:
    app, clock = begun(tmp_path)
    at(app, clock, BUILD + 7 * DAY)
    assert "missed weekly/2026-11-09" in alerts(app)
    missed = app.editions.for_period("weekly", dt.date(2026, 11, 9))
    assert missed is not None
    assert missed.state is EditionState.skipped
    made = build.rebuild(app, missed, by="ed")
    assert (made.state, made.name, len(made.stories)) == (EditionState.draft, "weekly/2026-11-09", 10)
    at(app, clock, BUILD + 7 * DAY + HOUR)
    late = app.editions.get("weekly/2026-11-09")
    assert "too late to lock" in late.held
    app.editions.release(late.id, at=clock.now(), by="ed")
    assert "weekly/2026-11-09" in {e.name for e in at(app, clock, BUILD + 7 * DAY + 2 * HOUR).to_send}
    at(app, clock, BUILD + 7 * DAY + 2 * HOUR)
    assert "missed weekly/2026-11-09" not in alerts(app)


# --- a newsletter that went away ------------------------------------------------------------------


def test_editions_of_a_newsletter_that_was_taken_out_are_reported_and_not_sent(tmp_path: Path) -> None:
    app, clock = begun(tmp_path)
    at(app, clock, BUILD)
    at(app, clock, LOCK)
    without = App(app.settings.model_copy(update={"newsletter": {}}), clock)
    made = at(without, clock, SEND)
    assert made.to_send == []
    assert alerts(app) == {"unconfigured weekly/2026-11-09"}
    assert at(without, clock, SEND + HOUR / 60).done == []
    back = at(app, clock, SEND + HOUR)
    assert [e.name for e in back.to_send] == ["weekly/2026-11-09"]
    assert alerts(app) == set()
