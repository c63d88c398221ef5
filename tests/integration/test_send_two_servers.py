"""With a second server: a copy in doubt goes to none but the one that may have it, by itself or by hand."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Timer

import pytest
import sqlalchemy as sa

from digest.errors import StoreError
from digest.model import DeliveryState
from digest.store.leased import LeasedEdition
from digest.store.tables import delivery
from digest.work import alerts
from digest.work.bound import ASK_AGAIN
from digest.work.leaving import ANSWER_TIME
from digest.work.send import Sent, rests_until
from tests.integration.test_send import NOW, PEOPLE, Office
from tests.smtp_server import Fault, SmtpServer

State = DeliveryState
AWAY = Fault("greeting", reply=b"421 4.3.2 going away", then="close", times=-1)
LATER = ANSWER_TIME + dt.timedelta(minutes=1)


class Two:
    """An office with two servers."""

    def __init__(self, folder: Path, first: SmtpServer, second: SmtpServer, policy: str) -> None:
        self.first, self.second = first, second
        self.office = Office(
            folder,
            first,
            DIGEST_NEWSLETTER__WEEKLY__UNCERTAIN=policy,
            DIGEST_FALLBACK__HOST="127.0.0.1",
            DIGEST_FALLBACK__PORT=str(second.port),
            DIGEST_FALLBACK__CONNECTIONS="1",
            DIGEST_SMTP__CONNECTIONS="1",
            DIGEST_NEWSLETTER__WEEKLY__LATENESS="3h",
        )
        self.clock, self.app = self.office.clock, self.office.app
        self.warned: list[str] = []
        self.waits = alerts.waits(self.office.edition.name)

    def send(self, **options: object) -> Sent:
        return self.office.send(resume=True, warn=self.warned.append, **options)

    def counts(self) -> dict[str, int]:
        return self.office.counts()

    def doubt(self) -> str:
        """The first server takes one text, says nothing, and is away from then on; the address."""
        self.first.faults.append(
            Fault("dot", reply=b"", then="close", taken=True, hook=lambda: self.first.faults.append(AWAY))
        )
        self.send()
        return self.address("uncertain")

    def address(self, state: str) -> str:
        (row,) = self.listed(state)
        return str(row["address"])

    def listed(self, state: str) -> list[dict[str, object]]:
        ran = self.office.command("deliveries", "weekly", "--state", state, "--json")
        rows: list[dict[str, object]] = json.loads(ran.stdout)["deliveries"]
        return rows

    def alerts(self) -> dict[str, str]:
        return {each.key: each.message for each in self.app.installation.open_alerts()}

    def received(self, server: SmtpServer, address: str) -> int:
        return server.addresses.count(address)


@pytest.fixture
def servers() -> Iterator[tuple[SmtpServer, SmtpServer]]:
    with ExitStack() as stack:
        yield stack.enter_context(SmtpServer()), stack.enter_context(SmtpServer())


@pytest.fixture
def two(tmp_path: Path, servers: tuple[SmtpServer, SmtpServer]) -> Two:
    return Two(tmp_path, *servers, policy="resend")


@pytest.fixture
def held(tmp_path: Path, servers: tuple[SmtpServer, SmtpServer]) -> Two:
    return Two(tmp_path, *servers, policy="hold")


def test_the_second_server_takes_the_rest_and_not_the_copy_that_the_first_may_have(two: Two) -> None:
    address = two.doubt()
    assert two.counts()["accepted"] == PEOPLE - 1
    assert two.second.received
    assert address not in two.second.addresses
    (row,) = two.listed("uncertain")
    assert row["server"] == f"127.0.0.1:{two.first.port}"
    table = two.office.command("deliveries", "weekly", "--state", "uncertain").stdout
    assert "Server" in table
    assert f"127.0.0.1:{two.first.port}" in table


def test_it_is_sent_again_to_the_first_server_as_soon_as_that_one_is_back(two: Two) -> None:
    address = two.doubt()
    two.clock.advance(LATER)
    sent = two.send()
    assert two.counts() == {"accepted": PEOPLE - 1, "deferred": 1}
    assert sent.next_attempt == NOW + LATER + ASK_AGAIN
    assert rests_until(two.app, two.office.now()) == sent.next_attempt
    assert f"127.0.0.1:{two.first.port}, which may have it already" in two.warned[-1]
    assert f"1 copy for 127.0.0.1:{two.first.port}" in two.alerts()[two.waits]
    assert "going away" in str(two.listed("deferred")[0]["reply"])
    two.first.faults.clear()
    two.clock.advance(ASK_AGAIN)
    assert two.send().finished
    assert two.counts() == {"accepted": PEOPLE}
    assert (two.received(two.first, address), two.received(two.second, address)) == (2, 0)
    ids = {
        each.content.split(b"Message-ID: ")[1].split(b"\r\n")[0]
        for each in two.first.received
        if each.rcpt_to == address
    }
    assert len(ids) == 1
    assert two.waits not in two.alerts()


def test_a_copy_that_the_second_server_may_have_goes_to_it_also_when_the_first_is_in_use(two: Two) -> None:
    two.first.faults.append(AWAY)
    two.second.faults.append(Fault("dot", reply=b"", then="close", taken=True))
    two.send()
    address = two.address("uncertain")
    two.first.faults.clear()
    two.clock.advance(LATER)
    assert two.send().finished
    assert two.counts() == {"accepted": PEOPLE}
    assert (two.received(two.first, address), two.received(two.second, address)) == (0, 2)


def test_when_its_server_never_comes_back_it_is_in_doubt_again_and_the_edition_ends(two: Two) -> None:
    address = two.doubt()
    runs = 0
    for _ in range(40):
        two.clock.advance(dt.timedelta(minutes=11))
        sent = two.send()
        runs += 1
        if sent.finished:
            break
    assert two.counts() == {"accepted": PEOPLE - 1, "uncertain": 1}
    assert address not in two.second.addresses
    assert 15 < runs < 20  # every eleven minutes for three hours: it does not stand still
    assert two.waits not in two.alerts()


def test_a_decision_after_the_edition_is_stale_is_tried_once(held: Two) -> None:
    address = held.doubt()
    held.clock.advance(dt.timedelta(days=3))
    assert held.office.command("deliveries", "resolve", "weekly", "--resend").exit_code == 0
    assert held.send().finished
    assert held.counts() == {"accepted": PEOPLE - 1, "uncertain": 1}
    held.first.faults.clear()
    assert held.office.command("deliveries", "resolve", "weekly", "--resend").exit_code == 0
    assert held.send().finished
    assert held.counts() == {"accepted": PEOPLE}
    assert (held.received(held.first, address), held.received(held.second, address)) == (2, 0)


def test_what_a_server_may_have_that_is_not_configured_any_more_stays_in_doubt(two: Two) -> None:
    address = two.doubt()
    gone = f"127.0.0.1:{two.first.port}"
    two.app.settings.smtp.__dict__["port"] = two.second.port
    two.app.settings.fallback.__dict__["host"] = ""
    two.office.environ["DIGEST_SMTP__PORT"] = str(two.second.port)
    two.office.environ["DIGEST_FALLBACK__HOST"] = ""
    two.clock.advance(LATER)
    assert two.send().finished
    assert two.counts() == {"accepted": PEOPLE - 1, "uncertain": 1}
    ran = two.office.command("deliveries", "resolve", "weekly", "--resend")
    assert ran.exit_code == 3
    assert f"may be with {gone}, which is not configured any more" in ran.stderr
    assert "--any-server" in ran.stderr
    ran = two.office.command("deliveries", "resolve", "weekly", "--resend", "--any-server")
    assert ran.exit_code == 0, ran.stderr
    assert two.send().finished
    assert two.counts() == {"accepted": PEOPLE}
    assert two.received(two.second, address) == 1


def test_a_copy_of_which_nobody_noted_the_server_is_left_where_there_are_two(two: Two) -> None:
    """As all were that an older version had offered."""
    two.doubt()
    with two.app.database.write() as connection:
        connection.execute(sa.update(delivery).values(server=""))
    two.clock.advance(LATER)
    assert two.send().finished
    assert two.counts()["uncertain"] == 1
    ran = two.office.command("deliveries", "resolve", "weekly", "--resend")
    assert ran.exit_code == 3
    assert "of 1 nobody noted which server may have them" in ran.stderr
    two.office.environ["DIGEST_FALLBACK__HOST"] = ""
    assert two.office.command("deliveries", "resolve", "weekly", "--resend").exit_code == 0


def test_copies_of_a_known_server_are_sent_again_and_the_others_told(held: Two) -> None:
    held.doubt()
    with held.app.database.write() as connection:
        connection.execute(
            sa.update(delivery)
            .where(delivery.c.id == 2)
            .values(state="uncertain", pile="uncertain", server="x:1")
        )
    ran = held.office.command("deliveries", "resolve", "weekly", "--resend")
    assert ran.exit_code == 0
    assert "1 will be sent once more" in ran.stderr
    assert "1 may be with x:1, which is not configured any more: left as they are" in ran.stderr
    assert held.office.command("deliveries", "resolve", "weekly", "--skip", "--any-server").exit_code == 2


def test_a_server_that_is_taken_out_of_the_configuration_while_a_copy_waits_for_it(two: Two) -> None:
    address = two.doubt()
    two.clock.advance(LATER)
    two.send()
    two.app.settings.smtp.__dict__["port"] = two.second.port
    two.app.settings.fallback.__dict__["host"] = ""
    two.clock.advance(ASK_AGAIN)
    two.send()
    assert "not configured" in str(two.listed("deferred")[0]["reply"])
    assert address not in two.second.addresses


def test_a_run_that_is_stopped_while_it_waits_for_that_server_ends(two: Two) -> None:
    two.doubt()
    two.first.faults[:] = [
        Fault("greeting", reply=b"421 4.3.2 going away", then="close"),
        Fault("greeting", reply=b"", then="stall"),
    ]
    two.clock.advance(LATER)
    stop = Event()
    timer = Timer(1.0, stop.set)
    timer.start()
    sent = two.send(stop=stop)
    timer.join()
    assert sent.interrupted
    assert two.counts() == {"accepted": PEOPLE - 1, "queued": 1}


def test_the_lease_is_kept_while_that_server_is_waited_for(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digest.work.bound._RENEWED", 0.05)
    renewed = []
    real = LeasedEdition.renew

    def renew(leased: LeasedEdition) -> dt.datetime:
        renewed.append(leased.number)
        return real(leased)

    monkeypatch.setattr(LeasedEdition, "renew", renew)
    two.doubt()
    two.first.faults[:] = [
        Fault("greeting", reply=b"421 4.3.2 going away", then="close"),
        Fault("greeting", delay=0.5),
    ]
    two.clock.advance(LATER)
    before = len(renewed)
    assert two.send().finished
    assert len(renewed) > before + 3


def test_a_database_that_fails_meanwhile_ends_the_run(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    two.doubt()
    two.first.faults[:] = [Fault("greeting", reply=b"421 4.3.2 going away", then="close")]
    two.clock.advance(LATER)

    def full(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr("digest.work.first_few.FirstFew.claim", full)
    with pytest.raises(StoreError):
        two.send()
    assert two.counts() == {"accepted": PEOPLE - 1, "queued": 1}
