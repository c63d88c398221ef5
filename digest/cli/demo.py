"""`digest demo`: a sample week from stories to inbox, in a folder that the user goes on from."""

from __future__ import annotations

import datetime as dt
import os
import shlex
import shutil
import socket
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from digest.cli.output import say
from digest.errors import DigestError, UsageError

if TYPE_CHECKING:
    from digest.app import App
    from digest.model import Edition
    from digest.ports import Clock

SLUG = "weekly"
PEOPLE = 200
READER = "ada.abbot@example.org"
"""Whose copy the preview shows: the first of the subscribers."""
SMTP_PORT, WEB_PORT, INBOX_PORT = 2525, 8765, 8025
_MARK = "A sample newspaper made by `digest demo`."
_MADE = (
    *("config.toml", "digest.keys", "digest.keys.*", "digest.db", "digest.db-*"),
    *("preview/index.html", "preview/digest.*", "preview/media/*.jpeg", "inbox/*/*.inbox*"),
)
"""What a demo leaves in its folder."""
_FOLDERS = ("preview/media", "preview", "inbox/new", "inbox/cur", "inbox/tmp", "inbox")
_WIDTH = 100


@click.command(
    epilog="""\b
    Examples:
      digest demo
      digest demo --serve
      digest demo --fresh --folder /tmp/newspaper"""
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

    Uses no network but this machine's own. The folder stays: its config.toml is yours to change, and a second
    run leaves it as it is.
    """
    from digest.app import App  # noqa: PLC0415 - quick start-up
    from digest.config import load  # noqa: PLC0415

    config = folder / "config.toml"
    ours = config.exists()
    if ours and _MARK not in config.read_text(encoding="utf-8", errors="replace"):
        raise UsageError(f"{config} is not a demo's", hint="Choose another folder: digest demo --folder DIR")
    if ours and fresh:
        remove(folder)
    if ours and not fresh:
        say(f"{folder} has a demo already; it is left as it is (--fresh begins anew).")
        app = App(load(config, {}))
    else:
        app = make_demo(folder, tell=click.echo)
    _summary(app, folder, serve=serve)
    if serve:
        _serve(app, folder)


def make_demo(folder: Path, *, clock: Clock | None = None, tell: Callable[[str], object]) -> App:
    """The whole way, each step told with the time it took. Raises `UsageError` for a folder in use."""
    from digest.app import App  # noqa: PLC0415 - quick start-up
    from digest.cli.init import make  # noqa: PLC0415
    from digest.config import load  # noqa: PLC0415
    from digest.model import DeliveryState  # noqa: PLC0415
    from digest.sample import NEWSPAPER, READERS, Sample  # noqa: PLC0415
    from digest.schedule import last_complete  # noqa: PLC0415
    from digest.web.inbox import Inbox  # noqa: PLC0415
    from digest.work.build import approve, build  # noqa: PLC0415
    from digest.work.preview import preview, write  # noqa: PLC0415
    from digest.work.send import send  # noqa: PLC0415
    from subscribers import Entry  # noqa: PLC0415

    began = time.monotonic()
    with _listener(SMTP_PORT) as mail, _listener(WEB_PORT) as web:  # nobody else takes them meanwhile
        smtp_port, web_port = mail.getsockname()[1], web.getsockname()[1]
        make(folder, _config(smtp_port, web_port))
    inbox = Inbox(port=smtp_port, maildir=folder / "inbox")
    tell(f"{click.style(NEWSPAPER, bold=True)}, a newspaper made up for trying things, in {folder}\n")
    app = App(load(folder / "config.toml", {}), clock)
    now = app.clock.now()
    period = last_complete(app.schedule(SLUG), now)
    sample = Sample(period.window.end)

    def stories() -> str:
        pictures = {
            name: f"{app.settings.site.url}/media/{app.stories.put_media(content, 'image/jpeg')}"
            for name, content in sample.pictures().items()
        }
        counts = app.stories.import_drafts("sample", sample.stories(pictures), seen=period.window.end)
        return f"{counts.new} stories of three weeks, {len(pictures)} pictures"

    def signals() -> str:
        return f"{app.signals.record(READERS, 'sample', sample.readings()).new:,} readings, hour by hour"

    def people() -> str:
        app.editions.ensure_newsletter(SLUG, since=now)
        entries = [
            Entry(address, name, row=n) for n, (address, name) in enumerate(sample.subscribers(PEOPLE), 1)
        ]
        report = app.subscribers.import_confirmed(
            entries, SLUG, source="demo", basis="made up for the demo; nobody has these addresses"
        )
        return f"{report.new} confirmed, all of them made up"

    def made() -> str:
        edition = build(app, SLUG, period, by="demo")
        approve(app, edition, by="demo")
        return f"{edition.name}: {len(edition.stories)} picked, rendered, approved"

    def sent() -> str:
        counts = send(app, app.editions.get(SLUG)).counts
        return f"{counts[DeliveryState.accepted]} copies, each taken by the local inbox"

    def previewed() -> str:
        write(app, preview(app, app.editions.get(SLUG), address=READER), folder / "preview")
        return "index.html, made by the code that sends"

    with inbox:
        for label, step in (
            ("Stories", stories),
            ("Readers", signals),
            ("Subscribers", people),
            ("Edition", made),
            ("Sending", sent),
            ("Preview", previewed),
        ):
            start = time.monotonic()
            result = step()
            tell(_step(label, result, time.monotonic() - start))
    tell(_step("All of it", "", time.monotonic() - began))
    return app


def remove(folder: Path) -> None:
    """Removes what a demo made, and nothing else that may have come to lie in its folder."""
    here = folder.resolve()
    for pattern in _MADE:
        for path in folder.glob(pattern):
            if path.parent.resolve().is_relative_to(here) and not path.is_dir():
                path.unlink()
    for name in _FOLDERS:
        with suppress(OSError):  # somebody else's files are in it, or it is not there
            (folder / name).rmdir()


# --- what is printed ------------------------------------------------------------------------------------


def _step(label: str, result: str, seconds: float) -> str:
    return f"  {label:<12} {result:<48} {seconds:6.2f} s"


def _summary(app: App, folder: Path, *, serve: bool) -> None:
    try:
        edition = app.editions.get(SLUG)
    except DigestError as error:
        raise DigestError(
            f"the demo in {folder} was broken off before it was complete",
            hint=f"Begin anew: {_command('demo', '--fresh', folder=folder)}",
        ) from error
    _picks(app, edition)
    _places(folder, edition.period.window.end, serve=serve)


def _picks(app: App, edition: Edition) -> None:
    from digest.render.figures import Figures  # noqa: PLC0415 - quick start-up
    from digest.work.preview import state_words  # noqa: PLC0415

    settings = app.newsletter(SLUG)
    dates = Figures(settings.language, settings.zone).dates(edition.period.window)
    about = f"No. {edition.number}, {dates} ({state_words(edition).lower()})"
    click.echo(f"\n{_heading(settings.title)}  {about}\n")
    for each in edition.stories:
        click.echo(f"{each.position:>4}  {click.style(each.story.title, bold=True)}")
        _indented("; ".join(each.reasons))
    if edition.left_out:
        click.echo(f"\n      {click.style('Left out', bold=True)}, {len(edition.left_out)} in all, such as")
    for out in edition.left_out[:3]:
        _indented(f"{out.story.title}: {out.reason}")


def _places(folder: Path, end: dt.datetime, *, serve: bool) -> None:
    preview, inbox = (folder / "preview" / "index.html").resolve(), folder.resolve() / "inbox"
    click.echo(f"\n{_heading('Look at it')}")
    _place(
        "Preview",
        preview.as_uri(),
        "the edition as it arrived: desk, phone, dark, no pictures, text, headers",
    )
    _place(
        "Inbox", str(inbox), f"a Maildir with the {PEOPLE} copies; links and pictures in them need the pages:"
    )
    if not serve:
        _place(
            "Pages",
            _command("demo", "--serve", folder=folder),
            "the inbox, the web version, leaving, until Ctrl-C",
        )
    click.echo(f"\n{_heading('Go on from here')}")
    config = shlex.quote(str(folder / "config.toml"))
    for words, why in (
        (f"rank {SLUG} --at {end:%Y-%m-%dT%H:%MZ}", "why these, and why not the others"),
        (f"edition show {SLUG}", "the edition, its version and its state"),
        (f"deliveries {SLUG}", "what became of each copy"),
    ):
        click.echo(f"  {_program()} --config {config} {words:<35} {click.style(f'# {why}', dim=True)}")
    click.echo(f"  {config} is yours to change.")


def _heading(text: str) -> str:
    return click.style(text, fg="red", bold=True)


def _place(label: str, where: str, why: str) -> None:
    click.echo(f"  {label:<8} {where}\n  {'':<8} {click.style(why, dim=True)}")


def _indented(text: str) -> None:
    width = min(_WIDTH, shutil.get_terminal_size((_WIDTH, 24)).columns)
    for line in textwrap.wrap(text, max(20, width - 6), break_long_words=False, break_on_hyphens=False):
        click.echo(f"      {click.style(line, dim=True)}")


def _command(*words: str, folder: Path) -> str:
    place: Sequence[str] = () if folder == Path("demo") else ("--folder", shlex.quote(str(folder)))
    return " ".join((_program(), *words, *place))


def _program() -> str:
    """How the user called us: `make demo` runs a `digest` that is not on the path."""
    called = Path(sys.argv[0])
    if not called.name.startswith("digest"):  # python -m digest, or a test
        return "digest" if called.name != "__main__.py" else "python -m digest"
    found = shutil.which(called.name)
    if found is not None and Path(found).resolve() == called.resolve():
        return called.name
    return shlex.quote(min(os.path.relpath(called), str(called), key=len))


# --- ports and pages ------------------------------------------------------------------------------------


def _serve(app: App, folder: Path) -> None:
    from digest.web.inbox import Inbox  # noqa: PLC0415 - quick start-up
    from digest.web.server import serve  # noqa: PLC0415

    smtp, web = app.settings.smtp.port, int(app.settings.site.listen.rpartition(":")[2])
    for port in (smtp, web):
        if _free_port(port) != port:
            raise UsageError(
                f"port {port} of this machine is taken, and the demo in {folder} needs it",
                hint="Stop what listens there, or begin anew with other ports: "
                + _command("demo", "--fresh", "--serve", folder=folder),
            )
    with Inbox(port=smtp, maildir=folder / "inbox", web_port=_free_port(INBOX_PORT)) as inbox:
        say(f"\nInbox: {inbox.url}")
        serve(app, say=say)


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
            (*newsletter, "per_section"): 3,
        },
        slug=SLUG,
    )
    return f"# {_MARK}\n{text}"


def _listener(wanted: int) -> socket.socket:
    """Listens on the wanted port of loopback, or on another that is free."""
    for port in (wanted, 0):
        with suppress(OSError):
            return socket.create_server(("127.0.0.1", port))
    raise UsageError("no port is free on 127.0.0.1")


def _free_port(wanted: int) -> int:
    """The wanted port of loopback, or another that is free."""
    with _listener(wanted) as listener:
        return int(listener.getsockname()[1])
