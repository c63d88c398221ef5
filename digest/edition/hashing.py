"""What an edition froze, as bytes, and the hash that approval names.

The manifest is canonical JSON (keys sorted, no white space, ASCII: RFC 8785 in spirit, with Python's
shortest floats): equal content has equal bytes. Each variant's HTML and text are in it by their SHA-256, with
the nonce of their slots replaced, so that rendering the same content again keeps the hash and an approval.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from digest.edition.codec import Json, encode_sender, encode_story, encode_time
from digest.model import Edition, Variant

_NONCE = "0" * 16


def manifest(
    edition: Edition,
    templates: Mapping[str, str],
    *,
    pictures: Iterable[str] = (),
    policy: Mapping[str, str | int | float | bool | None] | None = None,
) -> bytes:
    """Everything that a reader or a delivery depends on: not ids, states, flags or who approved.

    `templates` maps each template's name to the hash of its content, `pictures` are the hashes of the frozen
    pictures, `policy` is what was decided about approval, lateness and uncertain copies.
    """
    document = {
        "format": 1,
        "newsletter": edition.newsletter,
        "number": edition.number,
        "period": {
            "start_date": edition.period.start_date.isoformat(),
            "start": encode_time(edition.period.window.start),
            "end": encode_time(edition.period.window.end),
        },
        "stories": [
            encode_story(story) for story in sorted(edition.stories, key=lambda story: story.position)
        ],
        "metric": edition.metric,
        "subject": edition.subject,
        "preheader": edition.preheader,
        "intro": edition.intro,
        "date": encode_time(edition.date),
        "sender": None if edition.sender is None else encode_sender(edition.sender),
        "key_id": edition.key_id,
        "templates": dict(templates),
        "pictures": sorted(set(pictures)),
        "policy": dict(policy or {}),
        "variants": {variant.key: _variant(variant) for variant in edition.variants},
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")


def content_hash(
    edition: Edition,
    templates: Mapping[str, str],
    *,
    pictures: Iterable[str] = (),
    policy: Mapping[str, str | int | float | bool | None] | None = None,
) -> str:
    """SHA-256 of the manifest, 64 hex digits: what an approval names and must still hold at departure."""
    return hashlib.sha256(manifest(edition, templates, pictures=pictures, policy=policy)).hexdigest()


def _variant(variant: Variant) -> Json:
    return {
        "subject": variant.subject,
        "html": _digest(variant.html, variant.nonce),
        "text": _digest(variant.text, variant.nonce),
    }


def _digest(text: str, nonce: str) -> str:
    settled = text.replace(nonce, _NONCE) if nonce else text
    return hashlib.sha256(settled.encode("utf-8", "surrogatepass")).hexdigest()
