"""One edition a period, no story twice, and no change on what is no longer true; on both databases."""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from digest.edition.hashing import content_hash
from digest.errors import DigestError, EditionError, UsageError
from digest.model import (
    Choices,
    Edition,
    EditionState,
    EditionStory,
    LeftOut,
    LeftOutBy,
    Period,
    Score,
    Sender,
    StoryDraft,
    Variant,
    Window,
)
from digest.store import Database, tables
from digest.store.editions import Editions
from digest.store.events import Events
from digest.store.stories import Stories
from tests.fakes import FixedClock

START = dt.datetime(2026, 11, 9, tzinfo=dt.UTC)
WEEK = dt.timedelta(days=7)
HOUR = dt.timedelta(hours=1)
DRAFT, APPROVED, FANNING, SENDING = (
    EditionState.draft,
    EditionState.approved,
    EditionState.fanning,
    EditionState.sending,
)


def period(week: int = 0, length: dt.timedelta = WEEK) -> Period:
    start = START + week * WEEK
    window = Window(start, start + length)
    end = window.end
    return Period(start.date(), window, end + 6 * HOUR, end + 32 * HOUR, end + 33 * HOUR)


@pytest.fixture
def editions(database: Database) -> Editions:
    return Editions(database)


@pytest.fixture
def stories(database: Database) -> Stories:
    stories = Stories(database)
    drafts = [
        StoryDraft(f"{n}", f"https://news.example/{n}", f"Story {n}", body=f"<p>{n}</p>", published=START)
        for n in range(1, 9)
    ]
    stories.import_drafts("news", drafts, seen=START)
    return stories


@pytest.fixture
def make(stories: Stories) -> Callable[..., Edition]:
    """An edition as a build hands it over, with the stories of these ids."""

    def make(*numbers: int, week: int = 0, **facts: object) -> Edition:
        known = stories.get_many(numbers)
        made = Edition(
            id=0,
            newsletter="weekly",
            number=0,
            period=period(week),
            state=DRAFT,
            stories=tuple(
                EditionStory(
                    position=place,
                    story=known[number],
                    reasons=("4,210 readers",),
                    score=Score("readers", 4210.5, 4200, 10.5, notes=("started late",)),
                )
                for place, number in enumerate(numbers, 1)
            ),
            variants=(Variant("default", "Subject", "<p>ü 🎉</p>", "ü\r\n", "0123456789abcdef"),),
            subject="Subject",
            preheader="Before",
            intro="Hello",
            date=START + WEEK,
            sender=Sender("News", "news@news.example", "desk@news.example", "bounce.news.example"),
            key_id=3,
            metric="readers",
            choices=Choices(pinned={1: 1, 2: None}, excluded=frozenset({7})),
            policy={"approval": "automatic", "lateness": 86400},
        )
        made = dataclasses.replace(made, **facts)  # type: ignore[arg-type]
        return dataclasses.replace(made, hash=content_hash(made, {"front-page": "f" * 64}))

    return make


def uses(database: Database) -> dict[int, bool]:
    with database.read() as connection:
        rows = connection.execute(sa.select(tables.story_use)).all()
    return {row.story: row.used for row in rows}


# Making and reading


def test_an_edition_comes_back_as_it_was_frozen(
    editions: Editions, stories: Stories, make: Callable[..., Edition], clock: FixedClock
) -> None:
    picture = stories.put_media(b"picture", "image/png")
    left = LeftOut(stories.get(3), LeftOutBy.section_cap, "Politics has 3", 17.5)
    made = make(1, 2, left_out=(left,), held="too few stories", number=1)
    stored = editions.create(
        made,
        at=clock.now(),
        by="schedule",
        templates={"front-page": "<mjml/>"},
        pictures=[picture, picture, "0" * 64],
    )
    without_body = dataclasses.replace(left, story=dataclasses.replace(left.story, body=""))
    assert stored == dataclasses.replace(made, id=stored.id, left_out=(without_body,))
    assert editions.get(stored.id) == stored
    assert content_hash(stored, {"front-page": "f" * 64}) == content_hash(made, {"front-page": "f" * 64})
    assert editions.templates(stored.id) == {"front-page": "<mjml/>"}
    assert editions.pictures(stored.id) == [picture]
    (event,) = Events(editions._database).of(f"edition {stored.id}")
    assert (event.actor, event.action, event.detail["held"]) == ("schedule", "build", "too few stories")


