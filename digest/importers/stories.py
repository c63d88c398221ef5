"""Any document with stories -> drafts, one after the other: the door that commands and polling use.

Another format is another line in `FORMATS` and another reader beside these.
"""

from __future__ import annotations

import datetime as dt
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from digest.errors import ImportFailed
from digest.importers.clean import heading, line
from digest.importers.columns import CREATED, STORY, Columns, choose, require
from digest.importers.dates import not_future, when
from digest.importers.draft import Fields, Refused, draft, picture
from digest.importers.feed import MAX_FEED, read_feed
from digest.importers.imported import Rejected
from digest.importers.links import is_url
from digest.importers.table import Note, Reject, Row, Table, Unpacked, read_csv, read_jsonl, unpacked
from digest.model import StoryDraft, StoryKind


@dataclass(frozen=True, slots=True)
class Context:
    """How a document is to be understood.

    `base_url` resolves relative links; `section` and `language` are for stories that state none, `zone` for
    times without one; `mapped` is field -> columns as ``--map`` gave them.
    """

    name: str
    seen: dt.datetime
    base_url: str = ""
    content_type: str = ""
    section: str = ""
    language: str = ""
    zone: dt.tzinfo = dt.UTC
    mapped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_stories(
    stream: BinaryIO, how: Context, *, form: str = "auto", reject: Reject, note: Note
) -> Iterator[StoryDraft]:
    """Drafts from a feed, CSV or JSONL, packed by gzip or not; `form` "auto" tells them apart.

    What cannot become a story goes to `reject`, with its reason; what was odd is said to `note`. The header
    is read at once, rows only as they are asked for. Raises `ImportFailed` for a document that is none of
    these, and `UsageError` when columns are missing.
    """
    opened, start = opening(stream, how.name)
    reader = FORMATS[sniff(start) if form == "auto" else form]
    return reader(opened, how, reject, note)


def opening(stream: BinaryIO, name: str) -> tuple[Unpacked, bytes]:
    """The document without gzip, and how it begins. Raises `ImportFailed` when it is empty or damaged."""
    try:
        opened = unpacked(stream)
        start = opened.peek(4096)
    except (OSError, EOFError, zlib.error) as error:
        raise ImportFailed(
            name,
            f"it is damaged or ends too early: {error}",
            hint="Fetch the file again; nothing was stored.",
        ) from error
    if not start.strip():
        raise ImportFailed(name, "it is empty", hint="Look at what makes it; nothing was changed.")
    return opened, start


def sniff(start: bytes) -> str:
    """What a document is, by its first bytes: "feed", "jsonl" or "csv"."""
    text = start.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    return "feed" if text[:1] == b"<" else "jsonl" if text[:1] in (b"{", b"[") else "csv"


def read_table(table: Table, how: Context, *, reject: Reject, note: Note) -> Iterator[StoryDraft]:
    """Drafts from the rows of a table. Raises `UsageError` when there is no column for headings or links."""
    columns = _columns(table, how)
    if columns.unused:
        note(f"columns that were not used: {', '.join(columns.unused)}")
    return _drafts(table, columns, how, reject, note)


# --- the formats ----------------------------------------------------------------------------------


def _from_feed(stream: BinaryIO, how: Context, reject: Reject, note: Note) -> Iterator[StoryDraft]:
    try:
        data = stream.read(MAX_FEED + 1)
    except (OSError, EOFError) as error:
        raise ImportFailed(how.name, f"it cannot be read: {error}") from error
    imported = read_feed(
        data,
        base_url=how.base_url,
        source=how.name,
        seen=how.seen,
        content_type=how.content_type,
        section=how.section,
        language=how.language,
    )
    for rejected in imported.rejected:
        reject(rejected)
    for text in imported.notes:
        note(text)
    return iter(imported.drafts)


def _from_csv(stream: BinaryIO, how: Context, reject: Reject, note: Note) -> Iterator[StoryDraft]:
    return read_table(
        read_csv(stream, name=how.name, reject=reject, note=note), how, reject=reject, note=note
    )


def _from_jsonl(stream: BinaryIO, how: Context, reject: Reject, note: Note) -> Iterator[StoryDraft]:
    return read_table(
        read_jsonl(stream, name=how.name, reject=reject, note=note), how, reject=reject, note=note
    )


