"""CSV files as rows of text, one after the other, however the file was written.

Nothing of a file is kept in memory but the row that is being read. What is wrong with a single row is said of
that row; the others are read all the same.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from digest.errors import ImportFailed, UsageError
from digest.importers.dates import when
from digest.importers.imported import Rejected
from digest.importers.links import is_url

MAX_LINE = 16 * 1024 * 1024
"""Characters. A longer line means that this is no table of text."""
_MAX_CELL = 4 * 1024 * 1024
_BUFFER = 64 * 1024
_DELIMITERS = ",;\t|"
_SAMPLE = 50
"""Lines that the delimiter is judged by."""
_NOT_UTF8 = re.compile("[\udc80-\udcff]+")
_NOT_ASCII = re.compile("[^\0-\x7f]+")
_SECOND = (
    "[\x80-\xbf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013\u2014\u2018-\u201a"
    "\u201c-\u201e\u2020-\u2022\u2026\u2030\u2039\u203a\u20ac\u2122]"
)
_TWICE = re.compile(f"[\xc2\xc3]{_SECOND}|\xe2[\x80\u20ac]{_SECOND}|(?:[\xd0\xd1]{_SECOND}){{2}}")
"""What UTF-8 looks like to a program that takes it for Windows-1252: Latin, typographic and Cyrillic letters.
Other pairs could be meant: an É before an apostrophe would be another letter of Africa."""

Reject = Callable[[Rejected], None]
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `number` counts as a spreadsheet does: the header is row 1."""

    number: int
    cells: Mapping[str, str]
    content: str
    stated: Mapping[str, Any] | None = None
    """JSON: the object itself, in which a value may be a list of objects."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that has been opened: its columns are known, its rows come as they are asked for."""

    columns: tuple[str, ...]
    rows: Iterator[Row]
    nested: bool = False
    """JSON: a column may be a path into objects, such as ``section.name``."""
    named: bool = True
    """Whether the columns have names; False where the first line looks like a row."""


def read_csv(
    stream: BinaryIO,
    *,
    name: str,
    reject: Reject,
    note: Note,
    names: Sequence[str] = (),
    encoding: str = "",
) -> Table:
    """Opens a CSV file: comma, semicolon, tab or pipe; UTF-8 or UTF-16 with or without mark, Windows-1252
    where a byte is not UTF-8; packed by gzip or not.

    `names` are the columns of a file whose first line is a row already, `encoding` is for files in neither
    of those encodings. Rows with too many or too few cells go to `reject`. Raises `ImportFailed` for a file
    that cannot be read.
    """
    lines = Lines(stream, name=name, note=note, encoding=encoding)
    first = next((line for line in lines if line.strip()), "")
    if first.lower().startswith("sep=") and len(first.strip()) == 5:  # a word from Excel to itself
        first = next((line for line in lines if line.strip()), "")
    if not first:
        raise ImportFailed(name, "it is empty", hint="The first line must name the columns.")
    ahead = _ahead_of(first, lines)
    delimiter = _delimiter(ahead)
    csv.field_size_limit(_MAX_CELL)
    lines.again(ahead if names else ahead[1:])
    records = _Records(lines, delimiter, name)
    columns = tuple(names) or records.header(first)
    rows = _csv_rows(records, columns, reject, before=0 if names else 1)
    return Table(columns, rows, named=bool(names) or not _is_row(columns))


class Unpacked(io.BufferedReader):
    """Bytes that can be looked into ahead, without gzip; closing it leaves what it reads from open."""


def unpacked(stream: BinaryIO) -> Unpacked:
    """The stream without gzip, told by its first bytes and not by its name."""
    if isinstance(stream, Unpacked):
        return stream
    borrowed = Unpacked(_Borrowed(stream), _BUFFER)
    if borrowed.peek(2)[:2] == b"\x1f\x8b":
        return Unpacked(_Borrowed(gzip.GzipFile(fileobj=borrowed)), _BUFFER)
    return borrowed


