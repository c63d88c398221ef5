"""Lists of people as other programs write them.

Columns are found by their headings, however Mailchimp, Ghost, Substack, listmonk and Brevo spell them. A file
is read twice: once to see that it is whole and to count, so that a damaged one is refused before anything is
stored, and once to hand its entries on without holding them all. People whom the other program had as
unsubscribed, disabled, bounced or unconfirmed are left out, each with the reason; where a word is not known,
too.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from subscribers.errors import ImportRefused
from subscribers.model import Entry, Rejected

IGNORE = "-"
"""As a column's name in a mapping: do not look for this one."""

HEADINGS: Mapping[str, frozenset[str]] = {
    "email": frozenset({"email", "emailaddress", "mail", "subscriberemail", "contactemail"}),
    "name": frozenset({"name", "fullname", "displayname", "contactname"}),
    "first_name": frozenset({"firstname", "fname", "givenname", "prenom", "vorname"}),
    "last_name": frozenset({"lastname", "lname", "surname", "familyname", "nom", "nachname"}),
    "language": frozenset({"language", "lang", "locale"}),
    "status": frozenset({"status", "subscriptionstatus", "memberstatus", "emailstatus"}),
}
"""What an entry needs -> how headings say it, in lower case without anything but letters and digits."""

_SUBSCRIBED = frozenset({"", "subscribed", "active", "enabled", "confirmed", "free", "paid", "comped"})
"""What a status column says of people who are to get mail; "free", "paid" and "comped" are Ghost's."""

_MUST_BE_TRUE = frozenset({"subscribed", "subscribedtoemails", "emailsubscribed", "optedin", "confirmed"})
_MUST_BE_FALSE = frozenset(
    {"unsubscribed", "optedout", "emaildisabled", "bounced", "blacklisted", "emailblacklisted", "blocklisted"}
)
_MUST_BE_EMPTY = frozenset({"unsubtime", "unsubscribedat", "unsubscribetime", "cleantime", "deletedat"})
_TRUE = frozenset({"true", "yes", "y", "1", "t"})
_FALSE = frozenset({"false", "no", "n", "0", "f"})

