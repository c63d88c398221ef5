"""`digest preview`: an edition as it will arrive, as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from digest.cli.base import pass_app
from digest.cli.output import json_option, print_json, say

if TYPE_CHECKING:
    from digest.app import App

READER = "reader@example.org"


@click.command(
    epilog="""\b
    Examples:
      digest preview weekly
      digest preview weekly/2026-11-16 --as ada@example.org --out look"""
)
@click.argument("edition")
@click.option("--as", "address", default=READER, show_default=True, help="Whose copy is shown.")
@click.option("--name", default="", help="That reader's name; default: as subscribed.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("preview"),
    show_default=True,
    help="The folder to write into.",
)
@json_option
@pass_app
def command(app: App, edition: str, address: str, name: str, out: Path, as_json: bool) -> None:
    """Write index.html (all views side by side), digest.html, digest.txt and digest.eml.

    They are made by the code that sends; only the links for leaving do nothing.
    """
    from digest.work.preview import preview, warnings, write  # noqa: PLC0415 - quick start-up

    found = app.editions.get(edition)
    if not name:
        name = app.subscribers.name_of(address)
    shown = preview(app, found, address=address, name=name)
    page = write(app, shown, out)
    for line in warnings(app, found):
        say(f"Warning: {line}")
    if as_json:
        print_json(
            {
                "edition": found.name,
                "page": page,
                "html_bytes": len(shown.html.encode()),
                "text_bytes": len(shown.text.encode()),
                "message_bytes": len(shown.eml),
                "warnings": warnings(app, found),
            }
        )
    else:
        click.echo(page)
