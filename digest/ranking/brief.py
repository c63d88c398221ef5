"""What one ranking is asked for, handed from step to step."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from digest.model import Choices, Order, RankingSettings, Window
from digest.ranking.signals import Signal


@dataclass(frozen=True, slots=True)
class Brief:
    window: Window
    cut: dt.datetime
    """Nothing later is looked at; never after the end of the window."""
    settings: RankingSettings
    choices: Choices
    used: frozenset[int]
    """Stories of earlier editions."""
    signals: tuple[Signal, ...] = ()
    """What the list is ranked by, the heaviest first; empty where there is nothing, or nothing is wanted."""

    @property
    def signal(self) -> Signal | None:
        """The one whose figures are shown."""
        return self.signals[0] if self.signals else None

    @property
    def latest(self) -> bool:
        return self.settings.order is Order.latest

    @property
    def least(self) -> int:
        """How many stories the list needs."""
        return min(self.settings.minimum, self.settings.count)
