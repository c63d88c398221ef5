"""docs/tutorial.md, done as it says: files saved, config.toml edited, commands run, what is printed compared.

The boxes of the page are its script. A `csv` box is saved under the name in the text before it, a `toml` box
is written into config.toml, the commands of `sh` and `cron` boxes are run, and the lines of a `text` box have
to be printed, in their order, by the commands before it ("..." at the end of a line: whatever follows). What
differs on a machine where tests run beside each other, addresses and ports, is mapped here and nowhere else.

Commands run in this process, for a start of Python for each would take longer than all else; those that last,
and so are stopped by a signal, have their own.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner

from digest.cli import command as root
from digest.config import load

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"
BIN = Path(sys.executable).parent

NOT_RUN = {
    "python3 -m venv ~/digest && . ~/digest/bin/activate": "the tests have an environment",
    "pip install .": "tests/e2e/test_wheel.py installs it",
    'sqlite3 digest.db ".backup copy.db"': "the tool of SQLite is not part of the product",
}
FAILS = {"DIGEST_NEWSLETTER__WEEKLY__ZONE=Lodnon digest config check": 2}
LASTING = ("digest inbox", "digest serve", "digest run")
"""They run until they are stopped: the inbox to the end, each of the others until the next one begins."""
NOT_APPLIED = {"[smtp]": "that relay does not exist; the box is checked in a copy"}
CHANGES = (
    (r"(Mon|Tue) \d\d [A-Z][a-z]{2} (\d\d:\d\d) (GMT|BST)", r"\1 DATE \2"),  # next week's
    (r"weekly/\d{4}-\d\d-\d\d is built", "weekly/DATE is built"),
    (r"in \d+\.\d s", "in SECONDS"),
)
"""What is another thing on each day and each machine."""
PATIENCE = 30


@dataclass(frozen=True)
class Box:
    """A fenced block. `line` is that of its first content, `before` the text since the box before it."""

    kind: str
    line: int
    content: str
    before: str


def boxes(page: str) -> list[Box]:
    found, end = [], 0
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        line = page.count("\n", 0, match.start()) + 2
        found.append(Box(match[1], line, match[2], page[end : match.start()]))
        end = match.end()
    return found


def set_key(config: str, header: str, key: str, value: str) -> str:
    """config.toml with this line in place of the key's, which may be commented out there."""
    start = config.index(f"\n{header}\n") + len(header) + 2
    end = next((m.start() for m in re.compile(r"^#?\[", re.MULTILINE).finditer(config, start)), len(config))
    section, count = re.subn(
        rf"^#?{key} = .*$", lambda _: f"{key} = {value}", config[start:end], flags=re.MULTILINE
    )
    assert count == 1, f"{key} stands {count} times in {header} of the config.toml that digest init writes"
    return config[:start] + section + config[end:]


def with_box(config: str, toml: str) -> str:
    """config.toml as a person edits it: known keys in their places, a new [[source]] at the end."""
    tomllib.loads(toml)
    if toml.startswith("[["):
        return f"{config}\n{toml}"
    header = ""
    for each in toml.splitlines():
        if each.startswith("["):
            header = each
        elif each:
            key, _, value = each.partition(" = ")
            config = set_key(config, header, key, value)
    return config


@contextmanager
def signals_kept() -> Iterator[None]:
    """`digest send` listens to Ctrl-C; once it is done, Ctrl-C is for the tests again."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(each.getsockname()[1]) for each in sockets]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Nothing: requests are not news."""


@pytest.fixture
def post(tmp_path: Path) -> Iterator[str]:
    """What stands at https://post.example: a feed with one story of the week after."""
    folder = tmp_path / "post"
    folder.mkdir()
    (folder / "feed.xml").write_text(
        '<rss version="2.0"><channel><title>Post</title><link>https://post.example/</link>'
        "<description>News</description><item><title>The whale is back</title><guid>107</guid>"
        "<link>https://post.example/city/whale</link><pubDate>Tue, 17 Nov 2026 08:00:00 GMT</pubDate>"
        "</item></channel></rss>"
    )
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Lasting:
    """A command that runs until it is stopped."""

    command: str
    process: subprocess.Popen[bytes]
    output: Path

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(PATIENCE) == 0, f"{self.command}: {self.output.read_text()}"


