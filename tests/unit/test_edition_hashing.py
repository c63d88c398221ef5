"""The hash that approval names: what changes it, and what does not."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import edition
from digest.model import Edition, EditionState, EditionStory, Period, Score, Sender, Variant
from tests.ranking_material import END, WEEK, hours, story

NONCE = "0123456789abcdef"
PERIOD = Period(WEEK.start.date(), WEEK, END + hours(6), END + hours(32), END + hours(33))
EDITION = Edition(
    id=7,
    newsletter="weekly",
    number=41,
    period=PERIOD,
    state=EditionState.draft,
    stories=(
        EditionStory(1, story(1), ("500 points",), Score("points", 500.0, 400.0, 100.0)),
        EditionStory(2, story(2), ("300 points",)),
    ),
    variants=(Variant("default", "The subject", f"<p>SLOT-{NONCE}-name</p>", "Hello", NONCE),),
    subject="The subject",
    preheader="What follows",
    date=END + hours(33),
    sender=Sender("News", "news@example.org"),
    key_id=1,
    metric="points",
)
TEMPLATES = {"front-page.mjml": "a" * 64, "digest.txt": "b" * 64}


def hashed(**changes: Any) -> str:
    return edition.content_hash(dataclasses.replace(EDITION, **changes), TEMPLATES)


def test_the_hash_is_the_sha_256_of_canonical_json() -> None:
    manifest = edition.manifest(EDITION, TEMPLATES)
    document = json.loads(manifest)
    assert json.dumps(document, sort_keys=True, separators=(",", ":")).encode() == manifest
    assert document["newsletter"] == "weekly"
    assert document["templates"] == TEMPLATES
    assert len(hashed()) == 64


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "Another"},
        {"preheader": "Another"},
        {"intro": "Hello"},
        {"date": END},
        {"sender": None},
        {"key_id": 2},
        {"metric": "readers"},
        {"number": 42},
        {"newsletter": "daily"},
        {"stories": EDITION.stories[:1]},
        {"stories": (dataclasses.replace(EDITION.stories[0], reasons=("501 points",)), EDITION.stories[1])},
        {
            "stories": (
                dataclasses.replace(EDITION.stories[0], position=2),
                dataclasses.replace(EDITION.stories[1], position=1),
            )
        },
        {"variants": (dataclasses.replace(EDITION.variants[0], html="<p>other</p>"),)},
        {"variants": (dataclasses.replace(EDITION.variants[0], text="Goodbye"),)},
        {"variants": ()},
        {"period": dataclasses.replace(PERIOD, start_date=dt.date(2026, 11, 2))},
    ],
)
def test_what_a_reader_gets_is_in_the_hash(changes: dict[str, Any]) -> None:
    assert hashed(**changes) != hashed()


@pytest.mark.parametrize(
    "changes",
    [
        {"id": 8},
        {"state": EditionState.approved},
        {"held": "Too few stories"},
        {"paused": "Server down"},
        {"hash": "c" * 64, "approved_hash": "c" * 64, "approved_by": "an editor"},
        {"left_out": ()},
        {"stories": EDITION.stories[::-1]},
        {"date": (END + hours(33)).astimezone(dt.timezone(hours(2)))},
    ],
)
def test_what_a_reader_does_not_get_is_not(changes: dict[str, Any]) -> None:
    assert hashed(**changes) == hashed()


def test_templates_pictures_and_policy_are_in_the_hash() -> None:
    plain = hashed()
    assert edition.content_hash(EDITION, {**TEMPLATES, "digest.txt": "c" * 64}) != plain
    pictured = edition.content_hash(EDITION, TEMPLATES, pictures=["d" * 64, "e" * 64])
    assert pictured != plain
    assert edition.content_hash(EDITION, TEMPLATES, pictures=["e" * 64, "d" * 64]) == pictured
    assert edition.content_hash(EDITION, TEMPLATES, policy={"uncertain": "hold"}) != plain


def test_rendering_the_same_again_keeps_the_hash() -> None:
    other = "fedcba9876543210"
    variant = EDITION.variants[0]
    again = dataclasses.replace(variant, nonce=other, html=variant.html.replace(NONCE, other))
    assert hashed(variants=(again,)) == hashed()


def test_a_variant_without_slots_is_hashed_as_it_is() -> None:
    bare = dataclasses.replace(EDITION.variants[0], nonce="")
    assert hashed(variants=(bare,)) != hashed()


@given(st.text())
def test_any_text_can_be_hashed(text: str) -> None:
    variant = dataclasses.replace(EDITION.variants[0], text=text)
    assert len(hashed(subject=text, variants=(variant,))) == 64
