"""Looking at the configured sources: which are due, what they brought, and what went wrong with which.

Several are fetched at the same time, but never two from one host. What they brought is read and stored here,
one document after the other, so that no more than a few are ever in memory. One source's trouble stays its
own: it is written down for that source, and the others are looked at all the same.
"""

from __future__ import annotations

import datetime as dt
import io
import queue
import random as dice
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit

from digest.config.problems import mask
from digest.config.settings import Source, Withdrawal
from digest.errors import DigestError, FetchFailed, ImportFailed, StoreError
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
from digest.work.next_poll import mark, next_poll, wait, wait_asked_for
from digest.work.pages import Pages
from digest.work.permission import Permissions, permitted
from digest.work.vanished import Listed, Withdraw, withdraw_vanished

TOGETHER = 8
"""Sources that are fetched at the same time; each document has at most `digest.importers.fetch.MAX_BYTES`."""
GONE = 410
"""What a server answers for a document that will not come back (RFC 9110 15.5.11)."""


GetPage = Callable[[str], Fetched]


class Fetch(Protocol):
    """Gets a document; raises `ImportFailed` (digest.importers.fetch.fetch). Called in threads."""

    def __call__(
        self, url: str, *, etag: str = "", modified: str = "", internal: bool = False
    ) -> Fetched: ...