_AROUND = " \t\r\n\v\f\u00a0\u200b\ufeff"
"""What copying and pasting leaves around a cell."""


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    cells: Sequence[str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which cell says what. `flags` are cells that can say that a person is not to get mail."""

    width: int
    named: Mapping[str, int]
    flags: Mapping[int, tuple[str, Callable[[str], bool]]]
    headed: bool = True


@dataclass(frozen=True, slots=True)
class Listing:
    """A list that was looked through and can be read."""

    path: Path
    rows: int
    """Rows that say something, the heading not counted."""
    left_out: tuple[Rejected, ...]
    """Rows that are no entry: damaged, without an address, or of someone who is not to get mail."""
    _columns: _Columns = field(repr=False)
    _delimiter: str = field(repr=False)

    def entries(self) -> Iterator[Entry]:
        """The others, in order."""
        for found in _judged(self.path, self._columns, self._delimiter):
            if isinstance(found, Entry):
                yield found


def read_list(path: Path, columns: Mapping[str, str] | None = None, *, everyone: bool = False) -> Listing:
    """Looks through a CSV file: UTF-8, UTF-16 or Latin-1; commas, semicolons, tabs or bars; gzip or not.

    `columns` names headings where they cannot be guessed, such as ``{"email": "Kontakt", "status": "-"}``.
    With `everyone` it does not matter whether someone was subscribed there: for lists of suppressions.
    Raises `ImportRefused` for what is not such a list, OSError for what cannot be read.
    """
    try:
        return _looked_through(path, columns or {}, everyone=everyone)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ImportRefused(
            f"{path}: it is damaged or ends too early: {error}",
            hint="Fetch the file again; nothing was imported.",
        ) from error


def _looked_through(path: Path, columns: Mapping[str, str], *, everyone: bool) -> Listing:
    with _text(path) as lines:
        first = next((line for line in lines if line.strip(_AROUND)), "")
    delimiter = _delimiter(first)
    heading = next(_rows(path, delimiter), None)
    if heading is None or not first:
        raise ImportRefused(f"{path}: the file is empty")
    if heading.problem:
        raise ImportRefused(f"{path}, line {heading.line}: {heading.problem}")
    found = _columns(path, heading.cells, columns)
    if everyone:
        named = {need: at for need, at in found.named.items() if need != "status"}
        found = replace(found, named=named, flags={})
    rows = 0
    left_out: list[Rejected] = []
    for each in _judged(path, found, delimiter):
        rows += 1
        if isinstance(each, Rejected):
            left_out.append(each)
    return Listing(path, rows, tuple(left_out), found, delimiter)


# --- bytes to rows ------------------------------------------------------------------------------------


def _bytes(path: Path) -> BinaryIO | gzip.GzipFile:
    """The file without gzip, told by its first bytes and not by its name."""
    file = path.open("rb")
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    if not packed:
        return file
    file.close()
    return gzip.GzipFile(path)


def _text(path: Path) -> io.TextIOWrapper:
    """The file as text in which bytes that are not UTF-8 can still be told; line ends as they are."""
    with _bytes(path) as file:
        start = file.read(8)
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise ImportRefused(f"{path}: this is a spreadsheet or an archive", hint="Export it as CSV.")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return io.TextIOWrapper(_bytes(path), encoding="utf-16", errors="replace", newline="")
    return io.TextIOWrapper(_bytes(path), encoding="utf-8-sig", errors="surrogateescape", newline="")


def _mended(line: str) -> str:
    """A line that is not UTF-8, read as the Western encoding that spreadsheets still write."""
    try:
        line.encode()
    except UnicodeEncodeError:
        return line.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
    return line


def _delimiter(line: str) -> str:
    if named := re.fullmatch(r"sep=(.)\s*", line, re.IGNORECASE):  # a hint that Excel writes and reads
        return named[1]
    bare = re.sub(r'"[^"]*"', "", line)
    return max(",;\t|", key=bare.count)


def _rows(path: Path, delimiter: str) -> Iterator[_Row]:
    """Rows that say anything. Raises `ImportRefused` where the rest of the file cannot be told apart."""
    with _text(path) as lines:
        reader = csv.reader(map(_mended, lines), delimiter=delimiter, strict=True)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                # Only these two run over the ends of lines, so that what follows may be part of a cell.
                if "unexpected end" in str(error) or "field larger" in str(error):
                    raise ImportRefused(
                        f"{path}, line {line}: a quotation mark is opened and never closed",
                        hint="Correct this line; nothing was imported.",
                    ) from None
                yield _Row(line, (), "quotation marks in it are not closed as they should be")
                continue
            cells = [cell.strip(_AROUND) for cell in cells]
            if not any(cells) or (line == 1 and len(cells) == 2 and cells[0].lower() == "sep="):
                continue
            yield _Row(line, cells)


# --- headings -----------------------------------------------------------------------------------------


def _plain(heading: str) -> str:
    return re.sub(r"[^a-z0-9]", "", heading.casefold().replace("é", "e"))


def _columns(path: Path, heading: Sequence[str], wanted: Mapping[str, str]) -> _Columns:
    if unknown := sorted(set(wanted) - set(HEADINGS)):
        raise ImportRefused(
            f"there is nothing called {unknown[0]!r} to map a column to",
            hint=f"Allowed: {', '.join(HEADINGS)}.",
        )
    plain = [_plain(cell) for cell in heading]
    named = {need: _position(path, heading, need, name) for need, name in wanted.items() if name != IGNORE}
    for need in HEADINGS.keys() - wanted.keys():
        at = next((at for at, cell in enumerate(plain) if cell in HEADINGS[need]), None)
        if at is not None:
            named[need] = at
    if "email" in named:
        flags = {
            at: (heading[at], unwanted)
            for at, cell in enumerate(plain)
            if at not in named.values() and (unwanted := _flag(cell)) is not None
        }
        return _Columns(len(heading), named, flags)
    at = next((at for at, cell in enumerate(heading) if "@" in cell), None)
    if at is None:
        raise ImportRefused(
            f"{path}: no column has email addresses; found {', '.join(heading)[:200]}",
            hint='Name it, such as --map "email=Contact".',
        )
    return _Columns(0, {"email": at}, {}, headed=False)


def _flag(plain: str) -> Callable[[str], bool] | None:
    """For a column that says whether someone is to get mail: when a cell of it says no."""
    if plain in _MUST_BE_TRUE:
        return lambda value: value.lower() not in _TRUE | {""}
    if plain in _MUST_BE_FALSE:
        return lambda value: value.lower() not in _FALSE | {""}
    return bool if plain in _MUST_BE_EMPTY else None


def _position(path: Path, heading: Sequence[str], need: str, name: str) -> int:
    for at, cell in enumerate(heading):
        if cell.casefold() == name.casefold():
            return at
    raise ImportRefused(
        f"{path}: there is no column {name!r} for {need}", hint=f"Found: {', '.join(heading)[:200]}."
    )


# --- rows to entries ----------------------------------------------------------------------------------


def _judged(path: Path, columns: _Columns, delimiter: str) -> Iterator[Entry | Rejected]:
    rows = _rows(path, delimiter)
    if columns.headed:
        next(rows, None)
    for row in rows:
        yield _judge(row, columns)


def _judge(row: _Row, columns: _Columns) -> Entry | Rejected:
    def cell(need: str) -> str:
        at = columns.named.get(need)
        return row.cells[at] if at is not None and at < len(row.cells) else ""

    address = cell("email")
    if row.problem:
        return Rejected(row.line, "", row.problem)
    if columns.headed and any(row.cells[columns.width :]):
        # A comma too many has moved the cells, and with them perhaps the one that says "unsubscribed".
        return Rejected(row.line, address, f"{len(row.cells)} cells where the heading has {columns.width}")
    if not address:
        return Rejected(row.line, "", "there is no address")
    if cell("status").lower().replace("_", " ") not in _SUBSCRIBED:
        return Rejected(row.line, address, f"not subscribed there: the status is {cell('status')!r}")
    for at, (heading, unwanted) in columns.flags.items():
        if at < len(row.cells) and unwanted(row.cells[at]):
            return Rejected(row.line, address, f"not subscribed there: {heading} is {row.cells[at]!r}")
    name = cell("name") or f"{cell('first_name')} {cell('last_name')}".strip()
    return Entry(address, name, cell("language"), row.line)
