"""Access logs for `digest signals`: told from tables, read with a bar, and what came of it in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from digest.cli.documents import Rejects, opened
from digest.cli.output import print_json, progress, say
from digest.errors import DigestError, ImportFailed, UsageError
from digest.importers.links import is_url
from digest.importers.logs.formats import detect
from digest.importers.table import unpacked
from digest.work.logs import READERS, Document, LogsRead
from digest.work.measure import log_source, matching, read_documents

if TYPE_CHECKING:
    from digest.app import App
    from digest.config.settings import Signal

_LOOKED_AT = 65_536
_BY_HAND = "log"
_UNKNOWN = 10


def is_log(named: str) -> bool:
    """Whether a document is an access log, by its first lines. Standard input, which can be read but once, is
    taken for one. Raises `UsageError` where there is no such file."""
    if named == "-":
        return True
    paths = _paths(named)
    if not is_url(named) and not paths:
        raise UsageError(f"there is no file {named}", hint="Check its name; * and ? stand for more of it.")
    with opened(str(paths[0]) if paths else named) as found:
        try:
            return bool(detect(unpacked(found.stream).peek(_LOOKED_AT).split(b"\n")))
        except (OSError, EOFError):
            return False


def import_logs(
    app: App,
    files: Sequence[str],
    *,
    source: str | None,
    form: str,
    base_url: str,
    zone: ZoneInfo | None,
    rejects: str,
    as_json: bool,
) -> None:
    """Reads logs and says what came of it. Raises `DigestError` when one could not be read."""
    paths = [path for named in files if not _is_stream(named) for path in _some(named)]
    signal = _configured(app, paths)
    name = source or (signal.name if signal else _BY_HAND)
    if signal is None:
        signal = next((each for each in app.settings.signals if each.name == name), None)
    how = log_source(app, name, signal, url=base_url, zone=str(zone or ""), form=form)
    kept = Rejects(rejects, files[0])
    total = sum(path.stat().st_size for path in paths)
    try:
        with progress(f"Reading {files[0] if len(files) == 1 else f'{len(files)} logs'} (bytes)",
                      total or None) as bar:  # fmt: skip

            def advance(count: int, lines: int) -> None:
                bar(count)
                bar.note(f"{lines:,} lines")

            read = read_documents(app, how, _documents(files, paths), progress=advance, reject=kept)
    finally:
        kept.close()
    if as_json:
        print_json(summary(app, read, kept))
    else:
        kept.report()
        report(app, read)
    if read.failed:
        raise DigestError(
            "; ".join(f"{file}: {reason}" for file, reason in read.failed.items()),
            hint="All others were read." if read.files or read.unchanged else "",
        )


def report(app: App, read: LogsRead) -> None:
    """What reading came to, in words: what did not count on stderr, the figures on stdout."""
    for note in read.notes:
        say(f"Note: {note}")
    for reason, count in read.left_out.most_common():
        say(f"{count:,} requests left out: {reason}")
    if read.machines:
        say(f"{read.machines:,} visitors left out: they read like machines")
    for date, count in sorted(read.late.items()):
        say(f"{count:,} visits of {date} left out: they came when that day was closed")
    unknown = app.logs.unknown(read.source, limit=_UNKNOWN) if read.files else []
    if unknown:
        say("Most read pages that are no story (reader-days):")
        for url, readers in unknown:
            say(f"  {readers:>7,}  {url}")
    counts = read.counts
    nothing_new = f", {read.unchanged:,} without anything new" if read.unchanged else ""
    click.echo(
        f"{read.source}: {read.files:,} logs{nothing_new}; {read.lines:,} lines, {read.visits:,} page views "
        f"of people, {read.rejected:,} lines rejected; readers a story and day: {counts.new:,} new, "
        f"{counts.replaced:,} replaced"
    )


def summary(app: App, read: LogsRead, kept: Rejects | None = None) -> dict[str, Any]:
    """The same for programs."""
    counts, unknown = read.counts, app.logs.unknown(read.source, limit=_UNKNOWN)
    return {
        "source": read.source,
        "metric": READERS.name,
        "logs": read.files,
        "unchanged": read.unchanged,
        "failed": read.failed,
        "lines": read.lines,
        "visits": read.visits,
        "headers": read.headers,
        "rejected": read.rejected,
        "left_out": dict(read.left_out.most_common()),
        "late": dict(sorted(read.late.items())),
        "machines": read.machines,
        "latest": read.latest,
        "new": counts.new,
        "replaced": counts.replaced,
        "same": counts.same,
        "unknown": [{"url": url, "readers": readers} for url, readers in unknown],
        "notes": read.notes,
        "reasons": dict(kept.reasons.most_common()) if kept else {},
        "rejects_file": kept.path if kept else None,
    }


def _documents(files: Sequence[str], paths: Sequence[Path]) -> Iterator[Document]:
    for path in sorted(paths, key=lambda each: (each.stat().st_mtime_ns, each)):
        yield Document(str(path), path)
    for named in files:
        if _is_stream(named):
            with opened(named) as found:
                yield Document(found.name, stream=unpacked(found.stream))


def _is_stream(named: str) -> bool:
    return named == "-" or is_url(named)


def _paths(named: str) -> list[Path]:
    """The file of this name, or those of a pattern that the shell left to us."""
    path = Path(named)
    return [path] if path.is_file() else matching(named)


def _some(named: str) -> list[Path]:
    found = _paths(named)
    if not found:
        raise ImportFailed(named, "there is no such file", hint="Check the name; - reads standard input.")
    return found


def _configured(app: App, paths: Sequence[Path]) -> Signal | None:
    """The signal of config.toml that would read one of these files by itself."""
    wanted = {path.resolve() for path in paths}
    for signal in app.settings.signals:
        if any(path.resolve() in wanted for path in matching(str(app.settings.path(signal.path)))):
            return signal
    return None