class Intake(Withdraw, Protocol):
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

    def succeeded(
        self, name: str, *, at: dt.datetime, etag: str = "", modified: str = "", address: str = ""
    ) -> None: ...

    def failed(
        self,
        name: str,
        error: str,
        *,
        at: dt.datetime,
        not_before: dt.datetime | None = None,
        address: str = "",
        failures: int = 1,
    ) -> None: ...


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
    next_poll: dt.datetime | None = None
    """When it is looked at again by itself."""
    gone: bool = False
    """Its server says that it will not come back."""
    failures: int = 0
    """In a row, this one counted."""
    last_success: dt.datetime | None = None
    """Before this poll."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """A source whose turn it is."""

    number: int
    source: Source
    state: SourceState
    now: dt.datetime

    @property
    def host(self) -> str:
        """Who is asked for it; "" for a file."""
        return (urlsplit(self.source.url).hostname or "?") if is_url(self.source.url) else ""


@dataclass(frozen=True, slots=True)
class _Room:
    """Where things go: stories, figures and what became of a source; and how files and pages are found."""

    stories: Intake
    signals: Recording
    states: States
    place: Callable[[Path], Path]
    pages: Callable[[Source], GetPage]


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
    random: Callable[[], float] = dice.random,
    finished: Callable[[Polled], object] | None = None,
    permissions: Permissions | None = None,
) -> Iterator[Polled]:
    """Looks at every source that is due (all with `force`), and says in their order what each came to.

    `finished` hears of each as soon as it is done. `place` makes a configured path absolute. `permissions`
    say which pages of stories may be looked at. Whatever goes wrong with a source is in its `error` and in
    the store; only a `StoreError` ends the round, because then nothing can be kept.
    """
    now = clock.now()
    looked_at = [(source, states.get(source.name)) for source in sources]
    due = [each for each in looked_at if force or next_poll(*each, now) <= now]
    turns = [_Turn(number, source, state, now) for number, (source, state) in enumerate(due)]
    known: dict[int, Polled] = {}
    told = 0
    may = permissions or Permissions(clock)

    def pages(source: Source) -> GetPage:
        return permitted(fetch, may, internal=source.internal)

    room = _Room(stories, signals, states, place, pages)
    for turn, got in _fetched(turns, fetch):
        polled = known[turn.number] = _outcome(turn, got, room, random)
        if finished is not None:
            finished(polled)
        while told in known:
            yield known.pop(told)
            told += 1


def _fetched(turns: Sequence[_Turn], fetch: Fetch) -> Iterator[tuple[_Turn, Fetched | Exception | None]]:
    """Each turn with what its address answered, in the order of the answers; None for a file.

    At most `TOGETHER` at a time, one a host; a document that waits to be taken counts, too. The threads are
    daemons: whoever stops listening need not wait for a slow server.
    """
    waiting = list(turns)
    under_way: dict[int, str] = {}
    answers: queue.SimpleQueue[tuple[_Turn, Fetched | Exception | None]] = queue.SimpleQueue()

    def ask(turn: _Turn) -> None:
        state, source = turn.state, turn.source
        # What one address said of its document means nothing for another that took its place.
        same = state.address == mark(source)
        etag, modified = (state.etag, state.modified) if same else ("", "")
        try:
            answers.put((turn, fetch(source.url, etag=etag, modified=modified, internal=source.internal)))
        except Exception as error:  # noqa: BLE001 - told for this source, where it is handled
            answers.put((turn, error))

    while waiting or under_way:
        for turn in list(waiting):
            if len(under_way) >= TOGETHER:
                break
            if turn.host and turn.host in under_way.values():
                continue
            waiting.remove(turn)
            under_way[turn.number] = turn.host
            if turn.host:
                threading.Thread(target=ask, args=(turn,), name=f"fetch {turn.host}", daemon=True).start()
            else:
                answers.put((turn, None))
        turn, got = answers.get()
        yield turn, got
        del under_way[turn.number]


def _outcome(
    turn: _Turn, got: Fetched | Exception | None, room: _Room, random: Callable[[], float]
) -> Polled:
    source, now = turn.source, turn.now
    try:
        if isinstance(got, Exception):
            raise got  # noqa: TRY301 - handled with what goes wrong in reading
        return _take_in(turn, got, room)
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001 - a fault met in one document must not stop the others
        failures = turn.state.failures + 1 if turn.state.address == mark(source) else 1
        status, asked = 0, None
        if isinstance(error, FetchFailed):
            status, asked = error.status, wait_asked_for(error.retry_after, error.date, now)
        again = now + wait(source, failures, status=status, asked=asked, random=random)
        told = _words(error)
        room.states.failed(
            source.name, told, at=now, not_before=again, address=mark(source), failures=failures
        )
        return Polled(
            source.name, error=told, next_poll=again, gone=status == GONE, failures=failures,
            last_success=turn.state.last_success,
        )  # fmt: skip


def _words(error: Exception) -> str:
    if not isinstance(error, DigestError):
        return f"unexpected {type(error).__name__}: {error}"
    reason = error.reason if isinstance(error, ImportFailed) else str(error)
    return f"{reason}. {error.hint}" if error.hint else reason


def _take_in(turn: _Turn, got: Fetched | None, room: _Room) -> Polled:
    source, state, now = turn.source, turn.state, turn.now
    stories, states = room.stories, room.states
    address = mark(source)
    modified = state.modified if state.address == address else ""
    with document(source, got, modified, room.place) as found:
        if found.body is None:
            states.succeeded(source.name, at=now, etag=state.etag, modified=state.modified, address=address)
            return Polled(source.name, unchanged=True, next_poll=now + source.every)
        reasons: Counter[str] = Counter()
        notes: list[str] = []

        def reject(rejected: Rejected) -> None:
            reasons[rejected.reason] += 1

        figures = Figures(room.signals, source.name, lenient=not source.signals)
        known = partial(stories.enriched, source.name)
        pages = Pages(room.pages(source), known) if source.enrich else None
        how = replace(context(source, found, now), measure=figures, enrich=pages)
        drafts = read_stories(found.body, how, form=source.type.value, reject=reject, note=notes.append)
        listed = Listed(drafts)
        counts = stories.import_drafts(source.name, listed, seen=now, progress=lambda _: figures.store())
        figures.store()
        notes += [*figures.notes, *(pages.notes if pages else ())]
    if source.withdrawn is Withdrawal.gone:
        gone = withdraw_vanished(stories, source.name, listed, rejected=reasons.total(), now=now)
        notes += [gone] if gone else []
    states.succeeded(source.name, at=now, etag=found.etag, modified=found.modified, address=address)
    notes += [f"rejected, {reason}: {count:,}" for reason, count in reasons.most_common(5)]
    if found.moved:
        notes.append(f'it has moved for good: write url = "{mask(found.moved)}" in config.toml')
    return Polled(
        source.name, counts=counts, rejected=reasons.total(), notes=tuple(notes),
        next_poll=now + source.every,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """The document of a source, opened; `body` is None when it is what it was."""

    url: str
    body: BinaryIO | None
    etag: str = ""
    modified: str = ""
    content_type: str = ""
    moved: str = ""


def understood(source: Source, seen: dt.datetime) -> Context:
    """How a document of a source is to be read. Raises `UsageError` for settings that say nothing."""
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


def context(source: Source, found: Found, now: dt.datetime) -> Context:
    """The same for a document that was found."""
    base = found.url if is_url(found.url) else ""
    return replace(understood(source, now), base_url=base, content_type=found.content_type)


@contextmanager
def document(
    source: Source, got: Fetched | None, modified: str, place: Callable[[Path], Path]
) -> Iterator[Found]:
    """The document of a source: as it was fetched, or a file, whose time and size tell whether it is new.

    `modified` is what was found of a file last time. Raises `ImportFailed`.
    """
    if got is not None:
        body = None if got.body is None else io.BytesIO(got.body)
        yield Found(got.url, body, got.etag, got.modified, got.content_type, got.moved)
        return
    path = place(Path(source.url))
    try:
        with path.open("rb") as stream:
            facts = path.stat()
            changed = f"{facts.st_mtime_ns}-{facts.st_size}"
            yield Found(str(path), None if changed == modified else stream, "", changed)
    except OSError as error:
        raise ImportFailed(
            str(path),
            f"the file cannot be read: {error.strerror or error}",
            hint="Correct the url of this source.",
        ) from error
