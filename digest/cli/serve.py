"""`digest serve`: the public pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from digest.cli.base import pass_app
from digest.cli.output import say

if TYPE_CHECKING:
    from digest.app import App


@click.command(
    epilog="""\b
    Examples:
      digest serve
      digest serve --listen 0.0.0.0:8080"""
)
@click.option(
    "--listen",
    metavar="HOST:PORT",
    default="",
    help="Where to listen; otherwise site.listen of config.toml.",
)
@pass_app
def command(app: App, listen: str) -> None:
    """Serve the public pages: leaving, web version, preview. Ends on Ctrl-C or SIGTERM.

    Readers reach them at site.url of config.toml; put a proxy with a certificate there. Prints a link to the
    preview of each newsletter's coming edition, good for 30 days, for those who may see it.
    """
    from digest.web.server import serve  # noqa: PLC0415 - quick start-up

    serve(app, listen=listen, say=say)
