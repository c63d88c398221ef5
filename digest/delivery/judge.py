"""What the outcome of one copy makes of its row in the ledger."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from digest.delivery.ledger import Claimed, Result
from digest.delivery.retry import RetryPolicy
from digest.model import DeliveryState, Outcome, OutcomeKind
from digest.replies import About, Meaning, meaning

TRIES = 3
"""A copy that so often broke the connection, or was refused for our sake, waits like a deferred one: perhaps
it is the one thing that is wrong, and must not keep the others from leaving."""
_TRIES_OF_CONTENT = 2
"""A message that the same relay refuses twice for what is in it is refused."""


def meaning_of(outcome: Outcome) -> Meaning | None:
    """None where nothing was refused: an accepted copy asks no rule."""
    if outcome.kind in (OutcomeKind.accepted, OutcomeKind.uncertain):
        return None
    return meaning(outcome.code, outcome.reply, outcome.enhanced, outcome.at)


def about(outcome: Outcome, said: Meaning | None) -> About:
    """Whose matter a refused or unsent copy is.

    Without a reply, and after a 421 (RFC 5321 3.8) at whatever stage, it is the connection's.
    """
    if said is not None and said.about in (About.run, About.content):
        return said.about
    if outcome.kind is OutcomeKind.unsent or (said is not None and said.about is About.connection):
        return About.connection
    return About.recipient


def judge(
    claimed: Claimed,
    outcome: Outcome,
    said: Meaning | None,
    *,
    tries: int,
    going: bool,
    now: dt.datetime,
    stale: dt.datetime,
    retry: RetryPolicy,
    random: Callable[[], float],
) -> Result:
    """The row's next state. `said` is `meaning_of(outcome)`.

    `tries` is how often this copy came back to the queue in this run; `going`: nothing stands in the way of
    the run. A run that ends takes every copy back that is not settled, and lets no try count.
    """

    def deferred() -> Result:
        asked = said.wait if said is not None else None
        at = retry.next_attempt(claimed.attempts + 1, now, stale=stale, random=random, asked=asked)
        return Result(outcome, DeliveryState.deferred if at else DeliveryState.expired, at)

    if outcome.kind in (OutcomeKind.accepted, OutcomeKind.uncertain):
        return Result(outcome, DeliveryState(outcome.kind.value))
    whose = about(outcome, said)
    if whose is About.recipient:
        return Result(outcome, DeliveryState.rejected) if outcome.kind is OutcomeKind.rejected else deferred()
    if not going or tries + 1 < (_TRIES_OF_CONTENT if whose is About.content else TRIES):
        return Result(outcome, DeliveryState.queued)
    if whose is About.content and outcome.kind is OutcomeKind.rejected:
        return Result(outcome, DeliveryState.rejected)
    return deferred()
