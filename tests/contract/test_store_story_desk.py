"""What editors do to stories, on both databases."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from digest.errors import UsageError
from digest.model import Metric, MetricKind, Picture, Reading, Story, StoryDraft, Window
from digest.store import Database
from digest.store.events import Events
from digest.store.intake import StoryCounts
from digest.store.signals import Signals
from digest.store.stories import Stories
from digest.store.story_desk import StoryDesk
from tests.fakes import FixedClock

HOUR = dt.timedelta(hours=1)
POINTS = Metric("points", MetricKind.total)
VIEWS = Metric("views", MetricKind.count, bucket=HOUR)


def draft(name: str, title: str = "A heading", **changes: object) -> StoryDraft:
    return replace(StoryDraft(name, f"https://news.example/{name}", title), **changes)  # type: ignore[arg-type]


class Room:
    """The store with two stories, and the hands of an editor."""

    def __init__(self, database: Database, clock: FixedClock) -> None:
        self.clock = clock
        self.stories, self.signals = Stories(database), Signals(database)
        self.desk, self.events = StoryDesk(database), Events(database)
        self.take(draft("1"), draft("2", "Another"))

    def take(self, *drafts: StoryDraft, source: str = "news") -> StoryCounts:
        return self.stories.import_drafts(source, drafts, seen=self.clock.now())

    def candidates(self) -> list[int]:
        now = self.clock.now()
        found, _ = self.stories.candidates(Window(now - HOUR, now + HOUR), "weekly", until=now + HOUR)
        return [each.story.id for each in found]

    def edit(self, number: int, **words: object) -> bool:
        return self.desk.edit(number, words, at=self.clock.now(), by="eva")

    def story(self, number: int) -> Story:
        return self.stories.get(number)


@pytest.fixture
def room(database: Database, clock: FixedClock) -> Room:
    return Room(database, clock)


# --- hide -----------------------------------------------------------------------------------------


def test_a_hidden_story_is_withdrawn_with_the_reason_and_comes_back(room: Room) -> None:
    now = room.clock.now()
    assert room.desk.hide(1, reason="a court forbids it", at=now, by="eva")
    assert not room.desk.hide(1, reason="again", at=now, by="eva")
    assert (room.story(1).withdrawn, room.story(1).hidden) == (now, "a court forbids it")
    assert not room.stories.restore(1, at=now, by="news"), "a source does not undo what an editor did"
    room.take(draft("1", "Edited"))
    assert room.story(1).hidden == "a court forbids it"
    assert room.desk.unhide(1, at=now, by="eva")
    assert not room.desk.unhide(1, at=now, by="eva")
    assert (room.story(1).withdrawn, room.story(1).hidden) == (None, "")
    assert [event.action for event in room.events.of("story 1")] == ["unhide", "hide"]


def test_a_withdrawal_by_the_source_outlasts_hiding(room: Room) -> None:
    now = room.clock.now()
    room.stories.withdraw(1, at=now, by="news")
    room.desk.hide(1, reason="x", at=now + HOUR, by="eva")
    room.desk.unhide(1, at=now + 2 * HOUR, by="eva")
    assert room.story(1).withdrawn == now


# --- edit -----------------------------------------------------------------------------------------


def test_what_an_editor_wrote_stays_until_it_is_given_back(room: Room) -> None:
    now = room.clock.now()
    assert room.edit(1, title="Better", section="Arts")
    assert not room.edit(1, title="Better")
    assert [heading.title for heading in room.stories.headings(1)] == ["A heading"]
    assert room.take(draft("1", "From the source", author="Ann")) == StoryCounts(changed=1)
    assert room.take(draft("1", "From the source", author="Ann")) == StoryCounts(same=1)
    story = room.story(1)
    assert (story.title, story.section, story.author) == ("Better", "Arts", "Ann")
    assert room.desk.edited(1) == {"title": "From the source", "section": ""}
    assert room.edit(1, title="Best")
    assert room.desk.edited(1)["title"] == "From the source"
    assert room.desk.give_back(1, at=now, by="eva")
    assert not room.desk.give_back(1, at=now, by="eva")
    assert (room.story(1).title, room.story(1).section) == ("From the source", "")
    assert [heading.title for heading in room.stories.headings(1)] == ["A heading", "Better", "Best"]


def test_a_picture_may_be_edited_and_nothing_that_is_not_for_editors(room: Room) -> None:
    picture = {
        "url": "https://a.example/1.jpg",
        "alt": "x",
        "caption": "",
        "credit": "",
        "width": None,
        "height": None,
    }
    assert room.edit(1, picture=picture)
    room.take(draft("1"))
    assert room.story(1).picture == Picture("https://a.example/1.jpg", "x")
    with pytest.raises(ValueError, match="first_seen"):
        room.edit(1, first_seen=room.clock.now())
    with pytest.raises(UsageError, match="no story #77"):
        room.edit(77, title="x")


def test_headings_edited_back_and_forth_are_kept_once_each(room: Room) -> None:
    for number in range(6):
        room.clock.advance(HOUR)
        room.take(draft("1", "B" if number % 2 else "A"))
    kept = room.stories.headings(1)
    assert [heading.title for heading in kept] == ["A heading", "A", "B"]
    assert kept[1].until == room.clock.now()


def test_states_of_one_story_in_one_document_are_its_history(room: Room) -> None:
    at = room.clock.now() - 10 * HOUR
    states = [draft("9", f"T{n}", first_seen=at + n * HOUR) for n in range(3)]
    assert room.take(*states) == StoryCounts(new=1, same=2)
    story = room.stories.resolve("9")
    assert (story.title, story.first_seen) == ("T2", at)
    assert [(h.title, h.until) for h in room.stories.headings(story.id)] == [
        ("T0", at + HOUR),
        ("T1", at + 2 * HOUR),
    ]
    more = [draft("9", f"T{n}", first_seen=at + n * HOUR) for n in range(2, 5)]
    assert room.take(*more) == StoryCounts(changed=1, same=2)
    assert [h.title for h in room.stories.headings(story.id)] == ["T0", "T1", "T2", "T3"]


# --- names that change ----------------------------------------------------------------------------


def test_an_id_that_changes_at_each_poll_makes_no_new_stories(room: Room) -> None:
    for number in range(5):
        made = replace(draft("x", "Same"), external_id=f"guid-{number}", once=True)
        assert room.take(made).new == (number == 0)
    story = room.stories.resolve("https://news.example/x")
    assert [name.external_id for name in room.stories.names(story.id)] == ["guid-0", "guid-4"]


def test_two_entries_with_one_link_beside_each_other_stay_two(room: Room) -> None:
    one = replace(draft("x", "Same"), external_id="a", once=True)
    assert room.take(one, replace(one, external_id="b")).new == 2
    assert room.take(one, replace(one, external_id="b"), replace(one, external_id="c")).new == 1
    for number in range(3):
        renamed = [replace(one, external_id=f"{number}-{each}") for each in "xyz"]
        assert room.take(*renamed).new == 0, "three entries beside each other, renamed all at once"


def test_a_page_submitted_again_to_a_table_is_another_story_unless_its_date_is_the_same(room: Room) -> None:
    at = room.clock.now()
    one = replace(draft("x", "Same"), external_id="a", published=at)
    room.take(one)
    assert room.take(replace(one, external_id="b", published=at + HOUR)).new == 1
    assert room.take(replace(one, external_id="c")).new == 0


def test_what_a_page_told_outlasts_an_import_without_it(room: Room) -> None:
    picture = Picture("https://news.example/p.jpg")
    room.take(draft("p", picture=picture, section="Arts", from_page=("picture", "section")))
    assert room.take(draft("p", section="Culture")) == StoryCounts(changed=1)
    story = room.stories.resolve("p")
    assert (story.picture, story.section) == (picture, "Culture")
    assert room.take(draft("p", section="Culture")) == StoryCounts(same=1)


# --- merge and split ------------------------------------------------------------------------------


def test_merged_stories_are_one_with_all_names_and_signals(room: Room) -> None:
    now = room.clock.now()
    readings = {
        POINTS: [("1", -4, 10), ("1", -2, 30), ("2", -3, 20), ("2", -1, 25)],
        VIEWS: [("1", -4, 5), ("2", -4, 7), ("2", -3, 1)],
    }
    for metric, taken in readings.items():
        room.signals.record(metric, "news", (Reading(s, now + h * HOUR, v) for s, h, v in taken))
    room.desk.merge(1, [2], at=now, by="eva")
    assert room.candidates() == [1]
    assert [story.id for story in room.stories.list_()] == [1]
    assert room.stories.resolve("https://news.example/2").id == 1
    assert room.desk.parts(1) == [2]
    assert [name.external_id for name in room.stories.names(1)] == ["1", "2"]
    signals = room.stories.signals(1, until=now)
    assert signals["points"].values == (10, 20, 30, 30), "the larger of two running totals, never their sum"
    assert signals["views"].values == (12, 1), "counts of two addresses add up"
    # What is measured afterwards by the other name counts, too.
    room.signals.record(VIEWS, "news", [Reading("https://news.example/2", now, 3)])
    assert room.stories.signals(1, until=now)["views"].values == (12, 1, 3)

    assert room.desk.split(2, at=now, by="eva") == 1
    assert room.candidates() == [1, 2]
    assert room.stories.signals(1, until=now)["points"].values == (10, 30)
    assert room.stories.signals(2, until=now)["points"].values == (20, 25)


def test_merging_takes_along_what_was_merged_before(room: Room) -> None:
    now = room.clock.now()
    room.take(draft("3", "Third"))
    room.desk.merge(2, [3], at=now, by="eva")
    room.desk.merge(1, [2], at=now, by="eva")
    assert room.desk.parts(1) == [2, 3]
    room.take(draft("3", "Changed"))
    assert room.candidates() == [1]


@pytest.mark.parametrize(
    ("into", "others", "reason"), [(1, [1], "into itself"), (1, [9], "no story #9"), (2, [1], "#2 was")]
)
def test_what_cannot_be_merged_is_told(room: Room, into: int, others: list[int], reason: str) -> None:
    room.take(draft("3", "Third"))
    room.desk.merge(3, [2], at=room.clock.now(), by="eva")
    with pytest.raises(UsageError, match=reason):
        room.desk.merge(into, others, at=room.clock.now(), by="eva")
    with pytest.raises(UsageError, match="not merged"):
        room.desk.split(1, at=room.clock.now(), by="eva")


def test_what_two_sources_mean_by_one_link_can_be_taken_apart(room: Room) -> None:
    now = room.clock.now()
    other = replace(draft("1", "Their story"), external_id="theirs")
    assert room.take(other, source="other").new == 0
    with pytest.raises(UsageError, match="not known to other"):
        room.desk.split_name(1, "other", "x", at=now, by="eva")
    with pytest.raises(UsageError, match="first name"):
        room.desk.split_name(1, "news", "1", at=now, by="eva")
    made = room.desk.split_name(1, "other", "theirs", at=now, by="eva")
    assert room.take(other, source="other") == StoryCounts(changed=1)
    assert (room.story(made).title, room.story(made).source) == ("Their story", "other")
    assert room.story(1).title == "A heading"
