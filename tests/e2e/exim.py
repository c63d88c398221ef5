"""An Exim of the test's own, in the manner of `tests.e2e.postfix`: all that it takes lies in one Maildir.

The program is Debian's, not installed but unpacked by `.ci/fetch-exim .cache/exim` (Debian lets only one mail
server be installed); DIGEST_TEST_EXIM names another folder. It offers PIPELINING, CHUNKING and SMTPUTF8.
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

from tests.e2e.maildir import arrived

FOLDER = Path(
    os.environ.get("DIGEST_TEST_EXIM", Path(__file__).resolve().parents[2] / ".cache" / "exim")
).absolute()

CONFIG = """\
primary_hostname = exim.example.org
exim_path = {program}
spool_directory = {folder}/spool
log_file_path = {folder}/log-%s
pid_file_path = {folder}/pid
keep_environment = LD_LIBRARY_PATH : LD_PRELOAD : NSS_WRAPPER_PASSWD : NSS_WRAPPER_GROUP
add_environment = {environment}
deliver_drop_privilege
never_users =
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts =
smtp_accept_max = 50
smtp_accept_queue_per_connection = 0
message_size_limit = 1000000
acl_smtp_rcpt = recipient
acl_smtp_data = accept

begin acl
recipient:
  deny message = 5.1.1 no such user
       local_parts = ^unknown
  defer message = 4.2.1 come back later
       local_parts = ^later
  accept

begin routers
everybody:
  driver = accept
  transport = box

begin transports
box:
  driver = appendfile
  directory = {folder}/mail
  maildir_format
  envelope_to_add
  return_path_add
  user = {uid}
  group = {gid}
"""


@dataclass(frozen=True)
class Exim:
    """A running Exim. `folder/mail` is the Maildir of everybody."""

    port: int
    folder: Path

    def log(self) -> str:
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("log-*")))

    def mail(self, count: int, *, within: float = 60.0) -> list[bytes]:
        """What was delivered; see `maildir.arrived`."""
        return arrived(self.folder / "mail", count, within, self.log)


@contextmanager
def running() -> Iterator[Exim]:
    """Starts one that takes mail for everybody, and stops it at the end."""
    if not (FOLDER / "usr" / "sbin" / "exim4").exists():
        pytest.skip("Exim is not there; to have it for the tests alone: .ci/fetch-exim .cache/exim")
    # Not pytest's own folder: Exim gives up root's rights and must be able to pass through.
    folder = Path(tempfile.mkdtemp(prefix="digest-exim-"))
    try:
        folder.chmod(0o755)
        user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        # Beside its mail: it calls itself, and that user need not be able to reach the folder of the project.
        for part in ("usr/sbin", "usr/lib", "lib"):
            if (FOLDER / part).is_dir():
                shutil.copytree(FOLDER / part, folder / part, symlinks=True)
        program = folder / "usr" / "sbin" / "exim4"
        environment = _environment(folder, user)
        for name in ("spool", "mail"):
            (folder / name).mkdir(mode=0o755)
        if os.geteuid() == 0:
            for path in (folder, folder / "spool", folder / "mail"):
                os.chown(path, user.pw_uid, user.pw_gid)
        config = folder / "config"
        facts = {
            "folder": folder,
            "program": program,
            "uid": user.pw_uid,
            "gid": user.pw_gid,
            "environment": " : ".join(f"{key}={value}" for key, value in environment.items()),
        }
        config.write_text(CONFIG.format(**facts))
        exim = Exim(_free_port(), folder)
        with (folder / "said").open("wb") as said:
            process = subprocess.Popen(
                [program, "-C", config, "-bdf", "-oX", f"127.0.0.1.{exim.port}"],
                env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            )  # fmt: skip
        try:
            _wait_until_it_listens(exim, process)
            yield exim
        finally:
            process.terminate()
            process.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment(folder: Path, user: pwd.struct_passwd) -> dict[str, str]:
    """What makes it find its libraries, and the user that its package would have made."""
    kind = f"{os.uname().machine}-linux-gnu"
    (folder / "passwd").write_text(
        f"root:x:0:0::/:/bin/false\nDebian-exim:x:{user.pw_uid}:{user.pw_gid}::/:/bin/false\n"
    )
    (folder / "group").write_text(f"root:x:0:\nDebian-exim:x:{user.pw_gid}:\n")
    return {
        "LD_LIBRARY_PATH": f"{folder}/usr/lib/{kind}:{folder}/lib/{kind}",
        "LD_PRELOAD": f"{folder}/usr/lib/{kind}/libnss_wrapper.so",
        "NSS_WRAPPER_PASSWD": str(folder / "passwd"),
        "NSS_WRAPPER_GROUP": str(folder / "group"),
    }


def _wait_until_it_listens(exim: Exim, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            with socket.create_connection(("127.0.0.1", exim.port), timeout=5) as connection:
                if connection.recv(4) == b"220 ":
                    connection.sendall(b"QUIT\r\n")
                    return
        except OSError:
            pass
        said = (exim.folder / "said").read_text(errors="replace")
        assert process.poll() is None, f"Exim ended: {said}\n{exim.log()}"
        assert time.monotonic() < until, f"Exim does not answer: {said}\n{exim.log()}"
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
