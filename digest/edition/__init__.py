"""One period's frozen content: made from a ranking, edited, approved or held. Pure; the store keeps it.

A tour: `frozen` takes a ranking's picks and gives subject and preheader; `choices` is an editor's word (pin,
exclude, move), by which the list is ranked again; `hashing` makes the manifest of everything that was frozen,
and its hash, which an approval names; `enclosed` notes the files that go with it; `actions` says what may be
done in which state; `codec` turns it all into JSON and back for the store.
"""

from __future__ import annotations

from digest.edition.actions import ACTIONS, Action, Rule, allowed, check
from digest.edition.choices import exclude, include, move, pin, unpin
from digest.edition.codec import (
    decode_choices,
    decode_left_out,
    decode_score,
    decode_sender,
    decode_story,
    encode_choices,
    encode_left_out,
    encode_score,
    encode_sender,
    encode_story,
)
from digest.edition.enclosed import attachments_of, has_inline_pictures, with_enclosures
from digest.edition.frozen import ANSWER, cut, date_of, default_preheader, default_subject, freeze
from digest.edition.hashing import content_hash, manifest

__all__ = [
    "ACTIONS",
    "ANSWER",
    "Action",
    "Rule",
    "allowed",
    "attachments_of",
    "check",
    "content_hash",
    "cut",
    "date_of",
    "decode_choices",
    "decode_left_out",
    "decode_score",
    "decode_sender",
    "decode_story",
    "default_preheader",
    "default_subject",
    "encode_choices",
    "encode_left_out",
    "encode_score",
    "encode_sender",
    "encode_story",
    "exclude",
    "freeze",
    "has_inline_pictures",
    "include",
    "manifest",
    "move",
    "pin",
    "unpin",
    "with_enclosures",
]
