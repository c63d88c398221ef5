"""`digest serve` as a process: it starts, answers, and ends when it is asked to."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from digest.cli.init import command as init
from digest.cli.serve import command
from digest.errors import UsageError
from tests.web_site import WebSite


@contextmanager
def served(config: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and the address that it says it serves from."""
    process = subprocess.Popen(
        [sys.executable, "-m", "digest", "serve", "--listen", "127.0.0.1:0", "--config", str(config)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert process.stderr is not None
        found = re.search(r"from (http://127\.0\.0\.1:\d+)/", process.stderr.readline())
        assert found, process.stderr.read()
        yield process, found[1]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_server_starts_answers_and_ends_when_asked(tmp_path: Path, number: signal.Signals) -> None:
    CliRunner().invoke(init, [str(tmp_path / "new")], catch_exceptions=False)
    with served(tmp_path / "new" / "config.toml") as (process, address):
        assert process.stderr is not None
        assert "links in mail will not work" in process.stderr.readline()  # another port than site.url
        preview = re.search(r"Preview of weekly: http://[^/]+(/\S+)", process.stderr.readline())
        assert preview
        with httpx.Client(base_url=address, transport=httpx.HTTPTransport(retries=5)) as client:
            assert client.get("/health").json() == {"store": "ok"}
            assert "server" not in client.get("/").headers
            assert "There is no draft yet." in client.get(preview[1]).text
            process.send_signal(number)
            assert process.wait(10) == 0
        # No line for each request: their addresses have tokens in them.
        assert process.stderr.read() == "The pages have stopped.\n"


def test_server_says_what_keeps_it_from_listening(tmp_path: Path) -> None:
    site = WebSite(tmp_path)
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    for where, words in (
        (f"127.0.0.1:{port}", "in use"),
        ("nowhere", "HOST:PORT"),
        ("127.0.0.1:99999", "HOST:PORT"),
        ("192.0.2.1:80", "cannot listen on 192.0.2.1:80"),
    ):
        result = CliRunner().invoke(command, ["--listen", where], obj=site)
        assert isinstance(result.exception, UsageError)
        assert words in str(result.exception)
    taken.close()
