"""The command line: one file per group of commands, each with its door `command`; the table is in `base`.

`digest.cli.main` is what the installed program `digest` calls; `digest.cli.command` is the same for tests.
"""

from __future__ import annotations

from typing import NoReturn

import click

from digest import __version__
from digest.cli.base import Root, everywhere_options

command = Root(
    name="digest",
    help="Picks the most popular stories of the week, shows you the email, and sends it by itself.",
    epilog="--config and --debug may also stand after a command. "
    "Exit codes: 0 done, 1 failed, 2 wrong use or configuration, 3 nothing to do or held, "
    "4 interrupted and resumable.",
    params=list(everywhere_options(hidden=False)),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
click.version_option(__version__, prog_name="digest")(command)


def main() -> NoReturn:
    """Entry point of the program `digest`."""
    command.main()
