"""Writes docs/commands.md, docs/configuration.md and config.toml from the code: ``python -m docs.reference``.

With ``--check`` it writes nothing and fails when a file differs from the code, when a command lacks help or
an example, when an example uses an option that does not exist, or when a key of config.toml lacks a
description.
"""

from __future__ import annotations

import inspect
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from pydantic.fields import FieldInfo

from digest.cli import command as root
from digest.cli.base import walk
from digest.cli.init import first_config
from digest.config import schema
from digest.config.environment import name_of
from digest.config.schema import KeyPath, Shape

ROOT = Path(__file__).resolve().parent.parent

_COMMANDS_HEAD = """\
# Commands

<!-- Written by `make docs` from the code; changes here are lost. -->

`digest COMMAND --help` says the same. Everywhere:

| option | |
|---|---|
| `--config FILE` | The configuration; else the variable `DIGEST_CONFIG`, else `./config.toml`. |
| `--debug` | Show tracebacks; also `DIGEST_DEBUG=1`. |
| `-h`, `--help` | Help for the command. |

The first two may stand before or after the command. `--json` prints one JSON document on stdout and nothing
else there; messages and progress go to stderr. Times in it are ISO 8601, in UTC with a `Z`.

| exit code | means |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | wrong use or configuration |
| 3 | nothing to do, or held |
| 4 | interrupted and resumable |
"""

_CONFIGURATION_HEAD = """\
# Configuration

<!-- Written by `make docs` from the code; changes here are lost. -->

One file, `config.toml` ([an example](../config.toml)), written by `digest init`. `digest config check` reads
it and lists everything that is wrong with file, line and what is allowed; `digest config show` says what is
in effect and where each value comes from. A key that does not exist is refused.

- **Variables.** Every key that has a variable below can be set by it; it goes over the file. Lists are
  separated by commas. The dashes of a newsletter's slug become underscores: `[newsletter.my-week]` is
  `DIGEST_NEWSLETTER__MY_WEEK__...`. A variable changes a newsletter of the file and never makes one. A
  variable that begins with `DIGEST_` and names no key is refused; `DIGEST_CONFIG` (the file) and
  `DIGEST_DEBUG` are no settings.
- **Secrets** can stand in the file, in a variable, or in a file of their own (`password_file`,
  `DIGEST_SMTP__PASSWORD_FILE`), which has one line. They are never printed.
- **Durations** are weeks, days, hours, minutes, seconds: `7d`, `36h`, `30m`, `1d12h`. A day is 24 hours.
- **Moments** are a day of the week and a time in the newsletter's zone: `mon 06:00`; for a daily newsletter
  the time alone counts.
- **Paths** that are relative begin at the folder of `config.toml`.
"""


_EXAMPLE = re.compile(r"(?:Examples?: )?(?:\$ )?(?P<line>(?:[A-Z_]+=\S+ )*digest [a-z].*)")


# --- commands -----------------------------------------------------------------------------------------


def examples(command: click.Command) -> list[str]:
    """The lines of a command's epilog (or help) that call `digest`."""
    lines = f"{command.help or ''}\n{command.epilog or ''}".splitlines()
    matches = (_EXAMPLE.fullmatch(line.strip()) for line in lines)
    return [match["line"] for match in matches if match]


def _paragraphs(command: click.Command) -> str:
    """The help as Markdown: click's marks and the examples taken out, line ends within paragraphs kept."""
    text = inspect.cleandoc(command.help or "").replace("\b\n", "").split("\f")[0]
    shown = [line for line in text.splitlines() if not _EXAMPLE.fullmatch(line.strip())]
    return "\n".join(line for line in shown if line.strip() not in ("Example:", "Examples:")).strip()


def _commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    return ((path, command) for path, command in walk(root) if path and not command.hidden)


