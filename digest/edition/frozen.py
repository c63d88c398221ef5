"""From a ranking to the frozen stories of an edition, and the words that stand for it in an inbox."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Sequence

from digest.model import Edition, EditionStory, Ranking

PUNCTUAL = dt.timedelta(hours=1)
"""An edition that leaves at most so long after its planned Date has it."""
SUBJECT_LENGTH = 60
"""Characters; phones show 40 to 60 of a subject."""
ANSWER = re.compile(r"^(?:(?:re|fwd?|aw|wg|sv|tr|rv)\s*(?:\[\d+\])?\s*[:\uff1a]\s*)+", re.IGNORECASE)
"""How subjects of answers and of forwarded mail begin, in the languages of the usual mail programs."""
_JOINERS = "\u200d\ufe0f\ufe0e"


def freeze(ranking: Ranking) -> tuple[EditionStory, ...]:
    """The picks as an edition keeps them: later changes of a source do not reach them."""
    return tuple(
        EditionStory(
            position=pick.rank,
            story=pick.story,
            reasons=pick.reasons,
            score=pick.score,
            folded=pick.folded,
            pinned=pick.pinned,
        )
        for pick in ranking.picks
    )


def date_of(edition: Edition) -> dt.datetime | None:
    """The Date of its copies: the planned one where it left then, else that of its departure.

    Nobody sorts mail by a plan: one that left early must not be dated in the future, nor one that was held
    for a week in the past. None before it has content.
    """
    planned, departed = edition.date, edition.departed
    if planned is None or departed is None:
        return planned
    return planned if planned <= departed <= planned + PUNCTUAL else departed


def default_subject(stories: Sequence[EditionStory]) -> str:
    """The lead's heading, cut at a word within 60 characters; "" for an edition without stories.

    Without a "Re:" before it: nobody wrote first (a rule of the large mailbox providers).
    """
    headings = _headings(stories)
    return cut(ANSWER.sub("", headings[0]) or headings[0], SUBJECT_LENGTH) if headings else ""


def default_preheader(stories: Sequence[EditionStory]) -> str:
    """Headings 2 and 3: what the subject does not say."""
    return " · ".join(_headings(stories)[1:3])


def cut(text: str, width: int) -> str:
    """At most `width` characters: whole words and an ellipsis.

    Text without a space to cut at is cut between characters, never inside one that is written as several code
    points (accents, emoji sequences).
    """
    text = " ".join(text.split())
    if len(text) <= width:
        return text
    at = text.rfind(" ", 0, width + 1)
    while at > 0:
        head = _without_ending(text[:at])
        if len(head) < width:  # and one for the ellipsis
            return head + "…"
        at = text.rfind(" ", 0, at)
    at = width - 1
    while at > 1 and not _between_characters(text, at):
        at -= 1
    return _without_ending(text[:at]) + "…"


def _without_ending(text: str) -> str:
    return text.rstrip(" ,;:.–—-")


def _between_characters(text: str, at: int) -> bool:
    """Whether a cut before `text[at]` leaves a whole character on either side (UAX 29, in rough outline)."""
    return (
        not unicodedata.combining(text[at]) and text[at] not in _JOINERS and text[at - 1] not in _JOINERS[:1]
    )


def _headings(stories: Sequence[EditionStory]) -> list[str]:
    ordered = sorted(stories, key=lambda story: story.position)
    return [" ".join(story.story.title.split()) for story in ordered]
