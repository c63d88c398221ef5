"""The ledger with a few mailboxes in it: those of a canary, or of copies that one server alone may have."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

from digest.delivery import Offered, Page, Result
from digest.store.leased import LeasedEdition


class FirstFew:
    """Claims the copies of these mailboxes (by address key) only. See `digest.delivery.Ledger`."""

    def __init__(self, leased: LeasedEdition, keys: Collection[str]) -> None:
        self._leased, self._keys = leased, keys

    def claim(self, limit: int, server: str) -> Page:
        return self._leased.claim(limit, server, only=self._keys)

    def commit(self, results: Sequence[Result], offers: Sequence[int], server: str) -> Offered:
        return self._leased.commit(results, offers, server)

    def give_back(self) -> int:
        return self._leased.give_back()

    def renew(self) -> dt.datetime:
        return self._leased.renew()

    def note(self, rate: float, seconds_left: float | None) -> None:
        self._leased.note(rate, seconds_left)
