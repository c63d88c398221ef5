"""A real SMTP server on loopback that misbehaves on command.

    with SmtpServer(Fault("rcpt", who="b@example.test", reply=b"550 5.1.1 no such user")) as server:
        ... send to server.port ...
    server.received

It blocks, one thread a connection, and keeps what it took: that is what the sender's ledger is compared with.
A fault happens `times` times (-1: always) and then the server behaves.
"""

from __future__ import annotations

import base64
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self


@dataclass(slots=True)
class Fault:
    """What goes wrong, and when.

    `at`: connect, greeting, ehlo, starttls, auth, rset, mail, rcpt, data (BDAT too, whose bytes are read all
    the same), text (after `after` bytes of it), dot (all of it was read), quit. `who` narrows it to one
    recipient (from rcpt on). Then, in this order: `hook` is called, `delay` seconds pass, `reply` is said
    instead of the usual answer (b"" says nothing), `extra` behind it, and `then` one of "", "close",
    "reset", "stall". `taken` decides whether a message counts as received at "dot".
    """

    at: str
    who: str = ""
    reply: bytes | None = None
    extra: bytes = b""
    then: str = ""
    delay: float = 0.0
    after: int = 0
    taken: bool | None = None
    times: int = 1
    hook: Callable[[], object] | None = None


@dataclass(frozen=True, slots=True)
class Received:
    mail_from: str
    rcpt_to: str
    content: bytes


class _Hangup(Exception):  # noqa: N818 - ends the thread of a connection
    pass


@dataclass(slots=True)
class _Talk:
    """One connection's state."""

    sock: socket.socket
    buffer: bytearray = field(default_factory=bytearray)
    mail_from: str | None = None
    rcpt_to: list[str] = field(default_factory=list)
    taken: int = 0


