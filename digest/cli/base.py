"""What every command stands on: the lazy table of commands, the session, and how errors reach a person.

Start-up is quick because a command's module is imported only when that command is used; `digest --help` is
printed from the table below. Configuration is read, and `digest.app.App` made, only when a command asks with
`pass_app`; `init`, `inbox` and `demo` never ask.
"""

from __future__ import annotations

import difflib
import functools
import getpass
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec, TypeVar

import click

from digest.cli.output import PRINTED, print_json, say
from digest.errors import DigestError

if TYPE_CHECKING:
    from digest.app import App
    from digest.config import Settings

P = ParamSpec("P")
R = TypeVar("R")

INTERRUPTED = 4
_JSON = f"{__name__}.json"
"""In `click.Context.meta`: whether the command line asks for JSON."""
_FAULT = "This is a fault in the program. Run it again with --debug to see where."

COMMANDS: dict[str, dict[str, str]] = {
    "Set up": {
        "init": "Write a commented config.toml, the keys and an empty database.",
        "config": "Check the configuration, or show what is in effect.",
        "db": "Bring the database to this version, or check it.",
        "smtp": "Try the relay: conversation, TLS, sign-in, rate, a message.",
    },
    "Stories, signals, people": {
        "sources": "Look at the configured sources now.",
        "stories": "Import stories, look at them, change what sources say.",
        "signals": "Import what shows how popular stories are; access logs.",
        "subscribers": "Import and look at subscribers and suppressions.",
    },
    "Editions": {
        "rank": "Rank the stories of a window, with reasons; changes nothing.",
        "backtest": "Hold past rankings against what was read most in the end.",
        "edition": "Build, look at, change, approve or hold an edition.",
        "preview": "Write an edition as it will arrive into a folder.",
    },
    "Sending": {
        "dkim": "Keys that sign mail: make, show, change.",
        "send": "Send an approved edition, or go on with it.",
        "deliveries": "What became of each copy of an edition.",
    },
    "By itself": {
        "run": "Do everything on schedule; this is what systemd starts.",
        "serve": "Serve the public pages: leaving, web version, preview.",
    },
    "Trying it": {
        "demo": "A sample week, from stories to inbox, in a new folder.",
        "inbox": "A local mailbox that takes all mail and shows it.",
    },
}
"""Heading -> command -> its line in `digest --help`. The module is `digest.cli.NAME`, its door `command`."""


class Session:
    """What the options before (or after) the command said, and what is made from them on first use."""

    def __init__(self) -> None:
        self.config: Path | None = None
        self.debug = os.environ.get("DIGEST_DEBUG", "") not in ("", "0")

    @functools.cached_property
    def settings(self) -> Settings:
        """The settings of this run; raises `ConfigError`."""
        from digest.config import load  # noqa: PLC0415 - commands without configuration start without it

        return load(self.config, os.environ)

    @functools.cached_property
    def app(self) -> App:
        """The composition root over `settings`."""
        from digest.app import App  # noqa: PLC0415 - heavy; only for commands that need it

        return App(self.settings)


def pass_app(function: Callable[Concatenate[App, P], R]) -> Callable[P, R]:
    """Hands the `App` to a command as its first argument; reads the configuration for that.

    A test may hand in its own: ``CliRunner().invoke(command, [...], obj=app)``.
    """

    @click.pass_context
    def wrapper(context: click.Context, /, *args: P.args, **kwargs: P.kwargs) -> R:
        app: Any = context.obj.app if isinstance(context.obj, Session) else context.obj
        if app is None:
            app = context.ensure_object(Session).app
        return function(app, *args, **kwargs)

    return functools.update_wrapper(wrapper, function)


