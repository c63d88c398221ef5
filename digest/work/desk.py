"""What the use cases work with. `digest.app.App` is one; tests make their own."""

from __future__ import annotations

from typing import Protocol

from digest.compose import Frame
from digest.config import Newsletter, Settings
from digest.model import Edition, RankingSettings
from digest.ports import Clock, Transport
from digest.render import Renderer
from digest.schedule import Schedule
from digest.store.editions import Editions
from digest.store.installation import Installation
from digest.store.ledger import SqlLedger
from digest.store.logs import Logs
from digest.store.pages import StoryPages
from digest.store.signals import Signals
from digest.store.sources import Sources
from digest.store.stories import Stories
from digest.tokens import KeyRing
from digest.work.dkim_keys import KeyFolder
from digest.work.generation import Generation
from digest.work.pace import Pace
from subscribers import Subscribers


class Desk(Protocol):
    """The parts, each made when it is first asked for."""

    @property
    def settings(self) -> Settings: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def keys(self) -> KeyRing: ...

    @property
    def dkim_keys(self) -> KeyFolder: ...

    @property
    def installation(self) -> Installation: ...

    @property
    def generation(self) -> Generation: ...

    @property
    def stories(self) -> Stories: ...

    @property
    def signals(self) -> Signals: ...

    @property
    def sources(self) -> Sources: ...

    @property
    def pages(self) -> StoryPages: ...

    @property
    def logs(self) -> Logs: ...

    @property
    def editions(self) -> Editions: ...

    @property
    def ledger(self) -> SqlLedger: ...

    @property
    def subscribers(self) -> Subscribers: ...

    @property
    def pace(self) -> Pace: ...

    def newsletter(self, slug: str) -> Newsletter:
        """Its settings; `UsageError` names the known ones."""
        ...

    def schedule(self, slug: str) -> Schedule: ...

    def ranking_settings(self, slug: str) -> RankingSettings: ...

    def renderer(self, edition: Edition) -> Renderer: ...

    def frame(self, edition: Edition) -> Frame:
        """What stands around an edition's content in each copy."""
        ...

    def transport(self, server: str = "") -> Transport:
        """A new connection pool to the relay, with the second server behind it; or to that one of
        `Settings.servers` alone. The caller closes it."""
        ...
