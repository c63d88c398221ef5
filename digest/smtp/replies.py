"""Reading replies, by RFC 5321 4.2 to the letter and never for ever.

Pure: bytes go in, whole replies come out, however the bytes were split on their way.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from digest.model import Outcome, OutcomeKind
from digest.replies import enhanced_status

_LONGEST_LINE = 4096
_MOST_LINES = 100
_LONGEST_TEXT = 500
_REPLY_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?", re.DOTALL)
_UNPRINTABLE = re.compile(r"[^ -~]+")
_KNOWN = 64
"""So many different lines are remembered: a server says "250 2.1.0 Ok" a million times."""


class Reply(NamedTuple):
    """A whole reply. `text` is on one line and printable; `lines` are as they came, without the code."""

    code: int
    text: str
    enhanced: str
    lines: tuple[bytes, ...]

    def __str__(self) -> str:
        return f"{self.code} {self.text}".rstrip()

    def outcome(self, delivery: int, kind: OutcomeKind, at: str) -> Outcome:
        return Outcome(delivery, kind, self.code, self.enhanced, self.text, at)


class ReplyReader:
    """Puts replies together. After `rubbish` is set, nothing that the server says is understood any more."""

    def __init__(self) -> None:
        self.rubbish = ""
        self._rest = b""
        self._code = b""
        self._lines: list[bytes] = []
        self._known: dict[bytes, Reply] = {}

    @property
    def begun(self) -> bool:
        """Whether there is a beginning of a reply that has not ended."""
        return bool(self._rest or self._lines)

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that end in `data`."""
        replies: list[Reply] = []
        if self.rubbish:
            return replies
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            reply = None if self._code else self._known.get(line)
            if reply is None:
                reply = self._read(line)
                if self.rubbish:
                    return replies
                if reply is None:
                    continue
            replies.append(reply)
        if len(self._rest) > _LONGEST_LINE:
            self.rubbish = "the server's reply has an endless line"
        return replies

    def _read(self, line: bytes) -> Reply | None:
        """The reply that ends with this line; None when it goes on."""
        said = line.removesuffix(b"\r")
        if len(said) > _LONGEST_LINE:
            self.rubbish = "the server's reply has an endless line"
            return None
        match = _REPLY_LINE.fullmatch(said)
        if match is None or (self._code and match[1] != self._code):
            self.rubbish = f"the server speaks rubbish: {printable(said)!r}"
            return None
        self._lines.append(match[3] or b"")
        if match[2] == b"-":
            self._code = match[1]
            if len(self._lines) >= _MOST_LINES:
                self.rubbish = f"the server's reply has more than {_MOST_LINES} lines"
            return None
        text = printable(b"\n".join(self._lines))
        reply = Reply(int(match[1]), text, enhanced_status(text), tuple(self._lines))
        if len(self._lines) == 1 and len(self._known) < _KNOWN:
            self._known[line] = reply
        self._code, self._lines = b"", []
        return reply


def printable(text: bytes | str) -> str:
    """A server's words on one line, without what could steer a terminal, at most 500 characters."""
    words = text if isinstance(text, str) else text.decode("utf-8", "replace")
    return _UNPRINTABLE.sub(" ", words).strip()[:_LONGEST_TEXT]
