"""A quick SMTP server that has a durable note of every copy before it says 250, and fails on command.

    python -m tests.fast_sink RECORD '{"offers": ["PIPELINING", "CHUNKING"]}'

It prints its port. RECORD gets one line for each copy that it took, written before the reply: the server may
be killed at any moment and its word still stands. Lines on its standard input ask for trouble:

    kill PID AFTER before     kills that process (0: itself) at the AFTERth copy from now, which is noted and
    kill PID AFTER behind     not answered yet, or answered
    count                     prints how many copies it took since it started

`tests.sink` has such a process for a test; `SinkServer` serves within a test's own event loop. Both are
strict: an envelope that is out of order is refused as RFC 5321, RFC 2920 and RFC 3030 have it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

MODES = {"sequential": (), "pipelining": ("PIPELINING",), "chunking": ("PIPELINING", "CHUNKING")}
"""What a server offers, by the way in which it is then talked to."""


@dataclass(frozen=True, slots=True)
class Ways:
    """How the server behaves. Times in seconds; 0 stands for no limit.

    Addresses that begin with "unknown" are refused for good, those with "later" for now.
    """

    offers: tuple[str, ...] = ()
    connections: int = 0
    """421 to whoever comes beyond that."""
    messages_each: int = 0
    """So many on a connection, then 421."""
    pace: float = 0.0
    """How long the answer to a text takes."""
    slow: dict[str, float] = field(default_factory=dict)
    """The same by the recipient's domain."""
    silent_after: int = 0
    """Takes no more after so many copies, and says nothing: neither yes nor no."""
    lenient: bool = False
    """Says 354 to DATA without a recipient, and refuses the text (RFC 2920 3.1 allows both)."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What a server took; `content` as it was before dots were stuffed."""

    mail_from: str
    rcpt_to: str
    content: bytes


class SinkServer:
    """What all connections of one server share."""

    def __init__(self, ways: Ways, note: Callable[[list[Copy]], None]) -> None:
        self.ways, self.note = ways, note
        self.open = 0
        self.taken = 0
        self.target: tuple[int, int, str] | None = None
        """Process, the copy that kills it, and whether before or behind the answer."""

    def protocol(self) -> SinkProtocol:
        return SinkProtocol(self)

    def due(self, when: str) -> int | None:
        """The process to be killed now."""
        if self.target is not None and self.target[1:] == (self.taken, when):
            process = self.target[0] or os.getpid()
            self.target = None
            return process
        return None


