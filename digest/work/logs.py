"""Reading access logs: from files to readers a day in the store, again and again without counting twice.

What was read is kept in the order that makes a crash harmless: first who read what (sets, to which the same
lines add nothing), then how far the file was read, then the readings (whatever they lack is pending).
"""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import secrets
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from digest.errors import ImportFailed, UsageError
from digest.importers.logs.formats import detect
from digest.importers.logs.lines import Lines
from digest.importers.logs.requests import NO_SITE, Requests, Site
from digest.importers.logs.tally import Log, Tally
from digest.importers.table import Reject
from digest.model import Metric, MetricKind, Reading
from digest.store.logs import LogFile, Logs
from digest.store.signals import SignalCounts, Signals
from digest.work.log_days import Days

READERS = Metric("readers", MetricKind.count, distinct=True, bucket=dt.timedelta(days=1))
"""What logs measure: different people (an address with an agent) a day."""

BEGINNING = 4096
"""Bytes by which a file is known again: a dozen lines with times and addresses."""
_HEAD = 65_536  # bytes that show the format


@dataclass(frozen=True, slots=True)
class Document:
    """A log to be read: a file, or a stream that is read to its end (standard input)."""

    name: str
    path: Path | None = None
    stream: BinaryIO | None = None

    @property
    def mark(self) -> str:
        """Time and size: while they are the same nothing was written. "" where nobody can tell."""
        if self.path is None:
            return ""
        facts = self.path.stat()
        return f"{facts.st_mtime_ns}-{facts.st_size}"


@dataclass(frozen=True, slots=True)
class LogSource:
    """How the logs of one source are to be understood.

    `zone` says when its days begin. `form` is a name of `digest.importers.logs.formats.FORMATS`, "" to find
    out. `ours` are the slugs of our newsletters, `pages` the beginnings of their pages' addresses.
    """

    name: str
    site: Site
    zone: ZoneInfo
    form: str = ""
    ours: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()


@dataclass
class LogsRead:
    """What reading came to. Every line is a visit, left out, a header, or rejected."""

    source: str
    lines: int = 0
    visits: int = 0
    headers: int = 0
    rejected: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    """Visits on days that were closed before, by date: not counted."""
    machines: int = 0
    """Visitors who read like machines on the days that were touched."""
    files: int = 0
    """Files that had something new."""
    unchanged: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    """File -> why it could not be read."""
    notes: list[str] = field(default_factory=list)
    latest: dt.datetime | None = None
    """The latest line that was read."""
    counts: SignalCounts = field(default_factory=SignalCounts)
    """What became of the readings, which are readers of one story on one day."""


Progress = Callable[[int, int], object]
"""Called with how many bytes of the file were read since the last call, and how many lines so far in all."""


def site_of(url: str, origins: Mapping[str, int]) -> Site:
    """The site whose log it is: the one that is given, else the one that all stories are of."""
    schemes: dict[str, str] = {}
    for origin in sorted(origins, key=lambda each: (origins[each], each)):
        scheme, _, host = origin.partition("://")
        schemes[host] = scheme
    parts = urlsplit(url)
    if parts.netloc:
        return Site(f"{parts.scheme}://{parts.netloc}", schemes)
    return Site(next(iter(origins)) if len(origins) == 1 else "", schemes)


def read_logs(
    documents: Iterable[Document],
    how: LogSource,
    *,
    logs: Logs,
    signals: Signals,
    secret: bytes,
    now: dt.datetime,
    reject: Reject,
    progress: Progress | None = None,
    new_salt: Callable[[], bytes] = lambda: secrets.token_bytes(16),
) -> LogsRead:
    """Reads what is new in the logs, and records how many read each story on each day.

    `secret` is this installation's; together with a day's salt it is the key of that day's hashes. A file
    that cannot be read is in `failed`, and the others are read all the same. Raises `UsageError` when nothing
    says which site a log is of, and `StoreError`; in both cases the same call may be made again.
    """
    logs.close_due(now)
    done = LogsRead(how.name)
    days = Days(how.name, how.zone, logs=logs, secret=secret, now=now, new_salt=new_salt)
    reader = _Reader(how, days, logs, done)
    for document in documents:
        try:
            reader.read(document, now, reject, progress)
        except ImportFailed as error:
            done.failed[document.name] = f"{error.reason}. {error.hint}".removesuffix(". ")
        except OSError as error:
            done.failed[document.name] = f"it cannot be read: {error.strerror or error}"
    done.late, done.machines = days.late, days.machines
    if days.crowded:
        done.visits -= days.crowded
        done.left_out["more pages than a site has on a day"] += days.crowded
    record(how.name, logs, signals, done)
    return done


def record(name: str, logs: Logs, signals: Signals, done: LogsRead) -> None:
    """Brings the observations up to what is known of the pages; also of stories that came in meanwhile."""
    pending = logs.pending(name)
    if not pending:
        return
    readings = (Reading(page.url, page.start, float(page.readers)) for page in pending)
    done.counts = signals.record(READERS, name, readings)
    left = done.counts.unknown.keys() | done.counts.ambiguous.keys()
    logs.recorded(page for page in pending if page.url not in left)