def test_a_later_change_of_a_story_does_not_reach_the_edition(
    editions: Editions, stories: Stories, make: Callable[..., Edition], clock: FixedClock
) -> None:
    stored = editions.create(make(1), at=clock.now(), by="a")
    changed = StoryDraft("1", "https://news.example/1", "Another heading")
    stories.import_drafts("news", [changed], seen=clock.now())
    assert editions.get(stored.id).stories[0].story.title == "Story 1"
    assert stories.get(1).title == "Another heading"


def test_a_date_with_a_fraction_of_a_second_is_refused(
    editions: Editions, make: Callable[..., Edition], clock: FixedClock
) -> None:
    with pytest.raises(ValueError, match="whole seconds"):
        editions.create(make(1, date=START + dt.timedelta(milliseconds=1)), at=clock.now(), by="a")
    assert editions.list_() == []


def test_there_is_one_edition_a_period(
    editions: Editions, make: Callable[..., Edition], clock: FixedClock
) -> None:
    editions.create(make(1), at=clock.now(), by="a")
    with pytest.raises(EditionError, match=r"weekly/2026-11-09: already exists") as caught:
        editions.create(make(2), at=clock.now(), by="b")
    assert "digest edition show weekly/2026-11-09" in caught.value.hint
    with pytest.raises(EditionError, match="already exists"):
        editions.skip("weekly", period(), reason="late", at=clock.now(), by="b")
    assert len(editions.list_()) == 1
    other = dataclasses.replace(make(1), newsletter="daily")
    assert editions.create(other, at=clock.now(), by="a").number == 1


