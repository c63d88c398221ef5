"""The written reference matches the code, and nothing in the code is without words."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from digest.cli.base import Root
from digest.config import schema
from docs import reference


def test_every_command_has_help_and_a_true_example() -> None:
    assert list(reference.command_problems()) == []


def test_every_key_has_a_description() -> None:
    assert list(reference.key_problems()) == []


def test_the_files_of_the_repository_are_what_the_code_gives() -> None:
    assert list(reference.differing(reference.ROOT)) == []


def test_every_key_is_on_the_page_of_the_configuration() -> None:
    page = reference.configuration_page()

    for section in schema.sections():
        assert f"## `{section.header}`" in page
        for name in section.model.model_fields:
            assert f"| `{name}` |" in page
    assert "`DIGEST_NEWSLETTER__SLUG__COUNT`" in page
    assert "DIGEST_SOURCE" not in page


def test_files_are_written_and_then_match(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(list(reference.differing(tmp_path))) == 3
    reference.main([], tmp_path)
    assert list(reference.differing(tmp_path)) == []

    (tmp_path / "docs" / "commands.md").write_text("old")
    capsys.readouterr()
    assert reference.main(["--check"], tmp_path) == 1
    assert "docs/commands.md differs from the code; run: make docs" in capsys.readouterr().err
    assert (tmp_path / "docs" / "commands.md").read_text() == "old"


def test_wrong_use_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main(["--chekc"]) == 2
    assert "usage" in capsys.readouterr().err


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Root:
    """A `digest` with a single, empty table of commands."""
    made = Root(name="digest")
    monkeypatch.setattr("digest.cli.base.COMMANDS", {"Try": {"try": "Try."}})
    monkeypatch.setattr(reference, "root", made)
    return made


def add(root: Root, *, text: str, epilog: str, options: tuple[click.Parameter, ...] = ()) -> None:
    root.commands["try"] = click.Command("try", help=text, epilog=epilog, params=list(options))


def test_a_command_without_help_or_example_is_found(root: Root) -> None:
    add(root, text="", epilog="", options=(click.Option(["--more"]),))

    assert list(reference.command_problems()) == [
        "digest try: no help",
        "digest try: no help for --more",
        "digest try: no example (a line of the epilog that calls it)",
    ]


def test_an_example_of_another_command_does_not_count(root: Root) -> None:
    add(root, text="Try.", epilog="digest trying")

    assert list(reference.command_problems()) == [
        "digest try: no example (a line of the epilog that calls it)"
    ]


def test_an_example_with_an_option_that_does_not_exist_is_found(root: Root) -> None:
    add(root, text="Try.", epilog="digest try --less --config FILE | sort --reverse")

    assert list(reference.command_problems()) == ["digest try: an example uses --less, which does not exist"]


def test_the_page_of_a_command_has_usage_options_and_examples(root: Root) -> None:
    option = click.Option(["--more"], help="More | of it.")
    argument = click.Argument(["what"])
    add(root, text="Try it.\n\nExample: digest try X --more Y", epilog="", options=(argument, option))
    page = reference.commands_page()

    assert list(reference.command_problems()) == []
    assert "## digest try\n\nTry it.\n" in page
    assert "digest try [OPTIONS] WHAT\n" in page
    assert "| `--more TEXT` | More \\| of it. |" in page
    assert "```sh\ndigest try X --more Y\n```" in page
