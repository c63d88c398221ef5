"""An rspamd of the test's own: one worker on 127.0.0.1 that asks our name server and nobody else."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

CONFIG = """\
options {{
  pidfile = "{folder}/pid";
  control_socket = "{folder}/control mode=0600";
  url_tld = "{folder}/endings";
  tempdir = "{folder}";
  hs_cache_dir = "{folder}/";
  cache_file = "{folder}/cache";
  filters = "dkim";
  local_addrs = [];
  disable_hyperscan = true;
  dns {{ nameserver = ["127.0.0.1:{dns}"]; timeout = 2s; retransmits = 2; sockets = 1; }}
}}
logging {{ type = "file"; filename = "{folder}/log"; level = "info"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
actions {{ reject = 15; }}
lua = "/usr/share/rspamd/rules/rspamd.lua"
modules {{ path = "/usr/share/rspamd/plugins/"; }}
dkim {{ }}
spf {{ }}
dmarc {{ }}
"""


@dataclass(frozen=True)
class Rspamd:
    """A running rspamd."""

    port: int
    folder: Path

    def symbols(self, content: bytes, *, ip: str, mail_from: str, rcpt_to: str) -> set[str]:
        """What it says of a message that came from there."""
        headers = {"IP": ip, "Helo": "relay.example.org", "From": mail_from, "Rcpt": rcpt_to}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/checkv2", content, headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return set(json.load(response)["symbols"])

    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(encoding="utf-8", errors="replace")[-5000:] if path.exists() else ""


@contextmanager
def running(dns: int) -> Iterator[Rspamd]:
    """Starts one that asks the name server at this port, and stops it at the end."""
    command = shutil.which("rspamd")
    if command is None:
        pytest.skip("rspamd is not installed")
    folder = Path(tempfile.mkdtemp(prefix="digest-rspamd-"))
    try:
        port = _free_port()
        rspamd = Rspamd(port, folder)
        (folder / "rspamd.conf").write_text(CONFIG.format(folder=folder, dns=dns, port=port))
        # Of all the world's endings only ours: compiling them takes seconds.
        (folder / "endings").write_text("org\nnet\ncom\nexample\n")
        arguments = [command, "-f", "-c", str(folder / "rspamd.conf")]
        if os.geteuid() == 0:
            user = pwd.getpwnam("_rspamd")
            os.chown(folder, user.pw_uid, user.pw_gid)
            arguments += ["-u", "_rspamd", "-g", "_rspamd"]
        with (folder / "said").open("wb") as said:
            process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=folder
            )
        try:
            _wait_until_it_answers(rspamd, process)
            yield rspamd
        finally:
            process.terminate()
            process.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_it_answers(rspamd: Rspamd, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{rspamd.port}/ping", timeout=5) as response:
                if response.read().strip() == b"pong":
                    return
        except (urllib.error.URLError, OSError):
            pass
        if process.poll() is not None or time.monotonic() > until:
            said = (rspamd.folder / "said").read_text(errors="replace")
            raise AssertionError(f"rspamd does not answer\n{said}\n{rspamd.log()}")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
