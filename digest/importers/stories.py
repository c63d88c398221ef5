"""Any document with stories -> drafts, one after the other: the door that commands and polling use.

Another format is another line in `FORMATS` and another reader beside these.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

from digest.errors import ImportFailed
from digest.importers.context import Context
from digest.importers.feed import MAX_FEED, read_feed
from digest.importers.form import LOOK, Form, detect
from digest.importers.imported import Imported
from digest.importers.jsonfeed import is_json_feed, read_json_feed
from digest.importers.objects import MAX_JSON, load, read_json, read_jsonl
from digest.importers.rows import read_table
from digest.importers.sitemap import MAX_SITEMAP, read_sitemap
from digest.importers.table import Note, Reject, Unpacked, read_csv, unpacked
from digest.model import StoryDraft


def read_stories(
    stream: BinaryIO, how: Context, *, form: str = "auto", reject: Reject, note: Note
) -> Iterator[StoryDraft]:
    """Drafts from a document in any of `FORMATS`, packed by gzip or not; `form` "auto" tells them apart.

    What cannot become a story goes to `reject`, with its reason; what was odd is said to `note`. The header
    is read at once, rows only as they are asked for. Raises `ImportFailed` for a document that is none of
    these, and `UsageError` when columns are missing.
    """
    opened, start = opening(stream, how.name)
    found = detect(start, content_type=how.content_type, name=how.name) if form == "auto" else Form(form)
    return FORMATS[found](opened, how, reject, note)


def opening(stream: BinaryIO, name: str) -> tuple[Unpacked, bytes]:
    """The document without gzip, and how it begins. Raises `ImportFailed` when it is empty or damaged."""
    try:
        opened = unpacked(stream)
        start = opened.peek(LOOK)
    except (OSError, EOFError, zlib.error) as error:
        raise ImportFailed(
            name,
            f"it is damaged or ends too early: {error}",
            hint="Fetch the file again; nothing was stored.",
        ) from error
    if not start.strip():
        raise ImportFailed(name, "it is empty", hint="Look at what makes it; nothing was changed.")
    return opened, start


# --- the formats ----------------------------------------------------------------------------------


def _from_feed(stream: BinaryIO, how: Context, reject: Reject, note: Note) -> Iterator[StoryDraft]:
    imported = read_feed(
        _whole(stream, MAX_FEED, how),
        base_url=how.base_url,
        source=how.name,
        seen=how.seen,
        content_type=how.content_type,
        section=how.section,
        language=how.language,
        enrich=how.enrich,
        measure=how.measure,
    )
    return _told(imported, reject, note)


def _from_sitemap(stream: BinaryIO, how: Context, reject: Reject, note: Note) -> Iterator[StoryDraft]:
    imported = read_sitemap(
        _whole(stream, MAX_SITEMAP, how),
        base_url=how.base_url,
        source=how.name,
        seen=how.seen,
        section=how.section,
        language=how.language,
        enrich=how.enrich,
    )
    return _told(imported, reject, note)


def _from_json(stream: BinaryIO, how: Context, reject: Reject, note: Note) -> Iterator[StoryDraft]:
    document = load(_whole(stream, MAX_JSON, how), how.name)
    if is_json_feed(document):
        imported = read_json_feed(
            document,
            base_url=how.base_url,
            seen=how.seen,
            section=how.section,
            language=how.language,
            enrich=how.enrich,
        )
        return _told(imported, reject, note)
    table = read_json(
        document, name=how.name, records=how.records, mapped=how.mapped, reject=reject, note=note
    )
    return read_table(table, how, reject=reject, note=note) if table.columns else iter(())


def _from_jsonl(stream: BinaryIO, how: Context, reject: Reject, note: Note) -> Iterator[StoryDraft]:
    table = read_jsonl(stream, name=how.name, reject=reject, note=note)
    return read_table(table, how, reject=reject, note=note)


def _from_csv(stream: BinaryIO, how: Context, reject: Reject, note: Note) -> Iterator[StoryDraft]:
    table = read_csv(
        stream, name=how.name, reject=reject, note=note, names=how.columns, encoding=how.encoding
    )
    return read_table(table, how, reject=reject, note=note)


FORMATS: Mapping[Form, Callable[[BinaryIO, Context, Reject, Note], Iterator[StoryDraft]]] = {
    Form.feed: _from_feed,
    Form.sitemap: _from_sitemap,
    Form.json: _from_json,
    Form.jsonl: _from_jsonl,
    Form.csv: _from_csv,
}


def _whole(stream: BinaryIO, limit: int, how: Context) -> bytes:
    """All of a document, or a byte more than the limit, for its reader to refuse."""
    try:
        return stream.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ImportFailed(how.name, f"it cannot be read: {error}") from error


def _told(imported: Imported, reject: Reject, note: Note) -> Iterator[StoryDraft]:
    for rejected in imported.rejected:
        reject(rejected)
    for text in imported.notes:
        note(text)
    return iter(imported.drafts)
