"""Quoted-printable (RFC 2045 6.7) such that the same bytes fit DATA and BDAT, and slots can be spliced.

Rules beyond the RFC's, each kept for constants and for slot values alike:

- A slot begins on a line of its own and ends it, by soft breaks where the text has no break. So a value needs
  encoding once, whatever stands around it, and no line outgrows 76 octets whatever its length.
- No line begins with a dot: the text needs no dot-stuffing (RFC 5321 4.5.2), so DATA and BDAT carry the same.
- No line begins with "From ", which mbox files and old relays change, breaking signatures.
- White space is single spaces, never at the end of a line: what "relaxed" makes of a body for DKIM (RFC 6376
  3.4.4) is the body itself, so that it can be hashed as it is.
"""

from __future__ import annotations

import re
from binascii import b2a_qp

SOFT_BREAK = b"=\r\n"
LINE = 75
"""Octets of a line before its soft break's "=": 76 with it, the limit of RFC 2045."""

_TOKENS = tuple(chr(b) if 32 <= b <= 126 and b != 61 else f"={b:02X}" for b in range(256))
_USUAL = re.compile(r"(?=.{0,75}\Z)(?!\.|From )[!-<>-~]+(?: [!-<>-~]+)*").fullmatch
_SPECIAL = (b".", b"From ")
_BREAK = re.compile(r"\r\n|\r|\n")


def encode_value(value: str) -> bytes:
    """One slot value, to begin at a line's start; it may end a line. Line breaks in it become =0D=0A."""
    return value.encode("ascii") if value.isascii() and _USUAL(value) else _encode_line(value)


def line_breaks(text: str) -> str:
    """The text with LF for each kind of line break."""
    return _BREAK.sub("\n", text)


def encode_text(text: str) -> bytes:
    """A constant that begins at a line's start. Each LF in it becomes CRLF."""
    return b"\r\n".join(_encode_line(line) for line in text.split("\n"))


def _encode_line(line: str) -> bytes:
    data = line.encode("utf-8")
    if len(data) <= LINE:
        # Most lines and nearly all values come out as the standard library has them.
        whole = b2a_qp(data, istext=False)
        special = b"  " in whole or b"\t" in whole or whole.startswith(_SPECIAL) or whole.endswith(b" ")
        if len(whole) <= LINE and not special:
            return whole
    tokens = [_TOKENS[b] for b in data]
    for at in range(1, len(tokens)):
        if tokens[at] == tokens[at - 1] == " ":
            tokens[at] = "=20"
    if tokens and tokens[-1] == " ":  # relays strip white space at a line's end
        tokens[-1] = "=20"
    lines: list[str] = []
    start = 0
    while start < len(tokens):
        if tokens[start] == ".":
            tokens[start] = "=2E"
        elif tokens[start : start + 5] == ["F", "r", "o", "m", " "]:
            tokens[start] = "=46"
        length, end = 0, start
        while end < len(tokens) and length + len(tokens[end]) <= LINE:
            length += len(tokens[end])
            end += 1
        lines.append("".join(tokens[start:end]))
        start = end
    return "=\r\n".join(lines).encode("ascii")
