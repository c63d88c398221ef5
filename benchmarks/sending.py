"""How fast does an edition leave, with everything that keeps the ledger true, and beside others?

Work: messages of 40 kB with 65 slots each, every one to another reader, over 10 connections on loopback to
`sink.c`, which takes all and forgets it. Ours is the whole path of `digest send`: claim, compose, offer
(committed to the disk before the first octet), hand over, record, with SQLite in its "full" mode on the disk
under build/. The peers have no ledger: smtp-source sends one fixed text; smtplib and aiosmtplib send what the
product's own splice makes; nodemailer fills in and encodes each message itself.

Each client runs in a process of its own, all of them once in each of several rounds, one after the other,
so that a machine that is busy for a while is so for all. Printed are medians: messages a second,
microseconds of CPU of the client a message (threads and child processes included), and memory (of the parent
process where there are several). Fixing the audience and compiling, once for an edition, are told apart from
the cost of a message: it is counted from the first result on. One row has the ledger in memory, to show what
of the rate is the disk's. Clients that are slow send fewer messages, as the table says. Compare ratios; CPU
is the steadier figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks._clients import (
    CONNECTIONS,
    MEMORY,
    Aiosmtplib,
    Client,
    Nodemailer,
    Ours,
    Smtplib,
    SmtpSource,
    chunking,
    pipelining,
)
from benchmarks._measured import Failed, Measured, Median, bar, fsync_milliseconds
from benchmarks._newsroom import Newsroom, newsroom
from benchmarks._servers import certificate, postfix, sink
from benchmarks._tools import Missing, compiled

MESSAGES = 20_000
ROUNDS = 3
PIPELINED, CHUNKED = "digest send, pipelining", "digest send, chunking"
IN_MEMORY = "... and no disk"
RSA, ED25519 = "digest send, DKIM RSA-2048", "digest send, DKIM Ed25519"
SOURCE, AIO, NODE = SmtpSource().label, Aiosmtplib().label, Nodemailer().label
SMTPLIB = [Smtplib(kind).label for kind in ("threads", "processes")]


@dataclass(frozen=True)
class Entry:
    client: Client
    messages: int


def measured(
    entries: Sequence[Entry], rounds: int, tls: tuple[Path, Path] | None = None
) -> dict[str, Median]:
    """Every client once a round, each against a sink of its own. One that cannot run is told and left out."""
    runs: dict[str, list[Measured]] = {}
    broken: set[str] = set()
    for _ in range(rounds):
        for entry in entries:
            label = entry.client.label
            if label in broken:
                continue
            try:
                with sink(tls=tls) as server:
                    run = entry.client.send(server.port, entry.messages, None if tls is None else tls[0])
            except (Missing, Failed) as error:
                broken.add(label)
                print(f"  left out: {label}: {error}", flush=True)
                continue
            if server.messages != entry.messages:
                print(f"  NOT {label}: the sink has {server.messages} of {entry.messages} messages")
            runs.setdefault(label, []).append(run)
    return {label: Median(found) for label, found in runs.items()}


def table(results: Mapping[str, Median], title: str = "") -> None:
    print(f"{title:32} {'messages':>8} {'a second':>9} {'us CPU each':>12} {'peak MB':>8} {'above idle':>10}")
    for label, found in results.items():
        above = f"{found.above / 1e6:10,.0f}" if found.above else " " * 10
        print(
            f"{label:32} {found.messages:8,} {found.rate:9,.0f} {found.each:12,.0f} "
            f"{found.peak / 1e6:8,.0f} {above}"
        )


def plain(room: Newsroom) -> dict[str, Median]:
    entries = [
        Entry(Ours(PIPELINED, room, pipelining()), MESSAGES),
        Entry(Ours(CHUNKED, room, chunking(8)), MESSAGES),
        *([Entry(Ours(IN_MEMORY, room, within=MEMORY), MESSAGES)] if MEMORY.is_dir() else []),
        Entry(Ours(RSA, room, pipelining(), key="rsa"), 5_000),
        Entry(Ours(ED25519, room, pipelining(), key="ed25519"), 10_000),
        Entry(SmtpSource(), MESSAGES),
        *(Entry(Smtplib(kind), 6_000) for kind in ("threads", "processes")),
        Entry(Aiosmtplib(), 3_000),
        Entry(Nodemailer(), 2_000),
    ]
    return measured(entries, ROUNDS)


def judge_plain(found: Mapping[str, Median]) -> None:
    """The bars of the project, each with what was measured in this run."""
    ours = found.get(PIPELINED)
    if ours is None:
        return
    smtplib = min((label for label in SMTPLIB if label in found), key=lambda label: found[label].each)
    # Chunking is what such a server is spoken to with unless it is switched off.
    for way, label in (("", CHUNKED), (", pipelining", PIPELINED)):
        if label not in found:
            continue
        each = found[label].each
        bar(f"CPU a message, whole path{way}", each, 60, " us", most=True)
        for peer, limit in ((AIO, 17.0), (NODE, 35.0), (smtplib, 6.0)):
            if peer in found:
                bar(f"messages a CPU second against {peer}{way}", found[peer].each / each, limit, " x")
    if SOURCE in found:
        bar("rate against smtp-source", ours.rate / found[SOURCE].rate * 100, 70, " %", digits=0)
    if CHUNKED in found:
        bar("rate of chunking against pipelining", found[CHUNKED].rate / ours.rate, 1, " x", digits=2)
    if RSA in found:
        bar("CPU a message, DKIM RSA-2048", found[RSA].each, 450, " us", most=True)
    print(
        f"      fixing the audience and compiling, once: {ours.before:.2f} s of CPU for {MESSAGES:,} readers"
    )


def secure(room: Newsroom) -> None:
    """TLS 1.3 by STARTTLS, certificates checked; the sink decrypts with OpenSSL."""
    try:
        compiled("sink", tls=True)
    except Missing as error:
        print(f"  left out: TLS: {error}")
        return
    ours = Ours("digest send, TLS 1.3", room, pipelining())
    entries = [
        Entry(ours, MESSAGES),
        *(Entry(Smtplib(kind), 6_000) for kind in ("threads", "processes")),
        Entry(Aiosmtplib(), 3_000),
        Entry(Nodemailer(), 2_000),
    ]
    found = measured(entries, ROUNDS, certificate())
    table(found, "TLS 1.3")
    if ours.label in found:
        for label, peer in found.items():
            if label != ours.label:
                bar(f"messages a CPU second against {label}", peer.each / found[ours.label].each, 1, " x")


def ledgers(room: Newsroom) -> None:
    """SQLite against PostgreSQL, which is on this machine, too; its server's own CPU is not counted."""
    try:
        with newsroom(MESSAGES, postgres=True) as other:
            entries = [
                Entry(Ours("digest send, SQLite", room), MESSAGES),
                Entry(Ours("digest send, PostgreSQL", other), MESSAGES),
            ]
            found = measured(entries, ROUNDS)
    except Missing as error:
        print(f"  left out: {error}")
        return
    table(found, "ledger")
    if len(found) == 2:
        sqlite, postgres = found.values()
        bar("PostgreSQL, more a message", postgres.each - sqlite.each, 30, " us", most=True)


