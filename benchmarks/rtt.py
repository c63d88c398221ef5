"""How much of a long line does each client use: messages a second against the round-trip time.

The same messages, sink and clients as in `benchmarks.sending`, with `delay.c` between them: every octet
arrives half a round trip later, in both directions, with no limit of bandwidth. A client that waits for the
reply to each of MAIL, RCPT, DATA and the text sends one message in four round trips on each connection; one
that pipelines sends one in each round trip; with chunking `depth` of them. Each point is the median of
several runs; a slow client sends fewer messages, so that a run takes about two seconds.

    python -m benchmarks.rtt          the table at 20 ms, beside what the line allows
    python -m benchmarks.rtt --plot   all round-trip times, written to docs/pictures/sending-rtt.svg
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks._clients import (
    CONNECTIONS,
    MEMORY,
    Aiosmtplib,
    Client,
    Nodemailer,
    Ours,
    SmtpSource,
    chunking,
    pipelining,
)
from benchmarks._measured import Failed, bar, fsync_milliseconds
from benchmarks._newsroom import Newsroom, newsroom
from benchmarks._plot import Curve, drawn
from benchmarks._servers import delayed, sink
from benchmarks._tools import FOLDER, ROOT, Missing, compiled

PICTURE = ROOT / "docs" / "pictures" / "sending-rtt.svg"
ROUND_TRIPS = (0, 1, 5, 20, 50, 100)
AT = 20
MOST = 20_000
ROUNDS = 3
_SECONDS = 2.5


@dataclass(frozen=True)
class Line:
    """A client, what it is called in the plot, and how it meets a long line."""

    client: Client
    title: str
    messages_a_trip: float
    """On one connection."""
    fastest: float
    """Messages a second without a round trip, in rough figures: how many to send."""

    def messages(self, round_trip: float) -> int:
        rate = self.fastest
        if round_trip:
            rate = min(rate, CONNECTIONS * self.messages_a_trip / round_trip * 1000)
        # Not fewer than twenty on each connection: greeting and leave-taking must not count for much.
        return max(min(int(rate * _SECONDS), MOST), 20 * CONNECTIONS)


def lines(room: Newsroom) -> list[Line]:
    return [
        Line(Ours("chunking, depth 16", room, chunking(16)), "digest, chunking, depth 16", 16, 20_000),
        Line(Ours("chunking, depth 8", room, chunking(8)), "digest, chunking, depth 8", 8, 20_000),
        Line(Ours("pipelining", room, pipelining()), "digest, pipelining", 1, 20_000),
        Line(SmtpSource(), "smtp-source", 0.25, 15_000),
        Line(Nodemailer(), "nodemailer", 0.25, 600),
        Line(Aiosmtplib(), "aiosmtplib", 0.25, 900),
    ]


def without_disk(room: Newsroom) -> list[Line]:
    """Both depths again with the ledger in memory: what the engine leaves of the line by itself."""
    if not MEMORY.is_dir():
        return []
    return [
        Line(
            Ours(f"depth {depth}", room, chunking(depth), within=MEMORY),
            f"... {depth}, no disk",
            depth,
            20_000,
        )
        for depth in (16, 8)
    ]


def rates(clients: Sequence[Line], round_trip: float, rounds: int) -> dict[str, float]:
    """The median of each client; rounds alternate between the clients."""
    found: dict[str, list[float]] = {}
    broken: set[str] = set()
    for _ in range(rounds):
        for line in clients:
            if line.title in broken:
                continue
            messages = line.messages(round_trip)
            try:
                with sink() as server, delayed(server.port, round_trip) as port:
                    run = line.client.send(port, messages)
            except (Missing, Failed) as error:
                print(f"  left out: {line.title}: {error}", flush=True)
                broken.add(line.title)
                continue
            if server.messages != messages:
                print(f"  NOT {line.title}: the sink has {server.messages} of {messages} messages")
            found.setdefault(line.title, []).append(run.rate)
    return {title: statistics.median(each) for title, each in found.items()}


def at_one(room: Newsroom) -> None:
    """The table at 20 ms."""
    before = fsync_milliseconds()[0]
    medians = rates([*lines(room), *without_disk(room)], AT, ROUNDS)
    disk = (before + fsync_milliseconds()[0]) / 2
    allowed = CONNECTIONS / AT * 1000
    print(f"{AT} ms round trip, {CONNECTIONS} connections: {allowed:,.0f} round trips a second in all")
    print(f"{'':28} {'messages/s':>10}  {'a round trip':>12}")
    for title, rate in medians.items():
        print(f"{title:28} {rate:10,.0f}  {rate / allowed:12.2f}")
    print(
        f"      this disk keeps 4 kB (fsync) in {disk:.2f} ms; each copy of a full line waits one to two "
        f"times for that: of each figure with depth {AT / (AT + 1.5 * disk):.2f} are left"
    )
    pipelined, peer = medians.get("digest, pipelining"), medians.get("aiosmtplib")
    if pipelined:
        bar("pipelining, of connections / round trip", pipelined / allowed, 0.9, digits=2)
        if peer:
            bar("pipelining against aiosmtplib", pipelined / peer, 4, " x")
    for depth in (8, 16):
        in_memory = medians.get(f"... {depth}, no disk", 0)
        if chunked := medians.get(f"digest, chunking, depth {depth}"):
            share = chunked / allowed / depth
            bar(f"chunking, of {depth} x connections / round trip", share, 0.85, digits=2)
            if in_memory:
                bar("  the same without a disk", in_memory / allowed / depth, 0.85, digits=2)
            if peer and depth == 8:
                bar("chunking at depth 8 against aiosmtplib", chunked / peer, 25, " x")


def all_of_them(room: Newsroom) -> list[Curve]:
    found: dict[str, list[tuple[float, float]]] = {}
    for round_trip in ROUND_TRIPS:
        for title, rate in rates(lines(room), round_trip, ROUNDS).items():
            found.setdefault(title, []).append((round_trip, rate))
            print(f"{title:28} {round_trip:4} ms {rate:10,.0f} messages/s", flush=True)
    ours = {line.title for line in lines(room) if isinstance(line.client, Ours)}
    return [Curve(title, points, ours=title in ours) for title, points in found.items()]


def run(arguments: Sequence[str] = ()) -> None:
    try:
        for tool in ("sink", "delay"):
            compiled(tool)
    except Missing as error:
        print(error)
        return
    with newsroom(MOST) as room:
        if "--plot" not in arguments:
            at_one(room)
            return
        curves = all_of_them(room)
    (FOLDER / "rtt.json").write_text(json.dumps([[each.title, each.points, each.ours] for each in curves]))
    PICTURE.write_text(drawn(curves), encoding="utf-8")
    print(f"written: {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    run(sys.argv[1:])
