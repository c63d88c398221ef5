"""Header fields: RFC 5322 syntax, RFC 2047 and RFC 2231 for what is not ASCII, folded at 78 octets.

A value that cannot be written plainly on its line (characters outside ASCII, a run too long to fold, text
that looks like an encoded word) is written as encoded words throughout: they may be cut between any two
characters.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
import string
from email.utils import format_datetime
from urllib.parse import quote

FOLD = 78
"""Octets of a line, CRLF not counted (RFC 5322 2.1.1)."""
_WORD_LINE = 76
"""Octets of a line that has an encoded word (RFC 2047 2)."""
_WORD_FRAME = len("=?utf-8?q??=")

_PLAIN_TEXT = re.compile(r"(?:[!-~]{1,64}(?: [!-~]{1,64})*)?")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_PRINTABLE = re.compile(r"[ -~]*")
_PLAIN_PARAMETER = re.compile(r"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*")
_ATTRIBUTE = "!#$&+-.^_`{|}~"  # RFC 2231 7, attribute-char, beside letters and digits
_Q_LITERAL = string.ascii_letters + string.digits + "!*+-/"  # RFC 2047 5 (3), phrases
_Q = tuple("_" if b == 0x20 else chr(b) if chr(b) in _Q_LITERAL else f"={b:02X}" for b in range(256))


def refuse_breaks(field: str, value: str) -> str:
    """The value unchanged. Raises ValueError naming the field when it could end the field's line."""
    if any(c in value for c in "\r\n\0"):
        raise ValueError(f"{field}: a line break or NUL in {value!r}")
    return value


def unstructured(name: str, value: str) -> str:
    """A whole field of free text, without its final CRLF; `name` has at most 12 characters."""
    refuse_breaks(name, value)
    column = len(name) + 2
    if not _PLAIN_TEXT.fullmatch(value) or "=?" in value:
        return f"{name}: {encoded_words(value, column)}"
    lines: list[str] = []
    line = f"{name}:"
    for word in value.split(" ") if value else []:
        if len(line) + 1 + len(word) > FOLD:  # never before the first word: it has at most 64 octets
            lines.append(line)
            line = ""
        line += f" {word}"
    return "\r\n".join([*lines, line])


def named(field: str, name: str, bracketed: str) -> str:
    """A whole field of a display name (may be empty) and a bracketed address or id, without final CRLF."""
    refuse_breaks(field, name)
    return f"{field}: {name_and_address(name, bracketed, len(field) + 2)}"


def name_and_address(name: str, bracketed: str, column: int) -> str:
    """`Name <address>` to stand at `column`, folded before the bracket when it does not fit."""
    if not name:
        return bracketed
    phrase = name
    if _ATOMS.fullmatch(name):
        if column + len(name) + 1 + len(bracketed) <= FOLD and "=?" not in name:  # most names
            return f"{name} {bracketed}"
    else:
        phrase = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if "=?" in name or not _PRINTABLE.fullmatch(name) or column + len(phrase) > FOLD:
        phrase = encoded_words(name, column)
    before, folded, last = phrase.rpartition("\r\n")
    end = len(last) if folded else column + len(phrase)
    fold = "\r\n" if end + 1 + len(bracketed) > FOLD else ""
    return f"{before}{folded}{last}{fold} {bracketed}"


def encoded_words(text: str, column: int) -> str:
    """RFC 2047 encoded words in UTF-8, the first to stand at `column`, each on a line of its own.

    Q or B encoding, whichever is shorter; no word splits a character (RFC 2047 5).
    """
    data = text.encode("utf-8")
    whole = _word(data, use_q=True)
    use_q = len(whole) - _WORD_FRAME <= (len(data) + 2) // 3 * 4
    if not use_q:
        whole = _word(data, use_q=False)
    if column + len(whole) <= _WORD_LINE:  # most names
        return whole
    words: list[str] = []
    chunk, room = b"", _WORD_LINE - column - _WORD_FRAME
    for character in text:
        longer = chunk + character.encode("utf-8")
        if chunk and len(_word_text(longer, use_q=use_q)) > room:
            words.append(_word(chunk, use_q=use_q))
            chunk, room = character.encode("utf-8"), _WORD_LINE - 1 - _WORD_FRAME
        else:
            chunk = longer
    words.append(_word(chunk, use_q=use_q))
    return "\r\n ".join(words)


def _word(data: bytes, *, use_q: bool) -> str:
    return f"=?utf-8?{'q' if use_q else 'b'}?{_word_text(data, use_q=use_q)}?="


def _word_text(data: bytes, *, use_q: bool) -> str:
    if not use_q:
        return base64.b64encode(data).decode("ascii")
    return "".join([_Q[b] for b in data])


def parameter(name: str, value: str) -> str:
    """`; name="value"` of a MIME field, on a line of its own, or several (RFC 2231 3 and 4).

    `name` has at most 12 characters. A value that is long, not ASCII or has quotes in it is percent-encoded
    in UTF-8 and cut into sections; no section splits a character.
    """
    refuse_breaks(name, value)
    if len(value) <= 60 and _PLAIN_PARAMETER.fullmatch(value) and "=?" not in value:
        return f';\r\n {name}="{value}"'
    encoded = [quote(character, safe=_ATTRIBUTE) for character in value]
    sections, section = list[str](), "utf-8''"
    room = FOLD - len(f" {name}*99*=;")
    for character in encoded:
        if len(section) + len(character) > room:
            sections.append(section)
            section = ""
        section += character
    sections.append(section)
    if len(sections) == 1:
        return f";\r\n {name}*={sections[0]}"
    return "".join(f";\r\n {name}*{number}*={each}" for number, each in enumerate(sections))


def date(moment: dt.datetime) -> str:
    """A Date value (RFC 5322 3.3). Raises ValueError without a zone; offsets of odd seconds become UTC."""
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError("date: a time without a zone")
    return format_datetime(moment if offset.seconds % 60 == 0 else moment.astimezone(dt.UTC))