def pass_session(function: Callable[Concatenate[Session, P], R]) -> Callable[P, R]:
    """Hands the `Session` to a command as its first argument: for settings without an `App`."""

    @click.pass_context
    def wrapper(context: click.Context, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return function(context.ensure_object(Session), *args, **kwargs)

    return functools.update_wrapper(wrapper, function)


def actor() -> str:
    """Who runs the command, for the audit trail; containers run it as users without a name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "command line"


def _remember_config(context: click.Context, _option: click.Parameter, value: Path | None) -> None:
    if value is not None:
        context.ensure_object(Session).config = value


def _remember_debug(context: click.Context, _option: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Session).debug = True


def everywhere_options(*, hidden: bool) -> tuple[click.Option, click.Option]:
    """``--config`` and ``--debug``: on the root for all to see, and hidden on every command, so that
    ``digest rank weekly --config FILE`` means what it says."""
    return (
        click.Option(
            ["--config"],
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            expose_value=False,
            callback=_remember_config,
            hidden=hidden,
            help="The configuration; else DIGEST_CONFIG, else ./config.toml.",
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            callback=_remember_debug,
            hidden=hidden,
            help="Show tracebacks; also DIGEST_DEBUG=1.",
        ),
    )


def walk(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """The command and all below it, each with its full name, in the order of the help."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path[-1] if path else None)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from walk(below, (*path, name))


class Root(click.Group):
    """`digest` itself: commands from the table, and the place where errors become words and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [name for names in COMMANDS.values() for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.commands:
            return self.commands[cmd_name]
        if cmd_name not in self.list_commands(ctx):
            return None
        module = f"digest.cli.{cmd_name}"
        if importlib.util.find_spec(module) is None:
            return None
        command: click.Command = importlib.import_module(module).command
        for _, each in walk(command, (cmd_name,)):
            taken = {name for parameter in each.params for name in parameter.opts}
            each.params.extend(o for o in everywhere_options(hidden=True) if not taken.intersection(o.opts))
        self.commands[cmd_name] = command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            others = [each for each in self.list_commands(ctx) if each != name]
            near = difflib.get_close_matches(name, others, n=1)
            ctx.fail(f"No such command {name!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for heading, commands in COMMANDS.items():
            with formatter.section(heading):
                formatter.write_dl(list(commands.items()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_JSON] = "--json" in args
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> None:
        """Runs the command. What it returns means nothing: exit codes come from errors and `ctx.exit`.

        With --json a failure has its document too, unless the command has printed one: scripts parse first
        and ask for the exit code then.
        """
        try:
            super().invoke(ctx)
        except click.exceptions.Exit:
            raise
        except (Exception, KeyboardInterrupt) as error:
            if ctx.meta[_JSON] and PRINTED not in ctx.meta and not isinstance(error, BrokenPipeError):
                message, hint, code = _told(error)
                print_json({"error": message, "hint": hint, "exit_code": code})
            raise

    def main(  # always ends the process, as click's own does by default
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = "digest",
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: ARG002 - click's signature
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> NoReturn:
        """Runs the command line and exits with the code of digest.errors; no traceback without --debug."""
        session = extra.setdefault("obj", None) or Session()
        extra["obj"] = session
        try:
            code = super().main(
                args,
                prog_name,
                complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )
        except Exception as error:  # noqa: BLE001 - the last resort; nothing passes it unseen
            code = _explain(error, debug=getattr(session, "debug", False))
        sys.exit(code or 0)


def _explain(error: BaseException, *, debug: bool) -> int:
    """Says on stderr what went wrong and what to change; returns the exit code."""
    if isinstance(error, click.Abort) and error.__cause__ is not None:
        error = error.__cause__  # click makes it of Ctrl-C, and of an EOFError
    message, hint, code = _told(error)
    if isinstance(error, click.ClickException):
        error.show()
        return code
    asked = isinstance(error, KeyboardInterrupt | click.Abort)
    if debug and not asked:
        traceback.print_exception(error)
    say(message if asked else f"Error: {message}")
    if hint and not (debug and hint == _FAULT):
        say(hint)
    return code


def _told(error: BaseException) -> tuple[str, str, int]:
    """What went wrong, what to change, and the exit code."""
    if isinstance(error, click.ClickException):
        return error.format_message(), "", error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted.", "", INTERRUPTED
    if isinstance(error, click.Abort):
        return "Stopped.", "", 1
    subscribers = sys.modules.get("subscribers")
    if isinstance(error, DigestError) or (
        subscribers is not None and isinstance(error, getattr(subscribers, "SubscriberError", ()))
    ):
        return str(error), getattr(error, "hint", ""), int(getattr(error, "exit_code", 1))
    if isinstance(error, OSError) and error.strerror:  # a full disk, a folder that may not be written
        return ": ".join(str(part) for part in (error.filename, error.strerror) if part), "", 1
    return f"{type(error).__name__}: {error}".rstrip(": "), _FAULT, 1
