"""What commands print: one JSON document, tables, words and progress, each to its stream."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import io
import json
import os
import pty
import re
import sys
from collections.abc import Iterator
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from digest.cli.output import DURATION, TIME, json_option, print_json, progress, say, table


@dataclasses.dataclass(frozen=True, slots=True)
class Thing:
    name: str
    at: dt.datetime | None = None


class Colour(Enum):
    red = "rouge"


class Size(StrEnum):
    big = "big"


def printed(value: object, capsys: pytest.CaptureFixture[str]) -> Any:
    print_json(value)
    return json.loads(capsys.readouterr().out)


NOON = dt.datetime(2026, 11, 16, 12, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Thing("a", NOON), {"name": "a", "at": "2026-11-16T12:00:00Z"}),
        (NOON.astimezone(dt.timezone(dt.timedelta(hours=1))), "2026-11-16T13:00:00+01:00"),
        (dt.date(2026, 11, 16), "2026-11-16"),
        (dt.timedelta(days=7), "7d"),
        ({Colour.red: Size.big}, {"rouge": "big"}),
        ({3, 1, 2}, [1, 2, 3]),
        ((1, [2], iter([3])), [1, [2], [3]]),
        ({"a": 1}.values(), [1]),
        (float("nan"), None),
        (float("inf"), None),
        (1.5, 1.5),
        (Path("/a"), "/a"),
        (True, True),
        (None, None),
        ("é😀", "é😀"),
    ],
)
def test_values_become_json(value: object, expected: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(value, capsys) == expected


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        print_json(dt.datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused


@pytest.mark.parametrize("value", [b"x", object(), Thing])
def test_what_has_no_json_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="no JSON form"):
        print_json(value)


def test_a_stdout_that_cannot_write_a_character_gets_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    print_json({"title": "é\ud800"})
    sys.stdout.flush()

    assert json.loads(raw.getvalue()) == {"title": "é\ud800"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(json_values)
def test_plain_values_are_read_back_as_they_were(value: Any) -> None:
    @click.command()
    def command() -> None:
        print_json(value)

    assert json.loads(CliRunner().invoke(command).stdout) == value


# --- words, tables, progress --------------------------------------------------------------------------


def test_words_go_to_stderr_without_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    say("550 \x1b[2Jno\tsuch\nuser\x9b1m\r")
    captured = capsys.readouterr()

    assert captured.err == "550 [2Jno\tsuch\nuser1m\n"
    assert captured.out == ""


def test_a_table_has_one_line_a_row_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    long = "word " * 60
    table(
        ["#", "title", "at", "share"],
        [(1, f"[bold]{long}[/bold]", NOON, None), (12, "x\x1b[31m", None, 1234.5)],
        title="Picks",
    )
    lines = capsys.readouterr().out.splitlines()

    assert lines[0] == "Picks"
    assert len(lines) == 5
    assert lines[3].startswith("  1   [bold]word word")
    assert "2026-11-16 12:00Z" in lines[3]
    assert lines[4].startswith(" 12   x[31m ")
    assert lines[4].endswith("1,234.5")


def test_an_empty_table_still_has_its_heading(capsys: pytest.CaptureFixture[str]) -> None:
    table(["a", "b"], [])

    assert capsys.readouterr().out.splitlines()[0].split() == ["a", "b"]


def test_progress_is_one_closing_line_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Importing", 2000) as bar:
        bar(1500)
        bar()
        bar.note("3 rejected")
    assert capsys.readouterr() == ("", "Importing: 1,501 of 2,000 (3 rejected)\n")

    with progress("Looking") as bar:
        bar()
    assert capsys.readouterr().err == "Looking: 1\n"


def written_to(terminal: int) -> str:
    data = b""
    with contextlib.suppress(OSError):  # how Linux says that the other side is closed
        while chunk := os.read(terminal, 65536):
            data += chunk
    os.close(terminal)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode())


@contextlib.contextmanager
def drawn(monkeypatch: pytest.MonkeyPatch, columns: int) -> Iterator[int]:
    """Takes stdout and stderr to a terminal; yields its other side."""
    try:
        leader, follower = pty.openpty()
    except OSError as error:
        pytest.skip(f"this machine gives no pseudo-terminal: {error}")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    with os.fdopen(follower, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setattr(sys, "stdout", terminal)
        yield leader


def test_progress_and_tables_are_drawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    with drawn(monkeypatch, 60) as leader:
        with progress("Sending", 4) as bar:
            bar(4)
            bar.note("4 accepted\x1b[2J")
        table(["title"], [("fold " * 30,)])
    shown = written_to(leader)

    assert "Sending" in shown
    assert "4/4" in shown
    assert "4 accepted[2J" in shown
    assert shown.count("fold") == 30
    assert max(len(line) for line in shown[shown.rindex("title") :].splitlines()) <= 60


def test_what_is_said_stands_above_the_bar_and_a_long_note_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        drawn(monkeypatch, 80) as leader,
        progress("Sending weekly/2026-11-16", 20_003, timed=False) as bar,
    ):
        bar.note("1 accepted, waits 4:48: the canary's copies have left; the others follow")
        say("Stopping.")
    lines = [line.strip() for line in written_to(leader).splitlines()]

    assert "Stopping." in lines
    shown = " ".join(lines)
    assert "0/20003" in shown
    assert "…" not in shown
    assert "follow" in shown


# --- what options take --------------------------------------------------------------------------------


@click.command()
@click.option("--at", type=TIME)
@click.option("--window", type=DURATION, default="7d")
@json_option
def asked(at: dt.datetime | None, window: dt.timedelta, as_json: bool) -> None:
    print_json({"at": at, "window": window, "json": as_json})


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-16", "2026-11-16T00:00:00Z"),
        ("2026-11-16T06:00", "2026-11-16T06:00:00Z"),
        ("2026-11-16 06:00:00Z", "2026-11-16T06:00:00Z"),
        ("2026-11-16T06:00+01:00", "2026-11-16T06:00:00+01:00"),
        ("20261116", "2026-11-16T00:00:00Z"),
        ("1794808800", "2026-11-16T06:00:00Z"),
    ],
)
def test_times_have_a_zone(text: str, moment: str) -> None:
    result = CliRunner().invoke(asked, ["--at", text, "--window", "36h", "--json"])

    assert json.loads(result.stdout) == {"at": moment, "window": "1d12h", "json": True}


@pytest.mark.parametrize("arguments", [["--at", "monday"], ["--at", "2026-13-01"], ["--window", "7 parsecs"]])
def test_what_is_no_time_or_duration_is_refused_with_the_forms(arguments: list[str]) -> None:
    result = CliRunner().invoke(asked, arguments)

    assert result.exit_code == 2
    assert "2026-11-16T06:00" in result.stderr or '"7d"' in result.stderr


@pytest.mark.parametrize("text", ["0001-01-01", "1899-12-31", "3000-01-01", "9999-12-31T23:59:59-12:00"])
def test_a_time_at_the_end_of_all_calendars_is_refused(text: str) -> None:
    result = CliRunner().invoke(asked, ["--at", text])

    assert result.exit_code == 2
    assert "not within the years 1900 to 2999" in result.stderr


def test_values_that_are_times_already_pass() -> None:
    assert TIME.convert(NOON, None, None) is NOON
    assert TIME.convert(NOON.replace(tzinfo=None), None, None) == NOON
    assert DURATION.convert(dt.timedelta(1), None, None) == dt.timedelta(1)
