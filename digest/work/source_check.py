"""What a source would bring, without taking anything in: for setting it up, and for finding what is wrong."""

from __future__ import annotations

import datetime as dt
import io
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from digest.config.problems import mask
from digest.config.settings import Source, SourceType
from digest.errors import DigestError, ImportFailed
from digest.importers import Rejected, read_stories
from digest.importers.clean import line
from digest.importers.fetch import MAX_BYTES, Fetched
from digest.importers.form import detect
from digest.importers.links import is_url
from digest.importers.stories import opening
from digest.work.poll import Fetch, context, document

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
)  # fmt: skip
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._:-]+)", re.IGNORECASE)
_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._:-]+)")
_OLD = dt.timedelta(days=7)
_WORTH_PACKING = 100_000


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found. Sizes are bytes, `seconds` those until the whole document was here."""

    source: str
    url: str
    error: str = ""
    """Why it cannot be read, and what to change; "" when it can."""
    advice: tuple[str, ...] = ()
    """What would be better otherwise, in sentences."""
    type: str = ""
    """What it looks like: "feed", "sitemap", "json", "jsonl" or "csv"."""
    stories: int = 0
    rejected: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    """Why entries were rejected, and how many."""
    newest: dt.datetime | None = None
    oldest: dt.datetime | None = None
    undated: int = 0
    with_picture: float | None = None
    """The share of stories that have one; None without stories."""
    with_full_text: float | None = None
    encoding: str = ""
    """As it says itself; "utf-8" where it says nothing."""
    conditional: bool | None = None
    """Whether an unchanged document is answered by 304; None for a file."""
    redirects: tuple[str, ...] = ()
    travelled: int = 0
    size: int = 0
    seconds: float = 0.0


def check_source(source: Source, *, fetch: Fetch, place: Callable[[Path], Path], now: dt.datetime) -> Checked:
    """Fetches and reads a source as polling does, twice where it is a web address, and stores nothing."""
    made = Checked(source.name, mask(source.url))
    started = time.monotonic()
    try:
        got = fetch(source.url, internal=source.internal) if is_url(source.url) else None
        made = replace(made, seconds=round(time.monotonic() - started, 3))
        if got is not None:
            made = _as_it_came(made, source, got, fetch)
        made = _looks(made, source, got, place)
        made = _content(made, source, got, place, now)
    except DigestError as error:
        reason = error.reason if isinstance(error, ImportFailed) else str(error)
        made = replace(made, error=f"{reason}. {error.hint}" if error.hint else reason)
        return replace(made, advice=tuple(_of_its_type(made, source)))
    except Exception as error:  # noqa: BLE001 - as in polling: a fault met in one document is told of it
        return replace(made, error=f"unexpected {type(error).__name__}: {line(str(error), 200)}")
    odd = (note for note in made.advice if not note.endswith("no entries"))
    of_server = () if got is None else _of_its_server(made, got)
    advice = (*odd, *_of_its_type(made, source), *_of_its_stories(made, now), *of_server)
    return replace(made, advice=advice)


def _as_it_came(made: Checked, source: Source, got: Fetched, fetch: Fetch) -> Checked:
    conditional = False
    if got.etag or got.modified:
        try:
            again = fetch(source.url, etag=got.etag, modified=got.modified, internal=source.internal)
            conditional = again.body is None
        except ImportFailed:
            conditional = False  # it takes no such question: that is all that is asked here
    return replace(
        made,
        redirects=tuple(map(mask, got.redirects)),
        travelled=got.travelled,
        size=len(got.body or b""),
        conditional=conditional,
    )


def _looks(made: Checked, source: Source, got: Fetched | None, place: Callable[[Path], Path]) -> Checked:
    with document(source, got, "", place) as found:
        assert found.body is not None
        size = found.body.seek(0, io.SEEK_END)
        found.body.seek(0)
        _, start = opening(found.body, source.url)
    encoding = declared_encoding(start, found.content_type)
    return replace(made, size=size, type=detect(start).value, encoding=encoding)


def _content(
    made: Checked, source: Source, got: Fetched | None, place: Callable[[Path], Path], now: dt.datetime
) -> Checked:
    reasons: Counter[str] = Counter()
    notes: list[str] = []

    def reject(rejected: Rejected) -> None:
        reasons[rejected.reason] += 1

    stories = undated = pictures = full = 0
    newest = oldest = None
    with document(source, got, "", place) as found:
        assert found.body is not None
        how = context(source, found, now)
        for draft in read_stories(found.body, how, form=source.type.value, reject=reject, note=notes.append):
            stories += 1
            pictures += draft.picture is not None
            full += draft.full_text
            date = draft.published or draft.first_seen
            undated += date is None
            if date is not None:
                newest, oldest = max(newest or date, date), min(oldest or date, date)
    return replace(
        made,
        stories=stories,
        rejected=reasons.total(),
        reasons=dict(reasons.most_common()),
        newest=newest,
        oldest=oldest,
        undated=undated,
        with_picture=round(pictures / stories, 3) if stories else None,
        with_full_text=round(full / stories, 3) if stories else None,
        advice=tuple(notes),
    )


def declared_encoding(start: bytes, content_type: str) -> str:
    """What a document says its encoding is, in lower case: by its mark, else by the charset of its
    Content-Type, else by its XML declaration (the order of RFC 7303 3); "utf-8" where none is stated."""
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name
    named = _CHARSET.search(content_type)
    if named:
        return named[1].lower()
    declared = _DECLARED.search(start[:1000])
    return declared[1].decode("ascii").lower() if declared else "utf-8"


def _of_its_type(made: Checked, source: Source) -> Iterator[str]:
    if made.type and source.type is not SourceType.auto and made.type != source.type.value:
        yield f'It looks like {made.type}: write type = "{made.type}" if that is what it is.'


def _of_its_stories(made: Checked, now: dt.datetime) -> Iterator[str]:
    if not made.stories:
        yield "It brings no story: open it and look at what is in it" + (
            ", and at why each entry was rejected." if made.rejected else "."
        )
        return
    if made.undated * 2 > made.stories:
        yield (
            f"{made.undated:,} of {made.stories:,} stories have no date: they count from when they are first "
            "seen, so poll this source at least as often as it changes."
        )
    if made.newest is not None and now - made.newest > _OLD:
        yield (
            f"Its newest story is of {made.newest:%Y-%m-%d}: if the site has newer ones, this is the wrong "
            "address."
        )
    if made.with_picture is not None and made.with_picture < 0.5:
        yield "Most stories have no picture: the newsletter will look bare."


def _of_its_server(made: Checked, got: Fetched) -> Iterator[str]:
    if got.moved:
        yield f'It has moved for good: write url = "{mask(got.moved)}".'
    if not made.conditional:
        yield (
            "It is sent whole each time, changed or not. Whoever runs the server can mend that: it should "
            "send ETag or Last-Modified and answer If-None-Match or If-Modified-Since with 304."
        )
    if not got.packed and made.size > _WORTH_PACKING:
        yield "It comes unpacked: with gzip at the server it would be a fraction as long."
    if max(made.size, made.travelled) * 2 > MAX_BYTES:
        yield (
            f"It is more than half as large as is read at all ({MAX_BYTES >> 20} MB): ask for one of the "
            "newest stories only."
        )
