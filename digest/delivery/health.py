"""Whether a run may go on: counts what goes wrong in a row, and says when and why to pause.

One refusal about us may be an oddity of one copy; the same of several copies, with nothing taken in between,
is the relay's word. Each limit is small enough that a quota or a wrong password is found within the copies in
flight, and large enough that one bad copy stops nobody.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import deque
from dataclasses import dataclass

from digest.delivery.breaker import Breaker
from digest.delivery.judge import about
from digest.errors import TransportError
from digest.model import Outcome, OutcomeKind
from digest.replies import About, Counts, Meaning

BROKEN_IN_A_ROW = 10
"""So many broken connections, with no answer in between, are the relay's trouble."""
DOUBTFUL_IN_A_ROW = 10
"""So many copies in doubt beyond what one crash of the relay leaves, with no answer in between: each further
one would be another that nobody can know about, so the run pauses until a person has looked."""
REFUSED_IN_A_ROW = 3
"""So many copies refused for our sake or for the message's, with nothing taken in between."""
CLOSED = 10
CLOSED_WITHIN = 60.0
"""So many 421 in so many seconds, when fewer copies were taken meanwhile: the relay wants us to go away."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`trouble` pauses the run. `pause` and `slow_start` are advice of the reply (see `Meaning`), also where
    there is no trouble yet: for so long nothing further, then one copy at a time."""

    trouble: TransportError | None = None
    pause: dt.timedelta | None = None
    slow_start: bool = False


FINE = Verdict()


class Health:
    """`capacity` is that of the transport: so many copies may have been under way when trouble began."""

    def __init__(self, server: str, capacity: int, breaker: Breaker | None = None) -> None:
        self._server = server
        self._capacity, self._many = capacity, 2 * capacity
        self._breaker = breaker or Breaker(0)
        self._broken = self._doubtful = 0
        self._refused: list[int] = []
        self._taken = 0
        self._closed: deque[tuple[float, int]] = deque(maxlen=CLOSED)

    def saw(self, outcome: Outcome, said: Meaning | None, address: str, now: float) -> Verdict:
        """Counts one outcome; `said` is `meaning_of(outcome)`, `now` are seconds of a clock that never goes
        back."""
        if outcome.kind is OutcomeKind.accepted:
            self._taken += 1
            self._breaker.accepted()
            self._broken = self._doubtful = 0
            self._refused.clear()
            return FINE
        if outcome.kind is OutcomeKind.uncertain:
            self._broken = 0
            self._refused.clear()
            return self._doubt(outcome)
        if outcome.kind is not OutcomeKind.unsent:
            self._doubtful = 0  # it answers
        whose = about(outcome, said)
        if whose is About.connection:
            return self._break(outcome, now)
        self._broken = 0
        if said is not None and whose is not About.recipient:
            return self._refuse(outcome, said, address)
        return self._bounce(outcome, said)

    def _doubt(self, outcome: Outcome) -> Verdict:
        self._doubtful += 1
        if self._doubtful < DOUBTFUL_IN_A_ROW + self._capacity:
            return FINE
        problem = (
            f"after the text of {self._doubtful} messages in a row there was no answer; the last time: "
            f"{words(outcome)}"
        )
        return self._trouble("sending", problem, hint="Look into the relay's log.", for_good=True)

    def _break(self, outcome: Outcome, now: float) -> Verdict:
        self._broken += 1
        if self._broken >= max(BROKEN_IN_A_ROW, self._many):
            problem = (
                f"the connection broke {self._broken} times in a row before a message was taken; the last "
                f"time: {words(outcome)}"
            )
            return self._trouble("sending", problem, code=outcome.code, hint="Look into the relay's log.")
        if outcome.code == 421:
            self._closed.append((now, self._taken))
            since, taken = self._closed[0]
            if len(self._closed) == CLOSED and now - since <= CLOSED_WITHIN and self._taken - taken < CLOSED:
                span, took = math.ceil(now - since) or 1, self._taken - taken or "no"
                problem = (
                    f"the server closed {CLOSED} connections within {span} s, and took {took} messages; the "
                    f"last time: {words(outcome)}"
                )
                hint = "Lower smtp.connections or the limits in [sending], or look into the relay's log."
                return self._trouble("sending", problem, code=421, hint=hint)
        return FINE

    def _refuse(self, outcome: Outcome, said: Meaning, address: str) -> Verdict:
        """The same copy refused again says nothing new, unless nothing else was ever taken."""
        if not self._taken or outcome.delivery not in self._refused:
            self._refused.append(outcome.delivery)
        trouble = None
        if len(self._refused) >= REFUSED_IN_A_ROW:
            trouble = self._trouble(
                f"message to {address}", words(outcome), code=outcome.code, hint=said.hint
            ).trouble
        return Verdict(trouble, said.pause, said.slow_start)

    def _bounce(self, outcome: Outcome, said: Meaning | None) -> Verdict:
        if said is None or outcome.kind is not OutcomeKind.rejected or said.counts is not Counts.hard:
            return FINE
        self._breaker.bounced(said.reason)
        if not self._breaker.tripped:
            return FINE
        hint = (
            "Look where these addresses came from, and at the replies (`digest deliveries`). "
            "sending.hard_bounce_limit sets the limit."
        )
        return self._trouble("addresses", self._breaker.words(), hint=hint, for_good=True)

    def _trouble(
        self, phase: str, problem: str, *, code: int = 0, hint: str = "", for_good: bool = False
    ) -> Verdict:
        return Verdict(
            TransportError(self._server, phase, problem, code=code or None, hint=hint, for_good=for_good)
        )


def words(outcome: Outcome) -> str:
    """The reply as people read it: code and text."""
    return f"{outcome.code} {outcome.reply}" if outcome.code else outcome.reply


class SlowStart:
    """How many copies may be under way after a server said that it was too much at once (EMAIL rule 14).

    Nothing for `Meaning.pause` (ten minutes for Gmail's 4.7.28), then one, then one more for each minute in
    which copies were taken. `full` is the transport's capacity; moments are seconds.
    """

    def __init__(self, full: int, each: float = 60.0) -> None:
        self._full, self._each = full, each
        self._limit = full
        self._until = self._raised = float("-inf")
        self._taken = False

    def begin(self, now: float, pause: float) -> None:
        """Replies of copies that were under way prolong the pause and add nothing to it."""
        self._limit = 1
        self._until = self._raised = max(self._until, now + pause)
        self._taken = False

    def accepted(self) -> None:
        self._taken = True

    def limit(self, now: float) -> int:
        if now < self._until:
            return 0
        if self._limit < self._full and self._taken and now - self._raised >= self._each:
            self._limit, self._raised, self._taken = self._limit + 1, now, False
        return self._limit

    def wait(self, now: float) -> float:
        """Seconds until something may leave at all."""
        return max(self._until - now, 0.0)
