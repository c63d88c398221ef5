"""Relays as they are: they go away, limit, delay. Whatever they do, everybody has one copy in the end.

Each in the three ways of talking, since what a server ends is another thing in each: nothing, the next
envelope, or the texts of several copies.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from digest.model import DeliveryState
from digest.work.send import send
from tests import sending
from tests.fast_sink import MODES, Ways
from tests.sink import Sink

PEOPLE = 400
CONNECTIONS = 4

ways_of_talking = pytest.mark.parametrize("mode", MODES)


def sent_in_one_go(folder: Path, ways: Ways) -> sending.Edition:
    """Sends everything to such a server, in this process."""
    with (
        Sink(folder / "record", ways) as sink,
        sending.on_sqlite(folder, people=PEOPLE, port=sink.port, connections=CONNECTIONS) as edition,
    ):
        sent = send(edition.app, edition.app.editions.get("weekly"))
        assert sent.finished, sent.words
        assert edition.check(sink.received()) == 0
        return edition


@ways_of_talking
def test_a_server_that_ends_each_connection_after_some_messages(tmp_path: Path, mode: str) -> None:
    """As many relays do, with 421 to the next MAIL: no copy is in doubt, and none counts as refused."""
    sent_in_one_go(tmp_path, Ways(MODES[mode], messages_each=20))


@ways_of_talking
def test_a_server_that_takes_fewer_connections_than_we_want(tmp_path: Path, mode: str) -> None:
    sent_in_one_go(tmp_path, Ways(MODES[mode], connections=2))


@ways_of_talking
def test_a_server_that_thinks_long_about_one_domain(tmp_path: Path, mode: str) -> None:
    sent_in_one_go(tmp_path, Ways(MODES[mode], slow={"c.example.test": 0.05}))


@ways_of_talking
def test_a_server_that_lets_a_text_follow_a_refused_recipient(tmp_path: Path, mode: str) -> None:
    """RFC 2920 3.1: some say 354 where nobody is to get the text, and refuse it at its end."""
    sent_in_one_go(tmp_path, Ways(MODES[mode], lenient=True))


@ways_of_talking
@pytest.mark.parametrize("when", ["before", "behind"])
def test_a_server_that_is_killed_and_comes_back(tmp_path: Path, mode: str, when: str) -> None:
    """Three times in one edition: what it had taken and not answered is uncertain, and nothing more."""
    deaths = 3
    with (
        Sink(tmp_path / "record", Ways(MODES[mode])) as sink,
        sending.on_sqlite(tmp_path, people=PEOPLE, port=sink.port, connections=CONNECTIONS) as edition,
        reviving(sink, deaths, after=PEOPLE // (deaths + 1), when=when) as lives,
    ):
        edition.go_on()
        uncertain = edition.check(sink.received())
    assert lives == [1, 2, 3, 4]
    assert uncertain <= deaths * edition.capacity
    if when == "before":
        assert uncertain >= deaths


@contextmanager
def reviving(sink: Sink, deaths: int, *, after: int, when: str) -> Iterator[list[int]]:
    """Has the server killed so often, and starts it again a moment later; its lives so far."""
    lives, over = [1], threading.Event()

    def revive() -> None:
        while not over.wait(0.01):
            if not sink.alive:
                time.sleep(0.1)
                sink.stop()
                sink.start()
                lives.append(lives[-1] + 1)
                if len(lives) <= deaths:
                    sink.kill(0, after=after, when=when)

    sink.kill(0, after=after, when=when)
    thread = threading.Thread(target=revive)
    thread.start()
    try:
        yield lives
    finally:
        over.set()
        thread.join()


def test_a_server_that_is_away_is_waited_for(tmp_path: Path) -> None:
    """Not there at all, then there again: nothing is spent and nobody is in doubt."""
    with (
        Sink(tmp_path / "record", Ways(MODES["chunking"])) as sink,
        sending.on_sqlite(tmp_path, people=PEOPLE, port=sink.port, connections=CONNECTIONS) as edition,
    ):
        sink.stop()
        assert edition.send().wait(60) == 1
        assert not edition.counts()
        sink.start()
        edition.finish(tries=1)
        assert edition.check(sink.received()) == 0
        assert edition.counts()[DeliveryState.accepted] == len(sink.received())


@ways_of_talking
def test_a_second_server_takes_what_the_first_one_cannot_have(tmp_path: Path, mode: str) -> None:
    """What the first one may have taken when it died is never handed to the second."""
    with (
        Sink(tmp_path / "first", Ways(MODES[mode])) as first,
        Sink(tmp_path / "second", Ways(MODES[mode])) as second,
        sending.on_sqlite(tmp_path, people=PEOPLE, port=first.port, connections=CONNECTIONS) as edition,
    ):
        edition.environ |= {"DIGEST_FALLBACK__HOST": "127.0.0.1", "DIGEST_FALLBACK__PORT": str(second.port)}
        edition.renew()
        first.kill(0, after=PEOPLE // 3, when="before")
        edition.go_on()
        assert not first.alive
        assert sum(second.received().values()) > PEOPLE // 2
        assert 0 < edition.check(first.received() + second.received()) <= edition.capacity
