"""One period's frozen content: made from a ranking, edited, approved or held. Pure; the store keeps it.

`codec` turns editions into JSON and back.
"""

from __future__ import annotations

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

__all__ = [
    "decode_choices",
    "decode_left_out",
    "decode_score",
    "decode_sender",
    "decode_story",
    "encode_choices",
    "encode_left_out",
    "encode_score",
    "encode_sender",
    "encode_story",
]
