"""What an outcome makes of its row, and of the run: pure decisions over what the relay said so far."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable

from digest import replies
from digest.delivery.ledger import Claimed, Result
from digest.delivery.retry import RetryPolicy
from digest.errors import TransportError
from digest.model import DeliveryState, Outcome, OutcomeKind
from digest.ports import Clock

State = DeliveryState

_TRIES = 3
"""A copy that so often broke the connection, or was refused for our sake, waits like a deferred one: perhaps
it is the one thing that is wrong, and must not keep the others from leaving."""
_BROKEN_IN_A_ROW = 10
"""So many broken connections, with no answer in between, are the relay's trouble: the run pauses."""
_DOUBTFUL_IN_A_ROW = 10
"""So many copies in doubt, with no answer in between: each further one would be another that nobody can know
about, so the run pauses until a person has looked."""
_REFUSED_IN_A_ROW = 3
"""So many replies about us (quota, sign-in, relaying), with nothing taken in between: the run pauses."""


class Judge:
    """Judges one run's outcomes, in the order in which they come. `problem` is why the run has to end."""

    def __init__(
        self,
        *,
        clock: Clock,
        stale: dt.datetime,
        random: Callable[[], float],
        retry: RetryPolicy,
        server: str,
        capacity: int,
    ) -> None:
        self._clock, self._stale, self._random, self._retry = clock, stale, random, retry
        self._server, self._capacity = server, capacity
        self._tries: Counter[int] = Counter()
        self._broken_in_a_row = 0
        self._doubtful_in_a_row = 0
        self._refused_in_a_row = 0
        self._ended = False
        self.problem: TransportError | None = None

    def give_up(self) -> None:
        """The run ends for another reason: from now on nothing counts against a copy."""
        self._ended = True

    def result(self, claimed: Claimed, outcome: Outcome) -> Result:
        """What the outcome makes of the row."""
        if outcome.kind is OutcomeKind.accepted:
            self._broken_in_a_row = self._refused_in_a_row = self._doubtful_in_a_row = 0
            return Result(outcome, State.accepted)
        if outcome.kind is OutcomeKind.uncertain:
            self._broken_in_a_row = self._refused_in_a_row = 0
            self._count_doubt(outcome)
            return Result(outcome, State.uncertain)
        if outcome.kind is not OutcomeKind.unsent:
            self._doubtful_in_a_row = 0  # it answers
        meaning = replies.meaning(outcome.code, outcome.reply, outcome.enhanced)
        # A 421 ends the connection (RFC 5321 3.8), also after the text: it says nothing about the recipient.
        closing = outcome.kind is OutcomeKind.deferred and meaning.about is replies.About.connection
        if closing or (outcome.kind is OutcomeKind.unsent and meaning.about is not replies.About.run):
            return self._judge_unsent(claimed, outcome, meaning.wait)
        self._broken_in_a_row = 0
        if meaning.about is replies.About.run:
            self._refused_in_a_row += 1
            if self._refused_in_a_row >= _REFUSED_IN_A_ROW:
                self._pause(f"message to {claimed.recipient.address}", _said(outcome), outcome, meaning.hint)
            return self._again(claimed, outcome, meaning.wait)
        if outcome.kind is OutcomeKind.rejected:
            return Result(outcome, State.rejected)
        return self._defer(claimed, outcome, meaning.wait)

    def _count_doubt(self, outcome: Outcome) -> None:
        self._doubtful_in_a_row += 1
        if self._doubtful_in_a_row >= max(_DOUBTFUL_IN_A_ROW, 2 * self._capacity):
            problem = (
                f"after the text of {self._doubtful_in_a_row} messages in a row there was no answer; "
                f"the last time: {_said(outcome)}"
            )
            self.problem = self.problem or TransportError(
                self._server, "sending", problem, hint="Look into the relay's log.", for_good=True
            )

    def _judge_unsent(self, claimed: Claimed, outcome: Outcome, asked: dt.timedelta | None) -> Result:
        if not self._over:
            self._broken_in_a_row += 1
            if self._broken_in_a_row >= max(_BROKEN_IN_A_ROW, 2 * self._capacity):
                problem = (
                    f"the connection broke {self._broken_in_a_row} times in a row before a message was "
                    f"taken; the last time: {_said(outcome)}"
                )
                self._pause("sending", problem, outcome, "Look into the relay's log.")
        return self._again(claimed, outcome, asked)

    @property
    def _over(self) -> bool:
        return self._ended or self.problem is not None

    def _pause(self, phase: str, problem: str, outcome: Outcome, hint: str) -> None:
        self.problem = self.problem or TransportError(
            self._server, phase, problem, code=outcome.code or None, hint=hint
        )

    def _again(self, claimed: Claimed, outcome: Outcome, asked: dt.timedelta | None) -> Result:
        """Back to the queue, unless this copy was tried in vain too often while others got through."""
        if not self._over:
            self._tries[outcome.delivery] += 1
            if self._tries[outcome.delivery] >= _TRIES:
                return self._defer(claimed, outcome, asked)
        return Result(outcome, State.queued)

    def _defer(self, claimed: Claimed, outcome: Outcome, asked: dt.timedelta | None) -> Result:
        at = self._retry.next_attempt(
            claimed.attempts + 1, self._clock.now(), stale=self._stale, random=self._random, asked=asked
        )
        return Result(outcome, State.deferred if at else State.expired, at)


def _said(outcome: Outcome) -> str:
    return f"{outcome.code} {outcome.reply}" if outcome.code else outcome.reply
