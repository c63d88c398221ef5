"""Bytes with places in them, which the values of a copy fill."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter

Part = bytes | int
"""Constant bytes, or the place of a value in a copy's list of values."""

TO, MESSAGE, LEAVE, SUBJECT, FIRST_OWN = range(5)
"""Where the values of a copy stand in its list; those of the slots in the content come behind."""


class Filling:
    """Constants joined where they touch; `pieces` of a copy only have to be joined."""

    __slots__ = ("_constants", "_pick", "beginning")

    def __init__(self, parts: Iterable[Part]) -> None:
        constants, order = [b""], list[int]()
        for part in parts:
            if isinstance(part, bytes):
                constants[-1] += part
            else:
                constants += [b"", b""]
                order.append(part)
        self._constants = constants
        self._pick = picker(order)
        self.beginning = constants[0]
        """What stands before the first place."""

    def pieces(self, values: Sequence[bytes]) -> list[bytes]:
        pieces = self._constants.copy()
        pieces[1::2] = self._pick(values)
        return pieces


def picker(places: Sequence[int]) -> Callable[[Sequence[bytes]], tuple[bytes, ...]]:
    """What takes the values at these places out of a list, in this order."""
    if len(places) > 1:
        return itemgetter(*places)  # for a single one it would give no tuple
    return lambda values: tuple([values[place] for place in places])
