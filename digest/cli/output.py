"""How commands speak: one JSON document or a table on stdout, words and progress on stderr."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from contextlib import contextmanager
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

F = TypeVar("F", bound=Callable[..., Any])

# C0 without tab and newline, DEL and C1: a reply or a title must not steer the terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


# --- JSON ---------------------------------------------------------------------------------------------


def _format_duration(value: dt.timedelta) -> str:
    from digest.config.durations import format_duration  # noqa: PLC0415 - quick start-up

    return format_duration(value)


_FORMS: tuple[tuple[type | tuple[type, ...], Callable[[Any], object]], ...] = (
    (dt.date, dt.date.isoformat),
    (dt.timedelta, _format_duration),
    (PurePath, str),
    (Enum, lambda value: _plain(value.value)),
    (float, lambda value: value if math.isfinite(value) else None),
    (Mapping, lambda value: {str(_plain(key)): _plain(item) for key, item in value.items()}),
    ((set, frozenset), lambda value: sorted((_plain(item) for item in value), key=str)),
    ((list, tuple, Iterator, KeysView, ValuesView), lambda value: [_plain(item) for item in value]),
)


def _plain(value: object) -> object:
    """The JSON form of a value; raises TypeError for what has none and ValueError for a time without zone."""
    if value is None or isinstance(value, int | str):
        return value
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone cannot be printed: {value}")
        return value.isoformat().replace("+00:00", "Z")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: _plain(getattr(value, name)) for name in value._fields}
    for kind, convert in _FORMS:
        if isinstance(value, kind):
            return convert(value)
    raise TypeError(f"no JSON form for {type(value).__name__}")


PRINTED = f"{__name__}.printed"
"""In `click.Context.meta` once a command has printed its document: one is all that it may print."""


def print_json(document: object) -> None:
    """Prints one JSON document on stdout.

    Dataclasses and named tuples become objects, sets sorted arrays, times ISO 8601 (UTC as ``Z``), durations
    "7d"; figures that are not numbers become null. Keys keep their order. Falls back to escapes where stdout
    cannot write a character.
    """
    plain = _plain(document)
    text = json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(plain, indent=2, allow_nan=False)
    click.echo(text)
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[PRINTED] = True


def json_option(function: F) -> F:
    """Adds ``--json``, handed to the command as `as_json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document on stdout, also of a failure."
    )(function)


# --- words and tables ---------------------------------------------------------------------------------


def say(text: str) -> None:
    """A message for people, on stderr. Control characters are dropped: it may quote a server or a story.

    Beside a bar it stands above it: `sys.stderr` is then the one that knows of the bar.
    """
    click.echo(_CONTROL.sub("", text), file=sys.stderr)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ", timespec="minutes").replace("+00:00", "Z")
    if isinstance(value, float):
        return f"{value:,.1f}".removesuffix(".0")
    return _CONTROL.sub("", str(value))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    """Prints a table on stdout; columns of figures are set right.

    On a terminal it folds to the width; elsewhere every row is one line, however long.
    """
    from rich import box  # noqa: PLC0415 - quick start-up
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    kept = [tuple(row) for row in rows]
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, heading in enumerate(columns):
        figures = bool(kept) and all(
            isinstance(row[index], int | float | None) and not isinstance(row[index], bool) for row in kept
        )
        made.add_column(heading, justify="right" if figures else "left", overflow="fold")
    for row in kept:
        made.add_row(*(Text(_cell(value)) for value in row))
    if title:
        click.echo(_CONTROL.sub("", title))
    console = Console(file=sys.stdout, highlight=False)
    if console.is_terminal:
        console.print(made)
        return
    wide = Console(file=io.StringIO(), highlight=False, width=100_000)
    with wide.capture() as capture:
        wide.print(made)
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines() if line.strip()))


# --- progress -----------------------------------------------------------------------------------------


class Bar(Protocol):
    """What `progress` yields. Calling it counts further; `note` replaces the words behind the figures."""

    def __call__(self, count: int = 1, /) -> None: ...

    def note(self, text: str, /) -> None: ...

    def of(self, total: int, /) -> None:
        """How many there are in all, where that is only known on the way."""
        ...


class _QuietBar:
    def __init__(self) -> None:
        self.done = 0
        self.text = ""
        self.total: int | None = None

    def __call__(self, count: int = 1, /) -> None:
        self.done += count

    def note(self, text: str, /) -> None:
        self.text = text

    def of(self, total: int, /) -> None:
        self.total = total


class _LiveBar(_QuietBar):
    def __init__(self, progress: Progress, task: TaskID) -> None:
        super().__init__()
        self._progress, self._task = progress, task

    def __call__(self, count: int = 1, /) -> None:
        super().__call__(count)
        self._progress.advance(self._task, count)

    def note(self, text: str, /) -> None:
        super().note(text)
        self._progress.update(self._task, note=_CONTROL.sub("", text))

    def of(self, total: int, /) -> None:
        super().of(total)
        self._progress.update(self._task, total=total)


@contextmanager
def progress(label: str, total: int | None = None, *, timed: bool = True) -> Iterator[Bar]:
    """A progress bar on stderr: done of total, time left, and a note, which folds where it is too long.

    Where stderr is no terminal it stays silent but for one closing line. `total` None: not known. `timed`
    False: the note says what time is left.
    """
    if not sys.stderr.isatty():
        quiet = _QuietBar()
        quiet.total = total
        yield quiet
        of = f" of {quiet.total:,}" if quiet.total is not None else ""
        say(f"{label}: {quiet.done:,}{of}" + (f" ({quiet.text})" if quiet.text else ""))
        return
    from rich.console import Console  # noqa: PLC0415 - quick start-up
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        *([TimeRemainingColumn()] if timed else []),
        TextColumn("{task.fields[note]}", markup=False, table_column=Column(overflow="fold")),
    )
    with Progress(*columns, console=Console(file=sys.stderr)) as shown:
        yield _LiveBar(shown, shown.add_task(label, total=total, note=""))


# --- what options take --------------------------------------------------------------------------------


_UNIX_SECONDS = re.compile(r"[0-9]{9,10}")  # a date without dashes has eight digits
_YEARS = range(1900, 3000)
"""Windows before and after one of these are still dates that Python has."""


class _Time(click.ParamType[dt.datetime]):
    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.datetime:
        """An aware time; raises a usage error that shows the forms."""
        if isinstance(value, dt.datetime):
            return value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        text = value.strip()
        try:
            if _UNIX_SECONDS.fullmatch(text):
                return dt.datetime.fromtimestamp(int(text), dt.UTC)
            moment = dt.datetime.fromisoformat(text)
        except ValueError:
            self.fail(
                f"{value!r} is not a time. Allowed: 2026-11-16, 2026-11-16T06:00 (UTC), "
                "2026-11-16T06:00+01:00, or Unix seconds.",
                param,
                ctx,
            )
        if moment.year not in _YEARS:
            self.fail(f"{value!r} is not within the years {_YEARS[0]} to {_YEARS[-1]}.", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


class _Duration(click.ParamType[dt.timedelta]):
    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.timedelta:
        """A duration; raises a usage error that shows the forms."""
        from digest.config.durations import parse_duration  # noqa: PLC0415 - quick start-up

        if isinstance(value, dt.timedelta):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


TIME = _Time()
"""ISO 8601 date or time, UTC where no zone is stated, or Unix seconds. Becomes an aware datetime."""
DURATION = _Duration()
"""Such as "7d", "36h", "1d12h". Becomes a timedelta."""