class SmtpServer:
    """Listens on 127.0.0.1 within its `with` block.

    `most` limits the connections at a time, `per_connection` the messages over one (421 beyond either).
    """

    def __init__(
        self,
        *faults: Fault,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        user: str = "",
        password: str = "",
        token: str = "",
        extensions: tuple[bytes, ...] = (b"SIZE 100000000", b"8BITMIME", b"PIPELINING", b"CHUNKING"),
        most: int = 1000,
        per_connection: int = 0,
        pace: float = 0.0,
    ) -> None:
        self.faults = list(faults)
        self.received: list[Received] = []
        self.commands: list[str] = []
        self.connections = 0
        self.open = 0
        self._tls, self._implicit = tls, implicit
        self._user, self._password, self._token = user, password, token
        self._extensions, self._most, self._pace = extensions, most, pace
        self._per_connection = per_connection
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._socks: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Closes the door and every connection, as a killed server does."""
        self._stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in list(self._socks):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    @property
    def addresses(self) -> list[str]:
        """Recipients of what it took, in order."""
        return [each.rcpt_to for each in self.received]

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with self._lock:
            self.connections += 1
            self.open += 1
            self._socks.add(sock)
        talk = _Talk(sock)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self._implicit and self._tls is not None:
                talk.sock = self._tls.wrap_socket(sock, server_side=True)
            if self.open > self._most:
                talk.sock.sendall(b"421 4.7.0 too many connections\r\n")
                return
            self._act(talk, "connect", b"")
            self._act(talk, "greeting", b"220 test.example ESMTP\r\n")
            while True:
                self._command(talk, self._line(talk))
        except (_Hangup, OSError, ValueError):
            pass
        finally:
            with self._lock:
                self.open -= 1
                self._socks.discard(sock)
            talk.sock.close()
            sock.close()

    def _command(self, talk: _Talk, line: str) -> None:  # noqa: C901 - one branch to a command
        self.commands.append(line)
        verb = line.partition(" ")[0].upper()
        if verb == "EHLO":
            offered = list(self._extensions)
            if self._tls is not None and not isinstance(talk.sock, ssl.SSLSocket):
                offered.append(b"STARTTLS")
            if self._user:
                offered.append(b"AUTH PLAIN LOGIN" + (b" XOAUTH2" if self._token else b""))
            lines = [b"test.example", *offered]
            text = b"".join(
                b"250" + (b" " if i == len(lines) - 1 else b"-") + each + b"\r\n"
                for i, each in enumerate(lines)
            )
            self._act(talk, "ehlo", text)
        elif verb == "HELO":
            self._say(talk, b"250 test.example\r\n")
        elif verb == "STARTTLS":
            self._act(talk, "starttls", b"220 go ahead\r\n")
            assert self._tls is not None
            talk.sock = self._tls.wrap_socket(talk.sock, server_side=True)
        elif verb == "AUTH":
            self._authenticate(talk, line.split(" ")[1:])
        elif verb == "MAIL":
            if 0 < self._per_connection <= talk.taken:
                self._say(talk, b"421 4.7.0 enough for one connection\r\n")
                raise _Hangup
            usual = b"250 2.1.0 ok\r\n" if talk.mail_from is None else b"503 5.5.1 nested MAIL\r\n"
            if self._act(talk, "mail", usual) < 300:
                talk.mail_from, talk.rcpt_to = line.partition("<")[2].partition(">")[0], []
        elif verb == "RCPT":
            who = line.partition("<")[2].partition(">")[0]
            usual = b"503 5.5.1 MAIL first\r\n" if talk.mail_from is None else b"250 2.1.5 ok\r\n"
            if self._act(talk, "rcpt", usual, who) < 300:
                talk.rcpt_to.append(who)
        elif verb == "DATA":
            self._data(talk)
        elif verb == "BDAT":
            self._chunk(talk, int(line.split(" ")[1]))
        elif verb == "RSET":
            talk.mail_from, talk.rcpt_to = None, []
            self._act(talk, "rset", b"250 2.0.0 ok\r\n")
        elif verb == "QUIT":
            self._act(talk, "quit", b"221 bye\r\n")
            raise _Hangup
        else:
            self._say(talk, b"502 5.5.2 what?\r\n")

    def _authenticate(self, talk: _Talk, words: list[str]) -> None:
        """AUTH PLAIN, LOGIN and XOAUTH2, with or without the first answer in the same line."""
        mechanism, answers = words[0].upper(), words[1:]

        def answer(question: bytes) -> str:
            if not answers:
                self._say(talk, b"334 " + base64.b64encode(question) + b"\r\n")
                answers.append(self._line(talk))
                self.commands.append(answers[-1])
            return base64.b64decode(answers.pop()).decode()

        if mechanism == "PLAIN":
            right = answer(b"") == f"\0{self._user}\0{self._password}"
        elif mechanism == "LOGIN":
            right = (answer(b"User Name"), answer(b"Password")) == (self._user, self._password)
        else:
            right = answer(b"") == f"user={self._user}\1auth=Bearer {self._token}\1\1"
            if not right:
                answer(b'{"status":"401","schemes":"bearer","scope":"https://mail.example.test/"}')
        self._act(talk, "auth", b"235 welcome\r\n" if right else b"535 5.7.8 wrong password\r\n")

    def _data(self, talk: _Talk) -> None:
        who = talk.rcpt_to[0] if talk.rcpt_to else ""
        usual = b"354 go on\r\n" if talk.rcpt_to else b"503 5.5.1 no recipient\r\n"
        if not 300 <= self._act(talk, "data", usual, who) < 400:
            return
        self._text(talk, who)
        seen = 0
        while (end := _end_of_text(talk.buffer, seen)) < 0:
            seen = len(talk.buffer)
            self._more(talk)
        content = bytes(talk.buffer[: max(end - 3, 0)])
        del talk.buffer[:end]
        content = content.removeprefix(b".") if content.startswith(b"..") else content
        self._take(talk, who, content.replace(b"\r\n..", b"\r\n."))

    def _chunk(self, talk: _Talk, size: int) -> None:
        who = talk.rcpt_to[0] if talk.rcpt_to else ""
        if who:
            self._text(talk, who)
        while len(talk.buffer) < size:
            self._more(talk)
        content = bytes(talk.buffer[:size])
        del talk.buffer[:size]
        fault = self._due("data", who)
        if fault is not None or not who:
            # Nothing is forgotten before RSET (RFC 3030 2).
            self._carry_out(talk, fault, b"503 5.5.1 no recipient\r\n")
        else:
            self._take(talk, who, content)

    def _text(self, talk: _Talk, who: str) -> None:
        """In the middle of a text."""
        fault = self._due("text", who)
        if fault is not None:
            while len(talk.buffer) < fault.after:
                self._more(talk)
            self._carry_out(talk, fault, b"")

    def _take(self, talk: _Talk, who: str, content: bytes) -> None:
        message = Received(talk.mail_from or "", who, content)
        fault = self._due("dot", who)  # once: another connection must not believe that it is meant as well
        taken = fault is None or (fault.reply is None and not fault.then)
        if fault is not None and fault.taken is not None:
            taken = fault.taken
        time.sleep(self._pace)
        if taken:
            with self._lock:
                self.received.append(message)
                number = len(self.received)
        else:
            number = 0
        talk.mail_from, talk.rcpt_to = None, []
        talk.taken += 1
        self._carry_out(talk, fault, b"250 2.0.0 ok queued as %d\r\n" % number)

    def _act(self, talk: _Talk, at: str, usual: bytes, who: str = "") -> int:
        """The usual answer, or the fault that is due; the code that was said."""
        return self._carry_out(talk, self._due(at, who), usual)

    def _carry_out(self, talk: _Talk, fault: Fault | None, usual: bytes) -> int:
        if fault is None:
            if usual:
                self._say(talk, usual)
            return int(usual[:3] or b"0")
        if fault.hook is not None:
            fault.hook()
        if self._stopped.wait(fault.delay) and fault.delay:
            raise _Hangup
        said = usual if fault.reply is None else fault.reply
        if said and not said.endswith(b"\n"):
            said += b"\r\n"
        if said or fault.extra:
            self._say(talk, said + fault.extra)
        if fault.then == "stall":
            self._stopped.wait(30)
        if fault.then == "reset":
            talk.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if fault.then:
            raise _Hangup
        return int(said[:3]) if said[:3].isdigit() else 0

    def _due(self, at: str, who: str) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if fault.at == at and fault.who in ("", who) and fault.times:
                    fault.times -= 1
                    return fault
        return None

    def _say(self, talk: _Talk, said: bytes) -> None:
        talk.sock.sendall(said)

    def _line(self, talk: _Talk) -> str:
        while (end := talk.buffer.find(b"\r\n")) < 0:
            self._more(talk)
        line = talk.buffer[:end].decode("latin-1")
        del talk.buffer[: end + 2]
        return line

    def _more(self, talk: _Talk) -> None:
        data = talk.sock.recv(65536)
        if not data:
            raise _Hangup
        talk.buffer += data


def _end_of_text(buffer: bytearray, seen: int) -> int:
    """Where the text ends, dot line included; -1 when it does not yet. It is not within the first `seen`."""
    if buffer.startswith(b".\r\n"):
        return 3
    end = buffer.find(b"\r\n.\r\n", max(seen - 4, 0))
    return end + 5 if end >= 0 else -1