class _Reader:
    """Reads one file after the other into `done`."""

    def __init__(self, how: LogSource, days: Days, logs: Logs, done: LogsRead) -> None:
        self._how, self._days, self._logs, self._done = how, days, logs, done

    def read(self, document: Document, now: dt.datetime, reject: Reject, progress: Progress | None) -> None:
        """Reads what is new in a file, and keeps how far it was read."""
        mark = document.mark
        with _opened(document) as (stream, tell, packed):
            head = _head(stream)
            beginning = head[:BEGINNING] if len(head) >= BEGINNING else head[: head.rfind(b"\n") + 1]
            if not beginning:
                self._done.notes.append(f"{document.name}: no whole line is in it yet")
                return
            file = _known(beginning, document, self._how.name, self._logs)
            if mark and file.mark == mark:
                self._unchanged(file, document.name, now)
                if progress is not None and document.path is not None:
                    progress(document.path.stat().st_size, self._done.lines)
                return
            lines = Lines(stream, head, file.offset)
            requests = Requests(self._how.site, ours=self._how.ours, pages=self._how.pages)
            form = self._how.form or _form(head, document.name)
            log = Log(lines, form, requests, now=now, reject=reject, first=file.lines)
            if file.offset:
                log.head(head.split(b"\n"))
            at = 0
            for visits in log.visits(final=packed or document.path is None):
                if log.tally.left_out[NO_SITE]:
                    raise _no_site(document.name)
                self._days.take(visits)
                if progress is not None:
                    before, at = at, tell()
                    progress(at - before, self._done.lines + log.tally.lines)
        self._days.flush()
        self._add(document.name, lines, log.tally, nothing_new=file.offset == lines.offset)
        latest = max(log.tally.latest, int(file.latest.timestamp()) if file.latest else 0)
        found = replace(
            file,
            offset=lines.offset,
            lines=file.lines + log.tally.lines,
            mark="" if lines.damage else mark,
            latest=dt.datetime.fromtimestamp(latest, dt.UTC) if latest else None,
            seen=now,
        )
        self._logs.note(self._how.name, found)

    def _unchanged(self, file: LogFile, name: str, now: dt.datetime) -> None:
        self._done.unchanged += 1
        # Now and then it is noted that the file is still there.
        if file.seen is None or now - file.seen > dt.timedelta(days=1):
            self._logs.note(self._how.name, replace(file, name=name, seen=now))

    def _add(self, name: str, lines: Lines, tally: Tally, *, nothing_new: bool) -> None:
        done = self._done
        done.lines += tally.lines
        done.visits += tally.visits
        done.headers += tally.headers
        done.rejected += tally.rejected
        done.left_out.update({reason: count for reason, count in tally.left_out.items() if count})
        done.unchanged += nothing_new
        done.files += not nothing_new
        if lines.damage:
            done.notes.append(f"{name}: {lines.damage}")
        if tally.unfinished:
            done.notes.append(f"{name}: its last line has no end yet; it is read again when it has")
        if not tally.agents:
            done.notes.append(
                f"{name} names no agents, so that crawlers cannot be told from people: log them, as the "
                "combined format does"
            )
        if tally.latest:
            latest = dt.datetime.fromtimestamp(tally.latest, dt.UTC)
            done.latest = max(done.latest or latest, latest)


def _form(head: bytes, name: str) -> str:
    form = detect(head.split(b"\n"))
    if not form:
        raise ImportFailed(
            name,
            "it is no access log of a format that is known (combined, JSON, Caddy, CloudFront)",
            hint="Look at its first lines. A table of figures needs --metric and --kind.",
        )
    return form


def _no_site(name: str) -> UsageError:
    return UsageError(
        f"{name} names no site, and the stories here are not all of one",
        hint="Say which: --base-url https://www.example.org, or url in its [[signals]].",
    )


@contextmanager
def _opened(document: Document) -> Iterator[tuple[BinaryIO, Callable[[], int], bool]]:
    """The bytes without gzip, how many of the file's own were read, and whether it was packed."""
    if document.path is not None:
        with document.path.open("rb") as raw:
            if raw.peek(2)[:2] == b"\x1f\x8b":
                with gzip.GzipFile(fileobj=raw) as unpacked:
                    yield cast("BinaryIO", unpacked), raw.tell, True
            else:
                yield raw, raw.tell, False
    elif document.stream is not None:
        yield document.stream, lambda: 0, False


def _head(stream: BinaryIO) -> bytes:
    head = b""
    try:
        while len(head) < _HEAD and (more := stream.read(_HEAD - len(head))):
            head += more
    except (EOFError, zlib.error, OSError) as error:
        if not head:
            raise ImportFailed("", f"it is damaged: {error}", hint="Nothing of it was read.") from error
    return head


def _known(beginning: bytes, document: Document, name: str, logs: Logs) -> LogFile:
    """What is known of a file that begins so, under a longer beginning where it has grown; new otherwise."""
    digests = {
        length: hashlib.sha256(beginning[:length]).hexdigest()
        for length in logs.lengths() | {len(beginning)}
        if length <= len(beginning)
    }
    met = logs.readers_of(digests)
    of_others = sorted({each.source for each in met if each.source != name})
    own = [each for each in met if each.source == name]
    if of_others and not own:
        raise ImportFailed(
            document.name,
            f"it was read before as a log of {of_others[0]!r}; its readers would count twice",
            hint=f"Say --source {of_others[0]}.",
        )
    known = max(own, key=lambda each: each.length, default=LogFile("", 0, document.name))
    return replace(known, digest=digests[len(beginning)], length=len(beginning), name=document.name)
