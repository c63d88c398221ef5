"""Gmail shows the beginning of a long message and hides the rest, the unsubscribe link with it."""

from __future__ import annotations

from enum import StrEnum

CLIPPED_AT = 102_000
"""Octets of HTML after personalisation at which Gmail clips. Published nowhere, observed as "102 kB"; taken
as thousands, the careful reading, and before transfer encoding, which Gmail undoes before it counts."""


class Clipping(StrEnum):
    none = "none"
    near = "near"
    """At 90 % or more: a warning."""
    clipped = "clipped"
    """Refused to be sent unless an editor overrides."""


def clipping(size: int) -> Clipping:
    """What becomes of HTML of `size` octets (`Compiled.html_size`)."""
    if size >= CLIPPED_AT:
        return Clipping.clipped
    return Clipping.near if size * 10 >= CLIPPED_AT * 9 else Clipping.none
