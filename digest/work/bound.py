"""Copies that were in doubt and are sent again: each only to the server that may have it already.

A run sends most of them on its way, with everything else. What is left is for a server that the run does not
use: that one is asked on its own. What it cannot be given waits, and the operator is told for whom.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Sequence

from digest.config import Settings
from digest.delivery import Engine, Ledger, Report, Stop
from digest.errors import TransportError
from digest.model import Edition
from digest.ports import Transport
from digest.store.leased import LeasedEdition
from digest.work import alerts
from digest.work.desk import Desk
from digest.work.first_few import FirstFew
from digest.work.signal import Signal

ASK_AGAIN = dt.timedelta(minutes=10)
"""How long copies wait before their server is asked again."""


_RENEWED = 15.0
"""Seconds between two renewals of the lease while a server is waited for."""


def known(settings: Settings) -> tuple[str, ...]:
    """What the ledger has for the server of a copy in doubt that can be asked again. "", which stands for one
    that nobody noted, only where there is no choice."""
    return settings.servers if len(settings.servers) > 1 else (*settings.servers, "")


class Bound:
    """The copies of one run that wait for another server than `used`; `stale`: none is tried after that."""

    def __init__(
        self,
        desk: Desk,
        edition: Edition,
        leased: LeasedEdition,
        *,
        used: str,
        stale: dt.datetime,
        signal: Signal,
        warn: Callable[[str], object],
    ) -> None:
        self._desk, self._edition, self._leased = desk, edition, leased
        self._used, self._stale, self._signal, self._warn = used, stale, signal, warn

    async def leave(self, engine: Callable[[Ledger, Transport], Engine], stop: Stop) -> Report | None:
        """Sends what can be sent and lets the rest wait. What stopped the run; None when nothing did."""
        for server, keys in (await asyncio.to_thread(self._leased.call_up, self._used)).items():
            why = "it is not configured any more"
            if server in self._desk.settings.servers:
                report = await self._through(server, keys, engine, stop)
                if report.stopped:
                    return report
                if report.problem is None:
                    continue
                if not isinstance(report.problem, TransportError):
                    return report
                why = str(report.problem)
            await asyncio.to_thread(self._put_off, server, why)
        await asyncio.to_thread(self._tell)
        return None

    async def _through(
        self, server: str, keys: Sequence[str], engine: Callable[[Ledger, Transport], Engine], stop: Stop
    ) -> Report:
        transport = self._desk.transport(server)
        try:
            if not await self._opened(transport):
                return Report({}, stopped=True)
            return await engine(FirstFew(self._leased, keys), transport).run(stop)
        except TransportError as error:
            return Report({}, error)
        finally:
            await transport.close()

    async def _opened(self, transport: Transport) -> bool:
        """Whether it was not stopped meanwhile; the lease is kept."""
        opening = asyncio.create_task(self._signal.unless_asked(transport.open()))
        try:
            while not opening.done():
                await asyncio.wait({opening}, timeout=_RENEWED)
                if not opening.done():
                    await asyncio.to_thread(self._leased.renew)
            return await opening
        finally:
            opening.cancel()

    def _put_off(self, server: str, why: str) -> None:
        """When the edition is stale they are in doubt again."""
        now = self._desk.clock.now()
        words = f"only {server} may be given this copy: {why}"
        copies = self._leased.put_off(server, min(now + ASK_AGAIN, max(now, self._stale)), words)
        if copies:
            many = "1 copy waits" if copies == 1 else f"{copies:,} copies wait"
            self._warn(f"{many} for {server}, which may have it already: {why}")
        if now >= self._stale:
            self._leased.expire()

    def _tell(self) -> None:
        """An alert as long as any waits."""
        name, now = self._edition.name, self._desk.clock.now()
        waiting = self._leased.bound(self._used)
        if not waiting:
            self._desk.installation.settle(alerts.waits(name), at=now)
            return
        them = " and ".join(
            f"{count:,} {'copy' if count == 1 else 'copies'} for {server}"
            for server, count in waiting.items()
        )
        alerts.raise_(
            self._desk,
            alerts.waits(name),
            f"{name}: {them} may have arrived already, and may be given to no other server; that one cannot "
            f"be used. It is asked again until {self._stale:%a %H:%M} UTC; after that they are uncertain "
            f"again. Which: digest deliveries {name} --state deferred",
        )
