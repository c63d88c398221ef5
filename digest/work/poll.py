"""Looking at the configured sources: which are due, what they brought, and what went wrong with which.

One source's trouble stays its own: it is written down for that source, and the others are looked at all the
same.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

from digest.config.settings import Source
from digest.errors import DigestError, ImportFailed, StoreError
from digest.importers import Context, Rejected, read_stories
from digest.importers.columns import STORY, parse_map
from digest.importers.fetch import Fetched
from digest.importers.figures import parse_figure
from digest.importers.links import is_url
from digest.model import StoryDraft
from digest.ports import Clock
from digest.store.intake import StoryCounts
from digest.store.sources import SourceState
from digest.work.figures import Figures, Recording
from digest.work.pages import Pages

_MARK = 12  # hex digits of the address that an etag belongs to


class Fetch(Protocol):
    """Gets a document; raises `ImportFailed` (digest.importers.fetch.fetch)."""

    def __call__(self, url: str, *, etag: str = "", modified: str = "") -> Fetched: ...


class Intake(Protocol):
    """Takes drafts in (digest.store.stories.Stories)."""

    def import_drafts(
        self,
        source: str,
        drafts: Iterable[StoryDraft],
        *,
        seen: dt.datetime,
        progress: Callable[[int], object] | None = None,
    ) -> StoryCounts: ...

    def enriched(self, source_name: str, names: Collection[str]) -> set[str]: ...


class States(Protocol):
    """Remembers when each source was looked at (digest.store.sources.Sources)."""

    def get(self, name: str) -> SourceState: ...

    def succeeded(self, name: str, *, at: dt.datetime, etag: str = "", modified: str = "") -> None: ...

    def failed(self, name: str, error: str, *, at: dt.datetime) -> None: ...


@dataclass(frozen=True, slots=True)
class Polled:
    """What looking at one source came to. `error` is "" when it could be read."""

    source: str
    error: str = ""
    unchanged: bool = False
    """It said that nothing is new since last time."""
    counts: StoryCounts = field(default_factory=StoryCounts)
    rejected: int = 0
    notes: tuple[str, ...] = ()


def is_due(source: Source, state: SourceState, now: dt.datetime) -> bool:
    """Whether `every` has passed since the last poll. One in the future (a clock set back) does not count."""
    last = state.last_poll
    return last is None or not last <= now < last + source.every


def poll(
    sources: Iterable[Source],
    *,
    stories: Intake,
    signals: Recording,
    states: States,
    fetch: Fetch,
    clock: Clock,
    place: Callable[[Path], Path],
    force: bool = False,
) -> Iterator[Polled]:
    """Looks at every source that is due (all with `force`), one after the other, and says what each came to.

    `place` makes a configured path absolute. Whatever goes wrong with a source is in its `error` and in the
    store; only a `StoreError` ends the round, because then nothing can be kept.
    """
    for source in sources:
        state = states.get(source.name)
        now = clock.now()
        if not (force or is_due(source, state, now)):
            continue
        try:
            yield _look(
                source,
                state,
                stories=stories,
                signals=signals,
                states=states,
                fetch=fetch,
                now=now,
                place=place,
            )
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault met in one document must not stop the others
            reason = error.reason if isinstance(error, ImportFailed) else str(error)
            hint = error.hint if isinstance(error, DigestError) else ""
            if not isinstance(error, DigestError):
                reason = f"unexpected {type(error).__name__}: {reason}"
            told = f"{reason}. {hint}".removesuffix(". ") if hint else reason
            states.failed(source.name, told, at=now)
            yield Polled(source.name, error=told)


def _look(
    source: Source,
    state: SourceState,
    *,
    stories: Intake,
    signals: Recording,
    states: States,
    fetch: Fetch,
    now: dt.datetime,
    place: Callable[[Path], Path],
) -> Polled:
    mark = hashlib.sha256(source.url.encode()).hexdigest()[:_MARK] + " "
    # What an address said about its document means nothing for another that took its place in config.toml.
    etag, modified = (
        text.removeprefix(mark) if text.startswith(mark) else "" for text in (state.etag, state.modified)
    )
    with _document(source, fetch, etag, modified, place) as found:
        if found.body is None:
            states.succeeded(source.name, at=now, etag=state.etag, modified=state.modified)
            return Polled(source.name, unchanged=True)
        reasons: Counter[str] = Counter()
        notes: list[str] = []

        def reject(rejected: Rejected) -> None:
            reasons[rejected.reason] += 1

        figures = Figures(signals, source.name, lenient=not source.signals)
        pages = Pages(fetch, partial(stories.enriched, source.name)) if source.enrich else None
        how = replace(
            understood(source, now),
            base_url=found.url if is_url(found.url) else "",
            content_type=found.content_type,
            measure=figures,
            enrich=pages,
        )
        drafts = read_stories(found.body, how, form=source.type.value, reject=reject, note=notes.append)
        counts = stories.import_drafts(source.name, drafts, seen=now, progress=lambda _: figures.store())
        figures.store()
        notes += [*figures.notes, *(pages.notes if pages else ())]
    states.succeeded(
        source.name,
        at=now,
        etag=mark + found.etag if found.etag else "",
        modified=mark + found.modified if found.modified else "",
    )
    notes += [f"rejected, {reason}: {count:,}" for reason, count in reasons.most_common(5)]
    if found.moved:
        notes.append(f'it has moved for good: write url = "{found.moved}" in config.toml')
    return Polled(source.name, counts=counts, rejected=reasons.total(), notes=tuple(notes))


def understood(source: Source, seen: dt.datetime) -> Context:
    """How the document of a configured source is to be read. Raises `UsageError` for settings that say
    nothing."""
    return Context(
        name=source.url,
        seen=seen,
        section=source.section,
        mapped=parse_map(source.map, STORY),
        order=source.date_order,
        columns=source.columns,
        encoding=source.encoding,
        records=source.records,
        link=source.link,
        figures=tuple(map(parse_figure, source.signals)),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    url: str
    body: BinaryIO | None
    etag: str = ""
    modified: str = ""
    content_type: str = ""
    moved: str = ""


@contextmanager
def _document(
    source: Source, fetch: Fetch, etag: str, modified: str, place: Callable[[Path], Path]
) -> Iterator[_Found]:
    """The document of a source: from the network, or a file, whose time and size tell whether it is new."""
    if is_url(source.url):
        got = fetch(source.url, etag=etag, modified=modified)
        body = None if got.body is None else io.BytesIO(got.body)
        yield _Found(got.url, body, got.etag, got.modified, got.content_type, got.moved)
        return
    path = place(Path(source.url))
    try:
        with path.open("rb") as stream:
            facts = path.stat()
            changed = f"{facts.st_mtime_ns}-{facts.st_size}"
            yield _Found(str(path), None if changed == modified else stream, "", changed)
    except OSError as error:
        raise ImportFailed(
            str(path),
            f"the file cannot be read: {error.strerror or error}",
            hint="Correct the url of this source.",
        ) from error
