"""The command line as a whole: quick start, help, where --config may stand, and how errors reach a person."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import click
import pytest
from click.testing import CliRunner, Result

import subscribers
from digest import __version__, cli
from digest.cli.base import COMMANDS, Root, Session, actor, everywhere_options, pass_app, pass_session, walk
from digest.cli.output import json_option, print_json
from digest.errors import ConfigError, Interrupted, NothingToDo, UsageError

NAMES = [name for names in COMMANDS.values() for name in names]


def run(*arguments: str, command: click.Command = cli.command, **environ: str) -> Result:
    return CliRunner().invoke(command, list(arguments), env=environ)


def root_with(function: Any) -> Root:
    """A `digest` with one more command, `try`, that runs `function`."""
    root = Root(name="digest", params=list(everywhere_options(hidden=False)))
    root.add_command(click.command("try", params=list(everywhere_options(hidden=True)))(function))
    return root


# --- help and names -----------------------------------------------------------------------------------


def test_help_names_every_command_and_the_exit_codes() -> None:
    result = run("--help")

    assert result.exit_code == 0
    for name in NAMES:
        assert f"  {name} " in result.stdout
    assert "4 interrupted" in " ".join(result.stdout.split())


def test_help_is_quick_because_it_imports_none_of_the_heavy_parts() -> None:
    heavy = (
        "digest.config",
        "digest.store",
        "digest.app",
        "pydantic",
        "sqlalchemy",
        "rich",
        "fastapi",
        "httpx",
    )
    script = (
        "import sys, digest.cli\n"
        "try: digest.cli.command.main(['--help'])\n"
        f"except SystemExit: sys.exit(' '.join(m for m in {heavy!r} if m in sys.modules) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr


def test_version_is_told() -> None:
    assert run("--version").stdout == f"digest, version {__version__}\n"


def test_a_command_that_does_not_exist_is_refused_with_the_nearest() -> None:
    result = run("rnak")

    assert result.exit_code == 2
    assert "Did you mean 'rank'?" in result.stderr


def test_a_command_unlike_any_is_refused_without_a_guess() -> None:
    result = run("zzzzzz")

    assert result.exit_code == 2
    assert "No such command 'zzzzzz'.\n" in result.stderr


def test_no_command_at_all_shows_the_help() -> None:
    result = run()

    assert result.exit_code == 2
    assert "Set up:" in result.output


def test_every_module_with_a_command_is_in_the_table() -> None:
    modules = Path(cli.__file__).parent.glob("*.py")

    assert {path.stem for path in modules if "\ndef command(" in path.read_text("utf-8")} <= set(NAMES)


def test_every_command_takes_config_and_debug() -> None:
    for path, command in walk(cli.command):
        options = {option for parameter in command.params for option in parameter.opts}
        assert {"--config", "--debug"} <= options, path


def test_python_dash_m_is_the_same_program() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "digest", "--version"], capture_output=True, text=True, check=False
    )

    assert (result.returncode, result.stdout) == (0, f"digest, version {__version__}\n")


# --- configuration and the app ------------------------------------------------------------------------


@pass_session
def where(session: Session) -> None:
    click.echo(f"{session.settings.root.name} {session.debug}")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    path = tmp_path / "here" / "config.toml"
    path.write_text("")
    return path


def test_config_may_stand_before_or_after_the_command_or_in_a_variable(config: Path) -> None:
    root = root_with(where)

    assert run("--config", str(config), "try", command=root).stdout == "here False\n"
    assert run("try", "--config", str(config), command=root).stdout == "here False\n"
    assert run("try", command=root, DIGEST_CONFIG=str(config)).stdout == "here False\n"
    assert run("--config", "nowhere", "try", "--config", str(config), command=root).stdout == "here False\n"


def test_debug_may_stand_before_or_after_the_command_or_in_a_variable(config: Path) -> None:
    root = root_with(where)
    named = {"DIGEST_CONFIG": str(config)}

    assert run("--debug", "try", command=root, **named).stdout == "here True\n"
    assert run("try", "--debug", command=root, **named).stdout == "here True\n"
    assert run("try", command=root, **named, DIGEST_DEBUG="1").stdout == "here True\n"
    assert run("try", command=root, **named, DIGEST_DEBUG="0").stdout == "here False\n"


def test_a_missing_configuration_says_how_to_make_one(tmp_path: Path) -> None:
    result = run("try", "--config", str(tmp_path / "none.toml"), command=root_with(where))

    assert result.exit_code == 2
    assert "none.toml: there is no such file" in result.stderr
    assert "digest init" in result.stderr


def test_a_test_can_hand_in_its_own_app() -> None:
    @click.command()
    @click.argument("word")
    @pass_app
    def shout(app: Any, word: str) -> None:
        click.echo(f"{word} {app}")

    assert CliRunner().invoke(shout, ["hello"], obj="my app").stdout == "hello my app\n"


def test_the_app_is_made_once_from_the_configuration(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    class FakeApp:
        def __init__(self, settings: Any) -> None:
            made.append(settings.root)

    fake = cast("Any", type(sys)("digest.app"))
    fake.App = FakeApp
    monkeypatch.setitem(sys.modules, "digest.app", fake)

    @click.pass_context
    @pass_app
    def ask_twice(app: Any, context: click.Context) -> None:
        assert context.obj.app is app

    result = run("try", command=root_with(ask_twice), DIGEST_CONFIG=str(config))

    assert result.exit_code == 0, result.output
    assert made == [config.parent]


# --- errors -------------------------------------------------------------------------------------------


def failing(error: BaseException) -> Root:
    def fail() -> None:
        raise error

    return root_with(fail)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("bad", hint="Mend it."), 2),
        (UsageError("bad", hint="Mend it."), 2),
        (NothingToDo("bad", hint="Mend it."), 3),
        (Interrupted("bad", hint="Mend it."), 4),
    ],
)
def test_a_known_error_becomes_words_a_hint_and_its_exit_code(error: Exception, code: int) -> None:
    result = run("try", command=failing(error))

    assert result.exit_code == code
    assert result.stderr == "Error: bad\nMend it.\n"
    assert result.stdout == ""


def json_failing(error: BaseException, document: object = None) -> Root:
    @json_option
    def fail(as_json: bool) -> None:
        if as_json and document is not None:
            print_json(document)
        raise error

    return root_with(fail)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NothingToDo("held", hint="Release it."), {"error": "held", "hint": "Release it.", "exit_code": 3}),
        (OSError(28, "No space", "/srv"), {"error": "/srv: No space", "hint": "", "exit_code": 1}),
        (KeyboardInterrupt(), {"error": "Interrupted.", "hint": "", "exit_code": 4}),
    ],
)
def test_with_json_a_failure_is_one_document_too(error: BaseException, expected: object) -> None:
    result = run("try", "--json", command=json_failing(error))

    assert json.loads(result.stdout) == expected
    assert cast("dict[str, str]", expected)["error"] in result.stderr
    assert run("try", command=json_failing(error)).stdout == ""


def test_a_document_that_was_printed_stays_the_only_one() -> None:
    result = run("try", "--json", command=json_failing(NothingToDo("held"), {"state": "draft"}))

    assert json.loads(result.stdout) == {"state": "draft"}
    assert result.exit_code == 3


def test_wrong_use_is_one_document_where_json_is_asked_for() -> None:
    document = json.loads(run("try", "--json", "--nonsense", command=json_failing(KeyError())).stdout)

    assert document["exit_code"] == 2
    assert "No such option" in document["error"]


def test_a_file_that_ends_too_early_is_not_taken_for_ctrl_d() -> None:
    result = run("try", command=failing(EOFError("ended before the end-of-stream marker")))

    assert result.exit_code == 1
    assert "Error: EOFError: ended before" in result.stderr


def test_an_error_of_subscribers_becomes_words() -> None:
    error = getattr(subscribers, "SubscriberError")("no such person")  # noqa: B009 - its own package
    result = run("try", command=failing(error))

    assert result.exit_code == 1
    assert "Error: no such person" in result.stderr
    assert "fault in the program" not in result.stderr


def test_an_unexpected_error_shows_no_traceback_without_debug() -> None:
    result = run("try", command=failing(KeyError("x")))

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: KeyError: 'x'\n")
    assert "--debug" in result.stderr
    assert "Traceback" not in result.output


def test_a_full_disk_is_no_fault_of_the_program() -> None:
    result = run("try", command=failing(OSError(28, "No space left on device", "/srv/preview")))

    assert result.exit_code == 1
    assert result.stderr == "Error: /srv/preview: No space left on device\n"


def test_an_error_that_quotes_a_server_cannot_steer_the_terminal() -> None:
    result = run("try", command=failing(UsageError("550 \x1b[2Jno", hint="\x9b1mMend it.")))

    assert result.stderr == "Error: 550 [2Jno\n1mMend it.\n"


@pytest.mark.parametrize("error", [KeyError("x"), UsageError("bad")])
def test_debug_shows_the_traceback(error: Exception) -> None:
    result = run("--debug", "try", command=failing(error))

    assert "Traceback (most recent call last)" in result.stderr
    assert result.exit_code in (1, 2)


def test_wrong_use_is_exit_code_2() -> None:
    result = run("try", "--nonsense", command=root_with(where))

    assert result.exit_code == 2
    assert "No such option" in result.stderr


def test_ctrl_c_is_exit_code_4() -> None:
    result = run("try", command=failing(KeyboardInterrupt()))

    assert result.exit_code == 4
    assert "Interrupted." in result.stderr


def test_a_refused_question_is_exit_code_1() -> None:
    result = run("try", command=failing(click.Abort()))

    assert result.exit_code == 1
    assert "Stopped" in result.stderr


def test_what_a_command_returns_is_no_exit_code() -> None:
    assert run("try", command=root_with(lambda: 3)).exit_code == 0


def test_a_command_may_end_with_its_own_code() -> None:
    assert run("try", command=root_with(lambda: click.get_current_context().exit(3))).exit_code == 3


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    script = (
        "import click\nfrom digest.cli import command\n"
        "@command.command('lots')\n"
        "def lots():\n"
        "    for _ in range(100_000): click.echo('x' * 100)\n"
        "command.main(['lots'])\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    assert writer.stderr is not None
    writer.stdout.readline()
    writer.stdout.close()
    said = writer.stderr.read()
    writer.stderr.close()
    writer.wait()

    assert said == ""


@pytest.mark.parametrize("missing", [KeyError("uid not found: 1234"), OSError("no such user")])
def test_a_user_without_a_name_still_has_one_in_the_trail(
    missing: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def getuser() -> str:
        raise missing

    monkeypatch.setattr("getpass.getuser", getuser)
    assert actor() == "command line"
