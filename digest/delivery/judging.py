"""One run's outcomes, judged as they come: what each makes of its row, and whether the run may go on."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable

from digest.delivery.breaker import Breaker
from digest.delivery.health import Health, SlowStart
from digest.delivery.judge import judge, meaning_of
from digest.delivery.ledger import Claimed, Result
from digest.delivery.retry import RetryPolicy
from digest.errors import TransportError
from digest.model import DeliveryState, Outcome

SLOW_STARTS = 3
"""So often a relay may say "too much at once", with nothing taken in between, before the run ends."""


class Judging:
    """Keeps what the judgement of a copy depends on: what the relay said before. `trouble` ends the run."""

    def __init__(
        self,
        *,
        stale: dt.datetime,
        random: Callable[[], float],
        retry: RetryPolicy,
        server: str,
        capacity: int,
        breaker: Breaker | None = None,
    ) -> None:
        self._stale, self._random, self._retry = stale, random, retry
        self._health = Health(server, capacity, breaker)
        self._tries: Counter[int] = Counter()
        self._slow_starts = 0
        self.slow = SlowStart(capacity)
        self.trouble: TransportError | None = None
        self.said = ""
        """The reply that asked for a pause."""

    def accepted(self, outcome: Outcome) -> None:
        """A copy was taken: whatever went wrong in a row before is over."""
        self._health.saw(outcome, None, "", 0.0)
        self._slow_starts = 0
        self.slow.accepted()

    def result(
        self, claimed: Claimed, outcome: Outcome, *, going: bool, wall: dt.datetime, now: float
    ) -> Result:
        """What any other outcome makes of the row. `going`: nothing else stands in the way of the run; `now`
        are seconds of a clock that never goes back."""
        said = meaning_of(outcome)
        verdict = self._health.saw(outcome, said, claimed.recipient.address, now)
        if verdict.pause is not None and verdict.slow_start and going and self.trouble is None:
            if not self.slow.wait(now):
                self._slow_starts += 1
            self.slow.begin(now, verdict.pause.total_seconds())
            self.said = f"{outcome.code} {outcome.reply}".strip()
        elif verdict.trouble is not None:
            self._slow_starts = SLOW_STARTS + 1
        if self._slow_starts > SLOW_STARTS:
            self.trouble = self.trouble or verdict.trouble
        result = judge(
            claimed,
            outcome,
            said,
            tries=self._tries[outcome.delivery],
            going=going and self.trouble is None,
            now=wall,
            stale=self._stale,
            retry=self._retry,
            random=self._random,
        )
        if result.state is DeliveryState.queued and going and self.trouble is None:
            self._tries[outcome.delivery] += 1
        return result
