"""Looking at the configured signals: which are due, what they brought, and what went wrong with which.

As with sources (`digest.work.poll`), one signal's trouble stays its own.
"""

from __future__ import annotations

import datetime as dt
import glob
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from digest.config import Settings
from digest.config.settings import LogFormat, Signal
from digest.errors import DigestError, ImportFailed, StoreError
from digest.importers.imported import Rejected
from digest.importers.table import Reject
from digest.ports import Clock
from digest.store.logs import Logs
from digest.store.signals import Signals
from digest.store.sources import Sources, SourceState
from digest.tokens import KeyRing
from digest.work.logs import Document, LogSource, LogsRead, Progress, read_logs, site_of


class Bench(Protocol):
    """What measuring works with. `digest.app.App` is one."""

    @property
    def settings(self) -> Settings: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def keys(self) -> KeyRing: ...

    @property
    def sources(self) -> Sources: ...

    @property
    def logs(self) -> Logs: ...

    @property
    def signals(self) -> Signals: ...


def _let_go(_rejected: Rejected) -> None:
    """They are counted."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What looking at one signal came to. `error` is "" when all of it could be read."""

    source: str
    error: str = ""
    read: LogsRead | None = None


def due_at(signal: Signal, state: SourceState, now: dt.datetime) -> dt.datetime:
    """When it is looked at next. A last look in the future (a clock set back) does not count."""
    last = state.last_poll
    return now if last is None or last > now else last + signal.every


def measure(bench: Bench, signals: Iterable[Signal], *, force: bool = False) -> Iterator[Measured]:
    """Looks at every signal that is due (all with `force`), and says what each came to.

    Whatever goes wrong with one is in its `error` and in the store; only a `StoreError` ends the round.
    """
    for signal in signals:
        now = bench.clock.now()
        if not force and due_at(signal, bench.sources.get(signal.name), now) > now:
            continue
        read, error = None, ""
        try:
            read = read_documents(bench, log_source(bench, signal.name, signal), documents(bench, signal))
            if read.failed:
                file, reason = next(iter(read.failed.items()))
                more = f" (and {len(read.failed) - 1} more)" if len(read.failed) > 1 else ""
                error = f"{file}: {reason}{more}"
        except StoreError:
            raise
        except DigestError as failed:
            error = f"{failed} {failed.hint}".strip()
        except Exception as fault:  # noqa: BLE001 - a fault met in one log must not stop the others
            error = f"unexpected {type(fault).__name__}: {fault}"
        if error:
            bench.sources.failed(signal.name, error, at=now)
        else:
            bench.sources.succeeded(signal.name, at=now)
        yield Measured(signal.name, error, read)


def documents(bench: Bench, signal: Signal) -> list[Document]:
    """The files that its pattern names, oldest first. Raises `ImportFailed` when there is none."""
    pattern = str(bench.settings.path(signal.path))
    found = matching(pattern)
    if not found:
        raise ImportFailed(
            pattern,
            "no such file, or none that may be seen",
            hint=f"Correct path of signals {signal.name!r}.",
        )
    return [Document(str(path), path) for path in found]


def matching(pattern: str) -> list[Path]:
    """The files of a pattern, those first that were written to first."""
    paths = [path for name in glob.glob(pattern) if (path := Path(name)).is_file()]  # noqa: PTH207 - absolute
    return sorted(paths, key=lambda path: (path.stat().st_mtime_ns, path))


def log_source(
    bench: Bench, name: str, signal: Signal | None = None, *, url: str = "", zone: str = "", form: str = ""
) -> LogSource:
    """How the logs of this name are to be understood: by what is said here, else by config.toml."""
    settings = bench.settings
    form = form or (signal.format.value if signal else LogFormat.auto.value)
    public = settings.site.url.rstrip("/")
    return LogSource(
        name=name,
        site=site_of(url or (signal.url if signal else ""), bench.logs.origins()),
        zone=ZoneInfo(zone or (signal.zone if signal else "") or settings.zone),
        form="" if form == LogFormat.auto.value else form,
        ours=tuple(settings.newsletter),
        pages=(f"{public}/e/",),
    )


def read_documents(
    bench: Bench,
    how: LogSource,
    found: Iterable[Document],
    *,
    progress: Progress | None = None,
    reject: Reject = _let_go,
) -> LogsRead:
    """`read_logs` with what this installation has; rejected lines go to `reject`."""
    return read_logs(
        found,
        how,
        logs=bench.logs,
        signals=bench.signals,
        secret=hmac.digest(bench.keys.address_secret, b"access logs", "sha256"),
        now=bench.clock.now(),
        reject=reject,
        progress=progress,
    )
