"""`digest stories import`: stories, and figures beside them, from a file, a folder or an address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from digest.cli.base import pass_app
from digest.cli.documents import SLUG, ZONE, Document, Rejects, opened
from digest.cli.output import json_option, print_json, progress, say
from digest.errors import DigestError, ImportFailed, UsageError

if TYPE_CHECKING:
    from digest.app import App
    from digest.config.settings import Source
    from digest.importers import Context, Rejected
    from digest.store.intake import StoryCounts
    from digest.work.figures import Figures
    from digest.work.pages import Pages

_FORMS = ("auto", "feed", "sitemap", "json", "jsonl", "csv")
_MOST_FILES = 10_000


@click.command(
    "import",
    epilog="""\b
    Examples:
      digest stories import https://paper.example/feed.xml --source paper
      digest stories import archive.csv.gz
      digest stories import export.csv --map title=Headline --map id=nid --base-url https://paper.example/
      digest stories import api.json --records response.results --signal comments=commentCount
      digest stories import points.psv --columns id,created_at,url,title --link 'https://a.example/{id}'
      digest stories import snapshots/ --source paper
      digest stories import https://paper.example/sitemap-news.xml --enrich
      zcat stories.jsonl.gz | digest stories import - --json""",
)
@click.argument("document", metavar="FILE|FOLDER|URL|-")
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMS),
    default="auto",
    show_default=True,
    help="What it is; auto looks at how it begins.",
)
@click.option(
    "--source", type=SLUG, help="Whose stories these are; without it the configured source, else import."
)
@click.option(
    "--map",
    "mapped",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="The column of a field; A|B: the first that is not empty.",
)
@click.option(
    "--signal",
    "signals",
    multiple=True,
    metavar="NAME[:KIND]=COLUMN",
    help="Take the figures of a column: total (unless said), count or rank, such as points=score.",
)
@click.option("--columns", default="", metavar="A,B,...", help="The columns of a table without a first line.")
@click.option(
    "--date-order",
    type=click.Choice(["dmy", "mdy"]),
    help="What comes first in 4/8/2016; without it all dates of the file decide.",
)
@click.option("--encoding", default="", metavar="NAME", help="Of a table that is not Unicode, such as big5.")
@click.option(
    "--records", default="", metavar="PATH", help="Where in a JSON document the list is: data.items."
)
@click.option(
    "--link", default="", metavar="URL", help="The address of stories that state none, made of columns: {id}."
)
@click.option(
    "--base-url", default="", metavar="URL", help="What relative links start from; without it [site] url."
)
@click.option(
    "--zone", type=ZONE, default="UTC", show_default=True, help="The zone of times that state none."
)
@click.option(
    "--enrich",
    is_flag=True,
    help="Look at each new story's page for picture, author, section and so on.",
)
@click.option(
    "--rejects", default="", metavar="FILE", help="Where rejected rows go; without it FILE.rejected.csv."
)
@json_option
@pass_app
def import_(app: App, /, document: str, **options: Any) -> None:
    """Take stories in from a feed (RSS, Atom, RDF, JSON Feed), a sitemap of news, JSON, JSONL or a table.

    What a document is shows from how it begins, packed by gzip or not; all files of a folder are read in the
    order of their names. Importing again does no harm: a story is known by its id (else by its link), and
    what changed is replaced.

    A table names its columns in the first line. Known names are id, title, url, author, section, published,
    first_seen, standfirst, body, image, image_alt, kind, language and the like; others are given by --map.

    Exit code 1 when nothing could be read, or a file of a folder could not; rejected rows alone are only a
    warning.
    """
    as_json = options.pop("as_json")
    wanted = _Wanted.of(app, document, **options)
    folder = document != "-" and Path(document).is_dir()
    kept = Rejects(options["rejects"], document)
    try:
        done = _folder(app, Path(document), wanted, kept) if folder else [_one(app, document, wanted, kept)]
    finally:
        kept.close()
    if as_json:
        print_json(_summary(document, done, kept, folder=folder))
    else:
        _report(done, kept)
    broken = [each for each in done if each.error]
    if broken:
        raise DigestError(
            f"{document}: {len(broken):,} of {len(done):,} files could not be read",
            hint="The others were taken in." if len(broken) < len(done) else "See above for the reasons.",
        )
    if kept.count and not any(each.stories for each in done):
        raise DigestError(f"{document}: nothing of it could be read", hint=f"Why is in {kept.path}.")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What was asked for, checked; `configured` is the source of config.toml with this address."""

    form: str
    source: str
    how: Context
    enrich: bool

    @classmethod
    def of(
        cls,
        app: App,
        document: str,
        *,
        form: str,
        source: str | None,
        mapped: tuple[str, ...],
        signals: tuple[str, ...],
        columns: str,
        date_order: str | None,
        encoding: str,
        records: str,
        link: str,
        base_url: str,
        zone: ZoneInfo,
        rejects: str,
        enrich: bool,
    ) -> _Wanted:
        del rejects
        from digest.importers import Context  # noqa: PLC0415 - quick start-up
        from digest.importers.columns import STORY, parse_map  # noqa: PLC0415
        from digest.importers.figures import parse_figure  # noqa: PLC0415
        from digest.model import DateOrder  # noqa: PLC0415
        from digest.work.poll import understood  # noqa: PLC0415

        configured = _configured(app, document, source)
        seen = app.clock.now()
        how = Context(name=document, seen=seen) if configured is None else understood(configured, seen)
        how = replace(
            how,
            mapped={**how.mapped, **parse_map(mapped, STORY)},
            figures=tuple(map(parse_figure, signals)) or how.figures,
            columns=tuple(name.strip() for name in columns.split(",")) if columns else how.columns,
            order=DateOrder(date_order) if date_order else how.order,
            encoding=encoding or how.encoding,
            records=records or how.records,
            link=link or how.link,
            base_url=base_url,
            zone=zone,
        )
        if form == "auto" and configured is not None:
            form = configured.type.value
        # The same story in tomorrow's file is the same story: files of nobody belong to one source.
        return cls(form, source or (configured.name if configured else "import"), how, enrich)