class _Borrowed(io.RawIOBase):
    """Somebody else's stream: read from, never closed."""

    def __init__(self, stream: BinaryIO | gzip.GzipFile) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


# --- lines ----------------------------------------------------------------------------------------


class Lines:
    """The lines of a file with their ends, decoded; `taken` collects those since it was last emptied."""

    def __init__(self, stream: BinaryIO, *, name: str, note: Note, encoding: str = "") -> None:
        self._name, self._note = name, note
        self._zeros = self._foreign = self._mended = 0
        self._back: deque[str] = deque()
        self.taken: list[str] = []
        try:
            binary = unpacked(stream)
            start = binary.peek(4)[:4]
        except (OSError, EOFError, zlib.error) as error:
            raise ImportFailed(name, f"it cannot be read: {error}") from error
        errors = "replace" if encoding else "surrogateescape"
        try:
            self._text = io.TextIOWrapper(binary, encoding or _encoding(start), errors=errors, newline="")
        except LookupError:
            raise UsageError(
                f"there is no encoding {encoding!r}", hint="Such as windows-1251, shift_jis, gb18030 or big5."
            ) from None

    def __iter__(self) -> Iterator[str]:
        return self

    def again(self, lines: Iterable[str]) -> None:
        """Hands these out first: they were looked at ahead."""
        self._back.extend(lines)
        self.taken.clear()

    def __next__(self) -> str:
        line = self._back.popleft() if self._back else self._read()
        self.taken.append(line)
        return line

    def _read(self) -> str:
        try:
            line = self._text.readline(MAX_LINE)
        except UnicodeDecodeError as error:
            raise ImportFailed(self._name, f"it cannot be decoded: {error}") from error
        except (OSError, EOFError, zlib.error) as error:
            raise ImportFailed(
                self._name,
                f"it is damaged or ends too early: {error}",
                hint="What came before that was read. Fetch the file again; importing twice does no harm.",
            ) from error
        if not line:
            self._end()
            raise StopIteration
        if len(line) >= MAX_LINE:
            raise ImportFailed(self._name, f"a line has more than {MAX_LINE:,} characters: this is no table")
        if "\0" in line:
            self._zeros += 1
            line = line.replace("\0", "")
        if not line.isascii() and _NOT_UTF8.search(line):
            self._foreign += 1
            line = _NOT_UTF8.sub(_from_windows, line)
        elif not line.isascii() and _TWICE.search(line):
            mended = _NOT_ASCII.sub(_once, line)
            self._mended += mended != line
            line = mended
        return line

    def _end(self) -> None:
        if self._zeros:
            self._note(f"lines with NUL bytes, which were left out: {self._zeros:,}")
        if self._foreign:
            self._note(f"lines not UTF-8 throughout, the other bytes read as Windows-1252: {self._foreign:,}")
        if self._mended:
            self._note(f"lines whose letters had been encoded twice, which was undone: {self._mended:,}")
        self._zeros = self._foreign = self._mended = 0


def _encoding(start: bytes) -> str:
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if len(start) == 4 and start[1::2] == b"\0\0" and start[0]:
        return "utf-16-le"
    if len(start) == 4 and start[0::2] == b"\0\0" and start[1]:
        return "utf-16-be"
    return "utf-8-sig"


def _once(found: re.Match[str]) -> str:
    """UTF-8 that was read as Windows-1252 and written again, read as it was meant; anything else as it is."""
    if not _TWICE.search(found.group()):
        return found.group()
    try:
        data = b"".join(_as_windows(character) for character in found.group())
        return data.decode("utf-8")
    except UnicodeError:
        return found.group()


def _as_windows(character: str) -> bytes:
    return bytes((ord(character),)) if "\x80" <= character <= "\x9f" else character.encode("cp1252")


def _from_windows(found: re.Match[str]) -> str:
    data = found.group().encode("utf-8", "surrogateescape")
    return "".join(bytes((b,)).decode("cp1252", "ignore") or chr(b) for b in data)


# --- CSV ------------------------------------------------------------------------------------------


