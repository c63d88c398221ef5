"""The `work` process of `digest run`: woken by a ticker, it leads, polls, reconciles and sends.

APScheduler only wakes it: jobs in memory, nothing persistent. What is due is computed from the tables each
time, so a missed or doubled wake-up changes nothing.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable

from apscheduler.schedulers.background import BackgroundScheduler

from digest.errors import DigestError, NothingToDo
from digest.importers.fetch import fetch
from digest.model import Edition
from digest.work import alerts
from digest.work.desk import Desk
from digest.work.identity import gone, identity
from digest.work.poll import poll
from digest.work.reconcile import reconcile
from digest.work.send import Sent, send

LEAD = "leader"
LEASE = dt.timedelta(seconds=60)


class Worker:
    """Does what is due until it is stopped. Several may run: one leads, the others wait for its lease."""

    def __init__(
        self,
        desk: Desk,
        *,
        stop: threading.Event,
        say: Callable[[str], None],
        every: float = 10.0,
    ) -> None:
        self._desk, self._stop, self._say, self._every = desk, stop, say, every
        self._owner = identity()
        self._epoch: int | None = None
        self._sending: dict[int, threading.Thread] = {}
        self._alone = threading.Lock()

    def run(self) -> None:
        """Returns when `stop` is set, everything in flight recorded. `NothingToDo` for a restored backup."""
        self._desk.generation.check()
        scheduler = BackgroundScheduler(timezone=dt.UTC)
        options = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        scheduler.add_job(
            self.tick, "interval", seconds=self._every, next_run_time=dt.datetime.now(dt.UTC), **options
        )
        scheduler.add_job(
            self._guarded,
            "interval",
            args=(self.poll,),
            seconds=max(self._every, 15.0),
            next_run_time=dt.datetime.now(dt.UTC),
            **options,
        )
        scheduler.add_job(self._renew, "interval", seconds=LEASE.total_seconds() / 4, **options)
        scheduler.start()
        try:
            self._stop.wait()
        finally:
            scheduler.shutdown(wait=True)
            for thread in list(self._sending.values()):
                thread.join()
            self._give_back()

    def tick(self) -> None:
        """One round. Nothing that goes wrong in it ends the process: it is said, and tried again."""
        self._guarded(self.round)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except DigestError as error:
            self._say(f"{error} {error.hint}".strip())
        except Exception as error:  # noqa: BLE001 - left alone for years: the next round tries again
            self._say(f"a fault in the program: {type(error).__name__}: {error}")

    def round(self) -> None:
        """Reconciles, starts to send, tells the operator. Does nothing without the lead."""
        if not self._leads():
            return
        try:
            self._desk.generation.check()
        except NothingToDo as error:
            alerts.raise_(self._desk, "restored backup", f"{error} {error.hint}")
            alerts.tell(self._desk, self._say)
            return
        made = reconcile(self._desk, holds_lead=self._leads)
        for line in made.done:
            self._say(line)
        for edition in made.to_send:
            self._start_sending(edition)
        alerts.tell(self._desk, self._say)

    def poll(self) -> None:
        """Looks at the sources that are due; on its own, for a slow one must not keep an edition waiting."""
        if not self._leads():
            return
        desk = self._desk
        for polled in poll(
            desk.settings.source,
            stories=desk.stories,
            states=desk.sources,
            fetch=fetch,
            clock=desk.clock,
            place=desk.settings.path,
        ):
            if polled.error:
                self._say(f"source {polled.source}: {polled.error}")
            elif polled.counts.new or polled.counts.changed:
                self._say(f"source {polled.source}: {polled.counts.new} new, {polled.counts.changed} changed")
            if self._stop.is_set():
                return

    # Sending takes its own thread: hours of one newsletter must not keep another one waiting.

    def _start_sending(self, edition: Edition) -> None:
        running = self._sending.get(edition.id)
        if self._stop.is_set() or (running is not None and running.is_alive()):
            return
        thread = threading.Thread(target=self._send, args=(edition,), name=f"send {edition.name}")
        self._sending[edition.id] = thread
        thread.start()

    def _send(self, edition: Edition) -> None:
        try:
            sent: Sent = send(self._desk, edition, resume=True, stop=self._stop, warn=self._say)
        except NothingToDo as nothing:
            self._say(str(nothing))
        except DigestError as error:
            self._say(f"{error} {error.hint}".strip())
            alerts.raise_(self._desk, f"sending {edition.name}", f"{error} {error.hint}".strip())
        else:
            self._say(f"{edition.name}: {sent.words}")

    # The lead

    def _leads(self) -> bool:
        with self._alone:
            now = self._desk.clock.now()
            installation = self._desk.installation
            if self._epoch is not None and installation.renew(
                LEAD, self._owner, self._epoch, now=now, length=LEASE
            ):
                return True
            present = installation.lease(LEAD)
            if present is not None and present.owner != self._owner and gone(present.owner):
                # It was killed: its work need not wait for the lease to run out.
                installation.release(LEAD, present.owner, present.epoch, now=now)
            self._epoch = installation.acquire(LEAD, self._owner, now=now, length=LEASE)
            return self._epoch is not None

    def _renew(self) -> None:
        try:
            if self._epoch is not None:
                self._leads()
        except DigestError as error:
            self._say(str(error))

    def _give_back(self) -> None:
        if self._epoch is not None:
            self._desk.installation.release(LEAD, self._owner, self._epoch, now=self._desk.clock.now())
