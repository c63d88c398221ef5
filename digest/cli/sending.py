"""How commands tell of copies that leave: a line while they do, a table by domain when they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from digest.cli.output import table
from digest.model import DeliveryState

if TYPE_CHECKING:
    from digest.store.ledger import DomainCounts

_TOLD = (
    DeliveryState.accepted,
    DeliveryState.deferred,
    DeliveryState.rejected,
    DeliveryState.expired,
    DeliveryState.uncertain,
    DeliveryState.skipped,
)


def speed_in_words(rate: float, left: int, seconds_left: float | None) -> str:
    """ "5,200/s, 12,400 to go, 0:03 left"."""
    words = pace(rate)
    if left:
        words += f", {left:,} to go"
        if seconds_left is not None:
            words += f", {duration(seconds_left)} left"
    return words


def in_states(counts: Mapping[DeliveryState, int]) -> str:
    """ "19,992 queued, 8 accepted"; empty where there are no copies yet."""
    return ", ".join(f"{count:,} {state.value}" for state, count in counts.items() if count)


def pace(rate: float) -> str:
    """ "5,200/s", or "20/min" where a second would show too little. `rate` is copies a second."""
    return f"{rate:,.0f}/s" if rate >= 2 or not rate else f"{rate * 60:,.0f}/min"


def duration(seconds: float) -> str:
    """ "0:03", "1:02:00"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def domain_table(domains: Sequence[DomainCounts]) -> None:
    """What became of the copies, for each domain; columns that are empty everywhere are left out."""
    columns = [state for state in DeliveryState if any(each.counts.get(state) for each in domains)]
    columns.sort(key=lambda state: _TOLD.index(state) if state in _TOLD else len(_TOLD))
    table(
        ["Domain", "Copies", *(state.value.capitalize() for state in columns)],
        [
            (each.domain or "all others", each.total, *(each.counts.get(state, 0) for state in columns))
            for each in domains
        ],
    )
