"""JSON: one object a line, or one document with a list of objects somewhere in it -> rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from digest.errors import ImportFailed, UsageError
from digest.importers.columns import STORY, normal
from digest.importers.imported import Rejected
from digest.importers.table import Lines, Note, Reject, Row, Table

MAX_JSON = 64 * 1024 * 1024
"""Bytes of one document, unpacked: it is held in memory as a whole. JSONL has no such limit."""
_DEPTH = 6
_KEPT = 4000  # characters of a rejected object
_JQ = "One object a line has no such limit: jq -c '.[]' FILE"
_TITLES = frozenset(STORY["title"])
_NAMES = frozenset((*STORY["url"], *STORY["external_id"]))
_WORDS = ("rendered", "main", "name", "title", "label", "text", "value", "url", "href", "src")
_ADDRESSES = ("url", "href", "src", "link", "permalink", "rendered", "value")
_FOR_ADDRESS = re.compile(r"url|link|href|image|picture|photo|thumb", re.IGNORECASE)


def read_jsonl(stream: BinaryIO, *, name: str, reject: Reject, note: Note) -> Table:
    """Opens a file with one JSON object a line; the columns are the keys of the first hundred.

    Lines that are no object go to `reject`. Raises `ImportFailed` for a file that cannot be read.
    """
    rows = _lines(Lines(stream, name=name, note=note), name, reject)
    first = [made for made, _ in zip(rows, range(100), strict=False)]
    if not first:
        raise ImportFailed(name, "there is no JSON object in it", hint="One object a line is read.")
    return Table(_keys(first), _chain(first, rows), nested=True)


def load(data: bytes, name: str) -> Any:
    """A JSON document in UTF-8, UTF-16 or UTF-32, with or without mark. Raises `ImportFailed`."""
    if len(data) > MAX_JSON:
        raise ImportFailed(name, f"the document has more than {MAX_JSON:,} bytes", hint=_JQ)
    try:
        return json.loads(data.decode(json.detect_encoding(data), "replace"), strict=False)
    except json.JSONDecodeError as error:
        more = error.msg == "Extra data"
        raise ImportFailed(
            name,
            f"it is no JSON: {error.msg}, line {error.lineno}, column {error.colno}",
            hint="If it is one object a line, say so: --format jsonl"
            if more
            else "Fetch it again; nothing was stored.",
        ) from error
    except RecursionError:
        raise ImportFailed(name, "it is JSON nested too deeply to be a list of stories") from None
    except ValueError as error:  # a number with thousands of digits
        raise ImportFailed(name, f"it is no JSON that can be read: {str(error)[:120]}") from error


def read_json(
    document: Any,
    *,
    name: str,
    records: str = "",
    mapped: Mapping[str, Sequence[str]],
    reject: Reject,
    note: Note,
) -> Table:
    """The rows of a document: an array, or the one list of objects in it; else the object itself.

    Objects that are wrapped (``{"node": {...}}``) are unwrapped. `records` is the dotted path of the list,
    for documents with several; `mapped` says by which names a heading goes. Raises `UsageError` when it is
    not clear which list is meant.
    """
    found = _found(document, name, records, {normal(column) for column in mapped.get("title", ())})
    if not found:
        note("the list of objects is empty")
    rows = list(_rows(found, reject))
    columns = _keys(rows[:100])
    if found and not columns:
        raise ImportFailed(name, "it is JSON without an object that has anything in it")
    return Table(columns, iter(rows), nested=True)


# --- finding the list -----------------------------------------------------------------------------


def _found(document: Any, name: str, records: str, titles: set[str]) -> Sequence[Any]:
    if records:
        return _at(document, name, records)
    if isinstance(document, list):
        return document
    if not isinstance(document, dict):
        raise ImportFailed(name, "it is JSON, but neither an object nor an array")
    lists = list(_lists(document, ()))
    if _is_story(document, titles):
        return [document]
    likely = [
        (path, each) for path, each in lists if any(_is_story(_unwrapped(o), titles) for o in each[:20])
    ]
    if len(likely) == 1 or (len(likely) != 0 and not any(likely[0][1])):
        return likely[0][1]
    filled = likely or [(path, each) for path, each in lists if each]
    if len(filled) == 1:
        return filled[0][1]
    if filled:
        some = ", ".join(f"{path} ({len(each):,})" for path, each in filled[:10])
        raise UsageError(
            f"{name}: there are several lists of objects in it: {some}",
            hint=f"Say which one: --records {filled[0][0]} (or records in config.toml).",
        )
    return [] if lists else [document]


def _at(document: Any, name: str, records: str) -> Sequence[Any]:
    value = document
    for step in records.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if not isinstance(value, list):
        there = ", ".join(path for path, _ in _lists(document, ())) if isinstance(document, dict) else ""
        raise UsageError(
            f"{name}: there is no list at {records!r}", hint=f"Lists of objects in it: {there or 'none'}."
        )
    return value


def _lists(given: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, list[Any]]]:
    """Lists that are empty or have an object in them, by their path; nothing within a list."""
    for key, value in given.items():
        if isinstance(value, list) and (not value or any(isinstance(each, dict) for each in value)):
            yield ".".join((*path, key)), value
        elif isinstance(value, dict) and len(path) < _DEPTH:
            yield from _lists(value, (*path, key))


def _is_story(given: Any, titles: set[str]) -> bool:
    if not isinstance(given, dict):
        return False
    names = {normal(key) for key in given}
    return bool(names & (titles or _TITLES)) and bool(titles or names & _NAMES)


def _unwrapped(given: Any) -> Any:
    """An object that holds but one other, beside plain values, is a wrapping: what is within comes first."""
    if not isinstance(given, dict) or _is_story(given, set()):
        return given
    within = [value for value in given.values() if isinstance(value, dict)]
    if len(within) != 1 or any(isinstance(value, list) for value in given.values()):
        return given
    return {**{key: value for key, value in given.items() if not isinstance(value, dict)}, **within[0]}


# --- rows -----------------------------------------------------------------------------------------


def _rows(found: Sequence[Any], reject: Reject) -> Iterator[Row]:
    for number, stated in enumerate(found, 1):
        if isinstance(stated, dict):
            inner = _unwrapped(stated)
            yield Row(number, _Cells(inner), json.dumps(stated, ensure_ascii=False)[:_KEPT], inner)
        else:
            shown = json.dumps(stated, ensure_ascii=False)
            reject(Rejected(number, shown[:80], "it is no JSON object", shown[:_KEPT]))


def _lines(lines: Lines, name: str, reject: Reject) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        lines.taken.clear()
        stripped = line.strip()
        if not stripped:
            continue
        try:
            value = json.loads(stripped, strict=False)
        except (ValueError, RecursionError) as error:
            if number == 1 and stripped in ("[", "{"):
                raise ImportFailed(
                    name, "it is one JSON document, not one object a line", hint="Say so: --format json"
                ) from None
            reject(Rejected(number, stripped[:80], f"it is no JSON: {str(error)[:120]}", stripped[:_KEPT]))
            continue
        if isinstance(value, list) and number == 1:
            raise ImportFailed(
                name, "it is a JSON array, not one object a line", hint="Say so: --format json"
            )
        if not isinstance(value, dict):
            reject(Rejected(number, stripped[:80], "it is no JSON object", stripped[:_KEPT]))
            continue
        yield Row(number, _Cells(value), stripped[:_KEPT], value)


def _keys(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for row in rows for key in row.cells))


def _chain(first: list[Row], rest: Iterator[Row]) -> Iterator[Row]:
    yield from first
    yield from rest


def cells(stated: Mapping[str, Any]) -> Mapping[str, str]:
    """An object as cells of text; a path like ``section.name`` is looked up inside."""
    return _Cells(stated)


class _Cells(dict[str, str]):
    """The cells of an object; a path like ``section.name`` is looked up inside."""

    def __init__(self, stated: Mapping[str, Any]) -> None:
        super().__init__((str(key), _text(value, str(key))) for key, value in stated.items())
        self._stated = stated

    def get(self, key: str, default: Any = "") -> Any:
        if key in self or "." not in key:
            return super().get(key, default)
        value: Any = self._stated
        for step in key.split("."):
            if isinstance(value, list):
                value = next((each for each in value if isinstance(each, Mapping)), None)
            value = value.get(step) if isinstance(value, Mapping) else None
        return _text(value, key.rpartition(".")[2]) or default


def _text(value: Any, column: str, depth: int = 0) -> str:
    """A value as the text of a cell: the first of a list, the name (or the address) of an object."""
    if value is None or depth > _DEPTH:
        return ""
    if isinstance(value, Mapping):
        wanted = _ADDRESSES if _FOR_ADDRESS.search(column) else _WORDS
        return next((t for k in wanted if (t := _text(value.get(k), column, depth + 1))), "")
    if isinstance(value, list):
        return next((text for each in value if (text := _text(each, column, depth + 1))), "")
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else repr(value)
