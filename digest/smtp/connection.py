"""One connection to a relay: moves bytes between a socket and a `Session`, on callbacks of the event loop.

No transport of asyncio stands in between, for three reasons: how much of a text the kernel has taken is known
exactly; when writing fails, what the server said last can still be read; and it costs less.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from digest.errors import TransportError
from digest.smtp.envelope import Copy
from digest.smtp.events import Closed, Event, Failed, Ready, StartTls, TokenWanted
from digest.smtp.relay import GOODBYE, Relay, reason
from digest.smtp.replies import printable
from digest.smtp.session import Session
from digest.smtp.transactions import Buffer, Phase

_READ = 16 * 1024
_GROUP = 192 * 1024
"""So many bytes go in one write, where as many are at hand: each wakes the other side up."""
_COMMANDS = (b"RSET", b"MAIL", b"RCPT", b"DATA", b"BDAT", b".", b"QUIT")
_LATER = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Owner(Protocol):
    """Whom a connection belongs to."""

    def next_copy(self) -> Copy | None:
        """One more copy to send; None when there is none."""
        ...

    def allowed(self) -> bool:
        """Whether anything may leave still; where not, every connection was aborted."""
        ...

    def told(self, copy: Copy) -> None:
        """The outcome of a copy, while the connection goes on."""
        ...

    def ready(self, connection: Connection) -> None:
        """It is open and can be given copies."""
        ...

    def failed(self, connection: Connection, error: TransportError) -> None:
        """It could not be opened."""
        ...

    def ended(self, connection: Connection, copies: Sequence[Copy], closed: Closed) -> None:
        """It was open and is gone; `copies` have their outcome."""
        ...


class Connection:
    """Opened by `open`, fed by `pump`, watched over by `tick`."""

    def __init__(
        self,
        relay: Relay,
        owner: Owner,
        loop: asyncio.AbstractEventLoop,
        *,
        listen: Callable[[str, str], object] | None = None,
    ) -> None:
        """`listen` hears who speaks ("C", "S", "*") and each line, without secrets and texts."""
        self._relay, self._owner, self._loop, self._listen = relay, owner, loop, listen
        self.round_trip = 0.0
        """Seconds that connecting took, which is one round trip."""
        self.session = Session(relay.options)
        self._sock: socket.socket | None = None
        self._tls: ssl.SSLSocket | None = None
        self._shaking = False
        self._backlog: list[Buffer] = []
        """Taken from the session, not yet taken by the kernel."""
        self._blocked = False
        """Nothing is written before the socket says that it takes more."""
        self._pumping = self._told_ready = False
        self._share = 0
        """So many more copies may be taken in this round."""
        self._more = False
        """When the backlog is written, there may be more to write."""
        self._soon = False
        """`_write` is about to be called."""
        self._moved = loop.time()
        """When the server last did something, or was given something to do."""
        self._opening: asyncio.Task[None] | None = None
        self._token: asyncio.Task[None] | None = None
        self._last_token = ""
        self._heard = b""

    # Opening

    def start(self) -> None:
        """Begins to open it; the owner hears `ready` or `failed`."""
        self._opening = self._loop.create_task(self._open())

    async def _open(self) -> None:
        try:
            async with asyncio.timeout(self._relay.timeouts.connect):
                sock = await self._connected()
        except (OSError, ValueError) as error:  # TimeoutError is one; a host that is no name, another
            seconds = self._relay.timeouts.connect
            problem = (
                f"no answer within {seconds:g} seconds" if isinstance(error, TimeoutError) else reason(error)
            )
            self._fail(self._relay.error("connect", problem))
            return
        finally:
            self._opening = None
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._listen is not None:
            self._listen("*", f"connected to {self._relay.server}")
        self._sock = sock
        self._moved = self._loop.time()
        self._loop.add_reader(sock.fileno(), self._readable)
        if self._relay.implicit:
            self._start_tls()

    async def _connected(self) -> socket.socket:
        """Tries the addresses of the host one after the other."""
        loop = self._loop
        problem: OSError = OSError("the name has no address")
        found = await loop.getaddrinfo(self._relay.host, self._relay.port, type=socket.SOCK_STREAM)
        for number, (family, kind, protocol, _, address) in enumerate(found):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.setblocking(False)
                share = self._relay.timeouts.connect / (len(found) - number)
                started = loop.time()
                async with asyncio.timeout(share if len(found) > 1 else None):
                    await loop.sock_connect(sock, address)
                self.round_trip = loop.time() - started
            except OSError as error:
                sock.close()
                problem = error
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise problem

    def _start_tls(self) -> None:
        assert self._sock is not None
        self._loop.remove_reader(self._sock.fileno())
        try:
            context = self._relay.context
            self._tls = context.wrap_socket(
                self._sock, server_hostname=self._relay.host, do_handshake_on_connect=False
            )
        except TransportError as error:
            self._fail(error)
            return
        except (OSError, ValueError) as error:
            self._fail(self._relay.error("TLS", reason(error)))
            return
        self._sock = self._tls
        self._shaking = True
        self._loop.add_reader(self._tls.fileno(), self._readable)
        self._shake_tls()

    def _shake_tls(self) -> None:
        assert self._tls is not None
        self._loop.remove_writer(self._tls.fileno())
        try:
            self._tls.do_handshake()
        except ssl.SSLWantWriteError:
            self._loop.add_writer(self._tls.fileno(), self._shake_tls)
            return
        except _LATER:
            return
        except (OSError, ValueError) as error:
            self._fail(self._relay.error("TLS", reason(error)))
            return
        self._shaking = False
        self._moved = self._loop.time()
        if self._listen is not None:
            self._listen("*", f"{self._tls.version()}, certificate checked")
        if not self._relay.implicit:
            self.session.secured()
            self.pump()

    async def _fetch_token(self) -> None:
        try:
            token = await self._relay.token(refused=self._last_token)
        except TransportError as error:
            self._token = None
            self._fail(error)
            return
        self._token, self._last_token = None, token
        self._moved = self._loop.time()
        self.session.token(token)
        self.pump()

    # Bytes

    @property
    def encryption(self) -> ssl.SSLSocket | None:
        """The socket under TLS; None in the clear. Good while the connection is open."""
        return None if self._shaking else self._tls

    @property
    def room(self) -> int:
        """How many copies it would take now."""
        return 0 if self._blocked or self._pumping or self._more else self.session.room

    def pump(self, most: int = 1 << 30) -> None:
        """Takes up to `most` copies from its owner. What there is to write leaves soon.

        That is when every connection that has something to write knows what: writes in a row find the other
        side awake, and to wake it costs as much as to copy the text.
        """
        if self._pumping or self._blocked or self._sock is None:
            return
        self._share = most
        self._fill()
        if self._backlog and not self._soon:
            self._soon = True
            self._loop.call_soon(self._write)

    def _fill(self) -> None:
        """Puts what there is to write into the backlog, up to a group or a block; `_more`: there may be more
        after that."""
        if self._more and self._backlog:
            return
        session, owner = self.session, self._owner
        size = 0
        self._pumping, self._more = True, False
        try:
            while True:
                while self._share > 0 and session.room > 0:
                    copy = owner.next_copy()
                    if copy is None:
                        break
                    self._share -= 1
                    if not session.add(copy):
                        owner.told(copy)
                shown = session.shown if self._listen is not None else ""
                pieces = session.take()
                if not pieces:
                    return
                if self._listen is not None:
                    self._let_hear(shown, pieces)
                self._backlog += pieces
                size += sum(map(len, pieces))
                if size >= _GROUP or session.midway:
                    self._more = True
                    return
        finally:
            self._pumping = False

    def _write(self) -> None:
        """Writes as much as the connection takes."""
        self._soon = False
        self._moved = self._loop.time()
        while self._backlog and not self._blocked and self._flush():
            if self.session.midway:
                self._block()
            elif self._more:
                self._fill()

    def _flush(self) -> bool:
        """Writes the backlog; whether all of it was taken."""
        sock, backlog = self._sock, self._backlog
        if sock is None:
            return False
        if not self._owner.allowed():
            return False
        try:
            if self._tls is None:
                sent = sock.sendmsg(backlog)
                if sent == sum(map(len, backlog)):
                    backlog.clear()
                    return True
                self._forget(sent)
            else:
                while backlog:
                    self._forget(self._tls.send(backlog[0]))
                return True
        except _LATER:
            pass
        except OSError as error:
            self._give_up(reason(error))
            return False
        self._block()
        return False

    def _block(self) -> None:
        """Goes on when the socket takes more; what can be read then is read before."""
        if not self._blocked and self._sock is not None:
            self._blocked = True
            self._loop.add_writer(self._sock.fileno(), self._writable)

    def _forget(self, sent: int) -> None:
        """So many bytes of the backlog were taken."""
        backlog = self._backlog
        while sent and sent >= len(backlog[0]):
            sent -= len(backlog.pop(0))
        if sent:
            backlog[0] = memoryview(backlog[0])[sent:]

    def _writable(self) -> None:
        self._moved = self._loop.time()
        if (not self._backlog or self._flush()) and self._sock is not None:
            self._loop.remove_writer(self._sock.fileno())
            self._blocked = False
            self.pump()

    def _readable(self) -> None:
        self._read()
        # uvloop tells of a reset once, together with what can still be read, and is silent from then on. A
        # write would fail.
        if self._soon or self._sock is None:
            return
        if code := self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._give_up(os.strerror(code))

    def _read(self) -> None:
        if self._shaking:
            self._shake_tls()
            if self._shaking:
                return
        while self._sock is not None:
            try:
                data = self._sock.recv(_READ)
            except _LATER:
                return
            except OSError as error:
                self._give_up(reason(error))
                return
            if not data:
                self._give_up("the server closed the connection")
                return
            if data[-1] == 10:  # a byte now and then is no answer
                self._moved = self._loop.time()
            if self._listen is not None:
                self._let_hear_server(data)
            self._handle(self.session.receive(data))
            if self._tls is None or not self._tls.pending():
                return

    def _handle(self, events: list[Event]) -> None:
        if self.session.over:
            self._over(events)
            return
        for event in events:
            if isinstance(event, Copy):
                self._owner.told(event)
            elif isinstance(event, Ready):
                self._told_ready = True
                self._owner.ready(self)
            elif isinstance(event, StartTls):
                self._start_tls()
            elif isinstance(event, TokenWanted):
                self._token = self._loop.create_task(self._fetch_token())
        self.pump()

    def _let_hear(self, shown: str, pieces: Sequence[Buffer]) -> None:
        assert self._listen is not None
        if shown:
            self._listen("C", shown)
            return
        for piece in pieces:
            said = bytes(piece)
            if not said.strip() or said[:8].split(b" ")[0].rstrip() in _COMMANDS:
                for line in said.decode().splitlines():
                    self._listen("C", line)
            else:
                self._listen("*", f"{len(said):,} bytes of text")

    def _let_hear_server(self, data: bytes) -> None:
        assert self._listen is not None
        self._heard += data
        *lines, self._heard = self._heard.split(b"\n")
        for line in lines:
            self._listen("S", printable(line))

    # The end

    def quit(self) -> None:
        """Ends it politely when its copies are done."""
        self.session.quit()
        self.pump()

    def abort(self, reason: str) -> None:
        """Ends it now; its owner hears of each copy before this returns."""
        if not self.session.over:
            self._over(self.session.lost(reason, kept_back=sum(map(len, self._backlog))))

    def tick(self, now: float) -> None:
        """Called every now and then: nobody is waited for for ever."""
        waited, timeouts = now - self._moved, self._relay.timeouts
        if self._opening is not None or self._token is not None:
            return
        if self._shaking:
            if waited > timeouts.reply:
                self._fail(self._relay.error("TLS", f"no answer within {timeouts.reply:g} seconds"))
            return
        phase = self.session.waits
        if self._blocked and waited > timeouts.block:
            self._give_up(f"the server stopped reading for {timeouts.block:g} seconds")
        elif phase is Phase.nothing:
            if not self.session.busy and (waited > self._relay.idle or self.session.used_up):
                self.quit()
        else:
            limit = {
                Phase.data: timeouts.data,
                Phase.text: timeouts.text,
                Phase.goodbye: min(GOODBYE, timeouts.reply),
            }.get(phase, timeouts.reply)
            if waited > limit:
                self._give_up(f"no answer within {limit:g} seconds")

    def _give_up(self, why: str) -> None:
        """The connection is of no further use. What the server said last is still heard."""
        events: list[Event] = []
        with suppress(OSError):
            while self._sock is not None and not self._shaking and (data := self._sock.recv(_READ)):
                events += self.session.receive(data)
        events += self.session.lost(why, kept_back=sum(map(len, self._backlog)))
        self._over(events)

    def _over(self, events: list[Event]) -> None:
        self._close()
        last = events[-1]
        if isinstance(last, Failed):
            self._owner.failed(self, self._relay.error(last.phase, last.problem, last.code))
        elif isinstance(last, Closed) and not self._told_ready:
            # It was closed with the answer that would have opened it: nobody has heard of it yet.
            self._owner.failed(self, self._relay.error("EHLO", last.reason))
        elif isinstance(last, Closed):
            self._owner.ended(self, [each for each in events if isinstance(each, Copy)], last)

    def _fail(self, error: TransportError) -> None:
        self.session.lost("")
        self._close()
        self._owner.failed(self, error)

    def _close(self) -> None:
        for task in (self._opening, self._token):
            if task is not None and task is not asyncio.current_task(self._loop):
                task.cancel()
        sock, self._sock = self._sock, None
        if sock is not None:
            self._loop.remove_reader(sock.fileno())
            self._loop.remove_writer(sock.fileno())
            sock.close()
