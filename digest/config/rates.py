"""Rates as people write them: "10/s", "600/h", "gmail.com 600/h"."""

from __future__ import annotations

import re

from digest.model import Rate

_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SHAPE = re.compile(r"(\d{1,9}) ?/ ?([smhd])", re.ASCII)

ALLOWED = 'a domain and a rate in s, m, h or d, such as "gmail.com 600/h"'


def parse_rate(text: str) -> Rate:
    """So many a second, minute, hour or day. Raises ValueError; also for none at all."""
    match = _SHAPE.fullmatch(text.strip().lower())
    if match is None or not int(match[1]):
        raise ValueError(f"{text!r} is not a rate such as 600/h")
    return Rate(int(match[1]), _SPANS[match[2]])


def parse_domain_rate(text: str) -> tuple[str, Rate]:
    """The domain in small letters and A-labels, and its rate. Raises ValueError."""
    domain, space, rate = text.strip().partition(" ")
    if not space:
        raise ValueError(f"{text!r} is not {ALLOWED}")
    return domain.lower().encode("idna").decode("ascii"), parse_rate(rate)
