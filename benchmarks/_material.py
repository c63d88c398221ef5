"""What every client sends: the 40 kB message with 65 slots of `benchmarks.compose`, to made-up readers.

Peers get the product's own splice, so that they are compared by how they send; only nodemailer, which is in
another language, fills the slots and encodes each message itself, as its users do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from benchmarks.compose import FIRST_NAMES, TOKENS, frame, variant
from digest.compose import compile_message
from digest.model import Message, Recipient

DOMAINS = 50


def address(number: int) -> str:
    """Of a reader who does not exist (RFC 2606), at one of fifty providers."""
    return f"reader.{number}@mail{number % DOMAINS}.example"


def name(number: int) -> str:
    return FIRST_NAMES[number % len(FIRST_NAMES)]


def recipient(number: int) -> Recipient:
    return Recipient(number, number, address(number), name(number))


def composer() -> Callable[[int], Message]:
    """The product's splice: a reader's number to the message."""
    compiled = compile_message(variant(), frame())
    return lambda number: compiled.message(recipient(number), **TOKENS)


def write_pieces(path: Path) -> None:
    """The same content for another language: text and HTML cut at their slots, which have odd places."""
    content = variant()
    slots = re.compile(rf"SLOT-{content.nonce}-([a-z.]+-[a-z]+)-TOLS")
    document = {
        "subject": content.subject,
        "text": slots.split(content.text),
        "html": slots.split(content.html),
        "names": FIRST_NAMES,
        "domains": DOMAINS,
        "tokens": TOKENS,
    }
    path.write_text(json.dumps(document))
