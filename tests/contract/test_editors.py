"""Editors at work on one edition; on both databases."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest import edition as editing
from digest.app import App
from digest.edition import Action
from digest.errors import EditionError, UsageError
from digest.model import Edition, LeftOutBy, StoryDraft
from digest.work import build
from tests.newsroom import WEEK_END, newsroom

NOW = WEEK_END + dt.timedelta(hours=7)


@pytest.fixture
def app(tmp_path: Path, database_url: str) -> Iterator[App]:
    app, _ = newsroom(tmp_path, now=NOW, environ={"DIGEST_DATABASE__URL": database_url})
    yield app
    app.database.close()


@pytest.fixture
def draft(app: App) -> Edition:
    return build.build(app, "weekly", build.period_at(app, "weekly", NOW), by="test")


def outside(edition: Edition) -> int:
    """A story that did not get in."""
    return next(left.story.id for left in edition.left_out if left.by is LeftOutBy.rank)


def test_an_exclusion_that_changes_no_content_is_not_lost_to_another_editor(app: App, draft: Edition) -> None:
    number = outside(draft)
    first = build.choose(app, draft, Action.exclude, lambda c: editing.exclude(c, number), by="ada")
    assert first.hash == draft.hash
    lead = draft.stories[0].story.id
    with pytest.raises(EditionError, match="changed meanwhile"):
        build.choose(app, draft, Action.pin, lambda c: editing.pin(c, lead, 1), by="bea")
    second = build.choose(app, first, Action.pin, lambda c: editing.pin(c, lead, 1), by="bea")
    assert set(second.choices.pinned) == {lead}
    assert second.choices.excluded == {number}


def test_a_pinned_story_of_an_earlier_week_is_in_and_reserved(app: App, draft: Edition) -> None:
    old = app.stories.list_(before=WEEK_END - dt.timedelta(days=8), limit=1)[0]
    pinned = build.choose(app, draft, Action.pin, lambda c: editing.pin(c, old.id, 2), by="ada")
    assert pinned.held == ""
    assert [each.story.id for each in pinned.stories].index(old.id) == 1
    assert "pinned by the editor at number 2" in pinned.stories[1].reasons
    _, used = app.stories.candidates(draft.period.window, "weekly", until=NOW)
    assert old.id in used
    unpinned = build.choose(app, pinned, Action.pin, lambda c: editing.unpin(c, old.id), by="ada")
    assert old.id not in {each.story.id for each in unpinned.stories}
    _, used = app.stories.candidates(draft.period.window, "weekly", until=NOW)
    assert old.id not in used


def test_a_story_of_the_coming_week_can_be_pinned(app: App, draft: Edition) -> None:
    fresh = StoryDraft("fresh", "https://post.example/fresh", "Published this very morning", published=NOW)
    app.stories.import_drafts("sample", [fresh], seen=NOW)
    number = app.stories.resolve("fresh").id
    pinned = build.choose(app, draft, Action.pin, lambda c: editing.pin(c, number), by="ada")
    assert pinned.held == ""
    assert number in {each.story.id for each in pinned.stories}


def test_withdrawn_stories_of_an_edition_are_found_in_its_order(app: App, draft: Edition) -> None:
    assert app.stories.withdrawn_from(draft.id) == []
    numbers = [draft.stories[3].story.id, draft.stories[0].story.id, outside(draft)]
    for number in numbers:
        app.stories.withdraw(number, at=NOW, by="source")
    found = app.stories.withdrawn_from(draft.id)
    assert [story.id for story in found] == [numbers[1], numbers[0]]
    assert all(story.withdrawn == NOW for story in found)


def test_an_edition_without_its_content_is_otherwise_the_same(app: App, draft: Edition) -> None:
    bare = app.editions.get(draft.id, content=False)
    assert bare == dataclasses.replace(draft, stories=(), left_out=(), variants=())


def test_a_change_that_tells_editors_again(app: App, draft: Edition) -> None:
    app.editions.mark_told(draft.id, at=NOW)
    told = app.editions.get(draft.id)
    assert told.told
    assert build.rebuild(app, told, by="ada").told
    again = build.look_again(app, told, by="schedule")
    assert again is not None
    assert not again.told


def test_a_subject_that_pretends_to_be_an_answer_is_refused(app: App, draft: Edition) -> None:
    with pytest.raises(UsageError, match="looks like that of an answer"):
        build.set_words(app, draft, {"subject": "Re: your order"}, by="ada")
    assert build.set_words(app, draft, {"preheader": "Re: your order"}, by="ada").preheader