@dataclass
class Newcomer:
    """Somebody with a terminal, in `folder`, who does what each box says."""

    folder: Path
    addresses: Mapping[str, str]
    """What stands in the page -> what stands for it here."""
    lasting: list[Lasting] = field(default_factory=list)
    heard: list[str | Path] = field(default_factory=list)
    """What was printed since the last `text` box; a path is the output of what still runs."""
    not_run: set[str] = field(default_factory=set)
    codes: dict[str, int] = field(default_factory=dict)

    def do(self, box: Box) -> None:
        getattr(self, f"_{box.kind}")(box)

    def _csv(self, box: Box) -> None:
        (self.folder / re.findall(r"`(\w+\.csv)`", box.before)[-1]).write_text(box.content)

    def _toml(self, box: Box) -> None:
        config = self.folder / "config.toml"
        header = box.content.partition("\n")[0]
        if header in NOT_APPLIED:
            self.not_run.add(header)
            copy = config.with_name("copy.toml")
            copy.write_text(with_box(config.read_text(), box.content))
            (self.folder / "smtp.password").write_text("secret")
            load(copy, {})
        else:
            config.write_text(with_box(config.read_text(), self._here(box.content)))

    def _sh(self, box: Box) -> None:
        for command in box.content.splitlines():
            if command in NOT_RUN:
                self.not_run.add(command)
            elif command.startswith("cd "):
                self.folder /= command.removeprefix("cd ")
            elif command in LASTING:
                self._begin(command)
            else:
                self._run(command)

    def _cron(self, box: Box) -> None:
        for entry in box.content.splitlines():
            self._run(entry.split(maxsplit=5)[5].removeprefix("cd /srv/digest && "))

    def _text(self, box: Box) -> None:
        wanted = [settled(each) for each in box.content.splitlines()]
        end = time.monotonic() + PATIENCE
        # Processes that go on print when they get to it, each of them on its own.
        going_on = any(isinstance(each, Path) for each in self.heard)
        while missing := first_missing(wanted, settled(self._printed()), in_order=not going_on):
            waiting = going_on and time.monotonic() < end
            assert waiting, f"docs/tutorial.md:{box.line}: not printed: {missing}\n{self._printed()}"
            time.sleep(0.1)
        self.heard.clear()

    def _run(self, command: str) -> None:
        words = shlex.split(self._here(command))
        environ: dict[str, str | None] = {}
        while "=" in words[0]:
            name, _, environ[name] = words.pop(0).partition("=")
        assert words.pop(0) == "digest", f"{command}: neither run nor listed as not run"
        with contextlib.chdir(self.folder), signals_kept():
            done = CliRunner().invoke(root, words, env=environ)
        self.codes[command] = done.exit_code
        assert done.exit_code == FAILS.get(command, 0), (
            f"{command}: exit code {done.exit_code}\n{done.output}"
        )
        self.heard.append(done.output)
        if command.startswith("digest init"):
            self._move_ports(self.folder / command.rsplit(maxsplit=1)[-1] / "config.toml")

    def _move_ports(self, config: Path) -> None:
        """The usual ones may be taken by whatever else runs here."""
        text = config.read_text()
        site = self.addresses["127.0.0.1:8765"]
        for header, key, value in (
            ("[smtp]", "port", self.addresses["2525"]),
            ("[site]", "url", f'"http://{site}"'),
            ("[site]", "listen", f'"{site}"'),
        ):
            text = set_key(text, header, key, value)
        config.write_text(text)

    def _begin(self, command: str) -> None:
        for earlier in [each for each in self.lasting if each.command != "digest inbox"]:
            earlier.stop()
            self.lasting.remove(earlier)
        ports = [
            "--port",
            self.addresses["2525"],
            "--web-port",
            self.addresses["127.0.0.1:8025"].split(":")[1],
        ]
        output = self.folder / f"{command.replace(' ', '-')}.out"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [BIN / "digest", *command.split()[1:], *(ports if command == "digest inbox" else [])],
                cwd=self.folder, stdout=file, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.lasting.append(Lasting(command, process, output))
        self.heard.append(output)

    def _here(self, text: str) -> str:
        here = self.addresses["https://post.example"] + "/feed.xml"
        # What stands in for the paper is on this machine, which a source has to say.
        text = text.replace('"https://post.example/feed.xml"\n', f'"{here}"\ninternal = true\n')
        return text.replace("https://post.example/feed.xml", here)

    def _printed(self) -> str:
        """What a person who has the usual ports would have read."""
        text = "".join(each.read_text() if isinstance(each, Path) else each for each in self.heard)
        for usual, here in self.addresses.items():
            text = text.replace(here, usual) if usual != "2525" else text
        return text

    def leave(self) -> None:
        for each in self.lasting:
            each.stop()

    def kill(self) -> None:
        """Whatever went wrong: nothing of ours goes on running."""
        for each in self.lasting:
            each.process.kill()
            each.process.wait()


def settled(text: str) -> str:
    for pattern, replacement in CHANGES:
        text = re.sub(pattern, replacement, text)
    return text


def first_missing(wanted: list[str], printed: str, *, in_order: bool = True) -> str:
    """The first line that was not printed, or not behind the one before it; "" when all were."""
    lines = iter(printed.splitlines())
    for each in wanted:
        start = each.removesuffix("...")
        if not in_order:
            lines = iter(printed.splitlines())
        if not any(line.startswith(start) if start != each else line.rstrip() == each for line in lines):
            return each
    return ""


@pytest.fixture
def newcomer(tmp_path: Path, post: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Newcomer]:
    for name in [name for name in os.environ if name.startswith("DIGEST_")]:
        monkeypatch.delenv(name)
    mail, web, inbox = free_ports(3)
    addresses = {
        "https://post.example": post,
        "127.0.0.1:8765": f"127.0.0.1:{web}",
        "127.0.0.1:8025": f"127.0.0.1:{inbox}",
        "2525": str(mail),
    }
    made = Newcomer(tmp_path, addresses)
    yield made
    made.kill()


def test_the_tutorial_does_what_it_says(newcomer: Newcomer) -> None:
    for box in boxes(PAGE.read_text(encoding="utf-8")):
        newcomer.do(box)
    newcomer.leave()
    assert newcomer.not_run == {*NOT_RUN, *NOT_APPLIED}, "these lists name what the tutorial no longer has"
    assert {command for command, code in newcomer.codes.items() if code} == set(FAILS)
    assert len(newcomer.codes) >= 20


def test_a_line_that_is_not_printed_is_noticed() -> None:
    printed = "one\ntwo 2 of 3\nthree\n"
    assert first_missing(["one", "two ...", "three"], printed) == ""
    assert first_missing(["three", "one"], printed) == "one"
    assert first_missing(["three", "one"], printed, in_order=False) == ""
    assert first_missing(["two"], printed) == "two"
