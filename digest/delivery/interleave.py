"""The order in which claimed copies leave: domains side by side, those with a rate in their own time.

A page is ordered once: the k-th of n copies to a domain goes to the place (k - 1/2) / n of the page, so that
each domain is spread evenly over it, and none comes alone at the end. A copy whose domain has to wait is put
aside and holds nobody up. Deterministic; about a microsecond a copy.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Sequence

from digest.delivery.ledger import Claimed
from digest.delivery.throttle import Domains


def interleaved(rows: Sequence[Claimed]) -> list[Claimed]:
    """The rows with their domains spread evenly; of one domain, they keep their order."""
    sizes = Counter(row.domain for row in rows)
    if len(sizes) < 2:
        return list(rows)
    steps = {domain: 1 / size for domain, size in sizes.items()}
    places = {domain: step / 2 for domain, step in steps.items()}
    keys: list[tuple[float, int]] = []
    for number, row in enumerate(rows):
        domain = row.domain
        place = places[domain]
        keys.append((place, number))
        places[domain] = place + steps[domain]
    keys.sort()
    return [rows[number] for _, number in keys]


class Interleave:
    """What is claimed and not offered yet. `most` bounds what is set aside for domains that have to wait.

    A domain that has its share of it set aside is *full* until half of that has left: no more of it should be
    claimed, so that those behind it come. Copies that are due again are claimed whatever their domain; when
    they make twice `most`, everybody waits.
    """

    def __init__(self, domains: Domains | None = None, *, most: int = 10_000) -> None:
        self._domains = domains if domains is not None else Domains({})
        self._most = most
        self._share = max(most // max(len(self._domains), 1), 1)
        self.full: frozenset[str] = frozenset()
        self._ready: deque[Claimed] = deque()
        self._aside: dict[str, deque[Claimed]] = {}
        self._aside_count = 0
        self._times: list[tuple[float, str]] = []  # a heap: when each domain set aside may go on

    def __len__(self) -> int:
        return len(self._ready) + self._aside_count

    def add(self, rows: Sequence[Claimed]) -> None:
        """A page as it was claimed; it leaves after what is here already."""
        self._ready.extend(interleaved(rows))

    def wants_more(self, at_once: int) -> bool:
        """Whether the next page should be claimed, so that `at_once` copies are at hand for whom may go."""
        return len(self._ready) < at_once and self._aside_count < 2 * self._most

    def pop(self, now: float) -> Claimed | None:
        """The next copy that may start now (its domain's rate counts it as started), or None."""
        times, ready, domains = self._times, self._ready, self._domains
        while times and times[0][0] <= now:
            domain = times[0][1]
            if domains.take(domain, now):
                return self._from_aside(domain, now)
            heapq.heapreplace(times, (now + max(domains.wait(domain, now), 1e-6), domain))
        while ready:
            row = ready.popleft()
            domain = row.domain
            if not domains.limited(domain):
                return row
            waiting = self._aside.get(domain)
            if waiting is None and domains.take(domain, now):
                return row
            if waiting is None:
                waiting = self._aside[domain] = deque()
                heapq.heappush(times, (now + max(domains.wait(domain, now), 1e-6), domain))
            waiting.append(row)
            self._aside_count += 1
            if len(waiting) == self._share:
                self.full |= {domain}
        return None

    def put_back(self, row: Claimed, at: float) -> None:
        """A copy from `pop(at)` that did not start after all: it is the next one."""
        self._domains.give_back(row.domain, at)
        self._ready.appendleft(row)

    def wait(self, now: float) -> float | None:
        """Seconds until `pop` may have something; None when there is nothing at all."""
        if self._ready:
            return 0.0
        return max(self._times[0][0] - now, 0.0) if self._times else None

    def drain(self) -> list[Claimed]:
        """Everything that is left, taken out: to be given back to the ledger."""
        rest = [*self._ready, *(row for rows in self._aside.values() for row in rows)]
        self._ready.clear()
        self._aside.clear()
        self._times.clear()
        self._aside_count = 0
        self.full = frozenset()
        return rest

    def _from_aside(self, domain: str, now: float) -> Claimed:
        waiting = self._aside[domain]
        row = waiting.popleft()
        self._aside_count -= 1
        if len(waiting) == self._share // 2:
            self.full -= {domain}
        if waiting:
            heapq.heapreplace(self._times, (now + max(self._domains.wait(domain, now), 0.0), domain))
        else:
            heapq.heappop(self._times)
            del self._aside[domain]
        return row
