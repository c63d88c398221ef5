"""A mail server in memory: exact about RFC 5321, 2920 and 3030, and told how to answer.

It is fed bytes and says bytes. What it took (`took`: sender, recipient, text) is the truth that a session's
outcomes are held against.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

USUAL = {
    "GREETING": b"220 model ESMTP",
    "HELO": b"250 model",
    "RSET": b"250 2.0.0 ok",
    "MAIL": b"250 2.1.0 ok",
    "RCPT": b"250 2.1.5 ok",
    "DATA": b"354 go on",
    "TEXT": b"250 2.0.0 ok",
    "QUIT": b"221 2.0.0 bye",
}
CLOSE = b"close"
SILENT = b""
LOST = b"lost"


@dataclass
class ModelServer:
    """`plans`: for each verb (TEXT: the end of a text) the answers to give, in turn, before the usual ones.

    An answer is a reply without its CRLF, SILENT (from here on nothing is said or done), CLOSE (the same, and
    the connection ends) or LOST (it is done, but nobody hears of it any more). A positive answer is obeyed:
    what is answered 2xx has been done, what is not has not. After 421, CLOSE and LOST it reads nothing more.
    """

    extensions: tuple[bytes, ...] = ()
    ehlo: bool = True
    plans: dict[str, deque[bytes]] = field(default_factory=dict)
    took: list[tuple[str, str, bytes]] = field(default_factory=list)
    said: bytearray = field(default_factory=bytearray)
    verbs: list[str] = field(default_factory=list)
    closed: bool = False
    stalled: bool = False
    refused: set[str] = field(default_factory=set)
    """Senders and recipients that it said no to, of its own accord."""
    confused: bool = False
    """It was given an envelope inside of another, and it was not its own fault."""
    _reset_failed: bool = False
    _unread: bytearray = field(default_factory=bytearray)
    _sender: str | None = None
    _to: str | None = None
    _text: bool = False
    _chunk: int | None = None

    def greet(self) -> None:
        self._answer("GREETING", "")

    def feed(self, data: bytes) -> None:
        """Reads what has arrived."""
        self._unread += data
        while not (self.closed or self.stalled) and self._step():
            pass

    def _step(self) -> bool:
        if self._chunk is not None:
            if len(self._unread) < self._chunk:
                return False
            size, self._chunk = self._chunk, None
            text = bytes(self._unread[:size])
            del self._unread[:size]
            self._take(text)
            return True
        if self._text:
            end = 0 if self._unread.startswith(b".\r\n") else self._unread.find(b"\r\n.\r\n") + 2
            if end == 1:
                return False
            text = bytes(self._unread[:end])
            del self._unread[: end + 3]
            self._text = False
            text = text[1:] if text.startswith(b".") else text
            self._take(text.replace(b"\r\n.", b"\r\n"))
            return True
        line, found, _ = self._unread.partition(b"\r\n")
        if not found:
            return False
        assert b"\n" not in line
        assert b"\r" not in line
        del self._unread[: len(line) + 2]
        self._command(line.decode())
        return True

    def _command(self, line: str) -> None:  # noqa: C901 - one branch to a command
        verb, _, rest = line.partition(" ")
        self.verbs.append(verb)
        path = rest.partition("<")[2].partition(">")[0]
        if verb == "EHLO":
            self._ehlo()
        elif verb == "RSET":
            if self._answer("RSET", ""):
                self._sender = self._to = None
            else:
                self._reset_failed = True
        elif verb == "MAIL":
            if self._sender is not None:
                self.confused = not self._reset_failed
                self._say(b"503 5.5.1 nested MAIL")
            elif self._answer("MAIL", path):
                self._sender = path
        elif verb == "RCPT":
            if self._sender is None:
                self._say(b"503 5.5.1 MAIL first")
            elif self._answer("RCPT", path):
                self._to = path
        elif verb == "DATA":
            if self._to is None:
                self._say(b"503 5.5.1 no recipient")
            elif self._answer("DATA", self._to, fits=b"354"):
                self._text = True
        elif verb == "BDAT":
            size, last = rest.split(" ")
            assert last == "LAST"
            self._chunk = int(size)
        elif verb in ("HELO", "QUIT"):
            self._answer(verb, "")
            self.closed = self.closed or verb == "QUIT"
        else:
            raise AssertionError(f"no such command: {line}")

    def _ehlo(self) -> None:
        lines = [b"model", *self.extensions]
        if not self.ehlo:
            self._say(b"502 5.5.1 what?")
            return
        for line in lines[:-1]:
            self.said += b"250-" + line + b"\r\n"
        self._say(b"250 " + lines[-1])

    def _take(self, text: bytes) -> None:
        """The end of a text: with DATA the envelope is gone after it; with BDAT only when it was taken."""
        if self._sender is None or self._to is None:
            self._say(b"503 5.5.1 no recipient")
            return
        sender, to = self._sender, self._to
        if self._answer("TEXT", to):
            self.took.append((sender, to, text))
            self._sender = self._to = None
        elif self.verbs[-1] == "DATA" or "DATA" in self.verbs:
            self._sender = self._to = None

    def _answer(self, verb: str, who: str, *, fits: bytes = b"25") -> bool:
        """Whether the command was carried out."""
        plan = self.plans.get(verb)
        answer = plan.popleft() if plan else USUAL[verb]
        if answer in (CLOSE, LOST):
            self.closed = True
            return answer == LOST
        if answer == SILENT:
            self.stalled = True
            return False
        self._say(answer)
        last = answer.rpartition(b"\n")[2]
        if last[:1] in (b"4", b"5"):
            self.refused.add(who)
        return last.startswith((fits, b"22"))

    def _say(self, answer: bytes) -> None:
        self.said += answer + b"\r\n"
        if answer.startswith(b"421"):
            self.closed = True
