"""The transport: a pool of connections to a relay, on one event loop; `digest.ports.Transport`.

Messages wait in one queue, from which each connection takes as many as its session has room for. The first
connection is opened alone, the others once it stands, so that a relay that is down is asked once. When the
relay does not want as many as configured, the work goes on over those that it took. When it cannot be used
at all, the second server takes its place, for whatever comes from then on: what waited for the first one
goes back, since whoever sent it may have noted that only this one can have it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

from digest.config import Smtp
from digest.errors import TransportError
from digest.model import Message, Outcome, OutcomeKind
from digest.ports import Results
from digest.smtp.connection import Connection
from digest.smtp.envelope import Copy
from digest.smtp.events import Closed
from digest.smtp.relay import Relay

_GOODBYE = 10.0
"""Seconds that closing waits, for everything together."""
_TRIES = 2
"""So many connections may end in front of a message before that is told."""
_CONTENT_WITH = 60.0
"""Seconds before more connections are tried than the relay wanted."""
_RECALLED = "taken back before it was handed over"


class _Job(Copy):
    """A message on its way, with whom to tell."""

    __slots__ = ("results", "server", "tries")

    def __init__(self, message: Message, results: Results, server: str) -> None:
        super().__init__(message)
        self.results = results
        self.server = server
        self.tries = 0


class SmtpTransport:
    """Hands messages to the relay of `smtp`, or to `fallback` when that one cannot be used at all.

    `ca_file` is the absolute path where one is configured, `section` where `smtp` stands in config.toml. Used
    on one event loop at a time.
    """

    def __init__(
        self,
        smtp: Smtp,
        *,
        ca_file: Path | None = None,
        section: str = "smtp",
        fallback: Smtp | None = None,
    ) -> None:
        self._relays = [Relay(smtp, ca_file=ca_file, section=section)]
        if fallback is not None:
            self._relays.append(Relay(fallback, section="fallback"))
        self._at = 0
        self._server = self._relay.server
        """To which a connection stood last. Whatever is open leads there, and whatever waits may go there."""
        self._queue: deque[_Job] = deque()
        self._under_way = 0
        self._connections: list[Connection] = []
        self._opening: list[Connection] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._most = smtp.connections
        self._more_from = 0.0
        self._spreading = self._breaking_off = False
        self._changed: asyncio.Event | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._errors: list[TransportError] = []
        self._results: Results | None = None

    @property
    def server(self) -> str:
        """See `digest.ports.Transport`: the second one as soon as it has answered."""
        return self._server

    @property
    def capacity(self) -> int:
        return self._relays[0].connections * self._relays[0].depth

    @property
    def _relay(self) -> Relay:
        return self._relays[self._at]

    async def open(self) -> None:
        """Makes sure that the relay can be used; the connection is kept for the first message."""
        if self._connections:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        if not self._opening:
            self._start()
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def send(self, messages: Sequence[Message], results: Results, server: str = "") -> None:
        """See `digest.ports.Transport`."""
        self._under_way += len(messages)
        self._results = results
        self._queue.extend([_Job(message, results, server) for message in messages])
        if server and server != self._server:
            self._turn_away()
        self._spread()

    def break_off(self) -> None:
        """See `digest.ports.Transport`."""
        self._breaking_off = True
        try:
            for connection in (*self._connections, *self._opening):
                connection.abort("broken off before the server answered")
            self.recall()
            self._refuse(self._relay.error("connect", "broken off"))
        finally:
            self._breaking_off = False

    def recall(self) -> None:
        """Takes back what no connection has begun: it is "unsent" before this returns. The rest goes on."""
        jobs, self._queue = self._queue, deque()
        for job in jobs:
            self._tell(job, Outcome(job.message.delivery, OutcomeKind.unsent, reply=_RECALLED))

    def _turn_away(self) -> None:
        """Takes back what only another server than the one in use may be given."""
        jobs, self._queue = self._queue, deque()
        for job in jobs:
            if not job.server or job.server == self._server:
                self._queue.append(job)
                continue
            reply = f"it was for {job.server}, which cannot be used now"
            self._tell(job, Outcome(job.message.delivery, OutcomeKind.unsent, reply=reply))

    async def close(self) -> None:
        """Waits for messages under way, says goodbye on every connection; at most ten seconds in all."""
        self._changed = changed = asyncio.Event()
        try:
            async with asyncio.timeout(_GOODBYE):
                while self._under_way:
                    changed.clear()
                    await changed.wait()
                while self._connections:
                    changed.clear()
                    for connection in list(self._connections):
                        connection.quit()
                    if self._connections:
                        await changed.wait()
        except TimeoutError:
            pass
        finally:
            self.break_off()
            if self._timer is not None:
                self._timer.cancel()
            self._timer, self._changed = None, None
            self._turn_to(0)
            self._server = self._relay.server

    # The pool

    def _spread(self) -> None:
        """Gives waiting messages to connections in turn, and opens more where that is not enough."""
        if self._spreading or self._breaking_off:
            return
        self._spreading = True
        try:
            given = True
            while self._queue and given:
                given = False
                share = -(-len(self._queue) // max(len(self._connections), 1))
                for connection in tuple(self._connections):
                    if self._queue and connection.room > 0:
                        connection.pump(share)
                        given = True
            if self._queue:
                self._open_more()
        finally:
            self._spreading = False

    def _open_more(self) -> None:
        if not self._connections:
            if not self._opening:
                self._start()
            return
        if self._most < self._relay.connections and asyncio.get_running_loop().time() >= self._more_from:
            self._most = self._relay.connections
        have = len(self._connections) + len(self._opening)
        for _ in range(min(self._most - have, len(self._queue) - len(self._opening))):
            self._start()

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        connection = Connection(self._relay, self, loop)
        self._opening.append(connection)
        connection.start()
        if self._timer is None:
            self._timer = loop.call_later(self._relay.tick, self._tick)

    def _tick(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in (*self._connections, *self._opening):
            connection.tick(now)
        if self._connections or self._opening:
            self._timer = loop.call_later(self._relay.tick, self._tick)

    # What connections ask and tell

    def next_copy(self) -> Copy | None:
        return self._queue.popleft() if self._queue else None

    def allowed(self) -> bool:
        if self._results is None or self._results.allowed():
            return True
        self.break_off()
        return False

    def told(self, copy: Copy) -> None:
        assert isinstance(copy, _Job)
        assert copy.outcome is not None
        if copy.outcome.kind is OutcomeKind.unsent and self._again([copy], tries=1):
            self._spread()
        else:
            self._tell(copy, copy.outcome)

    def ready(self, connection: Connection) -> None:
        self._opening.remove(connection)
        self._connections.append(connection)
        if self._server != self._relay.server:
            self._server = self._relay.server
            self._turn_away()
        self._errors.clear()
        self._note_change()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()
        connection.pump(1)
        self._spread()

    def failed(self, connection: Connection, error: TransportError) -> None:
        self._opening.remove(connection)
        self._note_change()
        if self._breaking_off:
            return
        temporary = not error.for_good
        if self._connections and temporary:
            # One more than the relay wants; some say so only at EHLO or at the sign-in.
            self._most = len(self._connections)
            self._more_from = asyncio.get_running_loop().time() + _CONTENT_WITH
        elif self._opening and temporary:
            pass  # another one is still being tried
        elif not self._connections and self._at + 1 < len(self._relays):
            self._errors.append(error)
            self._turn_to(self._at + 1)
            self._start()
        else:
            self._unusable(error)

    def ended(self, connection: Connection, copies: Sequence[Copy], closed: Closed) -> None:
        self._connections.remove(connection)
        again: list[_Job] = []
        for copy in copies:
            assert isinstance(copy, _Job)
            assert copy.outcome is not None
            if copy.outcome.kind is OutcomeKind.unsent and not self._breaking_off:
                again.append(copy)
            else:
                self._tell(copy, copy.outcome)
        if len(again) < len(copies):  # it was one of the others that was under way
            self._again(again, tries=0)
        else:
            self._again(again, tries=1 if closed.usual or connection.session.served else _TRIES)
        self._note_change()
        self._spread()

    def _again(self, jobs: Sequence[_Job], *, tries: int) -> bool:
        """Puts messages that were certainly not taken in front of the queue, to go over another connection.

        For the first one that counts as so many tries; those behind it had none. Whether anything goes on.
        """
        kept = list(jobs)
        if kept:
            kept[0].tries += tries
            if kept[0].tries >= _TRIES:
                job = kept.pop(0)
                assert job.outcome is not None
                self._tell(job, job.outcome)
        for job in reversed(kept):
            job.begin_anew()
            self._queue.appendleft(job)
        return bool(jobs)

    def _tell(self, job: _Job, outcome: Outcome) -> None:
        self._under_way -= 1
        job.results.outcome(outcome)
        if self._changed is not None:
            self._changed.set()

    def _turn_to(self, at: int) -> None:
        """Connections are made to that server from now on. None is open; those on their way are given up."""
        self._at = at
        self._most = self._relay.connections
        breaking_off, self._breaking_off = self._breaking_off, True
        for connection in tuple(self._opening):
            connection.abort("another server is tried")
        self._breaking_off = breaking_off

    def _note_change(self) -> None:
        if self._changed is not None:
            self._changed.set()

    def _unusable(self, error: TransportError) -> None:
        """Tells whoever waits; after that everything may be tried anew."""
        if self._errors:
            error = _both(self._errors[0], error)
        self._errors.clear()
        if not self._connections:
            self._turn_to(0)
            self._server = self._relay.server
        self._refuse(error)
        jobs, self._queue = self._queue, deque()
        for results in _distinct(job.results for job in jobs):
            results.unusable(error)
        for job in jobs:
            self._tell(
                job,
                Outcome(job.message.delivery, OutcomeKind.unsent, reply=f"{error.phase}: {error.problem}"),
            )

    def _refuse(self, error: TransportError) -> None:
        """Tells whoever waits in `open`."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(error)
        self._waiters.clear()


def _both(first: TransportError, second: TransportError) -> TransportError:
    """The first server's trouble is the one to mend; it is for good when both are."""
    problem = f"{first.problem}; and the second server, {second.server}, {second.phase}: {second.problem}"
    error = TransportError(first.server, first.phase, problem, code=first.code, hint=first.hint)
    error.for_good = first.for_good and second.for_good
    return error


def _distinct(all_results: Iterable[Results]) -> list[Results]:
    seen: dict[int, Results] = {}
    for results in all_results:
        seen.setdefault(id(results), results)
    return list(seen.values())
