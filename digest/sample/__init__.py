"""A sample newspaper, written and drawn for this project: 61 stories of three weeks in five sections.

`stories.json` tells how many readers each story had in the end; here they are spread over the hours since it
was published. Everything is the same on every run, and hangs on the end of one week.
"""

from __future__ import annotations

import datetime as dt
import html
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from digest.model import Link, Metric, MetricKind, Picture, Reading, StoryDraft

NEWSPAPER = "The Aldermouth Post"
SITE = "https://post.aldermouth.example"
READERS = Metric("readers", MetricKind.total, distinct=True)
"""Everybody who has read a story so far, once: only such a figure may be called readers in an email."""

_HALF_LIFE = 16.0
"""Hours in which a story finds half of the readers it will have."""
_FIRST_NAMES = (
    *("Ada", "Bea", "Cem", "Dora", "Emil", "Fay", "Gus", "Hana", "Ivo", "June"),
    *("Kofi", "Lena", "Milo", "Nora", "Omar", "Pia", "Quentin", "Rosa", "Sven", "Tara"),
)
_LAST_NAMES = ["Abbot", "Brandt", "Costa", "Duarte", "Ekman", "Farouk", "Grau", "Holm", "Ito", "Jansen"]


@dataclass(frozen=True, slots=True)
class Sample:
    """The three weeks before `end`, an aware time: the end of the newest one."""

    end: dt.datetime

    def pictures(self) -> dict[str, bytes]:
        """Name -> JPEG of 1184 x 666."""
        folder = resources.files("digest.sample") / "pictures"
        return {
            entry.name.removesuffix(".jpg"): entry.read_bytes()
            for entry in sorted(folder.iterdir(), key=lambda e: e.name)
            if entry.name.endswith(".jpg")
        }

    def stories(self, picture_urls: Mapping[str, str]) -> Iterator[StoryDraft]:
        """Every story; one whose picture is not in `picture_urls` (name -> URL) goes without."""
        entries = _entries()
        for entry in entries:
            url = picture_urls.get(entry["picture"], "")
            published = self._published(entry)
            yield StoryDraft(
                external_id=entry["id"],
                url=_url(entry),
                title=entry["title"],
                standfirst=entry["standfirst"],
                body="".join(f"<p>{html.escape(p, quote=False)}</p>" for p in entry["body"]),
                author=entry["author"],
                section=entry["section"],
                language="en",
                picture=Picture(
                    url, alt=entry["picture_alt"], credit="Drawing: the Post", width=1184, height=666
                )
                if url
                else None,
                published=published,
                related=tuple(Link(e["title"], _url(e)) for e in _related(entry, entries)),
                full_text=True,
            )

    def readings(self) -> Iterator[Reading]:
        """How many had read each story after each hour from publication until the end of the week; fewer come
        at night."""
        for entry in _entries():
            start = self._published(entry)
            hours = int((self.end - start).total_seconds() // 3600)
            told = 0
            reached = 0.0
            whole = sum(_hour_weight(start + dt.timedelta(hours=h), h) for h in range(24 * 14))
            for hour in range(min(hours, 24 * 14)):
                at = start + dt.timedelta(hours=hour)
                reached += entry["readers"] * _hour_weight(at, hour) / whole
                if math.floor(reached) > told:
                    told = math.floor(reached)
                    yield Reading(entry["id"], at + dt.timedelta(hours=1), told)

    def subscribers(self, count: int) -> Iterator[tuple[str, str]]:
        """Addresses at example.org, of people who do not exist, with their names."""
        for number in range(count):
            first = _FIRST_NAMES[number % len(_FIRST_NAMES)]
            last = _LAST_NAMES[number // len(_FIRST_NAMES) % len(_LAST_NAMES)]
            again = number // (len(_FIRST_NAMES) * len(_LAST_NAMES))
            yield f"{first}.{last}{again or ''}@example.org".lower(), f"{first} {last}"

    def _published(self, entry: Mapping[str, Any]) -> dt.datetime:
        week = self.end - dt.timedelta(days=7 * (entry["weeks_ago"] + 1))
        return week + dt.timedelta(days=entry["day"], hours=entry["hour"])


def _entries() -> list[dict[str, Any]]:
    text = (resources.files("digest.sample") / "stories.json").read_text(encoding="utf-8")
    entries: list[dict[str, Any]] = json.loads(text)
    return entries


def _url(entry: Mapping[str, Any]) -> str:
    return f"{SITE}/{entry['section'].lower()}/{entry['id']}"


def _related(entry: Mapping[str, Any], entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Two earlier stories of the same section: what a newspaper's own page would name."""
    earlier = [e for e in entries if e["section"] == entry["section"] and e["weeks_ago"] > entry["weeks_ago"]]
    return sorted(earlier, key=lambda e: (-e["readers"], e["id"]))[:2] if entry["weeks_ago"] == 0 else []


def _hour_weight(at: dt.datetime, age: int) -> float:
    """How much of a story's readership falls into one hour: fading with age, most of it by day."""
    day = 1.0 + 0.85 * math.cos((at.hour - 13) / 24 * math.tau)
    return float(day * 0.5 ** (age / _HALF_LIFE))