FORMATS: Mapping[str, Callable[[BinaryIO, Context, Reject, Note], Iterator[StoryDraft]]] = {
    "feed": _from_feed,
    "csv": _from_csv,
    "jsonl": _from_jsonl,
}


# --- rows -----------------------------------------------------------------------------------------


def _columns(table: Table, how: Context) -> Columns:
    columns = choose(table.columns, STORY, how.mapped, nested=table.nested)
    if "published" not in how.mapped and not columns.of["published"] and not columns.of["first_seen"]:
        known = {**STORY, "published": CREATED}
        columns = choose(table.columns, known, how.mapped, nested=table.nested)
    require(columns, ["title"], table.columns, how.name)
    if not columns.of["url"]:
        require(columns, ["external_id"], table.columns, how.name)
    return columns


def _drafts(table: Table, columns: Columns, how: Context, reject: Reject, note: Note) -> Iterator[StoryDraft]:
    odd: Counter[str] = Counter()
    for row in table.rows:
        try:
            made = draft(_fields(row, columns, how, odd))
        except Refused as refused:
            item = heading(columns.cell("title", row.cells)[:2000]) or columns.cell("external_id", row.cells)
            reject(Rejected(row.number, line(item, 100), str(refused), row.content.rstrip("\r\n")[:4000]))
            continue
        yield made
    for what, count in odd.items():
        note(f"{what}: {count:,}")


def _fields(row: Row, columns: Columns, how: Context, odd: Counter[str]) -> Fields:
    def cell(name: str) -> str:
        return columns.cell(name, row.cells)

    url, external_id = cell("url"), cell("external_id")
    if not url and is_url(external_id):
        url = external_id
    if (
        url.strip()
        and not re.match(r"\s*(?:[a-z][a-z0-9+.-]*:|//|www\.)", url, re.IGNORECASE)
        and how.base_url
    ):
        odd[f"relative links, resolved against {how.base_url} (say --base-url if that is wrong)"] += 1
    stated = {name: _time(cell(name), name, how) for name in ("published", "updated", "first_seen")}
    times = {name: not_future(moment, how.seen) for name, moment in stated.items()}
    for name in ("published", "first_seen"):
        if stated[name] is not None and times[name] is None:
            odd["dates more than a day ahead, which count as missing"] += 1
    image = None
    if cell("picture"):
        alt = columns.of["picture_alt"]
        image = picture(
            cell("picture"),
            base=how.base_url or url,
            alt=cell("picture_alt") if alt else None,
            caption=cell("picture_caption"),
            credit=cell("picture_credit"),
        )
    return Fields(
        external_id=external_id,
        url=url,
        base=how.base_url,
        title=cell("title"),
        summary=cell("standfirst"),
        content=cell("body"),
        author=cell("author"),
        section=_section(row, columns) or how.section,
        language=cell("language") or how.language,
        pictures=[image] if image else [],
        published=times["published"],
        updated=times["updated"],
        first_seen=times["first_seen"],
        kind=_kind(cell("kind")),
    )


def _time(text: str, name: str, how: Context) -> dt.datetime | None:
    try:
        return when(text, how.zone)
    except ValueError as error:
        raise Refused(f"{name}: {error}") from None


def _section(row: Row, columns: Columns) -> str:
    """A column of tags holds many: the first stands for the section."""
    for column in columns.of["section"]:
        text = row.cells.get(column, "")
        if text.strip():
            many = column.strip().lower() in ("tags", "categories")
            return re.split(r"[,;|]", text.strip("[]{} "))[0].strip("\"' ") if many else text
    return ""


_KINDS = {"liveblog": StoryKind.live, "advertorial": StoryKind.sponsored, "sponsor": StoryKind.sponsored,
          "photos": StoryKind.gallery}  # fmt: skip


def _kind(stated: str) -> StoryKind:
    """Of a column that may mean something else by "type", only what is a kind of ours counts."""
    name = line(stated).lower().replace(" ", "").replace("-", "")
    return _KINDS.get(name) or (StoryKind(name) if name in StoryKind.__members__ else StoryKind.article)
