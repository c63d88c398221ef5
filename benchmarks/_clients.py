"""The clients that are compared, each as a thing that sends MESSAGES to a port and comes back measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchmarks._material import write_pieces
from benchmarks._measured import Measured, child, from_outside, python
from benchmarks._newsroom import Newsroom
from benchmarks._tools import FOLDER, aiosmtplib, nodemailer, postfix_tool

CONNECTIONS = 10
MEMORY = Path("/dev/shm")
"""A folder that is no disk, on Linux."""


class Client(Protocol):
    @property
    def label(self) -> str: ...

    def send(self, port: int, messages: int, ca_file: Path | None = None) -> Measured:
        """`ca_file`: begin with STARTTLS and trust that. Raises `Missing` or `Failed`."""
        ...


@dataclass(frozen=True)
class Ours:
    """`digest send` from a copy of `newsroom`, with settings beside those of config.toml."""

    label: str
    newsroom: Newsroom
    settings: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    """Signs with DKIM: "rsa" or "ed25519"."""
    within: Path = FOLDER
    """Where the ledger is; `MEMORY` to see what the disk takes."""

    def send(self, port: int, messages: int, ca_file: Path | None = None) -> Measured:
        with self.newsroom.copy(messages, key=self.key, within=self.within) as made:
            variables = {
                "DIGEST_SMTP__PORT": str(port),
                "DIGEST_SMTP__CONNECTIONS": str(CONNECTIONS),
                **made.variables,
                **self.settings,
            }
            if ca_file is not None:
                variables |= {"DIGEST_SMTP__TLS": "starttls", "DIGEST_SMTP__CA_FILE": str(ca_file)}
            return child(
                python("_ours", str(made.folder), str(made.edition), str(messages), json.dumps(variables))
            )


def pipelining() -> dict[str, str]:
    """One round trip a message."""
    return {"DIGEST_SMTP__CHUNKING": "false"}


def chunking(depth: int) -> dict[str, str]:
    """So many messages under way on each connection."""
    return {"DIGEST_SMTP__DEPTH": str(depth)}


@dataclass(frozen=True)
class Smtplib:
    """One connection for each of ten threads, or of ten processes."""

    kind: str

    @property
    def label(self) -> str:
        return f"smtplib, {CONNECTIONS} {self.kind}"

    def send(self, port: int, messages: int, ca_file: Path | None = None) -> Measured:
        return child(python("_peer_smtplib", self.kind, *_figures(port, messages, ca_file)))


@dataclass(frozen=True)
class Aiosmtplib:
    label: str = "aiosmtplib on uvloop"

    def send(self, port: int, messages: int, ca_file: Path | None = None) -> Measured:
        path = f"{Path.cwd()}:{aiosmtplib()}"
        return child(python("_peer_aiosmtplib", *_figures(port, messages, ca_file)), {"PYTHONPATH": path})


@dataclass(frozen=True)
class Nodemailer:
    label: str = "nodemailer pool"

    def send(self, port: int, messages: int, ca_file: Path | None = None) -> Measured:
        node, folder = nodemailer()
        pieces = FOLDER / "pieces.json"
        write_pieces(pieces)
        script = Path(__file__).with_name("_peer_nodemailer.mjs")
        secure = [str(ca_file)] if ca_file is not None else []
        figures = [str(port), str(messages), str(CONNECTIONS), str(pieces)]
        return child([node, str(script), str(folder), *figures, *secure])


@dataclass(frozen=True)
class SmtpSource:
    """Postfix' own load generator: C, one fixed text of 40 kB, no ledger. It has no TLS."""

    label: str = "smtp-source, fixed text"

    def send(self, port: int, messages: int, ca_file: Path | None = None) -> Measured:
        assert ca_file is None, "smtp-source has no TLS"
        command = [postfix_tool("smtp-source"), "-d", "-s", str(CONNECTIONS), "-m", str(messages),
                   "-l", "40000", "-f", "news@example.org", "-t", "reader@mail.example",
                   f"127.0.0.1:{port}"]  # fmt: skip
        return from_outside(command, messages)


def _figures(port: int, messages: int, ca_file: Path | None) -> list[str]:
    secure = [str(ca_file)] if ca_file is not None else []
    return [str(port), str(messages), str(CONNECTIONS), *secure]
