"""The transport over several connections, each in a thread of its own; `digest.ports.Transport`.

Threads open their connection when they get their first message, keep it between messages, and open a new one
when the server ended it. When the relay does not want as many connections as configured, the work goes on
over those that it took.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from digest.config import Smtp
from digest.errors import TransportError
from digest.model import Message, Outcome, OutcomeKind
from digest.smtp.connection import Connection, Lost

_GOODBYE = 10.0
"""Seconds that closing waits, for all connections together."""
_LAST_WORDS = 2.0
"""Seconds that a thread has to say what became of a message whose connection was broken off."""


@dataclass(slots=True, eq=False)
class _Job:
    """A message on its way, taken on by `thread`.

    `connection` is set once there is one, so that it can be broken off; `begun` once the server may see
    something of the message.
    """

    message: Message
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Outcome]
    thread: threading.Thread | None = None
    connection: Connection | None = None
    begun: bool = False
    cancelled: bool = False

    def settle(self, result: Outcome | BaseException) -> None:
        def set_result() -> None:
            if self.future.done():
                return
            if isinstance(result, BaseException):
                self.future.set_exception(result)
            else:
                self.future.set_result(result)

        try:
            self.loop.call_soon_threadsafe(set_result)
        except RuntimeError:
            return  # the loop is gone: nobody waits any more


@dataclass(slots=True, eq=False)
class _Crew:
    """The threads, and how many of them have a connection."""

    started: list[threading.Thread] = field(default_factory=list)
    idle: int = 0
    connected: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, job: _Job) -> bool:
        """Whether the message may be handed over: from here on it is too late to take it back."""
        with self.lock:
            job.begun = not job.cancelled
            return job.begun

    def cancel(self, job: _Job) -> bool:
        """Breaks it off; True when it had not begun, so that the server never sees it.

        Nobody waits then for a thread that is stuck in opening a connection: it ends when it comes back.
        """
        with self.lock:
            job.cancelled = True
            if job.connection is not None:
                job.connection.break_off()
            if not job.begun and job.thread in self.started:
                self.started.remove(job.thread)
            return not job.begun

    def ended(self, job: _Job) -> bool:
        """The thread is done with it; whether it goes on to the next one."""
        with self.lock:
            wanted = not job.cancelled or job.begun or job.thread in self.started
            job.thread = None
            self.idle += wanted
            return wanted


class SmtpTransport:
    """Hands messages to the relay of `smtp`; `ca_file` is its absolute path where one is configured."""

    def __init__(self, smtp: Smtp, *, ca_file: Path | None = None) -> None:
        self._settings, self._ca_file = smtp, ca_file
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._crew = _Crew()

    @property
    def server(self) -> str:
        """Host and port, for messages to people."""
        return f"{self._settings.host}:{self._settings.port}"

    @property
    def capacity(self) -> int:
        return self._settings.connections

    async def open(self) -> None:
        """Makes sure that the relay can be used; the connection is kept for the first message."""
        job = self._job(Message(0, "", "", b""))
        await self._hand_over(job)
        if job.cancelled:
            raise asyncio.CancelledError

    async def send(self, message: Message) -> Outcome:
        """See `digest.ports.Transport`. Cancelled, it breaks the connection off."""
        problem = _unwritable(message)
        if problem:
            status = "5.6.7" if not message.rcpt_to.isascii() else "5.1.3"
            return Outcome(message.delivery, OutcomeKind.rejected, 0, status, problem)
        return await self._hand_over(self._job(message))

    async def close(self) -> None:
        """Says goodbye on every connection, once the messages under way are done; at most ten seconds."""
        with self._crew.lock:
            threads, self._crew.started = self._crew.started, []
        for _ in threads:
            self._jobs.put(None)
        await asyncio.to_thread(_join, threads, _GOODBYE)

    def _job(self, message: Message) -> _Job:
        loop = asyncio.get_running_loop()
        return _Job(message, loop, loop.create_future())

    async def _hand_over(self, job: _Job) -> Outcome:
        with self._crew.lock:
            if not self._crew.idle and len(self._crew.started) < self._settings.connections:
                name = f"smtp {len(self._crew.started) + 1}"
                # Not waited for at exit: whoever did not close the transport is in a hurry.
                thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._crew.started.append(thread)
                thread.start()
            else:
                self._crew.idle = max(self._crew.idle - 1, 0)
        self._jobs.put(job)
        try:
            return await asyncio.shield(job.future)
        except asyncio.CancelledError:
            if self._crew.cancel(job):
                job.future.cancel()
                return _unsent(job)
            # The thread finds its connection broken, and knows whether that was before the dot or behind it.
            await asyncio.wait({job.future}, timeout=_LAST_WORDS)
            if job.future.done() and job.future.exception() is None:
                return job.future.result()
            raise

    # In a thread

    def _work(self) -> None:
        connection: Connection | None = None
        while (job := self._jobs.get()) is not None:
            job.thread = threading.current_thread()
            try:
                connection = self._serve(job, connection)
            except _Refused:
                job.thread = None
                self._jobs.put(job)  # the other connections will take it
                return
            except BaseException as error:  # noqa: BLE001 - handed to the caller of `send`
                connection = None
                job.settle(error)
            if not self._crew.ended(job):
                break
        self._drop(connection, polite=True)

    def _serve(self, job: _Job, connection: Connection | None) -> Connection | None:
        """Sends one message over `connection` or a new one; the connection for the next message.

        Whatever it raises, no connection is left open.
        """
        ended = ""
        for _ in range(2):
            if connection is None and not job.cancelled:
                connection = self._connect(job)
            job.connection = connection
            if connection is None or not self._crew.begin(job):
                job.settle(_unsent(job))
                return connection
            if not job.message.rcpt_to:  # `open`
                job.settle(Outcome(0, OutcomeKind.unsent))
                return connection
            was_used = connection.used
            try:
                outcome = connection.send(job.message)
            except Lost as lost:
                if lost.fresh or not connection.usable:
                    self._drop(connection)
                    connection = None
                if lost.fresh and (was_used or lost.reply.code == 421):
                    job.begun = False
                    ended = f"{lost.reply.code or ''} {lost.reply.text}".strip()
                    continue  # it was idle for too long, or had its number of messages: that is usual
                outcome = lost.reply.outcome(job.message.delivery, OutcomeKind.unsent)
            except BaseException:
                self._drop(connection, polite=True)
                raise
            if connection is not None and not connection.usable:
                self._drop(connection)
                connection = None
            job.settle(outcome)
            return connection
        said = "the server ended two connections before it took the message; the last time: "
        job.settle(Outcome(job.message.delivery, OutcomeKind.unsent, reply=said + ended))
        return connection

    def _connect(self, job: _Job) -> Connection:
        def seen(connection: Connection) -> None:
            job.connection = connection

        try:
            connection = Connection(self._settings, ca_file=self._ca_file, seen=seen)
        except TransportError as error:
            with self._crew.lock:
                others = self._crew.connected
            if others and (error.code is None or error.code < 500) and error.phase in ("connect", "greeting"):
                raise _Refused from error
            raise
        with self._crew.lock:
            self._crew.connected += 1
        return connection

    def _drop(self, connection: Connection | None, *, polite: bool = False) -> None:
        """Closes it, if there is one."""
        if connection is not None:
            connection.close(polite=polite)
            with self._crew.lock:
                self._crew.connected -= 1


class _Refused(Exception):  # noqa: N818 - says what happened
    """One connection more than the relay wants."""


def _unsent(job: _Job) -> Outcome:
    return Outcome(job.message.delivery, OutcomeKind.unsent, reply="broken off before it was handed over")


def _join(threads: Sequence[threading.Thread], seconds: float) -> None:
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(end - time.monotonic(), 0.0))


def _unwritable(message: Message) -> str:
    """Why an envelope cannot be put into SMTP commands (RFC 5321 4.1.2, 4.5.3.1), or ""."""
    for address in (message.mail_from, message.rcpt_to):
        if not address.isascii():
            return f"{address}: characters outside ASCII need SMTPUTF8, which is not used yet"
        if any(c <= " " or c in "<>\x7f" for c in address):
            return f"{address!r}: white space, a control character or a bracket in the address"
        if len(address) > 254 or len(address.rpartition("@")[0]) > 64:
            return f"{address}: too long for SMTP"
    if "@" not in message.rcpt_to:
        return f"{message.rcpt_to!r}: no @ in the address"
    return ""
