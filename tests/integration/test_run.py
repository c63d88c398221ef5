"""`digest run` as processes: what starts, what ends, and what happens when one of them is killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from digest.app import App
from digest.cli.init import first_config, make
from digest.config import load


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return make(tmp_path / "news", first_config())[0]


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


class Run:
    """One `digest run`, in an environment as bare as a service's."""

    def __init__(self, config: Path, port: int, log: Path) -> None:
        self.log, self.url = log, f"http://127.0.0.1:{port}"
        environ = {
            "PYTHONPATH": os.pathsep.join(sys.path),
            "DIGEST_SITE__LISTEN": f"127.0.0.1:{port}",
            "DIGEST_SMTP__PORT": "1",
        }
        command = [sys.executable, "-m", "digest", "--config", str(config), "run", "--every", "0.2"]
        with log.open("w") as stream:
            self.process = subprocess.Popen(
                command, env=environ, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream
            )

    def children(self) -> dict[str, int]:
        """Part -> process id."""
        made: dict[str, int] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if str(self.process.pid).encode() in words and b"--part" in words:
                made[words[words.index(b"--part") + 1].decode()] = int(folder.name)
        return made

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


def sooner_or_later(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def alive(number: int) -> bool:
    try:
        return (Path("/proc") / str(number) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def run(config: Path, port: int, tmp_path: Path) -> Iterator[Run]:
    made = Run(config, port, tmp_path / "log")
    yield made
    for number in (*made.children().values(), made.process.pid):
        if alive(number):
            os.kill(number, signal.SIGKILL)
    made.process.wait()


def test_a_part_that_is_killed_is_started_again_and_all_end_together(run: Run) -> None:
    assert sooner_or_later(run.answers)
    first = run.children()
    os.kill(first["serve"], signal.SIGKILL)
    assert sooner_or_later(lambda: run.children().get("serve", first["serve"]) != first["serve"])
    assert sooner_or_later(run.answers)
    parts = run.children()
    assert run.end() == 0
    assert not any(map(alive, parts.values()))
    assert "serve ended with signal SIGKILL" in run.log.read_text()
    assert "Traceback" not in run.log.read_text()


def test_after_it_was_killed_itself_the_next_one_takes_over(
    run: Run, config: Path, port: int, tmp_path: Path
) -> None:
    assert sooner_or_later(run.answers)
    parts = run.children()
    run.process.kill()
    run.process.wait()
    following = Run(config, port, tmp_path / "log2")
    assert sooner_or_later(lambda: not any(map(alive, parts.values())))
    assert sooner_or_later(lambda: "Serving" in following.log.read_text())
    assert following.answers()
    assert following.end(signal.SIGINT) == 0


def test_a_restored_backup_ends_it_with_exit_code_3(config: Path, port: int, tmp_path: Path) -> None:
    app = App(load(config, {}))
    note = {"installation": app.installation.id, "generation": 7}
    config.with_name("digest.keys.generation").write_text(json.dumps(note))
    run = Run(config, port, tmp_path / "log")
    assert run.process.wait(30) == 3
    assert "digest db accept-restore" in run.log.read_text()


@pytest.mark.parametrize("harm", ["config", "keys", "store"])
def test_what_can_not_be_used_ends_it_before_anything_is_started(
    config: Path, port: int, tmp_path: Path, harm: str
) -> None:
    if harm == "config":
        config.write_text(config.read_text() + "\nprot = 25\n")
    elif harm == "keys":
        config.with_name("digest.keys").unlink()
    else:
        config.with_name("digest.db").unlink()
    run = Run(config, port, tmp_path / "log")
    assert run.process.wait(30) == 2
    said = run.log.read_text()
    assert said.startswith("Error: ")
    assert "Serving" not in said
