"""The `work` process of `digest run`: woken by a ticker, it leads, polls, reconciles and sends.

APScheduler only wakes it: jobs in memory, nothing persistent. What is due is computed from the tables each
time, so a missed or doubled wake-up changes nothing.

These have threads of their own, so that none keeps another waiting: rounds (what is due), looking at sources,
at signals, at pages, and each edition that leaves. At the end only the last are waited for, because they have
copies in flight; the others can be left at any step, as if the process had been killed there.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Sequence

from apscheduler.schedulers.background import BackgroundScheduler

from digest.delivery import SendingStopped
from digest.errors import Interrupted, NothingToDo, TransportError
from digest.importers.fetch import fetch
from digest.model import DeliveryState, Edition, EditionState
from digest.replies import wait_asked
from digest.store.leased import lease_name
from digest.work import alerts, source_alerts
from digest.work.backoff import Backoff
from digest.work.desk import Desk
from digest.work.identity import gone, identity
from digest.work.measure import measure
from digest.work.page_looks import PageLooks
from digest.work.permission import Permissions
from digest.work.poll import poll
from digest.work.reconcile import reconcile
from digest.work.send import Sent, rests_until, send
from digest.work.withdrawals import AT_DEPARTURE, PageFound, look_at_edition, open_question

LEAD = "leader"
LEASE = dt.timedelta(seconds=60)
_MINUTE = dt.timedelta(minutes=1)
_REPEAT = dt.timedelta(hours=1)
LOOK_FOR = dt.timedelta(days=2)
"""Pages of an edition that did not leave are looked at for so long after its time."""
_MOST_SAID = 1000
_LEAVE = 5.0
"""Seconds that a round, or a look at the sources, gets at the end."""


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
        self._said: dict[str, dt.datetime] = {}
        self._permissions = Permissions(desk.clock)
        self._pages = PageLooks(self._permissions)
        # A relay that is down may be back in a minute; one that said no, such as for a daily quota, may count
        # each further attempt against us.
        self._unreached = Backoff(_MINUTE, 15 * _MINUTE)
        self._refused = Backoff(15 * _MINUTE, 60 * _MINUTE)

    def run(self) -> None:
        """Returns when `stop` is set, everything in flight recorded. `NothingToDo` for a restored backup."""
        self._desk.generation.check()
        now, options = dt.datetime.now(dt.UTC), {"coalesce": True, "max_instances": 1}
        scheduler = BackgroundScheduler(timezone=dt.UTC, job_defaults={**options, "misfire_grace_time": None})
        threads = []
        for name, work, every in (
            ("rounds", self.round, self._every),
            ("sources", self.poll, max(self._every, 15.0)),
            ("pages", self.look_at_pages, max(self._every, 60.0)),
            ("signals", self.measure, max(self._every, 15.0)),
        ):
            wake = threading.Event()
            scheduler.add_job(wake.set, "interval", seconds=every, next_run_time=now)
            threads.append(threading.Thread(target=self._whenever, args=(wake, work), name=name, daemon=True))
        scheduler.add_job(self._guarded, "interval", args=(self._renew,), seconds=LEASE.total_seconds() / 4)
        scheduler.start()
        for thread in threads:
            thread.start()
        try:
            self._stop.wait()
        finally:
            scheduler.shutdown(wait=False)
            self.join()
            for thread in threads:
                thread.join(_LEAVE)
            self._guarded(self._give_back)

    def join(self) -> None:
        """Waits until every edition that is leaving has left, or was stopped."""
        for thread in list(self._sending.values()):
            thread.join()

    def _whenever(self, wake: threading.Event, work: Callable[[], None]) -> None:
        while not self._stop.is_set():
            if wake.wait(0.1):
                wake.clear()
                self._guarded(work)

    def _guarded(self, work: Callable[[], None]) -> None:
        """Nothing that goes wrong in a step ends the process: it is said, and tried again."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - left alone for years: the next round tries again
            self._say_once(alerts.said_of(error))

    def round(self) -> None:
        """Reconciles, starts to send, tells the operator. Does nothing without the lead."""
        if not self._leads():
            return
        try:
            self._desk.generation.check()
        except NothingToDo as error:
            alerts.raise_(self._desk, alerts.RESTORED, alerts.said_of(error))
        else:
            made = reconcile(self._desk, holds_lead=self._leads)
            for line in made.done:
                self._say_once(line)
            for edition in made.to_send:
                self._start_sending(edition)
        self._tell()

    def poll(self) -> None:
        """Looks at the sources that are due; on its own, for a slow one must not keep an edition waiting."""
        if not self._leads():
            return
        desk = self._desk
        open_keys = {alert.key for alert in desk.installation.open_alerts()}
        source_alerts.settle_others(desk, open_keys)
        for polled in poll(
            desk.settings.source,
            stories=desk.stories,
            signals=desk.signals,
            states=desk.sources,
            fetch=fetch,
            clock=desk.clock,
            place=desk.settings.path,
            permissions=self._permissions,
        ):
            source_alerts.note(desk, polled, open_keys)
            if polled.error:
                self._say_once(f"source {polled.source}: {polled.error}")
            elif polled.counts.new or polled.counts.changed:
                self._say(f"source {polled.source}: {polled.counts.new} new, {polled.counts.changed} changed")
            if self._stop.is_set():
                return

    def look_at_pages(self) -> None:
        """Looks whether stories of coming editions are still there; the next round holds what lost one."""
        if not self._leads():
            return
        desk = self._desk
        coming = desk.editions.list_(states=(EditionState.draft, EditionState.approved), content=False)
        for edition in coming:
            if self._stop.is_set():
                return
            if desk.clock.now() < edition.period.send_at + LOOK_FOR:
                whole = desk.editions.get(edition.id)
                self._say_found(whole, look_at_edition(desk, whole, self._pages))

    def _say_found(self, edition: Edition, found: Sequence[PageFound]) -> None:
        for each in found:
            if each.reason:
                self._say(f"{edition.name}: #{each.story.id} “{each.story.title[:60]}”: {each.reason}")

    def measure(self) -> None:
        """Looks at the signals that are due; on its own, for logs can take minutes."""
        if not self._leads():
            return
        for measured in measure(self._desk, self._desk.settings.signals):
            if measured.error:
                self._say_once(f"signals {measured.source}: {measured.error}")
            for date, count in sorted(measured.read.late.items()) if measured.read else ():
                self._say(
                    f"signals {measured.source}: {count:,} visits of {date} came when that day was closed, "
                    "and do not count"
                )
            if self._stop.is_set():
                return

    def _tell(self) -> None:
        now = self._desk.clock.now()
        if not self._unreached.waits("alerts", now):
            if alerts.tell(self._desk, self._say_once):
                self._unreached.went_well("alerts")
            else:
                self._unreached.failed("alerts", now)

    def _say_once(self, line: str) -> None:
        """What is wrong is wrong in each round: said once an hour, it still can be found."""
        now = self._desk.clock.now()
        last = self._said.get(line)
        if last is not None and last <= now < last + _REPEAT:
            return
        if len(self._said) >= _MOST_SAID:
            self._said.clear()
        self._said[line] = now
        self._say(line)

    # Sending takes its own thread: hours of one newsletter must not keep another one waiting.

    def _start_sending(self, edition: Edition) -> None:
        running = self._sending.get(edition.id)
        if self._stop.is_set() or (running is not None and running.is_alive()) or self._waits(edition):
            return
        thread = threading.Thread(target=self._guarded, args=(lambda: self._send(edition),))
        thread.name = f"send {edition.name}"
        self._sending[edition.id] = thread
        thread.start()

    def _waits(self, edition: Edition) -> bool:
        """Whether there is nothing to do for it now: the relay was asked just before, all that is left of it
        waits for its next attempt, or a person sends it by hand."""
        now = self._desk.clock.now()
        if self._unreached.waits(edition.name, now) or self._refused.waits(edition.name, now):
            return True
        lease = self._desk.installation.lease(lease_name(edition.id))
        if lease is not None and now < lease.until <= now + 10 * LEASE and not self._ended(lease.owner):
            return True
        rest = rests_until(self._desk, edition)
        return rest is not None and now < rest

    def _ended(self, owner: str) -> bool:
        return owner in ("", self._owner) or gone(owner)

    def _send(self, edition: Edition) -> None:
        if edition.state is EditionState.approved and not self._still_there(edition):
            return
        try:
            sent = send(
                self._desk, edition, owner=self._owner, resume=True, stop=self._stop, warn=self._say_once
            )
        except (NothingToDo, SendingStopped, Interrupted) as ended:
            words = str(ended)
            self._say_once(words if edition.name in words else f"{edition.name}: {words}")
        except Exception as error:  # noqa: BLE001 - told, and tried again later
            now = self._desk.clock.now()
            if isinstance(error, TransportError) and error.code is not None:
                asked = wait_asked(error.problem) or dt.timedelta(0)
                self._refused.failed(edition.name, now, asked=asked)
            else:
                self._unreached.failed(edition.name, now)
            self._say_once(alerts.said_of(error))
            alerts.not_sent(self._desk, edition.name, error)
        else:
            self._unreached.went_well(edition.name)
            self._refused.went_well(edition.name)
            self._say(f"{edition.name}: {sent.words}")
            self._report(sent)

    def _still_there(self, edition: Edition) -> bool:
        """The last look at the pages as it leaves. False: one was not found, and a second look decides."""
        desk = self._desk
        whole = desk.editions.get(edition.id)
        self._say_found(whole, look_at_edition(desk, whole, self._pages, older_than=AT_DEPARTURE))
        until = open_question(desk, whole)
        if until is None:
            return True
        self._say_once(
            f"{edition.name}: the page of a story is not found, so it waits until {until:%H:%M} UTC for a "
            f"second look: digest edition check-pages {edition.name}"
        )
        return False

    def _report(self, sent: Sent) -> None:
        """What a person should know of an edition that has left."""
        name, uncertain = sent.edition, sent.counts.get(DeliveryState.uncertain, 0)
        if uncertain and sent.finished:
            alerts.raise_(
                self._desk,
                alerts.in_doubt(name),
                f"{name}: nobody can know whether {uncertain:,} {'copy' if uncertain == 1 else 'copies'} "
                f"arrived. Look: "
                f"digest deliveries {name} --state uncertain. Then decide: "
                f"digest deliveries resolve {name} --resend (or --skip).",
            )
        rejected = sent.counts.get(DeliveryState.rejected, 0)
        if rejected and not sent.counts.get(DeliveryState.accepted, 0):
            alerts.raise_(
                self._desk,
                f"rejected: {name}",
                f"{name}: the relay took no copy and rejected {rejected:,}. Why: digest deliveries {name}",
            )

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
        if self._epoch is not None:
            self._leads()

    def _give_back(self) -> None:
        if self._epoch is not None:
            self._desk.installation.release(LEAD, self._owner, self._epoch, now=self._desk.clock.now())
