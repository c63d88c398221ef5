"""The other side of the benchmarks: the sink, a line with a round-trip time, a Postfix that forgets all mail.

Each is a context manager that starts it on 127.0.0.1 and ends it. Nothing leaves this machine.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from benchmarks._tools import FOLDER, Missing, compiled, postfix_tool


@dataclass
class Sink:
    """A running sink. `counts` is filled when it has ended."""

    port: int
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def messages(self) -> int:
        return self.counts["messages"]


@contextmanager
def sink(*switches: str, tls: tuple[Path, Path] | None = None) -> Iterator[Sink]:
    """benchmarks/sink.c; `tls` is a certificate and its key, for STARTTLS. Raises `Missing`."""
    program = compiled("sink", tls=tls is not None)
    secure = [] if tls is None else ["-t", str(tls[0]), "-k", str(tls[1])]
    with _listening([str(program), *switches, *secure]) as (process, port):
        running = Sink(port)
        yield running
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        running.counts = json.loads(process.stdout.readline())


@contextmanager
def delayed(port: int, round_trip: float) -> Iterator[int]:
    """A port that leads to `port` with a round-trip time in milliseconds; 0: that port itself."""
    if not round_trip:
        yield port
        return
    command = [str(compiled("delay")), str(port), str(round(round_trip / 2 * 1000))]
    with _listening(command) as (_, near):
        yield near


@contextmanager
def _listening(command: list[str]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that says "port N" when it is ready."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline().split()
            if len(said) != 2:
                raise Missing(f"{command[0]} does not start")
            yield process, int(said[1])
        finally:
            process.terminate()


def certificate() -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key (P-256), made for this run."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = FOLDER / "sink.pem", FOLDER / "sink.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths


MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = /dev/null
maillog_file_prefixes = /dev
syslog_name = digest-bench
myhostname = relay.example.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
smtpd_tls_security_level = none
smtpd_client_connection_count_limit = 0
alias_maps =
alias_database =
biff = no
# Whatever it takes it throws away; nobody is asked for a name.
default_transport = discard:benchmark
relay_transport = discard:benchmark
transport_maps = static:discard:benchmark
smtp_dns_support_level = disabled
"""

_MASTER = """\
127.0.0.1:{port} inet n - n - {most} smtpd
pickup    unix  n  -  n  60   1  pickup
cleanup   unix  n  -  n  -    0  cleanup
qmgr      unix  n  -  n  300  1  qmgr
rewrite   unix  -  -  n  -    -  trivial-rewrite
bounce    unix  -  -  n  -    0  {bounce}
defer     unix  -  -  n  -    0  bounce
trace     unix  -  -  n  -    0  bounce
verify    unix  -  -  n  -    1  verify
flush     unix  n  -  n  1000 0  flush
proxymap  unix  -  -  n  -    -  proxymap
showq     unix  n  -  n  -    -  showq
error     unix  -  -  n  -    -  error
retry     unix  -  -  n  -    -  error
discard   unix  -  -  n  -    -  discard
virtual   unix  -  n  n  -    -  virtual
anvil     unix  -  -  n  -    1  anvil
postlog   unix-dgram n  -  n  -  1  postlogd
"""


def master_table(port: int, *, most: str = "-", bounce: str = "bounce") -> str:
    """master.cf (see master(5)) of a Postfix of our own, for tests, too, that listens on 127.0.0.1 alone.

    `most`: so many connections at once; `bounce`: the program that gets what cannot be delivered.
    """
    return _MASTER.format(port=port, most=most, bounce=bounce)


@dataclass(frozen=True)
class Postfix:
    """A running Postfix of the benchmark's own."""

    port: int
    folder: Path

    def rest(self) -> None:
        """Waits until it has thrown away all that it took: its work must not count for the next client."""
        until = time.monotonic() + 120
        queues = [self.folder / "queue" / name for name in ("maildrop", "incoming", "active")]
        while any(path.is_file() for queue in queues for path in queue.rglob("*")):
            if time.monotonic() > until:
                raise Missing("Postfix does not come to the end of its queue")
            time.sleep(0.1)


@contextmanager
def postfix() -> Iterator[Postfix]:
    """Configuration, queue and port in a temporary folder; the machine's own Postfix is left alone.

    Raises `Missing`: it needs Postfix, and root to start its master process.
    """
    command = postfix_tool("postfix")
    if os.geteuid() != 0:
        raise Missing("starting a Postfix needs root")
    folder = Path(tempfile.mkdtemp(prefix="digest-bench-postfix-"))
    try:
        folder.chmod(0o755)  # its users must be able to pass through
        for name in ("etc", "queue", "data"):
            (folder / name).mkdir(mode=0o755)
        os.chown(folder / "data", pwd.getpwnam("postfix").pw_uid, pwd.getpwnam("postfix").pw_gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        (folder / "etc" / "main.cf").write_text(MAIN.format(folder=folder))
        (folder / "etc" / "master.cf").write_text(master_table(port, most="50", bounce="discard"))
        _postfix(command, folder, "start")
        try:
            _wait_for(port)
            yield Postfix(port, folder)
        finally:
            _postfix(command, folder, "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _postfix(command: str, folder: Path, action: str) -> None:
    with (folder / "said").open("ab") as said:  # a pipe would stay open in the master
        done = subprocess.run(
            [command, "-c", folder / "etc", action], stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            check=False, timeout=60,
        )  # fmt: skip
    if done.returncode:
        raise Missing(f"postfix {action}: {(folder / 'said').read_text(errors='replace').strip()}")


def _wait_for(port: int) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                if connection.recv(4) == b"220 ":
                    connection.sendall(b"QUIT\r\n")
                    return
        except OSError:
            pass
        if time.monotonic() > until:
            raise Missing("the Postfix of the benchmark does not answer")
        time.sleep(0.05)