def real_server(room: Newsroom, messages: int = 3_000) -> None:
    """A Postfix that writes each message into its queue and then throws it away."""
    entries = [Entry(Ours("digest send", room), messages), Entry(SmtpSource(), messages)]
    runs: dict[str, list[Measured]] = {}
    try:
        with postfix() as server:
            for _ in range(ROUNDS):
                for entry in entries:
                    runs.setdefault(entry.client.label, []).append(entry.client.send(server.port, messages))
                    server.rest()
    except (Missing, Failed) as error:
        print(f"  left out: Postfix: {error}")
        return
    found = {label: Median(each) for label, each in runs.items()}
    table(found, "to a real Postfix")
    ours, source = found.values()
    bar("rate against smtp-source", ours.rate / source.rate * 100, 85, " %", digits=0)


def run() -> None:
    try:
        compiled("sink")
    except Missing as error:
        print(error)
        return
    median, most = fsync_milliseconds()
    print(
        f"{CONNECTIONS} connections; this disk keeps 4 kB (fsync) in {median:.2f} ms, "
        f"95 of 100 in at most {most:.2f} ms"
    )
    with ExitStack() as stack:
        room = stack.enter_context(newsroom(MESSAGES))
        found = plain(room)
        table(found, "no TLS")
        judge_plain(found)
        secure(room)
        ledgers(room)
        real_server(room)


if __name__ == "__main__":
    run()
