"""People and their subscriptions as frozen values, and what an import did."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class SubscriptionState(StrEnum):
    pending = "pending"
    confirmed = "confirmed"
    unsubscribed = "unsubscribed"


class SuppressionReason(StrEnum):
    hard_bounce = "hard_bounce"
    soft_bounce = "soft_bounce"
    complaint = "complaint"
    manual = "manual"
    imported = "imported"


class ConsentAction(StrEnum):
    """What a person (or the operator, for people who agreed elsewhere) did; rows are only ever added."""

    imported = "imported"
    left = "left"
    returned = "returned"
    """Took leaving back."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A person with one newsletter. `address` is None once the person was erased."""

    id: int
    subscriber: int
    newsletter: str
    state: SubscriptionState
    changed: dt.datetime
    address: str | None
    name: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One person of a list, as it arrived: not yet checked. `row` is the line that a complaint names."""

    address: str
    name: str = ""
    language: str = ""
    row: int = 0


@dataclass(frozen=True, slots=True)
class Rejected:
    """An entry that was not taken, and why."""

    row: int
    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of each entry of an import: `new`, `already`, `left_before`, `suppressed` and the rejected
    add up to the entries read."""

    new: int = 0
    already: int = 0
    """Confirmed before, or further up in the same list."""
    left_before: int = 0
    """Left this newsletter once; an import never brings anyone back."""
    suppressed: int = 0
    """On the list of those who must not be written to."""
    smtputf8: int = 0
    """Of the new ones: how many a server without SMTPUTF8 cannot be given."""
    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True)
class SuppressionReport:
    new: int = 0
    already: int = 0
    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """How many people a newsletter has, by state."""

    newsletter: str
    states: Mapping[SubscriptionState, int]
    reachable: int
    """Confirmed and not suppressed: who would get the next edition."""