def test_of_many_that_build_the_same_period_one_does(
    database_url: str, make: Callable[..., Edition], clock: FixedClock
) -> None:
    barrier = threading.Barrier(6)
    results: list[str] = []

    def build(number: int) -> None:
        database = Database(database_url)
        barrier.wait()
        try:
            Editions(database).create(make(number), at=clock.now(), by=f"worker {number}")
            results.append("built")
        except EditionError as error:
            results.append(error.problem)
        finally:
            database.close()

    threads = [threading.Thread(target=build, args=(n,)) for n in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["already exists"] * 5 + ["built"]


def test_a_changed_schedule_never_makes_overlapping_windows(
    editions: Editions, make: Callable[..., Edition], clock: FixedClock
) -> None:
    editions.create(make(1), at=clock.now(), by="a")
    start = START + dt.timedelta(days=2)
    shifted = Period(start.date(), Window(start, start + WEEK), *(period().build_at,) * 3)
    with pytest.raises(EditionError, match=r"overlaps that of weekly/2026-11-09") as caught:
        editions.create(make(2, period=shifted), at=clock.now(), by="a")
    assert "digest edition cancel weekly/2026-11-09" in caught.value.hint
    assert editions.create(make(2, week=1), at=clock.now(), by="a").number == 2
    assert editions.create(make(3, week=-1), at=clock.now(), by="a").number == 3


def test_numbers_have_no_gaps_and_one_that_was_seen_is_not_given_out_again(
    editions: Editions, make: Callable[..., Edition], clock: FixedClock
) -> None:
    assert editions.next_number("weekly") == 1
    first = editions.create(make(1), at=clock.now(), by="a")
    editions.cancel(first.id, at=clock.now(), by="a")
    again = editions.create(make(1, number=1), at=clock.now(), by="a")
    assert again.number == 1
    with pytest.raises(EditionError, match="number 1 is not the next one, 2 is"):
        editions.create(make(2, week=1, number=1), at=clock.now(), by="a")
    editions.skip("weekly", period(1), reason="late", at=clock.now(), by="a")
    assert editions.next_number("weekly") == 2
    editions.mark_used(again.id, at=clock.now())
    editions.transition(again.id, {DRAFT}, SENDING, at=clock.now(), by="a")
    editions.cancel(again.id, at=clock.now(), by="a")
    assert editions.next_number("weekly") == 2


# Finding


def test_an_edition_is_found_by_what_a_person_calls_it(
    editions: Editions, make: Callable[..., Edition], clock: FixedClock
) -> None:
    first = editions.create(make(1), at=clock.now(), by="a")
    editions.cancel(first.id, at=clock.now(), by="a")
    second = editions.create(make(2), at=clock.now(), by="a")
    third = editions.create(make(3, week=1), at=clock.now(), by="a")
    expectations: list[tuple[str | int, Edition]] = [
        ("weekly", third),
        ("weekly/2026-11-09", second),
        ("weekly/2026-11-16", third),
        (first.id, first),
        (f"#{first.id}", first),
        (str(second.id), second),
    ]
    for ref, expected in expectations:
        assert editions.get(ref).id == expected.id, ref
    editions.cancel(third.id, at=clock.now(), by="a")
    assert editions.get("weekly/2026-11-16").state is EditionState.cancelled
    assert editions.get("weekly").id == second.id
    newest = editions.newest("weekly")
    assert newest is not None
    assert newest.id == second.id
    newest = editions.newest("weekly", cancelled=True)
    assert newest is not None
    assert newest.id == third.id
    assert editions.newest("daily") is None
    assert editions.for_period("weekly", period(1).start_date) is None
    found = editions.for_period("weekly", period(1).start_date, cancelled=True)
    assert found is not None
    assert found.id == third.id
    for ref in ("daily", "weekly/2026-01-01", "99", "#99", "", "weekly/"):
        with pytest.raises(UsageError, match="there is no edition") as caught:
            editions.get(ref)
        assert "weekly/2026-11-16" in caught.value.hint


def test_editions_are_listed_newest_period_first(
    editions: Editions, make: Callable[..., Edition], clock: FixedClock
) -> None:
    for week in (1, 0, 2):
        editions.create(make(week + 1, week=week), at=clock.now(), by="a")
    editions.approve(1, editions.get(1).hash, at=clock.now(), by="a")
    assert [e.period.start_date.day for e in editions.list_("weekly")] == [23, 16, 9]
    assert [e.id for e in editions.list_(states=[DRAFT])] == [3, 2]
    assert [e.id for e in editions.list_("weekly", states=[APPROVED, DRAFT], limit=1)] == [3]
    assert editions.list_("daily") == []
    (light,) = editions.list_(states=[APPROVED], content=False)
    assert (light.stories, light.variants, light.left_out) == ((), (), ())
    assert editions.list_(states=[APPROVED])[0].stories


def test_a_newsletter_is_known_since_it_was_first_asked_for(editions: Editions, clock: FixedClock) -> None:
    assert editions.ensure_newsletter("weekly", since=clock.now()) == clock.now()
    assert editions.ensure_newsletter("weekly", since=clock.now() + WEEK) == clock.now()


# Stories


def test_stories_are_reserved_used_and_given_back(
    editions: Editions,
    stories: Stories,
    make: Callable[..., Edition],
    clock: FixedClock,
    database: Database,
) -> None:
    window = period().window
    stored = editions.create(make(1, 2), at=clock.now(), by="a")
    assert stories.candidates(window, "weekly", until=window.end)[1] == {1, 2}
    assert stories.candidates(window, "weekly", until=window.end, edition=stored.id)[1] == frozenset()
    assert stories.candidates(window, "daily", until=window.end)[1] == frozenset()
    stored = editions.save_content(make(2, 3), before=stored, at=clock.now(), by="a")
    assert uses(database) == {2: False, 3: False}
    with pytest.raises(EditionError, match=r"story #3 is already in weekly/2026-11-09"):
        editions.create(make(3, 4, week=1), at=clock.now(), by="a")
    assert uses(database) == {2: False, 3: False}
    editions.cancel(stored.id, at=clock.now(), by="a")
    assert uses(database) == {}
    again = editions.create(make(3), at=clock.now(), by="a")
    assert editions.mark_used(again.id, at=clock.now())
    assert not editions.mark_used(again.id, at=clock.now() + HOUR)
    assert editions.get(again.id).started == clock.now()
    editions.transition(again.id, {DRAFT}, SENDING, at=clock.now(), by="a")
    editions.cancel(again.id, at=clock.now(), by="a")
    assert uses(database) == {3: True}


def test_a_story_too_young_is_offered_to_the_next_edition_until_that_leaves(
    editions: Editions, stories: Stories, make: Callable[..., Edition], clock: FixedClock
) -> None:
    young = LeftOut(stories.get(5), LeftOutBy.too_young, "2 hours old")
    capped = LeftOut(stories.get(6), LeftOutBy.section_cap, "enough of it")
    this = period().window
    following = period(1).window
    first = editions.create(make(1, left_out=(young, capped)), at=clock.now(), by="a")
    editions.mark_used(first.id, at=clock.now())

    def offered(window: Window) -> list[int]:
        found = stories.candidates(window, "weekly", until=window.end)[0]
        return [candidate.story.id for candidate in found]

    assert offered(following) == [5]
    assert offered(this) == [1, 2, 3, 4, 5, 6, 7, 8]
    second = editions.create(make(5, week=1), at=clock.now(), by="a")
    assert offered(following) == [5]
    editions.mark_used(second.id, at=clock.now())
    assert offered(following) == []
    assert offered(period(2).window) == []


# Changing


def test_content_is_saved_only_over_what_was_read(
    editions: Editions, make: Callable[..., Edition], clock: FixedClock
) -> None:
    read = editions.create(make(1, 2), at=clock.now(), by="a")
    ann = editions.save_content(make(2, 1), before=read, at=clock.now(), by="Ann", action="move")
    assert [s.story.id for s in ann.stories] == [2, 1]
    with pytest.raises(EditionError, match="was changed meanwhile") as caught:
        editions.save_content(make(3), before=read, at=clock.now(), by="Ben")
    assert "digest edition show" in caught.value.hint
    assert editions.get(read.id) == ann
    held = editions.hold(read.id, "Ben looks at it", at=clock.now(), by="Ben")
    with pytest.raises(EditionError, match="was changed meanwhile"):
        editions.save_content(make(3), before=ann, at=clock.now(), by="Ann")
    assert editions.save_content(make(3, held=held.held), before=held, at=clock.now(), by="Ann").held
    with pytest.raises(UsageError, match="no edition #99"):
        editions.save_content(make(3), before=dataclasses.replace(held, id=99), at=clock.now(), by="Ann")


def test_changed_content_needs_a_new_approval_and_the_same_content_does_not(
    editions: Editions, make: Callable[..., Edition], clock: FixedClock
) -> None:
    made = make(1, number=1)
    stored = editions.create(made, at=clock.now(), by="a")
    approved = editions.approve(stored.id, stored.hash, at=clock.now(), by="Ann")
    nonce = dataclasses.replace(made.variants[0], nonce="f" * 16)
    again = editions.save_content(
        dataclasses.replace(made, variants=(nonce,)), before=approved, at=clock.now(), by="a"
    )
    assert (again.state, again.approved_by) == (APPROVED, "Ann")
    changed = editions.save_content(make(2), before=again, at=clock.now(), by="a")
    assert (changed.state, changed.approved_hash, changed.approved_by) == (DRAFT, "", "")


def test_an_approval_names_the_content(
    editions: Editions, make: Callable[..., Edition], clock: FixedClock
) -> None:
    stored = editions.create(make(1), at=clock.now(), by="a")
    with pytest.raises(EditionError, match="was changed meanwhile"):
        editions.approve(stored.id, "0" * 64, at=clock.now(), by="Ann")
    approved = editions.approve(stored.id, stored.hash, at=clock.now(), by="Ann")
    assert (approved.state, approved.approved_hash, approved.approved_by) == (APPROVED, stored.hash, "Ann")
    with pytest.raises(EditionError, match="is approved and cannot be approved"):
        editions.approve(stored.id, stored.hash, at=clock.now(), by="Ann")


def test_a_held_edition_is_not_approved_until_it_is_released(
    editions: Editions, make: Callable[..., Edition], clock: FixedClock
) -> None:
    stored = editions.create(make(1), at=clock.now(), by="a")
    assert editions.hold(stored.id, " typo ", at=clock.now(), by="Ann").held == "typo"
    with pytest.raises(EditionError, match="is held and cannot be approved: typo"):
        editions.approve(stored.id, stored.hash, at=clock.now(), by="Ann")
    with pytest.raises(UsageError, match="reason"):
        editions.hold(stored.id, " ", at=clock.now(), by="Ann")
    released = editions.release(stored.id, at=clock.now(), by="Ben")
    assert (released.held, released.state) == ("", DRAFT)
    with pytest.raises(EditionError, match="is not held"):
        editions.release(stored.id, at=clock.now(), by="Ben")
    events = Events(editions._database).of(f"edition {stored.id}")
    assert [(e.actor, e.action) for e in events] == [("Ben", "release"), ("Ann", "hold"), ("a", "build")]
    assert events[1].detail == {"reason": "typo"}


def test_an_empty_draft_is_not_approved(
    editions: Editions, make: Callable[..., Edition], clock: FixedClock
) -> None:
    stored = editions.create(make(), at=clock.now(), by="a")
    with pytest.raises(EditionError, match="has no stories"):
        editions.approve(stored.id, stored.hash, at=clock.now(), by="Ann")


def test_a_pause_stops_what_is_leaving_and_nothing_else(
    editions: Editions, make: Callable[..., Edition], clock: FixedClock
) -> None:
    stored = editions.create(make(1), at=clock.now(), by="a")
    with pytest.raises(EditionError, match="is still a draft and cannot be paused"):
        editions.pause(stored.id, "relay", at=clock.now(), by="a")
    editions.transition(stored.id, {DRAFT}, FANNING, at=clock.now(), by="a")
    assert editions.pause(stored.id, "relay", at=clock.now(), by="a").paused == "relay"
    with pytest.raises(EditionError, match="is paused already: relay"):
        editions.pause(stored.id, "again", at=clock.now(), by="a")
    with pytest.raises(EditionError, match="cannot be held"):
        editions.hold(stored.id, "x", at=clock.now(), by="a")
    assert editions.resume(stored.id, at=clock.now(), by="a").paused == ""


def test_a_cancelled_edition_frees_its_period_and_stays_cancelled(
    editions: Editions, make: Callable[..., Edition], clock: FixedClock
) -> None:
    stored = editions.create(make(1), at=clock.now(), by="a")
    editions.cancel(stored.id, at=clock.now(), by="Ann", reason="wrong week")
    again = editions.create(make(1), at=clock.now(), by="a")
    assert again.id != stored.id
    with pytest.raises(EditionError, match="was cancelled"):
        editions.cancel(stored.id, at=clock.now(), by="Ann")
    with pytest.raises(EditionError, match="was cancelled"):
        editions.save_content(make(2), before=editions.get(stored.id), at=clock.now(), by="Ann")


def test_a_transition_is_fenced_by_the_states_it_starts_from(
    editions: Editions, make: Callable[..., Edition], clock: FixedClock, database: Database
) -> None:
    stored = editions.create(make(1), at=clock.now(), by="a")
    with pytest.raises(EditionError, match="is draft and not approved or fanning"):
        editions.transition(stored.id, {APPROVED, FANNING}, SENDING, at=clock.now(), by="a")
    editions.transition(stored.id, {DRAFT}, SENDING, at=clock.now(), by="a")
    done = editions.transition(
        stored.id, {SENDING}, EditionState.finished, at=clock.now(), by="a", finished=clock.now()
    )
    assert done.finished == clock.now()
    with pytest.raises(TypeError, match="hash"):
        editions.transition(stored.id, {DRAFT}, SENDING, at=clock.now(), by="a", hash="x")
    other = editions.create(make(2, week=1), at=clock.now(), by="a")
    editions.transition(other.id, {DRAFT}, EditionState.skipped, at=clock.now(), by="a", reason="too few")
    assert uses(database) == {1: False}
    with pytest.raises(UsageError, match="no edition #99"):
        editions.transition(99, {DRAFT}, SENDING, at=clock.now(), by="a")
    with pytest.raises(UsageError, match="no edition #99"):
        editions.cancel(99, at=clock.now(), by="a")


def test_a_missed_period_leaves_an_edition_that_says_why(editions: Editions, clock: FixedClock) -> None:
    missed = editions.skip("weekly", period(), reason="not built in time", at=clock.now(), by="schedule")
    assert (missed.state, missed.held, missed.number) == (EditionState.skipped, "not built in time", 0)
    found = editions.for_period("weekly", period().start_date)
    assert found == missed


def test_editors_are_told_once(editions: Editions, make: Callable[..., Edition], clock: FixedClock) -> None:
    stored = editions.create(make(1), at=clock.now(), by="a")
    assert not stored.told
    assert editions.mark_told(stored.id, at=clock.now())
    assert not editions.mark_told(stored.id, at=clock.now())
    assert editions.get(stored.id).told


def test_of_an_approval_and_a_change_at_the_same_time_one_wins(
    database_url: str, make: Callable[..., Edition], clock: FixedClock
) -> None:
    setup = Database(database_url)
    stored = Editions(setup).create(make(1), at=clock.now(), by="a")
    barrier = threading.Barrier(2)
    failed: list[str] = []

    def race(step: Callable[[Editions], object]) -> None:
        database = Database(database_url)
        barrier.wait()
        try:
            step(Editions(database))
        except DigestError as error:
            failed.append(str(error))
        finally:
            database.close()

    changed = make(2)
    steps: list[Callable[[Editions], object]] = [
        lambda editions: editions.approve(stored.id, stored.hash, at=clock.now(), by="Ann"),
        lambda editions: editions.save_content(changed, before=stored, at=clock.now(), by="Ben"),
    ]
    threads = [threading.Thread(target=race, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failed) == 1
    after = Editions(setup).get(stored.id)
    if after.state is APPROVED:
        assert after.hash == after.approved_hash == stored.hash
    else:
        assert (after.hash, after.approved_hash) == (changed.hash, "")
    setup.close()
