"""What the pages written by hand name is there: files, commands, options, links. No line is too long."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from digest.cli import command as root
from digest.cli.base import walk

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += [
    ROOT / "docs" / f"{name}.md"
    for name in ("tutorial", "design", "sending", "popularity", "ranking", "sources", "stories")
]
FOLDERS = r"(?:digest|subscribers|templates|tests|docs|benchmarks)"
MOST = 120

COMMANDS = {" ".join(path): each for path, each in walk(root)}


def texts(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code(page: Path) -> list[str]:
    """What stands in backticks, and each line of a block of commands."""
    text = texts(page)
    blocks = re.findall(r"^```(?:sh|cron)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^    (\S.*)$", text, re.MULTILINE)
    return [
        *(line for block in blocks for line in block.splitlines()),
        *indented,
        *re.findall(r"`([^`\n]+)`", text),
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_line_can_be_read_in_a_terminal(page: Path) -> None:
    assert [number for number, line in enumerate(texts(page).splitlines(), 1) if len(line) > MOST] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_is_there(page: Path) -> None:
    named = {
        word
        for each in code(page)
        if (word := each.removesuffix("/")) and re.fullmatch(rf"{FOLDERS}/[\w./-]+", word)
    }
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", texts(page))
    assert sorted(link for link in links if not (page.parent / link).exists()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_that_is_named_exists(page: Path) -> None:
    assert [problem for line in code(page) for problem in problems(line)] == []


def problems(line: str) -> list[str]:
    """What a line says about `digest` that is not so."""
    found = []
    for call in re.findall(r"(?:^|&& |[A-Z_]+=\S+ )digest ([a-z].*?)(?= &&|$)", line):
        words = call.split(" #")[0].split()
        path = words[0]
        if path not in COMMANDS:
            found.append(f"digest {path}")
            continue
        each = COMMANDS[path]
        if isinstance(each, click.Group) and len(words) > 1 and f"{path} {words[1]}" in COMMANDS:
            each = COMMANDS[f"{path} {words[1]}"]
        elif isinstance(each, click.Group):
            each = COMMANDS.get(f"{path} list", each)  # the word may be left out
        known = {option for parameter in each.params for option in parameter.opts}
        known |= {"--config", "--debug"}
        options = re.findall(r"(?<!\S)--[a-z-]+", re.sub(r'"[^"]*"', "", call.split(" #")[0]))
        found += [f"digest {path}: {option}" for option in options if option not in known]
    return found


def test_what_does_not_exist_is_noticed() -> None:
    assert problems("digest rnak weekly") == ["digest rnak"]
    assert problems("cd news && digest send weekly --resmue") == ["digest send: --resmue"]
    assert problems("digest deliveries weekly --state uncertain") == []
