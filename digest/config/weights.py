"""Weights of signals as a person writes them: ``comments 0.3``."""

from __future__ import annotations

import math

ALLOWED = 'a metric and its weight, such as "readers 1" or "comments 0.3"'


def parse_weight(text: str) -> tuple[str, float]:
    """The metric's name, which may have spaces, and its weight above zero. Raises `ValueError`."""
    name, _, number = text.strip().rpartition(" ")
    weight = float(number)
    if not name.strip() or not math.isfinite(weight) or weight <= 0:
        raise ValueError(f"{text!r} is not {ALLOWED}")
    return name.strip(), weight
