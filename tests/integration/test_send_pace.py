"""How an edition leaves where something holds it back: a canary, limits, a relay that restarts."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from digest.app import App
from digest.config import load
from digest.delivery import Progress, SendingStopped
from digest.errors import StoreError, TransportError
from digest.model import EditionState, Rate
from digest.store.leased import lease_name
from digest.store.tables import sending_minute
from digest.work.send import Sent, send
from subscribers import Entry
from tests.integration.test_send import NOW, PEOPLE, Office
from tests.smtp_server import Fault, SmtpServer

MINUTE = dt.timedelta(minutes=1)
CANARY = "editor@example.org"


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digest.work.leaving._RENEWED", 0.02)
    monkeypatch.setattr("digest.work.leaving.PATIENCE", (0.05, 0.05))


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


def with_canary(folder: Path, server: SmtpServer, wait: str = "10m") -> Office:
    """The last of the subscribers gets the first copy."""
    office = Office(
        folder,
        server,
        DIGEST_NEWSLETTER__WEEKLY__CANARY=CANARY,
        DIGEST_NEWSLETTER__WEEKLY__CANARY_WAIT=wait,
    )
    office.app.subscribers.import_confirmed(
        [Entry(CANARY, "Ed", row=1)], "weekly", source="test", basis="works here"
    )
    return office


def begun(office: Office, **options: object) -> Future[Sent]:
    """A run in a thread of its own."""
    pool = ThreadPoolExecutor(1)
    running = pool.submit(office.send, **options)
    pool.shutdown(wait=False)
    return running


def let_pass(office: Office, running: Future[Sent], time_: dt.timedelta) -> None:
    """Moves the clock in steps that are shorter than a lease; each is noticed before the next."""
    step = dt.timedelta(seconds=30)
    end = office.clock.now() + time_
    while office.clock.now() < end:
        office.clock.advance(step)
        now = office.clock.now()

        def noticed(now: dt.datetime = now) -> bool:
            lease = office.app.installation.lease(lease_name(office.edition.id))
            return running.done() or (lease is not None and lease.until > now + step)

        until(noticed)


# --- a canary -----------------------------------------------------------------------------------------


def test_a_canary_gets_the_first_copy_and_the_others_follow_after_the_wait(
    tmp_path: Path, server: SmtpServer
) -> None:
    office = with_canary(tmp_path, server)
    seen: list[Progress] = []
    running = begun(office, watch=seen.append)
    until(lambda: seen and seen[-1].waiting)
    assert server.addresses == [CANARY]
    assert "canary" in seen[-1].waiting
    assert 0 < seen[-1].resumes <= 600
    let_pass(office, running, 10 * MINUTE)
    assert running.result(20).finished
    assert len(server.addresses) == len(set(server.addresses)) == PEOPLE + 1


def test_an_edition_that_is_held_while_others_wait_for_the_canary_goes_no_further(
    tmp_path: Path, server: SmtpServer
) -> None:
    office = with_canary(tmp_path, server)
    running = begun(office)
    until(lambda: server.addresses)
    until(lambda: office.counts().get("accepted"))
    office.app.editions.pause(office.edition.id, "a wrong picture", at=NOW, by="ed")
    with pytest.raises(SendingStopped, match="a wrong picture"):
        running.result(20)
    assert server.addresses == [CANARY]
    assert office.counts() == {"accepted": 1, "queued": PEOPLE}


def test_the_wait_counts_from_the_first_copy_also_in_a_later_run(tmp_path: Path, server: SmtpServer) -> None:
    office = with_canary(tmp_path, server)
    stop = threading.Event()
    running = begun(office, stop=stop)
    until(lambda: office.counts().get("accepted"))
    stop.set()
    assert running.result(20).interrupted
    office.clock.advance(9 * MINUTE)
    resumed = begun(office, resume=True)
    let_pass(office, resumed, MINUTE)
    assert resumed.result(20).finished
    assert len(server.addresses) == PEOPLE + 1


def test_a_canary_that_nobody_takes_pauses_the_edition(tmp_path: Path, server: SmtpServer) -> None:
    office = with_canary(tmp_path, server)
    server.faults.append(Fault("rcpt", who=CANARY, reply=b"550 5.1.1 no such user"))
    with pytest.raises(SendingStopped, match="canary"):
        office.send()
    assert "canary" in office.now().paused
    assert server.addresses == []


def test_a_canary_who_is_no_subscriber_keeps_nobody_waiting(tmp_path: Path, server: SmtpServer) -> None:
    office = Office(tmp_path, server, DIGEST_NEWSLETTER__WEEKLY__CANARY="stranger@example.org")
    said: list[str] = []
    assert office.send(warn=said.append).finished
    assert len(server.addresses) == PEOPLE
    assert said == ["Warning: nobody of newsletter.weekly.canary gets weekly; all copies leave at once."]


# --- limits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["per_hour", "growth"])
def test_a_limit_an_hour_holds_over_restarts_and_loses_nobody(
    limit: str, tmp_path: Path, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    if limit == "growth":
        monkeypatch.setattr("digest.work.pace.Pace.cap", lambda *_: Rate(5, 3600))
        office = Office(tmp_path, server)
    else:
        office = Office(tmp_path, server, DIGEST_SENDING__PER_HOUR="5")
    stop, seen = threading.Event(), list[Progress]()
    running = begun(office, stop=stop, watch=seen.append)
    until(lambda: seen and seen[-1].waiting)
    assert "[sending]" in seen[-1].waiting
    assert seen[-1].resumes > 3000
    stop.set()
    assert running.result(20).interrupted
    assert office.counts() == {"accepted": 5, "queued": PEOPLE - 5}
    again = App(load(office.config, office.environ), office.clock)  # another process
    stop.clear()
    seen.clear()
    pool = ThreadPoolExecutor(1)
    resumed = pool.submit(send, again, office.edition, resume=True, stop=stop, watch=seen.append)
    until(lambda: seen and seen[-1].waiting)
    assert len(server.addresses) == 5
    stop.set()
    assert resumed.result(20).interrupted
    pool.shutdown()


def test_what_another_process_offers_meanwhile_counts(
    tmp_path: Path, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.work.pace.LOOK", 0.02)
    office = Office(tmp_path, server, DIGEST_SENDING__PER_HOUR="8", DIGEST_SMTP__CONNECTIONS="1")
    texts = []

    def offered_elsewhere() -> None:
        texts.append(1)
        if len(texts) == 3:
            minute = int(NOW.timestamp()) // 60 + 1  # our own stand under the minute of the clock
            values = {"minute": minute, "edition": office.edition.id, "offered": 3}
            with office.app.database.write() as connection:
                connection.execute(sending_minute.insert().values(**values))
            time.sleep(0.5)  # it is seen before the next copy

    server.faults.append(Fault("dot", hook=offered_elsewhere, times=-1))
    stop, seen = threading.Event(), list[Progress]()
    running = begun(office, stop=stop, watch=seen.append)
    until(lambda: seen and seen[-1].waiting)
    stop.set()
    assert running.result(20).interrupted
    assert len(server.addresses) == 8 - 3


def test_a_run_goes_on_while_the_look_at_others_fails(
    tmp_path: Path, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.work.pace.LOOK", 0.001)
    office, asked = Office(tmp_path, server, DIGEST_SENDING__PER_DAY="1000"), []

    def fails(*_: object) -> int:
        asked.append(1)
        raise StoreError("busy")

    monkeypatch.setattr("digest.store.ledger.SqlLedger.offered_since", fails)
    server.faults.append(Fault("dot", delay=0.05, times=3))
    assert office.send().finished
    assert len(asked) > 1


def test_a_domain_with_a_rate_holds_up_nobody_else(tmp_path: Path, server: SmtpServer) -> None:
    office = Office(tmp_path, server, DIGEST_SENDING__DOMAINS="example.net 1/h")
    stop, seen = threading.Event(), list[Progress]()
    office.app.subscribers.import_confirmed(
        [Entry(f"r{n}@example.net", "", row=n) for n in range(1, 6)], "weekly", source="t", basis="t"
    )
    running = begun(office, stop=stop, watch=seen.append)
    until(lambda: seen and seen[-1].waiting)
    stop.set()
    assert running.result(20).interrupted
    there = [address for address in server.addresses if address.endswith("@example.net")]
    assert len(there) == 1
    assert office.counts()["queued"] == 4


def test_the_forecast_is_told_before_approval(tmp_path: Path, server: SmtpServer) -> None:
    office = Office(tmp_path, server, DIGEST_SENDING__PER_DAY="10")
    ran = office.command("edition", "approve", "weekly")
    assert f"{PEOPLE} copies: " in ran.stderr
    assert f"Exceeds the relay's 10 a day by {PEOPLE - 10}" in ran.stderr
    listed = json.loads(office.command("edition", "forecast", "weekly", "--json").stdout)
    assert listed["recipients"] == PEOPLE
    assert [notice["about"] for notice in listed["notices"]] == ["speed", "limit", "late"]


def test_growth_is_measured_against_the_last_edition(tmp_path: Path, server: SmtpServer) -> None:
    office = Office(tmp_path, server)
    pace = office.app.pace
    assert pace.cap(office.now(), 0.5) is None  # the first one
    assert office.send().finished
    later = office.now()
    assert pace.last(later) is None
    (older,) = office.app.editions.list_("weekly", limit=5)
    assert older.state is EditionState.finished


# --- a relay that restarts ----------------------------------------------------------------------------


def test_a_relay_that_restarts_in_the_middle_is_waited_for(tmp_path: Path, server: SmtpServer) -> None:
    office = Office(tmp_path, server)
    server.faults.append(Fault("dot", hook=lambda: server.faults.extend(_away(2))))
    warned: list[str] = []
    assert office.send(warn=warned.append).finished
    assert len(server.addresses) == len(set(server.addresses)) == PEOPLE
    assert any("trying again in" in line for line in warned)


def test_a_relay_that_stays_away_ends_the_run_with_the_way_on(tmp_path: Path, server: SmtpServer) -> None:
    office = Office(tmp_path, server)
    server.faults.append(Fault("dot", hook=lambda: server.faults.extend(_away(1000))))
    with pytest.raises(TransportError) as caught:
        office.send()
    assert "--resume" in caught.value.hint
    assert office.now().paused == ""
    assert office.counts()["queued"] == PEOPLE - len(server.addresses)


def test_mail_that_leaves_through_the_second_server_is_told(tmp_path: Path, server: SmtpServer) -> None:
    with SmtpServer() as spare:
        office = Office(
            tmp_path,
            server,
            DIGEST_FALLBACK__HOST="127.0.0.1",
            DIGEST_FALLBACK__PORT=str(spare.port),
        )
        server.stop()
        warned: list[str] = []
        assert office.send(warn=warned.append).finished
    assert len(spare.addresses) == PEOPLE
    expected = (
        f"The mail server 127.0.0.1:{server.port} cannot be used: "
        f"mail leaves through the second one, 127.0.0.1:{spare.port}."
    )
    assert [line for line in warned if "second one" in line] == [expected]
    assert any("second one" in alert.message for alert in office.app.installation.untold())


def _away(connections: int) -> list[Fault]:
    """After each answer the server hangs up, and greets nobody for so many connections."""
    return [
        Fault("rset", reply=b"421 4.3.2 going away", then="close", times=-1),
        Fault("mail", reply=b"421 4.3.2 going away", then="close", times=4),
        Fault("greeting", reply=b"421 4.3.2 not now", then="close", times=connections),
    ]
