"""The unit file says what the program does: how it is started, ended, and when not to start it again."""

from __future__ import annotations

import configparser
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from digest import cli
from digest.errors import ConfigError, NothingToDo
from digest.work.supervise import GRACE

UNIT = Path(__file__).resolve().parents[2] / "docs" / "systemd" / "digest.service"


@pytest.fixture(scope="module")
def service() -> configparser.SectionProxy:
    unit = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    unit.optionxform = str  # type: ignore[method-assign, assignment]
    unit.read(UNIT, encoding="utf-8")
    return unit["Service"]


def test_its_command_is_one(service: configparser.SectionProxy) -> None:
    program, *arguments = shlex.split(service["ExecStart"])
    assert Path(program).name == "digest"
    assert CliRunner().invoke(cli.command, [*arguments, "--help"]).exit_code == 0


def test_stopping_leaves_time_to_finish_what_is_being_sent(service: configparser.SectionProxy) -> None:
    assert service["KillMode"] == "mixed", "the supervisor ends its children itself, in order"
    assert int(service["TimeoutStopSec"]) > GRACE


def test_what_starting_again_cannot_help_is_not_started_again(service: configparser.SectionProxy) -> None:
    final = {int(code) for code in service["RestartPreventExitStatus"].split()}
    assert final == {ConfigError.exit_code, NothingToDo.exit_code}
