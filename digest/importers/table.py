"""CSV and JSONL files as rows of text, one after the other, however the file was written.

Nothing of a file is kept in memory but the row that is being read. What is wrong with a single row is said of
that row; the others are read all the same.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from digest.errors import ImportFailed
from digest.importers.imported import Rejected

MAX_LINE = 16 * 1024 * 1024
"""Characters. A longer line means that this is no table of text."""
_MAX_CELL = 4 * 1024 * 1024
_BUFFER = 64 * 1024
_DELIMITERS = ",;\t|"
_NOT_UTF8 = re.compile("[\udc80-\udcff]+")

Reject = Callable[[Rejected], None]
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `number` counts as a spreadsheet does: the header is row 1."""

    number: int
    cells: Mapping[str, str]
    content: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table that has been opened: its columns are known, its rows come as they are asked for."""

    columns: tuple[str, ...]
    rows: Iterator[Row]
    nested: bool = False
    """JSONL: a column may be a path into objects, such as ``section.name``."""


def read_csv(stream: BinaryIO, *, name: str, reject: Reject, note: Note) -> Table:
    """Opens a CSV file: comma, semicolon, tab or pipe; UTF-8 or UTF-16 with or without mark, Windows-1252
    where a byte is not UTF-8; packed by gzip or not.

    Rows with too many or too few cells go to `reject`. Raises `ImportFailed` for a file that cannot be read.
    """
    lines = _Lines(stream, name=name, note=note)
    header = next((line for line in lines if line.strip()), "")
    if header.lower().startswith("sep=") and len(header.strip()) == 5:  # a word from Excel to itself
        header = next((line for line in lines if line.strip()), "")
    if not header:
        raise ImportFailed(name, "it is empty", hint="The first line must name the columns.")
    delimiter = _delimiter(header)
    csv.field_size_limit(_MAX_CELL)
    records = _Records(lines, delimiter, name)
    columns = records.header(header)
    return Table(columns, _csv_rows(records, columns, reject))


def read_jsonl(stream: BinaryIO, *, name: str, reject: Reject, note: Note) -> Table:
    """Opens a file with one JSON object a line; the columns are the keys of the first hundred.

    Lines that are no object go to `reject`. Raises `ImportFailed` for a file that cannot be read.
    """
    objects = _objects(_Lines(stream, name=name, note=note), name, reject)
    first = [made for made, _ in zip(objects, range(100), strict=False)]
    if not first:
        raise ImportFailed(name, "there is no JSON object in it", hint="One object a line is read.")
    columns = tuple(dict.fromkeys(key for row in first for key in row.cells))
    return Table(columns, _chain(first, objects), nested=True)


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


class _Lines:
    """The lines of a file with their ends, decoded; `taken` collects those since it was last emptied."""

    def __init__(self, stream: BinaryIO, *, name: str, note: Note) -> None:
        self._name, self._note = name, note
        self._zeros = self._foreign = 0
        self.taken: list[str] = []
        try:
            binary = unpacked(stream)
            start = binary.peek(4)[:4]
        except (OSError, EOFError, zlib.error) as error:
            raise ImportFailed(name, f"it cannot be read: {error}") from error
        self._text = io.TextIOWrapper(binary, _encoding(start), errors="surrogateescape", newline="")

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
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
        self.taken.append(line)
        return line

    def _end(self) -> None:
        if self._zeros:
            self._note(f"lines with NUL bytes, which were left out: {self._zeros:,}")
        if self._foreign:
            self._note(f"lines not UTF-8 throughout, the other bytes read as Windows-1252: {self._foreign:,}")
        self._zeros = self._foreign = 0


def _encoding(start: bytes) -> str:
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if len(start) == 4 and start[1::2] == b"\0\0" and start[0]:
        return "utf-16-le"
    if len(start) == 4 and start[0::2] == b"\0\0" and start[1]:
        return "utf-16-be"
    return "utf-8-sig"


def _from_windows(found: re.Match[str]) -> str:
    data = found.group().encode("utf-8", "surrogateescape")
    return "".join(bytes((b,)).decode("cp1252", "ignore") or chr(b) for b in data)


# --- CSV ------------------------------------------------------------------------------------------


def _delimiter(header: str) -> str:
    bare = re.sub(r'"(?:[^"]|"")*"', "", header)
    return max(_DELIMITERS, key=bare.count)


class _Records:
    """The records of a CSV file, each with the lines that it was made of."""

    def __init__(self, lines: _Lines, delimiter: str, name: str) -> None:
        self._lines, self._delimiter, self._name = lines, delimiter, name
        self._reader = csv.reader(lines, delimiter=delimiter)

    def header(self, first: str) -> tuple[str, ...]:
        """Reads the header, whose names may be quoted over several lines; empty names are numbered."""
        names = next(csv.reader(_ahead(first, self._lines), delimiter=self._delimiter))
        self._lines.taken.clear()
        made: list[str] = []
        for place, stated in enumerate(names, 1):
            name = " ".join(stated.split()) or f"column {place}"
            made.append(name if name not in made else f"{name} ({place})")
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


def _ahead(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _csv_rows(records: _Records, columns: tuple[str, ...], reject: Reject) -> Iterator[Row]:
    width, number = len(columns), 1
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


# --- JSONL ----------------------------------------------------------------------------------------


class _Cells(dict[str, str]):
    """The cells of an object; a path like ``section.name`` is looked up inside."""

    def __init__(self, stated: Mapping[str, Any]) -> None:
        super().__init__((key, _text(value)) for key, value in stated.items())
        self._stated = stated

    def get(self, key: str, default: Any = "") -> Any:
        if key in self or "." not in key:
            return super().get(key, default)
        value: Any = self._stated
        for step in key.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
        return _text(value) or default


def _text(value: Any) -> str:
    if value is None or isinstance(value, Mapping):
        return ""
    if isinstance(value, list):
        return next((text for text in map(_text, value) if text), "")
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else repr(value)


def _objects(lines: _Lines, name: str, reject: Reject) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        lines.taken.clear()
        stripped = line.strip()
        if not stripped:
            continue
        try:
            value = json.loads(stripped)
        except (ValueError, RecursionError) as error:
            if number == 1 and stripped in ("[", "{"):
                raise ImportFailed(
                    name,
                    "it is one JSON document, not one object a line",
                    hint="Convert it: jq -c '.[]' FILE",
                ) from None
            reject(Rejected(number, stripped[:80], f"it is no JSON: {str(error)[:120]}", stripped[:4000]))
            continue
        if isinstance(value, list) and number == 1:
            raise ImportFailed(
                name, "it is a JSON array, not one object a line", hint="Convert it: jq -c '.[]' FILE"
            )
        if not isinstance(value, dict):
            reject(Rejected(number, stripped[:80], "it is no JSON object", stripped[:4000]))
            continue
        yield Row(number, _Cells(value), stripped[:4000])


def _chain(first: list[Row], rest: Iterator[Row]) -> Iterator[Row]:
    yield from first
    yield from rest
