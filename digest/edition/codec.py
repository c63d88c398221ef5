"""Editions as JSON: what the store keeps and what the manifest is made of.

Each `encode_*` gives plain dicts, lists, strings and numbers; `decode_*` takes them back to equal values, and
reads what an earlier version wrote: a key that is missing has its field's default, an unknown one is ignored.

One thing is left behind on purpose: stories that an edition only names (folded and left-out ones) are kept
without their body, or an edition would carry the text of half the week.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

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

Json = dict[str, Any]


def encode_story(story: EditionStory) -> Json:
    """A frozen story of an edition, whole."""
    return {
        "position": story.position,
        "story": _story(story.story),
        "reasons": list(story.reasons),
        "score": None if story.score is None else encode_score(story.score),
        "folded": [_named(folded) for folded in story.folded],
        "pinned": story.pinned,
    }


def decode_story(value: Mapping[str, Any]) -> EditionStory:
    """The inverse of `encode_story`, but for the bodies of folded stories."""
    score = value.get("score")
    return EditionStory(
        position=value["position"],
        story=_read_story(value["story"]),
        reasons=tuple(value.get("reasons", ())),
        score=None if score is None else decode_score(score),
        folded=tuple(_read_story(folded) for folded in value.get("folded", ())),
        pinned=value.get("pinned", False),
    )


def encode_score(score: Score) -> Json:
    return {
        "metric": score.metric,
        "value": score.value,
        "gained": score.gained,
        "projected": score.projected,
        "distinct": score.distinct,
        "unit": score.unit,
        "notes": list(score.notes),
    }


def decode_score(value: Mapping[str, Any]) -> Score:
    return Score(
        metric=value["metric"],
        value=value["value"],
        gained=value["gained"],
        projected=value["projected"],
        distinct=value.get("distinct", False),
        unit=value.get("unit", ""),
        notes=tuple(value.get("notes", ())),
    )


def encode_left_out(left_out: LeftOut) -> Json:
    """A story that did not get in, by name and reason, without its body."""
    return {
        "story": _named(left_out.story),
        "by": left_out.by.value,
        "reason": left_out.reason,
        "score": left_out.score,
    }


def decode_left_out(value: Mapping[str, Any]) -> LeftOut:
    """The inverse of `encode_left_out`, but for the story's body."""
    return LeftOut(
        story=_read_story(value["story"]),
        by=LeftOutBy(value["by"]),
        reason=value["reason"],
        score=value.get("score"),
    )


def encode_choices(choices: Choices) -> Json:
    """Story ids become strings where they are keys: JSON has no others."""
    return {
        "pinned": {str(story): position for story, position in sorted(choices.pinned.items())},
        "excluded": sorted(choices.excluded),
    }


def decode_choices(value: Mapping[str, Any] | None) -> Choices:
    """None, a column that was never written, means that nobody chose anything."""
    value = value or {}
    return Choices(
        pinned={int(story): position for story, position in value.get("pinned", {}).items()},
        excluded=frozenset(value.get("excluded", ())),
    )


def encode_sender(sender: Sender) -> Json:
    """Without the keys that came later where they say nothing: what was approved before keeps its hash."""
    later = {"complaints": sender.complaints} if sender.complaints else {}
    return {
        "name": sender.name,
        "address": sender.address,
        "reply_to": sender.reply_to,
        "return_path_domain": sender.return_path_domain,
        "title": sender.title,
        "list_id": sender.list_id,
        "language": sender.language,
        "zone": sender.zone,
        "site_url": sender.site_url,
        **later,
    }


def decode_sender(value: Mapping[str, Any]) -> Sender:
    return Sender(
        name=value["name"],
        address=value["address"],
        reply_to=value.get("reply_to", ""),
        return_path_domain=value.get("return_path_domain", ""),
        title=value.get("title", ""),
        list_id=value.get("list_id", ""),
        language=value.get("language", ""),
        zone=value.get("zone", "UTC"),
        site_url=value.get("site_url", ""),
        complaints=value.get("complaints", ""),
    )


# --- the story itself -----------------------------------------------------------------------------


def _named(story: Story) -> Json:
    encoded = _story(story)
    del encoded["body"]
    return encoded


def _story(story: Story) -> Json:
    picture = story.picture
    return {
        "id": story.id,
        "source": story.source,
        "external_id": story.external_id,
        "url": story.url,
        "title": story.title,
        "standfirst": story.standfirst,
        "body": story.body,
        "author": story.author,
        "section": story.section,
        "language": story.language,
        "picture": None
        if picture is None
        else {
            "url": picture.url,
            "alt": picture.alt,
            "caption": picture.caption,
            "credit": picture.credit,
            "width": picture.width,
            "height": picture.height,
        },
        "first_seen": encode_time(story.first_seen),
        "published": encode_time(story.published),
        "updated": encode_time(story.updated),
        "withdrawn": encode_time(story.withdrawn),
        "kind": story.kind.value,
        "related": [{"title": link.title, "url": link.url} for link in story.related],
        "full_text": story.full_text,
    }


def _read_story(value: Mapping[str, Any]) -> Story:
    picture = value.get("picture")
    return Story(
        id=value["id"],
        source=value["source"],
        external_id=value["external_id"],
        url=value["url"],
        title=value["title"],
        standfirst=value.get("standfirst", ""),
        body=value.get("body", ""),
        author=value.get("author", ""),
        section=value.get("section", ""),
        language=value.get("language", ""),
        picture=None
        if picture is None
        else Picture(
            url=picture["url"],
            alt=picture.get("alt"),
            caption=picture.get("caption", ""),
            credit=picture.get("credit", ""),
            width=picture.get("width"),
            height=picture.get("height"),
        ),
        first_seen=dt.datetime.fromisoformat(value["first_seen"]),
        published=_read_time(value.get("published")),
        updated=_read_time(value.get("updated")),
        withdrawn=_read_time(value.get("withdrawn")),
        kind=StoryKind(value.get("kind", StoryKind.article)),
        related=tuple(Link(link["title"], link["url"]) for link in value.get("related", ())),
        full_text=value.get("full_text", False),
    )


def encode_time(moment: dt.datetime | None) -> str | None:
    """ISO 8601 in UTC: one moment has one spelling, whatever zone it was given in."""
    return None if moment is None else moment.astimezone(dt.UTC).isoformat()


def _read_time(value: str | None) -> dt.datetime | None:
    return None if value is None else dt.datetime.fromisoformat(value)
