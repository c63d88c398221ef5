"""`digest signals`: import what shows how popular stories are, and look at what is configured for it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from digest.cli.base import pass_app
from digest.cli.documents import SLUG, ZONE, Rejects, opened
from digest.cli.output import DURATION, json_option, print_json, progress, say, table
from digest.errors import DigestError, NothingToDo, UsageError

if TYPE_CHECKING:
    from digest.app import App
    from digest.model import Metric
    from digest.store.signals import SignalCounts

_SAMPLE = 10
_PAGES = 20


@click.group()
def command() -> None:
    """Import what shows how popular stories are, and look at what is configured for it."""


@command.command(
    "list",
    epilog="""\b
    Examples:
      digest signals list
      digest signals list --json""",
)
@json_option
@pass_app
def list_(app: App, as_json: bool) -> None:
    """List the signals of config.toml and logs imported by hand: how fresh they are, and what went wrong."""
    from digest.work.measure import due_at  # noqa: PLC0415 - quick start-up

    latest, now = app.logs.latest(), app.clock.now()
    configured = {signal.name: signal for signal in app.settings.signals}
    rows = []
    for name in [*configured, *sorted(latest.keys() - configured.keys())]:
        state, signal = app.sources.get(name), configured.get(name)
        rows.append(
            {
                "source": name,
                "type": signal.type if signal else "log",
                "latest": latest.get(name),
                "last_poll": state.last_poll,
                "last_success": state.last_success,
                "next_poll": due_at(signal, state, now) if signal else None,
                "last_error": state.last_error,
                "path": signal.path if signal else "by hand",
            }
        )
    if as_json:
        print_json({"signals": rows})
    elif not rows:
        say("No signal is configured. Add a [[signals]] with name and path to config.toml.")
    else:
        headings = (
            "source",
            "type",
            "latest line",
            "last poll",
            "last success",
            "next poll",
            "last error",
            "path",
        )
        table(headings, (tuple(row.values()) for row in rows))


@command.command(
    epilog="""\b
    Examples:
      digest signals poll
      digest signals poll web --json"""
)
@click.argument("name", required=False)
@json_option
@pass_app
def poll(app: App, name: str | None, as_json: bool) -> None:
    """Look at all signals now, or at the one called NAME, due or not, and take in what is new.

    Exit code 1 when one could not be read; the others are looked at all the same. Exit code 3 when none is
    configured.
    """
    from digest.cli.logs import report, summary  # noqa: PLC0415 - quick start-up
    from digest.work.measure import measure  # noqa: PLC0415

    if not app.settings.signals:
        raise NothingToDo(
            "no signal is configured", hint="Add a [[signals]] with name and path to config.toml."
        )
    chosen = [signal for signal in app.settings.signals if name in (None, signal.name)]
    if not chosen:
        known = ", ".join(signal.name for signal in app.settings.signals)
        raise UsageError(f"there is no signal {name!r}", hint=f"Configured: {known}.")
    results = []
    for measured in measure(app, chosen, force=True):
        results.append(measured)
        if measured.error:
            say(f"{measured.source}: {measured.error}")
        if measured.read is not None and not as_json:
            report(app, measured.read)
    if as_json:
        print_json(
            {
                "signals": [
                    {
                        "error": each.error,
                        **(summary(app, each.read) if each.read else {"source": each.source}),
                    }
                    for each in results
                ]
            }
        )
    failed = [each.source for each in results if each.error]
    if failed:
        raise DigestError(f"could not be read: {', '.join(failed)}", hint="See: digest signals list")


@command.command(
    epilog="""\b
    Examples:
      digest signals unknown web
      digest signals unknown web --limit 100 --json"""
)
@click.argument("name")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=_PAGES, show_default=True, help="At most so many."
)
@json_option
@pass_app
def unknown(app: App, name: str, limit: int, as_json: bool) -> None:
    """List the most read pages in the logs of NAME that are no story, with their reader-days.

    Most of them should not be one (the front page, sections). Where a story is among them, it has not been
    imported, or under another address.
    """
    pages = app.logs.unknown(name, limit=limit)
    if as_json:
        print_json({"source": name, "unknown": [{"url": url, "readers": readers} for url, readers in pages]})
    elif not pages:
        say(f"No page of {name} is unknown, or no log of it was read. See: digest signals list")
    else:
        table(("reader-days", "page"), [(readers, url) for url, readers in pages])


@command.command(
    "import",
    epilog="""\b
    Examples:
      digest signals import /var/log/nginx/access.log*
      zcat access.log.*.gz | digest signals import - --base-url https://www.example.org
      digest signals import points.csv --metric points --kind total
      digest signals import readers.csv --metric readers --kind count --distinct --bucket 1d
      digest signals import export.csv --metric views --kind count --map story=Page --map at=Day""",
)
@click.argument("files", metavar="FILE|URL|-...", nargs=-1, required=True)
@click.option(
    "--metric", metavar="NAME", help="Of a table: what is measured, such as readers, views or points."
)
@click.option(
    "--kind", type=click.Choice(["count", "total"]),
    help="Of a table. count: events since the reading before, to be added up. total: a running figure that "
    "grows.",
)  # fmt: skip
@click.option("--distinct", is_flag=True, help="It counts people (readers a day), not views.")
@click.option(
    "--bucket", type=DURATION, help="How long one count lasts, such as 1h or 1d; its time is the start."
)
@click.option(
    "--source",
    type=SLUG,
    help="Who measured; its own stories' ids come first. Without it import; for logs the [[signals]] whose "
    "path they fit, else log.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["auto", "combined", "common", "json", "w3c"]),
    help="Of an access log; without it, or with auto, its lines tell.",
)
@click.option(
    "--map", "mapped", multiple=True, metavar="FIELD=COLUMN", help="Which column story, at or value is in."
)
@click.option(
    "--base-url",
    default="",
    metavar="URL",
    help="What paths such as /news/a-story start from; without it [site] url; for logs the site that all "
    "stories are of.",
)
@click.option(
    "--zone",
    type=ZONE,
    help="The zone of times that state none; without it UTC. For logs the one in which days begin; without "
    "it that of the newsletters.",
)
@click.option(
    "--rejects", default="", metavar="FILE", help="Where rejected rows go; without it FILE.rejected.csv."
)
@json_option
@pass_app
def import_(
    app: App,
    files: tuple[str, ...],
    metric: str | None,
    kind: str | None,
    distinct: bool,
    bucket: dt.timedelta | None,
    source: str | None,
    form: str | None,
    mapped: tuple[str, ...],
    base_url: str,
    zone: ZoneInfo | None,
    rejects: str,
    as_json: bool,
) -> None:
    """Take figures in: from access logs, or from a CSV or JSONL file with the columns story, at and value.

    Access logs of Apache, nginx, Caddy, CloudFront and IIS, packed or not, are told by their lines. They give
    the metric readers: different people on each day, without crawlers, feed readers and what came from our
    own newsletter (docs/popularity.md). Reading a log again, or when it has grown, counts nobody twice.

    In a table a story is its source's id or its address; a time is ISO 8601 or Unix seconds. Importing again
    does no harm: a reading is known by story, metric, source and time, and a corrected value replaces the old
    one.

    Exit code 1 when no reading could be stored; rejected rows and unknown stories alone are only a warning.
    """
    from digest.cli.logs import import_logs, is_log  # noqa: PLC0415 - quick start-up

    if form or (metric is None and kind is None and is_log(files[0])):
        import_logs(
            app,
            files,
            source=source,
            form=form or "",
            base_url=base_url,
            zone=zone,
            rejects=rejects,
            as_json=as_json,
        )
        return
    if metric is None or kind is None:
        missing = "--metric" if metric is None else "--kind"
        raise click.UsageError(
            f"{files[0]} is read as a table, and that needs {missing}: say what is measured, such as "
            "--metric points --kind total, or --metric readers --kind count."
        )
    if len(files) > 1:
        raise UsageError("a table is imported by itself", hint="Import one file after the other.")
    measured = _metric(metric, kind, distinct, bucket)
    _import_table(app, files[0], measured, source or "import", mapped, base_url, zone, rejects, as_json)


def _metric(name: str, kind: str, distinct: bool, bucket: dt.timedelta | None) -> Metric:
    from digest.importers.clean import line  # noqa: PLC0415 - quick start-up
    from digest.model import Metric, MetricKind  # noqa: PLC0415

    if line(name, 60) in ("", "auto"):
        raise UsageError(
            f"--metric {name!r} is no name for a metric",
            hint='Such as readers, views or points; "auto" in config.toml means the best there is.',
        )
    return Metric(line(name, 60), MetricKind(kind), distinct=distinct, bucket=bucket)


def _import_table(
    app: App,
    document: str,
    measured: Metric,
    source: str,
    mapped: tuple[str, ...],
    base_url: str,
    zone: ZoneInfo | None,
    rejects: str,
    as_json: bool,
) -> None:
    from digest.importers import read_readings  # noqa: PLC0415 - quick start-up
    from digest.importers.columns import READING, parse_map  # noqa: PLC0415

    chosen = parse_map(mapped, READING)
    kept = Rejects(rejects, document)
    notes: list[str] = []
    with opened(document) as found:
        try:
            readings = read_readings(
                found.stream,
                name=found.name,
                metric=measured.name,
                kind=measured.kind,
                seen=app.clock.now(),
                reject=kept,
                note=notes.append,
                mapped=chosen,
                zone=zone or ZoneInfo("UTC"),
                base_url=base_url or app.settings.site.url,
            )
            with progress(f"Reading {found.name} (bytes)", found.size or None) as bar:
                read = at = 0

                def advance(count: int) -> None:
                    nonlocal read, at
                    read += count
                    now = found.tell()
                    bar(now - at)
                    at = now
                    bar.note(f"{read:,} readings")

                counts = app.signals.record(measured, source, readings, progress=advance)
                advance(0)
        finally:
            kept.close()
    if as_json:
        print_json(_summary(measured.name, measured.kind.value, source, document, counts, kept, notes))
    else:
        _report(measured.name, counts, kept, notes)
    if not counts.new + counts.replaced + counts.same and (kept.count or counts.unknown or counts.ambiguous):
        raise DigestError(
            f"{document}: no reading could be stored",
            hint=f"Why is in {kept.path}."
            if kept.count
            else "Import the stories first: digest stories import FILE",
        )


def _report(metric: str, counts: SignalCounts, kept: Rejects, notes: list[str]) -> None:
    for note in notes:
        say(f"Note: {note}")
    kept.report()
    for what, names in (("belong to no story", counts.unknown), ("fit several stories", counts.ambiguous)):
        if names:
            some = ", ".join(list(names)[:_SAMPLE]) + (", ..." if len(names) > _SAMPLE else "")
            say(f"{sum(names.values()):,} readings {what}, {len(names):,} names: {some}")
    click.echo(
        f"{metric}: {counts.new:,} new, {counts.replaced:,} replaced, {counts.same:,} same, "
        f"{sum(counts.unknown.values()):,} of unknown stories, {kept.count:,} rejected"
    )


def _summary(
    metric: str, kind: str, source: str, document: str, counts: SignalCounts, kept: Rejects, notes: list[str]
) -> dict[str, Any]:
    return {
        "metric": metric,
        "kind": kind,
        "source": source,
        "document": document,
        "new": counts.new,
        "replaced": counts.replaced,
        "same": counts.same,
        **{
            what: {"readings": sum(names.values()), "names": len(names), "sample": list(names)[:_SAMPLE]}
            for what, names in (("unknown", counts.unknown), ("ambiguous", counts.ambiguous))
        },
        "rejected": kept.count,
        "reasons": dict(kept.reasons.most_common()),
        "rejects_file": kept.path,
        "notes": notes,
    }
