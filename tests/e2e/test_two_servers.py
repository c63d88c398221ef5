"""Both servers and the one that sends die with copies on their way: none is ever given to both servers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from digest.model import DeliveryState
from tests import sending
from tests.fast_sink import MODES, Ways
from tests.sink import Sink

State = DeliveryState
PEOPLE, CONNECTIONS = 600, 4
DOUBT = (State.offered, State.uncertain)


class Two:
    """An edition with two servers, each with its own record of what it took."""

    def __init__(self, edition: sending.Edition, first: Sink, second: Sink) -> None:
        self.edition, self.first, self.second = edition, first, second
        edition.environ |= {"DIGEST_FALLBACK__HOST": "127.0.0.1", "DIGEST_FALLBACK__PORT": str(second.port)}
        edition.renew()

    def check(self) -> dict[str, list[str]]:
        """Every copy in doubt names its server, and whatever a server took that is not known to be accepted
        is in doubt with this one; the addresses in doubt by server."""
        number = self.edition.app.editions.get("weekly").id
        rows = {row.address: row for row in self.edition.app.ledger.deliveries(number, str)}
        in_doubt: dict[str, list[str]] = {}
        for row in rows.values():
            if row.state in DOUBT:
                in_doubt.setdefault(row.server, []).append(row.address)
        names = {f"127.0.0.1:{sink.port}": sink for sink in (self.first, self.second)}
        assert set(in_doubt) <= set(names)
        for name, sink in names.items():
            for address in sink.received():
                row = rows[address]
                assert row.server == name
                assert row.state is State.accepted or row.state in DOUBT or row.state is State.deferred
        both = set(self.first.received()) & set(self.second.received())
        assert not both, f"given to both: {sorted(both)[:5]}"
        return in_doubt

    def resend(self) -> int:
        app = self.edition.app
        edition = app.editions.get("weekly")
        return app.ledger.resolve(edition.id, resend=True, now=app.clock.now(), actor="test")


@contextmanager
def two(folder: Path, where: str, mode: str) -> Iterator[Two]:
    make = sending.on_sqlite if where == "sqlite" else sending.on_postgresql
    with ExitStack() as stack:
        first = stack.enter_context(Sink(folder / "first", Ways(MODES[mode])))
        second = stack.enter_context(Sink(folder / "second", Ways(MODES[mode])))
        edition = stack.enter_context(make(folder, people=PEOPLE, port=first.port, connections=CONNECTIONS))
        yield Two(edition, first, second)


@pytest.mark.parametrize(
    ("where", "mode"),
    [
        ("sqlite", "sequential"),
        ("sqlite", "pipelining"),
        ("sqlite", "chunking"),
        pytest.param("postgresql", "chunking", marks=pytest.mark.postgres),
    ],
)
def test_whoever_dies_no_copy_is_given_to_both_servers(
    tmp_path: Path, where: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.work.bound.ASK_AGAIN", dt.timedelta(0))
    with two(tmp_path, where, mode) as room:
        edition, first, second = room.edition, room.first, room.second
        one, other = f"127.0.0.1:{first.port}", f"127.0.0.1:{second.port}"
        # The first server takes a text and dies before it answers; the sender goes on with the second one,
        # and is killed when that one has taken a text and not answered.
        first.kill(0, after=PEOPLE // 4, when="before")
        process = edition.send()
        second.kill(process.pid, after=PEOPLE // 4, when="before")
        assert sending.killed(process), edition.said()
        in_doubt = room.check()
        assert in_doubt[one]
        assert in_doubt[other]
        # Everything else leaves through the second server.
        edition.finish()
        assert {name: sorted(each) for name, each in room.check().items()} == {
            name: sorted(each) for name, each in in_doubt.items()
        }
        # Sent again while the first one is still away: only the second one's leave.
        assert room.resend() == sum(map(len, in_doubt.values()))
        before = len(second.received())
        assert not edition.send_here().finished
        assert edition.counts()[State.deferred] == len(in_doubt[one])
        assert set(second.received()) >= set(in_doubt[other])
        assert len(second.received()) <= before + len(in_doubt[other])
        room.check()
        # And killed in the middle of that, it is again in doubt with the same server.
        first.stop()
        first.start()
        process = edition.send()
        first.kill(process.pid, after=1, when="before")
        assert sending.killed(process), edition.said()
        assert set(room.check()) == {one}
        edition.finish()
        room.resend()
        edition.finish()
        room.check()
        assert edition.counts()[State.uncertain] == 0
        taken = first.received() + second.received()
        assert set(taken) == {address for address in edition.people if not address.startswith("unknown")}