def commands_page() -> str:
    parts = [_COMMANDS_HEAD]
    for path, command in _commands():
        context = click.Context(command, info_name=" ".join(("digest", *path)))
        parts.append(f"{'#' * (len(path) + 1)} digest {' '.join(path)}\n")
        parts.append(_paragraphs(command) + "\n")
        if isinstance(command, click.Group) and not command.invoke_without_command:
            continue
        usage = " ".join((context.command_path, *command.collect_usage_pieces(context)))
        parts.append(f"```\n{usage}\n```\n")
        records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
        options = [record for record in records if record and record[1] and "--help" not in record[0]]
        if options:
            rows = [f"| `{_cell(name)}` | {_cell(text)} |" for name, text in options]
            parts.append("\n".join(["| option | |", "|---|---|", *rows]) + "\n")
        shown = examples(command)
        if shown:
            parts.append("\n".join(["```sh", *shown, "```"]) + "\n")
    return "\n".join(parts)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def command_problems() -> Iterator[str]:
    """What commands lack: help, an example, or an option that an example uses."""
    for path, command in _commands():
        name = " ".join(("digest", *path))
        if not _paragraphs(command):
            yield f"{name}: no help"
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.help:
                yield f"{name}: no help for {parameter.opts[0]}"
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield from _example_problems(name, command)


def _example_problems(name: str, command: click.Command) -> Iterator[str]:
    own = [line for line in examples(command) if f"{name} " in f"{line} "]
    if not own:
        yield f"{name}: no example (a line of the epilog that calls it)"
    known = {"--config", "--debug", "--help"}
    known.update(option for each in command.params for option in (*each.opts, *each.secondary_opts))
    for line in own:
        for word in shlex.split(re.split(r"[|>]", line)[0]):
            if word.startswith("--") and word.partition("=")[0] not in known:
                yield f"{name}: an example uses {word}, which does not exist"


def missing_modules() -> Iterator[str]:
    """Commands that the help promises and no module has."""
    context = click.Context(root)
    for name in root.list_commands(context):
        if root.get_command(context, name) is None:
            yield f"digest {name}: it is in the table of commands, but there is no digest/cli/{name}.py"


# --- configuration ------------------------------------------------------------------------------------


def _fields() -> Iterator[tuple[str, str, KeyPath, FieldInfo]]:
    """Header and description of the section, path and field of every key."""
    for name, field in schema.top_level().items():
        yield "", "Before the first section.", (name,), field
    for section in schema.sections():
        base: KeyPath = (section.name,)
        if section.shape is Shape.named:
            base += ("SLUG",)
        elif section.shape is Shape.array:
            base += (0,)
        for name, field in section.model.model_fields.items():
            yield section.header, section.description, (*base, name), field


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    value = schema.written(schema.default(field))
    return f"`{value}`" if value else "not set"


def configuration_page() -> str:
    parts = [_CONFIGURATION_HEAD]
    current: str | None = None
    for header, description, path, field in _fields():
        if header != current:
            current = header
            parts.append(f"\n## {f'`{header}`' if header else 'Top level'}\n\n{description}\n")
            parts.append("| key | meaning | allowed | default | variable |\n|---|---|---|---|---|")
        variable = name_of(path)
        cells = (
            f"`{path[-1]}`",
            _cell(field.description or ""),
            _cell(schema.allowed(field)),
            _cell(_default(field)),
            f"`{variable}`" if variable else "",
        )
        parts.append("| " + " | ".join(cells) + " |")
    return "\n".join(parts) + "\n"


def key_problems() -> Iterator[str]:
    """Keys without a description."""
    for header, description, path, field in _fields():
        if not description or not field.description:
            yield f"{header} {path[-1]}: no description"


# --- files --------------------------------------------------------------------------------------------


def pages() -> dict[Path, str]:
    """Every generated file, from the top of the repository, and what belongs into it."""
    return {
        Path("docs/commands.md"): commands_page(),
        Path("docs/configuration.md"): configuration_page(),
        Path("config.toml"): first_config(),
    }


def differing(top: Path) -> Iterator[str]:
    """Which files under `top` differ from the code."""
    for path, text in pages().items():
        file = top / path
        if not file.exists() or file.read_text("utf-8") != text:
            yield f"{path} differs from the code; run: make docs"


def main(arguments: list[str], top: Path = ROOT) -> int:
    """Writes the files, or with --check says what is wrong; returns the exit code."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m docs.reference [--check]", file=sys.stderr)
        return 2
    problems = [*missing_modules(), *command_problems(), *key_problems()]
    if arguments:
        problems += differing(top)
    else:
        for path, text in pages().items():
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            (top / path).write_text(text, "utf-8")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
