"""`digest demo`: a sample week from stories to inbox, in a folder that the user goes on from."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from digest.cli.output import say
from digest.errors import UsageError

if TYPE_CHECKING:
    from digest.app import App
    from digest.model import Edition

SLUG = "weekly"
PEOPLE = 200
_MARK = "A sample newspaper made by `digest demo`."


@click.command(
    epilog="""\b
    Examples:
      digest demo
      digest demo --serve"""
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Where to make it.",
)
@click.option("--fresh", is_flag=True, help="Begin anew where an earlier demo is.")
@click.option("--serve", is_flag=True, help="Keep the pages and the inbox up until Ctrl-C.")
def command(folder: Path, fresh: bool, serve: bool) -> None:
    """Make a sample newspaper, build this week's edition, send it to a local inbox, and say where to look.

    Uses no network but this machine's own. The folder stays: its config.toml is yours to change.
    """
    from digest.app import App  # noqa: PLC0415 - quick start-up
    from digest.config import load  # noqa: PLC0415

    config = folder / "config.toml"
    if config.exists() and _MARK not in config.read_text(encoding="utf-8", errors="replace"):
        raise UsageError(f"{config} is not a demo's", hint="Choose another folder: digest demo --folder DIR")
    if fresh:
        _remove(folder)
    if config.exists():
        say(f"{folder} has a demo already; it is left as it is (--fresh begins anew).")
        app = App(load(config, {}))
    else:
        app = _make(folder)
    edition = app.editions.get(SLUG)
    _summary(folder, edition)
    if serve:
        _serve(app, folder)


def _make(folder: Path) -> App:
    """The whole way, with a clock on each step."""
    from digest.app import App  # noqa: PLC0415 - quick start-up
    from digest.cli.init import make  # noqa: PLC0415
    from digest.config import load  # noqa: PLC0415
    from digest.model import DeliveryState  # noqa: PLC0415
    from digest.sample import READERS, Sample  # noqa: PLC0415
    from digest.schedule import last_complete  # noqa: PLC0415
    from digest.web.inbox import Inbox  # noqa: PLC0415
    from digest.work.build import approve, build  # noqa: PLC0415
    from digest.work.send import send  # noqa: PLC0415
    from subscribers import Entry  # noqa: PLC0415

    smtp_port, web_port = _free_port(2525), _free_port(8765)
    make(folder, _config(smtp_port, web_port))
    app = App(load(folder / "config.toml", {}))
    now = app.clock.now()
    period = last_complete(app.schedule(SLUG), now)
    sample = Sample(period.window.end)

    def stories() -> str:
        pictures = {
            name: f"{app.settings.site.url}/media/{app.stories.put_media(content, 'image/jpeg')}"
            for name, content in sample.pictures().items()
        }
        counts = app.stories.import_drafts("sample", sample.stories(pictures), seen=period.window.end)
        return f"{counts.new} stories, {len(pictures)} pictures"

    def signals() -> str:
        counts = app.signals.record(READERS, "sample", sample.readings())
        return f"{counts.new:,} hours with readers"

    def people() -> str:
        app.editions.ensure_newsletter(SLUG, since=now)
        entries = [
            Entry(address, name, row=n) for n, (address, name) in enumerate(sample.subscribers(PEOPLE), 1)
        ]
        report = app.subscribers.import_confirmed(
            entries, SLUG, source="demo", basis="made up for the demo; nobody has these addresses"
        )
        return f"{report.new} subscribers"

    def made() -> str:
        edition = build(app, SLUG, period, by="demo")
        approve(app, edition, by="demo")
        return f"{edition.name}, {len(edition.stories)} stories"

    def sent() -> str:
        with Inbox(port=smtp_port, maildir=folder / "inbox"):
            report = send(app, app.editions.get(SLUG))
        return f"{report.counts[DeliveryState.accepted]} copies taken by the inbox"

    for label, step in (
        ("Stories", stories),
        ("Readers per hour", signals),
        ("Subscribers", people),
        ("This week's edition", made),
        ("Sending", sent),
        ("Preview", lambda: _preview(app, folder)),
    ):
        _timed(label, step)
    return app


def _preview(app: App, folder: Path) -> str:
    from digest.work.preview import preview, write  # noqa: PLC0415 - quick start-up

    write(app, preview(app, app.editions.get(SLUG), address="ada.abbot@example.org"), folder / "preview")
    return str(folder / "preview" / "index.html")


def _timed(label: str, step: Callable[[], str]) -> None:
    start = time.monotonic()
    result = step()
    say(f"{label:<20} {result:<44} {time.monotonic() - start:5.2f} s")


def _summary(folder: Path, edition: Edition) -> None:
    click.echo(f"\n{edition.name}: {edition.subject}\n")
    for story in edition.stories:
        click.echo(f"{story.position:>3}. {story.story.title}")
        click.echo(f"     {'; '.join(story.reasons)}")
    config = folder / "config.toml"
    click.echo(
        f"""
Look at it:
  {folder / "preview" / "index.html"}   the edition as it arrived: desktop, phone, dark, text, headers
  {folder / "inbox"}                what the {PEOPLE} subscribers received (a Maildir)
  digest demo --serve --folder {folder}   the inbox and the public pages, in a browser
Go on from here:
  digest --config {config} rank {SLUG}
  digest --config {config} edition show {SLUG}
  digest --config {config} deliveries {SLUG}"""
    )


def _serve(app: App, folder: Path) -> None:
    from digest.web.inbox import Inbox  # noqa: PLC0415 - quick start-up
    from digest.web.server import serve  # noqa: PLC0415

    with Inbox(port=app.settings.smtp.port, maildir=folder / "inbox", web_port=_free_port(8025)) as inbox:
        say(f"\nInbox: {inbox.url}")
        serve(app)


def _config(smtp_port: int, web_port: int) -> str:
    from digest.config.example import example  # noqa: PLC0415 - quick start-up
    from digest.sample import NEWSPAPER  # noqa: PLC0415

    newsletter = ("newsletter", SLUG)
    text = example(
        {
            ("database", "url"): "sqlite:///digest.db",
            ("smtp", "host"): "127.0.0.1",
            ("smtp", "port"): smtp_port,
            ("site", "url"): f"http://127.0.0.1:{web_port}",
            ("site", "listen"): f"127.0.0.1:{web_port}",
            ("site", "postal_address"): f"{NEWSPAPER}, 1 Customs Quay, Aldermouth",
            ("keys", "file"): "digest.keys",
            (*newsletter, "name"): NEWSPAPER,
            (*newsletter, "sender"): "weekly@post.aldermouth.example",
            (*newsletter, "zone"): "UTC",
        },
        slug=SLUG,
    )
    return f"# {_MARK}\n{text}"


def _remove(folder: Path) -> None:
    """Removes what a demo made, and nothing else that may have come to lie there."""
    import shutil  # noqa: PLC0415 - only here

    for name in ("config.toml", "digest.keys", "digest.db", "digest.db-wal", "digest.db-shm"):
        (folder / name).unlink(missing_ok=True)
    for note in folder.glob("digest.keys.*"):
        note.unlink()
    for name in ("preview", "inbox"):
        shutil.rmtree(folder / name, ignore_errors=True)


def _free_port(wanted: int) -> int:
    """The wanted port of loopback, or another that is free."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise UsageError("no port is free on 127.0.0.1")
