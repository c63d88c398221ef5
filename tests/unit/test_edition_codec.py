"""What the store keeps of an edition comes back as it was."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json

from hypothesis import given
from hypothesis import strategies as st

from digest import edition
from digest.model import (
    Choices,
    EditionStory,
    LeftOut,
    LeftOutBy,
    Link,
    Picture,
    Score,
    Sender,
    Story,
    StoryKind,
)

moments = st.datetimes(
    dt.datetime(1990, 1, 1),  # noqa: DTZ001 - Hypothesis wants its limits without a zone and adds it below
    dt.datetime(2040, 1, 1),  # noqa: DTZ001 - as above
    timezones=st.just(dt.UTC),
)
texts = st.text(max_size=12)
links = st.builds(Link, texts, texts)
figures = st.floats(0, 1e9)
stories = st.builds(
    Story,
    id=st.integers(1, 10**6),
    source=texts,
    external_id=texts,
    url=texts,
    title=texts,
    standfirst=texts,
    body=texts,
    author=texts,
    section=texts,
    language=texts,
    picture=st.none() | st.builds(Picture, texts, st.none() | texts, texts, texts, st.none() | st.integers()),
    first_seen=moments,
    published=st.none() | moments,
    updated=st.none() | moments,
    withdrawn=st.none() | moments,
    kind=st.sampled_from(StoryKind),
    related=st.lists(links, max_size=2).map(tuple),
    full_text=st.booleans(),
)
scores = st.builds(
    Score,
    texts,
    figures,
    figures,
    figures,
    st.booleans(),
    notes=st.lists(texts, max_size=2).map(tuple),
    unit=texts,
)


def through_json(value: object) -> dict[str, object]:
    loaded: dict[str, object] = json.loads(json.dumps(value))
    return loaded


def without_body(story: Story) -> Story:
    return dataclasses.replace(story, body="")


@given(
    st.builds(
        EditionStory,
        st.integers(1, 50),
        stories,
        st.lists(texts, max_size=3).map(tuple),
        st.none() | scores,
        st.lists(stories, max_size=2).map(tuple),
        st.booleans(),
    )
)
def test_a_frozen_story_survives_json_but_for_bodies_of_folded_ones(story: EditionStory) -> None:
    kept = dataclasses.replace(story, folded=tuple(without_body(folded) for folded in story.folded))
    assert edition.decode_story(through_json(edition.encode_story(story))) == kept


@given(st.builds(LeftOut, stories, st.sampled_from(LeftOutBy), texts, st.none() | figures))
def test_a_left_out_story_survives_json_without_its_body(left_out: LeftOut) -> None:
    kept = dataclasses.replace(left_out, story=without_body(left_out.story))
    assert edition.decode_left_out(through_json(edition.encode_left_out(left_out))) == kept


@given(
    st.builds(
        Choices,
        st.dictionaries(st.integers(1, 99), st.none() | st.integers(1, 20), max_size=4),
        st.frozensets(st.integers(1, 99), max_size=4),
    )
)
def test_choices_survive_json(choices: Choices) -> None:
    assert edition.decode_choices(through_json(edition.encode_choices(choices))) == choices


def test_no_stored_choices_are_no_choices() -> None:
    assert edition.decode_choices(None) == Choices()


@given(st.builds(Sender, texts, texts, texts, texts))
def test_a_sender_survives_json(sender: Sender) -> None:
    assert edition.decode_sender(through_json(edition.encode_sender(sender))) == sender


def test_what_an_earlier_version_wrote_can_be_read() -> None:
    story = {
        "id": 1,
        "source": "feed",
        "external_id": "a",
        "url": "https://example.org/a",
        "title": "A",
        "first_seen": "2026-11-09T08:00:00+00:00",
        "picture": {"url": "https://example.org/a.jpg"},
        "a_key_of_a_later_version": True,
    }
    read = edition.decode_story({"position": 1, "story": story})
    assert read.story.picture == Picture("https://example.org/a.jpg")
    assert read.story.kind is StoryKind.article
    assert read.reasons == ()


def test_times_are_written_in_utc_whatever_zone_they_came_in() -> None:
    east = dt.datetime(2026, 11, 9, 10, 0, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    story = Story(1, "feed", "a", "https://example.org/a", "A", first_seen=east)
    encoded = edition.encode_left_out(LeftOut(story, LeftOutBy.rank, "below the list"))
    assert encoded["story"]["first_seen"] == "2026-11-09T08:00:00+00:00"
