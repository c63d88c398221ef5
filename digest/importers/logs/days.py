"""The readers of one day: who read what, as long as the day is open, and how many read each page.

A visitor is an address together with an agent. Both are hashed with the key of that day and of this
installation, and only the hashes are kept, until the day is closed; then nothing is left but numbers of
readers (docs/popularity.md tells it to operators). All of it is sets and smallest values: the same lines in
any order, in any pieces and any number of times give the same readers.

Who reads like a machine is one, whatever it calls itself:

- a visitor with more than `PAGES` different pages on the day: a page every four minutes for ten hours;
- a visitor who opens `IN_A_MINUTE` or more pages for the first time within one minute of the clock: more than
  anybody reads, and more than the tabs that people open at a time;
- an address with more than `PAGES_OF_ADDRESS` different pages, or `READS_OF_ADDRESS` reads, however many
  agents it names: that is more than the households, offices and schools behind one address read.
"""

from __future__ import annotations

import hashlib
import struct
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

PAGES = 150
IN_A_MINUTE = 20
PAGES_OF_ADDRESS = 400
READS_OF_ADDRESS = 2_000
MOST_PAGES = 200_000
"""Different addresses of pages in a day; whoever asks for more made them up."""

_RECORD = struct.Struct("<QIH")
_MEMORY = 200_000  # addresses and agents whose hashes are remembered, but for long ones
_LONG = 500


class Counted(NamedTuple):
    """What a day comes to."""

    readers: list[int]
    """By the number of the page."""
    machines: int
    """Visitors who read like machines, and are not among the readers."""


class Day:
    """One day, in memory. `key` (16 to 64 bytes) is for hashing; `pages` are its pages so far, in order."""

    def __init__(self, key: bytes, pages: Sequence[str] = (), records: Iterable[bytes] = ()) -> None:
        self._key = key
        self.pages = list(pages)
        self._numbers = {url: number for number, url in enumerate(self.pages)}
        self._read: dict[int, dict[int, int]] = {}
        self._fresh: set[tuple[int, int]] = set()
        self._hashes: dict[str, int] = {}
        for chunk in records:
            for visitor, page, minute in _RECORD.iter_unpack(chunk):
                self._put(visitor, page, minute)

    def add(self, address: str, agent: str, url: str, minute: int) -> bool:
        """Someone read a page in a minute of the day (0 to 1,499). False when there is no room for it."""
        page = self._numbers.get(url)
        if page is None:
            if len(self.pages) >= MOST_PAGES:
                return False
            page = self._numbers[url] = len(self.pages)
            self.pages.append(url)
        visitor = self._hash(address) << 32 | self._hash(f" {agent}")  # no address begins with a space
        if self._put(visitor, page, minute):
            self._fresh.add((visitor, page))
        return True

    def take_fresh(self) -> bytes:
        """What was added or changed since the last call, for `records` of a later `Day`."""
        fresh, self._fresh = self._fresh, set()
        return b"".join(_RECORD.pack(v, page, self._read[v][page]) for v, page in sorted(fresh))

    def count(self) -> Counted:
        """Readers of each page, machines left out."""
        readers = [0] * len(self.pages)
        machines = 0
        busy = self._busy_addresses()
        for visitor, read in self._read.items():
            if visitor >> 32 in busy or _is_machine(read):
                machines += 1
                continue
            for page in read:
                readers[page] += 1
        return Counted(readers, machines)

    def _put(self, visitor: int, page: int, minute: int) -> bool:
        read = self._read.get(visitor)
        if read is None:
            self._read[visitor] = {page: minute}
            return True
        before = read.get(page)
        if before is not None and before <= minute:
            return False
        read[page] = minute
        return True

    def _busy_addresses(self) -> set[int]:
        pages: Counter[int] = Counter()
        for visitor, read in self._read.items():
            pages[visitor >> 32] += len(read)
        busy = {address for address, count in pages.items() if count > READS_OF_ADDRESS}
        suspects = {address for address, count in pages.items() if count > PAGES_OF_ADDRESS} - busy
        different: dict[int, set[int]] = defaultdict(set)
        for visitor, read in self._read.items() if suspects else ():
            if visitor >> 32 in suspects:
                different[visitor >> 32].update(read)
        return busy | {address for address, found in different.items() if len(found) > PAGES_OF_ADDRESS}

    def _hash(self, text: str) -> int:
        known = self._hashes.get(text)
        if known is None:
            if len(self._hashes) >= _MEMORY:
                self._hashes.clear()
            digest = hashlib.blake2b(text.encode("utf-8", "replace"), key=self._key, digest_size=4).digest()
            known = int.from_bytes(digest)
            if len(text) <= _LONG:
                self._hashes[text] = known
        return known


def _is_machine(read: dict[int, int]) -> bool:
    if len(read) < IN_A_MINUTE:
        return False
    return len(read) > PAGES or max(Counter(read.values()).values()) >= IN_A_MINUTE
