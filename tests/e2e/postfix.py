"""A Postfix of the test's own: configuration, queue, log and port in a temporary folder, mail into a Maildir.

It listens on 127.0.0.1 alone, looks nothing up and relays nowhere; whichever Postfix the machine itself runs
is left alone. The master process needs root, and the users that Debian's package makes.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks._servers import master_table
from tests.e2e.maildir import arrived

MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
syslog_name = digest-test
myhostname = relay.example.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8

# All addresses of these domains lie in one Maildir; Delivered-To and Return-Path tell the envelope.
virtual_mailbox_domains = {domains}
virtual_mailbox_base = {folder}
virtual_mailbox_maps = static:mail/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
alias_maps =
alias_database =

# Nothing leaves this machine and nobody is asked for a name.
default_transport = error:this relay keeps everything
relay_transport = error:this relay keeps everything
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access
    regexp:{{ {{ /^unknown/ 550 5.1.1 no such user }} {{ /^later/ 450 4.2.1 come back later }} }}
message_size_limit = 1000000
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
smtpd_tls_security_level = none
biff = no
"""


@dataclass(frozen=True)
class Postfix:
    """A running Postfix. `folder/mail` is the Maildir of everybody."""

    port: int
    folder: Path

    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def mail(self, count: int, *, within: float = 60.0) -> list[bytes]:
        """What was delivered; see `maildir.arrived`."""
        return arrived(self.folder / "mail", count, within, self.log)


def _command() -> str:
    found = shutil.which("postfix", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip("Postfix is not installed")
    if os.geteuid() != 0:
        pytest.skip("starting Postfix needs root")
    return found


@contextmanager
def running(*domains: str) -> Iterator[Postfix]:
    """Starts one that takes mail for these domains, and stops it at the end."""
    command = _command()
    # Not pytest's own folder: Postfix' users must be able to pass through.
    folder = Path(tempfile.mkdtemp(prefix="digest-postfix-"))
    try:
        folder.chmod(0o755)
        config = folder / "etc"
        nobody, owner = pwd.getpwnam("nobody"), pwd.getpwnam("postfix")
        for name in ("etc", "queue", "data", "mail"):
            (folder / name).mkdir(mode=0o755)
        os.chown(folder / "data", owner.pw_uid, owner.pw_gid)
        os.chown(folder / "mail", nobody.pw_uid, nobody.pw_gid)
        port = _free_port()
        facts = {"folder": folder, "domains": " ".join(domains), "uid": nobody.pw_uid, "gid": nobody.pw_gid}
        (config / "main.cf").write_text(MAIN.format(**facts))
        (config / "master.cf").write_text(master_table(port))
        postfix = Postfix(port, folder)
        _postfix(command, config, "start", postfix)
        try:
            _wait_until_it_listens(postfix)
            yield postfix
        finally:
            _postfix(command, config, "stop", postfix)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _postfix(command: str, config: Path, action: str, postfix: Postfix) -> None:
    # Nothing captured through pipes: the master would keep them open.
    with (postfix.folder / "said").open("a+b") as said:
        done = subprocess.run(
            [command, "-c", config, action], stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False,
            timeout=60,
        )  # fmt: skip
        said.seek(0)
        text = said.read().decode(errors="replace")
    assert done.returncode == 0, f"postfix {action}: {text}\n{postfix.log()}"


def _wait_until_it_listens(postfix: Postfix) -> None:
    until = time.monotonic() + 20
    while not _greets(postfix.port):
        if time.monotonic() > until:
            raise AssertionError(f"Postfix does not answer\n{postfix.log()}")
        time.sleep(0.05)


def _greets(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            greeted = connection.recv(4) == b"220 "
            connection.sendall(b"QUIT\r\n")
    except OSError:
        return False
    return greeted


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