class SinkProtocol(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: SinkServer) -> None:
        self._server, self._ways = server, server.ways
        self._buffer = bytearray()
        self._searched = 0
        self._text = False
        """Whether a text is being read, up to its dot."""
        self._chunk = -1
        """Length of the chunk that is being read; -1 for none."""
        self._last = False
        self._chunks: list[bytes] = []
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._count = 0
        self._rests = False
        """While an answer takes its time."""
        self._copies: list[Copy] = []
        self._replies: list[bytes] = []
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)  # uvloop's is none by descent
        self._server.open += 1
        if 0 < self._ways.connections < self._server.open:
            transport.write(b"421 4.7.0 too many connections\r\n")
            transport.close()
            return
        transport.write(b"220 sink.example.test ESMTP\r\n")

    def connection_lost(self, _: Exception | None) -> None:
        self._server.open -= 1
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._rests:
            self._go_on()

    def _go_on(self) -> None:
        # The turn of a text, of a chunk, or of a line, until what is there is used up.
        while not self._rests and self._transport is not None and self._step():
            pass
        self._flush()

    def _flush(self) -> None:
        if self._copies:
            self._server.note(self._copies)
            self._copies = []
        if self._replies and self._transport is not None:
            self._transport.write(b"".join(self._replies))
        self._replies.clear()

    def _step(self) -> bool:
        if self._text:
            return self._read_text()
        if self._chunk >= 0:
            return self._read_chunk()
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return False
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        self._command(line)
        return True

    def _command(self, line: bytes) -> None:  # noqa: C901 - one branch to a command
        verb, _, rest = line.partition(b" ")
        match verb.upper():
            case b"EHLO":
                self._reset()
                offers = ["sink.example.test", "SIZE 100000000", "8BITMIME", "SMTPUTF8", *self._ways.offers]
                lines = [f"250-{each}\r\n" for each in offers[:-1]] + [f"250 {offers[-1]}\r\n"]
                self._say("".join(lines).encode())
            case b"HELO":
                self._reset()
                self._say(b"250 sink.example.test\r\n")
            case b"MAIL" if self._sender is not None:
                self._say(b"503 5.5.1 nested MAIL\r\n")
            case b"MAIL":
                if 0 < self._ways.messages_each <= self._count:
                    self._say(b"421 4.7.0 that was enough for one connection\r\n")
                    self._hang_up()
                    return
                self._sender = _path(rest)
                self._say(b"250 2.1.0 ok\r\n")
            case b"RCPT" if self._sender is None:
                self._say(b"503 5.5.1 MAIL first\r\n")
            case b"RCPT":
                self._recipient(_path(rest))
            case b"DATA" if self._recipients or (self._ways.lenient and self._sender is not None):
                self._text, self._searched = True, 0
                self._say(b"354 go on\r\n")
            case b"DATA" | b"BDAT" if not self._recipients:
                self._say(b"503 5.5.1 no valid recipient\r\n")
                if verb.upper() == b"BDAT":
                    self._begin_chunk(rest)
            case b"BDAT" if "CHUNKING" in self._ways.offers:
                self._begin_chunk(rest)
            case b"RSET":
                self._reset()
                self._say(b"250 2.0.0 ok\r\n")
            case b"NOOP":
                self._say(b"250 2.0.0 ok\r\n")
            case b"QUIT":
                self._say(b"221 2.0.0 bye\r\n")
                self._hang_up()
            case _:
                self._say(b"500 5.5.2 what is that\r\n")

    def _recipient(self, address: str) -> None:
        if address.startswith("unknown"):
            self._say(b"550 5.1.1 no such user\r\n")
        elif address.startswith("later"):
            self._say(b"450 4.2.1 come back later\r\n")
        else:
            self._recipients.append(address)
            self._say(b"250 2.1.5 ok\r\n")

    def _read_text(self) -> bool:
        if self._buffer.startswith(b".\r\n"):
            end = 0
        else:
            found = self._buffer.find(b"\r\n.\r\n", max(self._searched - 4, 0))
            self._searched = len(self._buffer)
            if found < 0:
                return False
            end = found + 2
        content = bytes(self._buffer[:end])
        del self._buffer[: end + 3]
        self._text = False
        if content.startswith(b"."):
            content = content[1:]
        if b"\r\n." in content:
            content = content.replace(b"\r\n.", b"\r\n")
        self._take(content)
        return True

    def _begin_chunk(self, rest: bytes) -> None:
        words = rest.split()
        self._chunk, self._last = int(words[0]), words[-1].upper() == b"LAST"

    def _read_chunk(self) -> bool:
        if len(self._buffer) < self._chunk:
            return False
        chunk = bytes(self._buffer[: self._chunk])
        del self._buffer[: self._chunk]
        self._chunk = -1
        if not self._recipients:
            return True  # it was refused when it was announced
        self._chunks.append(chunk)
        if self._last:
            self._take(b"".join(self._chunks))
        else:
            self._say(b"250 2.0.0 so far\r\n")
        return True

    def _take(self, content: bytes) -> None:
        sender, recipients = self._sender or "", self._recipients
        self._reset()
        if not recipients:
            self._say(b"554 5.5.1 no valid recipients\r\n")
            return
        server = self._server
        if 0 < self._ways.silent_after <= server.taken:
            self._rests = True
            return
        server.taken += 1
        self._count += 1
        self._copies.extend(Copy(sender, each, content) for each in recipients)
        delay = self._ways.pace
        if self._ways.slow:
            delay = self._ways.slow.get(recipients[0].rpartition("@")[2], delay)
        if delay:
            self._flush()
            self._rests = True
            asyncio.get_running_loop().call_later(delay, self._answer_late)
            return
        self._answer()

    def _answer_late(self) -> None:
        self._rests = False
        self._answer()
        self._go_on()

    def _answer(self) -> None:
        server = self._server
        if process := server.due("before"):
            self._flush()
            _kill(process)
        self._say(b"250 2.0.0 ok %d\r\n" % server.taken)
        if process := server.due("behind"):
            self._flush()
            _kill(process)

    def _say(self, reply: bytes) -> None:
        self._replies.append(reply)

    def _reset(self) -> None:
        self._sender, self._recipients, self._chunks = None, [], []

    def _hang_up(self) -> None:
        self._flush()
        if self._transport is not None:
            self._transport.close()
        self._transport = None


def _path(rest: bytes) -> str:
    return rest.partition(b"<")[2].partition(b">")[0].decode()


def _kill(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


class _Orders(asyncio.Protocol):
    """What the test says on standard input; its end ends the server."""

    def __init__(self, server: SinkServer) -> None:
        self._server, self._buffer = server, b""

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            match line.decode().split():
                case ["kill", process, after, when]:
                    self._server.target = (int(process), self._server.taken + int(after), when)
                case ["count"]:
                    print(self._server.taken, flush=True)
                case _:
                    raise ValueError(line)

    def connection_lost(self, _: Exception | None) -> None:
        os._exit(0)


async def main(record: str, ways: str, port: str) -> None:
    paper = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(copies: list[Copy]) -> None:
        os.write(paper, "".join(f"{copy.rcpt_to}\n" for copy in copies).encode())

    loop = asyncio.get_running_loop()
    server = SinkServer(Ways(**json.loads(ways)), note)
    await loop.connect_read_pipe(lambda: _Orders(server), sys.stdin)
    listening = await loop.create_server(server.protocol, "127.0.0.1", int(port), backlog=1000)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    runner = asyncio.Runner()
    with suppress(ImportError):
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    with runner:
        runner.run(main(*sys.argv[1:]))
