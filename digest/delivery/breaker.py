"""Stops an edition whose readers do not exist: a bought list, an old export, a relay that answers nonsense.

Judged by the lower end of Wilson's interval (E. B. Wilson, "Probable inference, the law of succession, and
statistical inference", Journal of the American Statistical Association 22, 1927, 209-212), so that a few
unlucky addresses at the beginning stop nobody: with a limit of 5 %, 200 copies need 17 hard bounces and
10,000 need 543.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

from digest.replies import Counts, meaning

_SIGMA = 1.959964
"""Standard deviations of a two-sided interval of 95 %."""


def wilson_lower(found: int, of: int) -> float:
    """The least share that `found` among `of` can well stand for (95 %); 0.0 for none of none."""
    if of <= 0 or found <= 0:
        return 0.0
    share, square = found / of, _SIGMA**2
    spread = _SIGMA * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return max((share + square / (2 * of) - spread) / (1 + square / of), 0.0)


def hard_reasons(refusals: Iterable[tuple[int, str, str]]) -> Counter[str]:
    """The hard bounces among refused copies, by reason, for a run that goes on with an edition.

    `refusals` are (code, enhanced status, text) of the rows that the ledger calls rejected.
    """
    said = (meaning(code, text, enhanced) for code, enhanced, text in refusals)
    return Counter(each.reason for each in said if each.counts is Counts.hard)


class Breaker:
    """Counts copies that were answered for good. `limit` is a share, 0.05 for 5 %; 0 switches it off."""

    def __init__(
        self,
        limit: float = 0.05,
        at_least: int = 200,
        *,
        taken: int = 0,
        hard: Mapping[str, int] | None = None,
    ) -> None:
        """`taken` and `hard` (of `hard_reasons`) are those of earlier runs of the edition."""
        self.limit, self._at_least = limit, at_least
        self.taken = taken
        self.reasons = Counter(hard or {})
        self.hard = self.reasons.total()

    def accepted(self) -> None:
        self.taken += 1

    def bounced(self, reason: str) -> None:
        """A hard bounce: the mailbox or domain does not exist."""
        self.hard += 1
        self.reasons[reason] += 1

    @property
    def attempts(self) -> int:
        return self.taken + self.hard

    @property
    def tripped(self) -> bool:
        return (
            self.limit > 0
            and self.attempts >= self._at_least
            and wilson_lower(self.hard, self.attempts) > self.limit
        )

    def words(self) -> str:
        """The figures and the three commonest reasons, for people."""
        reasons = ", ".join(f"{reason}: {count:,}" for reason, count in self.reasons.most_common(3))
        return (
            f"{self.hard:,} of {self.attempts:,} copies were refused because the address does not work "
            f"({_percent(self.hard / max(self.attempts, 1))}; the limit is {_percent(self.limit)}). {reasons}"
        )


def _percent(share: float) -> str:
    """ "5 %", "8.5 %"."""
    return f"{share * 100:.1f}".removesuffix(".0") + " %"