def _configured(app: App, document: str, source: str | None) -> Source | None:
    return next((s for s in app.settings.source if s.url == document and source in (None, s.name)), None)


@dataclass(slots=True)
class _Done:
    """What became of one document."""

    document: str
    source: str
    counts: StoryCounts | None = None
    signals: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    error: str = ""

    @property
    def stories(self) -> int:
        return 0 if self.counts is None else self.counts.new + self.counts.changed + self.counts.same


def _one(
    app: App, document: str, wanted: _Wanted, reject: Callable[[Rejected], None], done: _Done | None = None
) -> _Done:
    from digest.importers import read_stories  # noqa: PLC0415
    from digest.work.figures import Figures  # noqa: PLC0415

    done = done or _Done(document, wanted.source)
    pages = pages_of(app, wanted.source) if wanted.enrich else None
    figures = Figures(app.signals, wanted.source, lenient=not wanted.how.figures)
    with opened(document) as found:
        how = replace(
            wanted.how,
            name=found.name,
            base_url=wanted.how.base_url or found.url or app.settings.site.url,
            content_type=found.content_type,
            measure=figures,
            enrich=pages,
        )
        drafts = read_stories(found.stream, how, form=wanted.form, reject=reject, note=done.notes.append)
        with progress(f"Reading {found.name} (bytes)", found.size or None) as bar:
            advance = _advance(found, bar, figures)
            done.counts = app.stories.import_drafts(wanted.source, drafts, seen=how.seen, progress=advance)
            advance(0)
    done.signals = figures.stored
    done.notes += [*figures.notes, *(pages.notes if pages else ())]
    return done


def pages_of(app: App, source: str) -> Pages:
    """What looks at the pages of a source's stories."""
    from digest.importers.fetch import fetch  # noqa: PLC0415
    from digest.work.pages import Pages  # noqa: PLC0415
    from digest.work.permission import Permissions, permitted  # noqa: PLC0415

    internal = any(each.internal for each in app.settings.source if each.name == source)
    get = permitted(fetch, Permissions(app.clock, fetch_robots=fetch), internal=internal)
    return Pages(get, lambda names: app.stories.enriched(source, names))


def _advance(found: Document, bar: Any, figures: Figures) -> Callable[[int], None]:
    read = at = 0

    def advance(count: int) -> None:
        nonlocal read, at
        figures.store()
        read += count
        now = found.tell()
        bar(now - at)
        at = now
        bar.note(f"{read:,} stories")

    return advance


def _folder(app: App, folder: Path, wanted: _Wanted, kept: Rejects) -> list[_Done]:
    """Each file in the order of their names; one that cannot be read stops none of the others."""
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".") and not path.name.endswith(".rejected.csv")
    )
    if not files or len(files) > _MOST_FILES:
        raise UsageError(
            f"{folder}: there are {len(files):,} files in it",
            hint=f"A folder with 1 to {_MOST_FILES:,} documents is read.",
        )
    every = []
    for path in files:
        name = str(path.relative_to(folder))
        done = _Done(str(path), wanted.source)

        def reject(rejected: Rejected, name: str = name) -> None:
            kept(replace(rejected, item=f"{name}: {rejected.item}"))

        try:
            _one(app, str(path), wanted, reject, done)
        except (ImportFailed, UsageError) as error:
            done.error = str(error)
        every.append(done)
    return every


# --- what is said ---------------------------------------------------------------------------------


def _report(every: list[_Done], kept: Rejects) -> None:
    notes = Counter(note for done in every for note in done.notes)
    for note, count in notes.items():
        say(f"Note: {note}" + (f" ({count:,} files)" if count > 1 else ""))
    for done in every:
        if done.error:
            say(f"Not read: {done.error}")
    kept.report()
    counts = _sum(every)
    signals = sum((each.signals for each in every), Counter[str]())
    measured = "".join(f", {count:,} readings of {name}" for name, count in signals.items())
    click.echo(
        f"{every[0].source}: {counts['new']:,} new, {counts['changed']:,} changed, {counts['same']:,} same, "
        f"{kept.count:,} rejected{measured}"
    )


def _sum(every: list[_Done]) -> dict[str, int]:
    counted = [each.counts for each in every if each.counts is not None]
    return {name: sum(getattr(each, name) for each in counted) for name in ("new", "changed", "same")}


def _summary(document: str, every: list[_Done], kept: Rejects, *, folder: bool) -> dict[str, Any]:
    signals = sum((each.signals for each in every), Counter[str]())
    whole: dict[str, Any] = {
        "source": every[0].source,
        "document": document,
        **_sum(every),
        "rejected": kept.count,
        "reasons": dict(kept.reasons.most_common()),
        "rejects_file": kept.path,
        "signals": dict(signals),
        "notes": [note for each in every for note in each.notes],
    }
    if folder:
        whole["files"] = [{"document": each.document, **_sum([each]), "error": each.error} for each in every]
    return whole