def _delimiter(ahead: Sequence[str]) -> str:
    """The one that cuts most lines into as many cells as the first line; of several, that which makes the
    most cells: "Headline, short;Link" has both and means one."""

    def fits(delimiter: str) -> tuple[int, int]:
        try:
            first, *rest = csv.reader(ahead, delimiter=delimiter)
        except csv.Error:
            return 0, 0
        width = len(first)
        return (sum(len(cells) == width for cells in rest) + 1, width) if width > 1 else (0, 0)

    return max(_DELIMITERS, key=fits)


def _is_row(columns: Sequence[str]) -> bool:
    """Whether what stands where names should be is a row: an address, or a moment."""
    return any(is_url(cell) or _is_moment(cell) for cell in columns)


def _is_moment(cell: str) -> bool:
    try:
        return ":" in cell and when(cell) is not None
    except ValueError:
        return False


class _Records:
    """The records of a CSV file, each with the lines that it was made of."""

    def __init__(self, lines: Lines, delimiter: str, name: str) -> None:
        self._lines, self._delimiter, self._name = lines, delimiter, name
        self._reader = csv.reader(lines, delimiter=delimiter)

    def header(self, first: str) -> tuple[str, ...]:
        """Reads the header, whose names may be quoted over several lines; empty names are numbered."""
        names = next(csv.reader(_ahead(first, self._lines), delimiter=self._delimiter))
        self._lines.taken.clear()
        made: dict[str, None] = {}  # in order, and quick to look into
        for place, stated in enumerate(names, 1):
            name = " ".join(stated.split()) or f"column {place}"
            made[name if name not in made else f"{name} ({place})"] = None
        if len(made) < len(names):
            made = dict.fromkeys(f"column {place}" for place in range(1, len(names) + 1))
        return tuple(made)

    def __iter__(self) -> Iterator[tuple[list[str], str]]:
        """Cells and text of each record; a record that cannot be parsed has no cells."""
        while True:
            self._lines.taken.clear()
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error:
                cells = []
            yield cells, "".join(self._lines.taken)

    def again(self, text: str) -> Iterator[tuple[list[str], str]]:
        """The same lines one by one: a stray quotation mark joined what does not belong together."""
        for line in text.rstrip("\r\n").split("\n"):
            cells = next(csv.reader([line], delimiter=self._delimiter), [])
            plain = next(csv.reader([line], delimiter=self._delimiter, quoting=csv.QUOTE_NONE), [])
            yield (plain if '"' in line and line.count('"') % 2 else cells), line


def _ahead_of(first: str, lines: Iterator[str]) -> list[str]:
    """The first lines of a file, not more than a look needs."""
    ahead, length = [first], len(first)
    while len(ahead) < _SAMPLE and length < _BUFFER:
        line = next(lines, "")
        if not line:
            break
        ahead.append(line)
        length += len(line)
    return ahead


def _ahead(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _csv_rows(records: _Records, columns: tuple[str, ...], reject: Reject, *, before: int) -> Iterator[Row]:
    width, number = len(columns), before
    for cells, text in records:
        pieces: Iterator[tuple[list[str], str]] = iter([(cells, text)])
        if _fitting(cells, width) is None and text.rstrip("\r\n").count("\n"):
            pieces = records.again(text)
        for piece, content in pieces:
            number += 1
            fitted = _fitting(piece, width)
            if fitted is not None:
                yield Row(number, dict(zip(columns, fitted, strict=True)), content)
            elif any(cell.strip() for cell in piece) or (not piece and content.strip()):
                reason = f"{len(piece)} cells where the header has {width}" if piece else "it is no CSV"
                reject(
                    Rejected(number, piece[0][:80] if piece else "", reason, content.rstrip("\r\n")[:4000])
                )


def _fitting(cells: list[str], width: int) -> list[str] | None:
    """The cells if there are as many as columns; empty ones too many at the end are no harm."""
    if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
        return cells[:width]
    return cells if len(cells) == width and any(cell.strip() for cell in cells) else None
