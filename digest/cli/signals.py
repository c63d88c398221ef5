"""`digest signals`: import what shows how popular stories are."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from digest.cli.base import pass_app
from digest.cli.documents import SLUG, ZONE, Rejects, opened
from digest.cli.output import DURATION, json_option, print_json, progress, say
from digest.errors import DigestError, UsageError

if TYPE_CHECKING:
    from digest.app import App
    from digest.store.signals import SignalCounts

_SAMPLE = 10


@click.group()
def command() -> None:
    """Import what shows how popular stories are."""


@command.command(
    "import",
    epilog="""\b
    Examples:
      digest signals import points.csv --metric points --kind total
      digest signals import readers.csv --metric readers --kind count --distinct --bucket 1d
      digest signals import export.csv --metric views --kind count --map story=Page --map at=Day
      digest signals import most-read.csv --metric "most read points" --kind rank""",
)
@click.argument("document", metavar="FILE|URL|-")
@click.option(
    "--metric", required=True, metavar="NAME", help="What is measured, such as readers, views or points."
)
@click.option(
    "--kind", required=True, type=click.Choice(["count", "total", "rank"]),
    help="count: events since the reading before, to be added up. total: a running figure that grows. "
    'rank: the place in a list such as "most read", 1 the best; kept as a count of places, see --places.',
)  # fmt: skip
@click.option(
    "--places",
    type=click.IntRange(2, 1000),
    default=10,
    show_default=True,
    help="How long the list of --kind rank is: the first place counts so much, the last one 1.",
)
@click.option("--distinct", is_flag=True, help="It counts people (readers a day), not views.")
@click.option(
    "--bucket", type=DURATION, help="How long one count lasts, such as 1h or 1d; its time is the start."
)
@click.option(
    "--source",
    type=SLUG,
    default="import",
    show_default=True,
    help="Who measured; its own stories' ids come first.",
)
@click.option(
    "--map", "mapped", multiple=True, metavar="FIELD=COLUMN", help="Which column story, at or value is in."
)
@click.option(
    "--base-url",
    default="",
    metavar="URL",
    help="What paths such as /news/a-story start from; without it [site] url.",
)
@click.option(
    "--zone", type=ZONE, default="UTC", show_default=True, help="The zone of times that state none."
)
@click.option(
    "--rejects", default="", metavar="FILE", help="Where rejected rows go; without it FILE.rejected.csv."
)
@json_option
@pass_app
def import_(
    app: App,
    document: str,
    metric: str,
    kind: str,
    places: int,
    distinct: bool,
    bucket: dt.timedelta | None,
    source: str,
    mapped: tuple[str, ...],
    base_url: str,
    zone: ZoneInfo,
    rejects: str,
    as_json: bool,
) -> None:
    """Take readings in from a CSV or JSONL file with the columns story, at and value.

    A story is its source's id or its address; a time is ISO 8601 or Unix seconds. Importing again does no
    harm: a reading is known by story, metric, source and time, and a corrected value replaces the old one.

    Exit code 1 when no reading could be stored; rejected rows and unknown stories alone are only a warning.
    """
    from digest.importers import read_readings  # noqa: PLC0415 - quick start-up
    from digest.importers.clean import line  # noqa: PLC0415
    from digest.importers.columns import READING, parse_map  # noqa: PLC0415
    from digest.model import Metric, MetricKind  # noqa: PLC0415

    chosen = parse_map(mapped, READING)
    if line(metric, 60) in ("", "auto"):
        raise UsageError(
            f"--metric {metric!r} is no name for a metric",
            hint='Such as readers, views or points; "auto" in config.toml means the best there is.',
        )
    ranks = kind == "rank"
    if ranks and distinct:
        raise UsageError("a place in a list counts nobody", hint="Leave out --distinct, or --kind rank.")
    measured_as = MetricKind.count if ranks else MetricKind(kind)
    measured = Metric(line(metric, 60), measured_as, distinct=distinct, bucket=bucket)
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
                zone=zone,
                base_url=base_url or app.settings.site.url,
                places=places if ranks else 0,
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
        print_json(_summary(measured.name, kind, source, document, counts, kept, notes))
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
