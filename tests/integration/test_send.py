"""An approved edition leaves: the use case and its commands, over a real store and a real server."""

from __future__ import annotations

import datetime as dt
import functools
import json
import socket
import threading
import time
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from digest.cli import command
from digest.delivery import Engine, Limits
from digest.errors import DigestError, EditionError, Interrupted, NothingToDo, StoreError, TransportError
from digest.model import DeliveryState, Edition, EditionState
from digest.store.leased import LeasedEdition
from digest.store.tables import delivery, event, lease
from digest.tokens import Purpose, verify
from digest.work import build
from digest.work.guard import check_public_url
from digest.work.identity import gone, identity
from digest.work.leaving import ANSWER_TIME
from digest.work.send import Sent, send
from digest.work.trial import send_test
from tests.newsroom import WEEK_END, newsroom
from tests.smtp_server import Fault, SmtpServer

State = DeliveryState
PEOPLE = 12
NOW = WEEK_END + dt.timedelta(hours=33)


class Office:
    """An installation with an approved edition and a relay."""

    def __init__(self, folder: Path, server: SmtpServer, *, people: int = PEOPLE, **environ: str) -> None:
        self.server = server
        self.environ = {
            "DIGEST_SMTP__PORT": str(server.port),
            "DIGEST_SMTP__TIMEOUT": "5",
            "DIGEST_SMTP__CONNECTIONS": "2",
            "DIGEST_SMTP__DEPTH": "1",  # one copy in flight on each, so that a fault meets one
            **environ,
        }
        self.app, self.clock = newsroom(folder, now=NOW, people=people, environ=self.environ)
        self.config = folder / "news" / "config.toml"
        period = build.period_at(self.app, "weekly", NOW)
        made = build.build(self.app, "weekly", period, by="test")
        self.edition = build.approve(self.app, made, by="test")

    def send(self, **options: object) -> Sent:
        return send(self.app, self.edition, **options)  # type: ignore[arg-type]

    def now(self) -> Edition:
        return self.app.editions.get(self.edition.id)

    def counts(self) -> dict[str, int]:
        return {state.value: n for state, n in self.app.ledger.counts(self.edition.id).items() if n}

    def addresses(self) -> list[str]:
        with self.app.database.read() as connection:
            return list(connection.execute(sa.select(delivery.c.address).order_by(delivery.c.id)).scalars())

    def command(self, *arguments: str) -> Result:
        runner = CliRunner()
        return runner.invoke(command, ["--config", str(self.config), *arguments], env=self.environ)


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def office(tmp_path: Path, server: SmtpServer) -> Office:
    return Office(tmp_path, server)


# --- all is well --------------------------------------------------------------------------------------


def test_every_subscriber_gets_one_copy_and_the_edition_is_finished(office: Office) -> None:
    sent = office.send()
    assert sent.counts[State.accepted] == PEOPLE
    assert sorted(office.server.addresses) == sorted(office.addresses())
    assert office.now().state is EditionState.finished
    assert (sent.finished, sent.interrupted, sent.next_attempt) == (True, False, None)
    assert f"{PEOPLE} accepted" in sent.words


def test_each_copy_carries_tokens_of_its_own_that_verify(office: Office) -> None:
    office.send()
    with office.app.database.read() as connection:
        rows = {row.address: row for row in connection.execute(sa.select(delivery))}
    for received in office.server.received:
        row = rows[received.rcpt_to]
        bounce = received.mail_from.removeprefix("bounce+").partition("@")[0]
        assert verify(office.app.keys, Purpose.bounce, bounce) == row.id
        leave = received.content.split(b"/u/")[1].split(b">")[0].decode()
        assert verify(office.app.keys, Purpose.leave, leave) == row.subscription


def test_the_restored_backup_guard_counts_each_sending(office: Office) -> None:
    before = office.app.installation.generation
    office.send()
    assert office.app.installation.generation > before


def test_a_reader_who_left_after_the_build_gets_nothing(office: Office) -> None:
    office.app.subscribers.leave(1, source="test")
    assert office.send().counts[State.accepted] == PEOPLE - 1


def test_an_edition_without_subscribers_is_finished_at_once(tmp_path: Path, server: SmtpServer) -> None:
    sent = Office(tmp_path, server, people=0).send()
    assert (sent.finished, sent.words.partition(",")[0]) == (True, "nobody to send to")


def test_the_trail_tells_each_step(office: Office) -> None:
    office.send()
    with office.app.database.read() as connection:
        actions = list(connection.execute(sa.select(event.c.action).order_by(event.c.id)).scalars())
    assert actions[-3:] == ["fanning", "sending", "finished"]


# --- it may not leave ---------------------------------------------------------------------------------


def test_a_draft_is_refused_with_what_to_run(tmp_path: Path, server: SmtpServer) -> None:
    app, _ = newsroom(tmp_path, now=NOW, people=1, environ={"DIGEST_SMTP__PORT": str(server.port)})
    made = build.build(app, "weekly", build.period_at(app, "weekly", NOW), by="test")
    with pytest.raises(EditionError) as caught:
        send(app, made)
    assert f"digest edition approve {made.name}" in caught.value.hint
    assert server.connections == 0


def test_a_held_edition_says_why_and_the_way_out(office: Office) -> None:
    office.app.editions.hold(office.edition.id, "wrong picture", at=NOW, by="ed")
    with pytest.raises(NothingToDo, match="wrong picture") as caught:
        office.send()
    assert "digest edition release" in caught.value.hint


def test_a_finished_edition_is_not_sent_again(office: Office) -> None:
    office.send()
    with pytest.raises(NothingToDo, match="was sent"):
        office.send(resume=True)
    assert len(office.server.received) == PEOPLE


def test_an_edition_that_is_leaving_needs_resume(office: Office) -> None:
    office.app.editions.transition(
        office.edition.id, {EditionState.approved}, EditionState.fanning, at=NOW, by="x"
    )
    with pytest.raises(EditionError) as caught:
        office.send()
    assert "--resume" in caught.value.hint
    assert office.send(resume=True).finished


def test_content_that_is_not_as_it_was_approved_does_not_leave(office: Office) -> None:
    with office.app.database.write() as connection:
        connection.exec_driver_sql("UPDATE variant SET html = html || '<p>More</p>'")
    with pytest.raises(EditionError, match="not as it was approved"):
        office.send()
    assert office.server.connections == 0


def test_a_second_process_is_kept_out(office: Office) -> None:
    with office.app.database.write() as connection:
        connection.execute(
            lease.insert(),
            {
                "name": f"send edition {office.edition.id}",
                "owner": "elsewhere:1:x",
                "epoch": 7,
                "until": NOW + dt.timedelta(seconds=50),
            },
        )
    with pytest.raises(EditionError, match="being sent by another process"):
        office.send()
    office.clock.advance(dt.timedelta(seconds=60))
    assert office.send().finished


# --- the relay ----------------------------------------------------------------------------------------


def test_a_relay_that_is_down_changes_nothing(office: Office) -> None:
    office.server.stop()
    with pytest.raises(TransportError) as caught:
        office.send()
    assert f"127.0.0.1:{office.server.port}" in caught.value.message
    assert "digest send weekly/" in caught.value.hint
    assert office.now().state is EditionState.approved
    assert office.counts() == {}


def test_a_refused_sender_stops_and_pauses(office: Office) -> None:
    office.server.faults.append(Fault("mail", reply=b"553 5.7.1 not yours", times=-1))
    with pytest.raises(TransportError, match="not yours") as caught:
        office.send()
    assert "return_path_domain" in caught.value.hint
    assert "--resume" in caught.value.hint
    assert office.counts() == {"queued": PEOPLE}
    assert "not yours" in office.now().paused
    with pytest.raises(NothingToDo, match="paused"):
        office.send(resume=True)
    office.server.faults.clear()
    office.app.editions.resume(office.edition.id, at=NOW, by="op")
    assert office.send(resume=True).counts[State.accepted] == PEOPLE


def test_sign_in_that_is_refused_half_way_pauses_at_the_door(office: Office) -> None:
    office.app.editions.transition(
        office.edition.id, {EditionState.approved}, EditionState.fanning, at=NOW, by="x"
    )
    office.server.faults.append(Fault("greeting", reply=b"554 5.7.1 blocked", times=-1))
    with pytest.raises(TransportError):
        office.send(resume=True)
    assert "blocked" in office.now().paused


def test_a_refused_reader_is_listed_and_the_others_get_theirs(office: Office) -> None:
    office.server.faults.append(Fault("rcpt", reply=b"550 5.1.1 no such user"))
    sent = office.send()
    assert office.counts() == {"accepted": PEOPLE - 1, "rejected": 1}
    assert sent.finished


def test_deferred_copies_wait_and_go_with_the_next_run(office: Office) -> None:
    office.server.faults.append(Fault("rcpt", reply=b"451 4.7.1 greylisted, try again in 10 minutes"))
    sent = office.send()
    assert not sent.finished
    assert sent.next_attempt is not None
    assert NOW + dt.timedelta(minutes=10) <= sent.next_attempt <= NOW + dt.timedelta(minutes=13)
    assert "waits until" in sent.words
    assert office.send(resume=True).counts[State.accepted] == PEOPLE - 1
    office.clock.advance(dt.timedelta(minutes=13))
    assert office.send(resume=True).finished
    assert sorted(office.server.addresses) == sorted(office.addresses())


def test_copies_that_wait_until_the_edition_is_stale_expire(office: Office) -> None:
    office.server.faults.append(Fault("rcpt", reply=b"451 4.7.1 later"))
    office.send()
    office.clock.advance(dt.timedelta(hours=25))
    assert office.send(resume=True).finished
    assert office.counts() == {"accepted": PEOPLE - 1, "expired": 1}


def test_an_uncertain_copy_is_held_and_does_not_keep_the_edition_open(office: Office) -> None:
    office.server.faults.append(Fault("dot", reply=b"", then="close", taken=True))
    sent = office.send()
    assert sent.finished
    assert office.counts() == {"accepted": PEOPLE - 1, "uncertain": 1}
    assert len(office.server.received) == PEOPLE


def test_the_policy_resend_waits_for_the_servers_time_and_sends_once_more(
    tmp_path: Path, server: SmtpServer
) -> None:
    office = Office(tmp_path, server, DIGEST_NEWSLETTER__WEEKLY__UNCERTAIN="resend")
    server.faults.append(Fault("dot", reply=b"", then="close"))
    sent = office.send()
    assert not sent.finished
    assert sent.next_attempt == NOW + ANSWER_TIME
    office.clock.advance(dt.timedelta(minutes=11))
    assert office.send(resume=True).counts[State.accepted] == PEOPLE
    ids = [each.content.split(b"Message-ID: ")[1].split(b"\r\n")[0] for each in server.received]
    assert len(set(ids)) == PEOPLE


def test_a_server_that_is_killed_in_the_middle_loses_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.work.leaving.PATIENCE", (0.05, 0.05))
    with SmtpServer(pace=0.005) as server:
        office = Office(tmp_path, server, people=60)
        server.faults.append(Fault("dot", who="", hook=server.stop, times=1, then="close"))
        with pytest.raises(
            TransportError, match=r"connect|greeting"
        ) as caught:  # its backlog may still be there
            office.send()
        assert "--resume" in caught.value.hint
        taken = server.addresses
    with SmtpServer() as second:
        office.app.settings.smtp.__dict__["port"] = second.port  # the relay is back, elsewhere
        office.send(resume=True)
        everything = taken + second.addresses
    assert len(everything) == len(set(everything))
    with office.app.database.read() as connection:
        uncertain = set(
            connection.execute(
                sa.select(delivery.c.address).where(delivery.c.state == State.uncertain.value)
            ).scalars()
        )
    assert set(everything) | uncertain == set(office.addresses())


# --- stopping, and the database -----------------------------------------------------------------------


def test_a_stop_is_an_interruption_that_can_be_resumed(tmp_path: Path) -> None:
    stop = threading.Event()
    with SmtpServer(pace=0.01) as server:
        office = Office(tmp_path, server, people=100)
        server.faults.append(
            Fault("dot", times=-1, hook=lambda: stop.set() if len(server.received) > 20 else None)
        )
        sent = office.send(stop=stop)
        assert sent.interrupted
        assert sent.words.startswith("stopped: ")
        assert set(office.counts()) == {"accepted", "queued"}
        assert office.send(resume=True).counts[State.accepted] == 100
        assert len(set(server.addresses)) == len(server.addresses) == 100


def test_a_stop_while_the_relay_keeps_silent_is_an_interruption_within_seconds(tmp_path: Path) -> None:
    stop = threading.Event()
    with SmtpServer(Fault("greeting", hook=stop.set, delay=30)) as server:
        office = Office(tmp_path, server, DIGEST_SMTP__TIMEOUT="30")
        began = time.monotonic()
        with pytest.raises(Interrupted) as caught:
            office.send(stop=stop)
        assert time.monotonic() - began < 8
    assert caught.value.hint.endswith(f"digest send {office.edition.name}")
    assert office.now().state is EditionState.approved


def test_a_stop_while_the_relay_does_not_answer_is_not_kept_waiting(tmp_path: Path) -> None:
    """As behind a firewall that drops everything: smtp.timeout is longer than anybody's patience."""
    stop = threading.Event()
    stop.set()
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second, SmtpServer() as server:
        office = Office(tmp_path, server, DIGEST_SMTP__TIMEOUT="60")
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)  # what is more than this one in the queue gets no answer at all
        for other in (first, second):
            other.setblocking(False)
            other.connect_ex(deaf.getsockname())
        office.app.settings.smtp.__dict__["port"] = deaf.getsockname()[1]
        started = time.monotonic()
        with pytest.raises(Interrupted, match="waiting for the relay") as caught:
            office.send(stop=stop)
        assert time.monotonic() - started < 5
        assert caught.value.exit_code == 4
        assert office.now().state is EditionState.approved


def test_a_stop_during_the_fan_out_is_an_interruption_too(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, stop = LeasedEdition.fan_out, threading.Event()

    def fan_out(self: LeasedEdition, **options: object) -> object:
        stop.set()
        return real(self, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(LeasedEdition, "fan_out", fan_out)
    with pytest.raises(Interrupted):
        office.send(stop=stop)
    assert office.now().state is EditionState.fanning
    assert office.send(resume=True).finished


def test_an_urgent_stop_breaks_off_at_once(tmp_path: Path) -> None:
    waiting, stop, abort, asked = [], threading.Event(), threading.Event(), []

    def one_more_waits() -> None:
        waiting.append(1)
        if len(waiting) == 2:  # both connections: from here on nothing would move for a minute
            asked.append(time.monotonic())
            abort.set()

    with SmtpServer(Fault("dot", reply=b"", then="stall", times=-1, hook=one_more_waits)) as server:
        office = Office(tmp_path, server, DIGEST_SMTP__TIMEOUT="60")
        sent = office.send(stop=stop, abort=abort)
        assert time.monotonic() - asked[0] < 10
    assert sent.interrupted
    assert office.counts() == {"queued": PEOPLE - 2, "uncertain": 2}


def test_an_edition_that_is_cancelled_while_it_leaves_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SmtpServer() as server:
        office = Office(tmp_path, server, people=120)

        def cancel() -> None:
            office.app.editions.cancel(office.edition.id, at=NOW, by="ed")
            office.app.ledger.cancel(office.edition.id, now=NOW)

        server.faults.append(Fault("data", hook=cancel))
        with pytest.raises(DigestError, match="cancelled") as caught:
            office.send()
        assert caught.value.exit_code == 3
        assert office.counts()["cancelled"] > 0
        assert office.counts().get("accepted", 0) == len(server.received)


def test_a_database_that_fails_half_way_stops_with_a_clear_word(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = LeasedEdition.commit, []

    def full(self: LeasedEdition, *arguments: object) -> object:
        calls.append(1)
        if 3 <= len(calls) <= 4:
            raise StoreError("database news.db cannot grow: the disk is full", hint="Free some space.")
        return real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(LeasedEdition, "commit", full)
    with pytest.raises(StoreError, match="disk is full") as caught:
        office.send()
    assert "--resume" in caught.value.hint
    assert office.counts().get("accepted", 0) == len(office.server.received) < PEOPLE
    office.send(resume=True)
    assert sorted(office.server.addresses) == sorted(office.addresses())


def test_a_disk_that_stays_full_is_told_with_what_it_cost(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that fails behind it may hide how many results were lost."""
    real, calls = LeasedEdition.commit, []

    def full(self: LeasedEdition, *arguments: object) -> object:
        calls.append(1)
        if not arguments or len(calls) >= 3:
            raise StoreError("database news.db cannot grow: the disk is full", hint="Free some space.")
        return real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(LeasedEdition, "commit", full)
    monkeypatch.setattr(LeasedEdition, "release", full)
    hasty = functools.partial(Engine, limits=Limits(record_again=()))
    monkeypatch.setattr("digest.work.leaving.Engine", hasty)
    with pytest.raises(StoreError, match="disk is full") as caught:
        office.send()
    assert "results could not be written" in caught.value.hint
    assert "--resume" in caught.value.hint
    monkeypatch.undo()
    office.clock.advance(dt.timedelta(minutes=2))  # the lease was not given back
    office.send(resume=True)
    assert office.counts()["uncertain"] > 0
    assert len(office.server.addresses) == len(set(office.server.addresses)) == PEOPLE


# --- the public address -------------------------------------------------------------------------------


def test_mail_leaves_this_machine_only_when_links_work(tmp_path: Path, server: SmtpServer) -> None:
    office = Office(
        tmp_path, server, DIGEST_SMTP__HOST="mail.example.org", DIGEST_SITE__URL="https://news.example.org"
    )
    asked: list[str] = []

    def answering(body: bytes) -> object:
        def fetch(url: str) -> bytes:
            asked.append(url)
            return body

        return fetch

    ours = office.app.installation.id
    for body, said in (
        (b"<html>", "not answered by digest"),
        (b"[]", "another installation"),
        (b'{"installation": "x"}', "another installation"),
    ):
        with pytest.raises(DigestError, match=said) as caught:
            office.send(fetch=answering(body))
        assert "digest serve" in caught.value.hint
    assert asked[0] == "https://news.example.org/.well-known/newsletter-digest"
    assert office.now().state is EditionState.approved
    check_public_url(office.app.settings, ours, answering(json.dumps({"installation": ours}).encode()))  # type: ignore[arg-type]


def test_a_second_server_elsewhere_needs_links_that_work_as_well(tmp_path: Path, server: SmtpServer) -> None:
    office = Office(tmp_path, server, DIGEST_FALLBACK__HOST="mail.example.org")
    with pytest.raises(DigestError, match=r"mail to mail\.example\.org is refused"):
        office.send()
    assert server.addresses == []
    assert office.now().state is EditionState.approved


def test_a_public_address_that_does_not_answer_or_is_this_machine_is_refused(
    tmp_path: Path, server: SmtpServer
) -> None:
    office = Office(tmp_path, server, DIGEST_SMTP__HOST="mail.example.org")

    def dead(url: str) -> bytes:
        raise DigestError("no route")

    with pytest.raises(DigestError, match="only this machine reaches"):
        office.send(fetch=dead)
    office = Office(
        tmp_path / "2",
        server,
        DIGEST_SMTP__HOST="mail.example.org",
        DIGEST_SITE__URL="https://news.example.org",
    )
    with pytest.raises(DigestError, match="does not answer"):
        office.send(fetch=dead)


def test_real_readers_with_links_to_this_machine_are_warned_of(tmp_path: Path, server: SmtpServer) -> None:
    office = Office(tmp_path, server, people=1)
    with office.app.database.write() as connection:
        connection.exec_driver_sql("UPDATE subscriber SET domain = 'gmail.com'")
    said: list[str] = []
    office.send(warn=said.append)
    assert "gmail.com" in said[0]
    assert "site.url" in said[0]


def test_skipped_readers_are_said(office: Office) -> None:
    with office.app.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE subscriber SET address_key = (SELECT min(address_key) FROM subscriber) WHERE id <= 3"
        )
    said: list[str] = []
    office.send(warn=said.append)
    assert "same mailbox" in said[0]


# --- a test send --------------------------------------------------------------------------------------


def test_a_test_copy_is_flagged_and_leaves_no_trace_in_the_ledger(office: Office) -> None:
    assert send_test(office.app, office.edition, ["ada@example.test", "bob@example.test"], by="ed") == []
    first, second = office.server.received
    assert message_from_bytes(first.content, policy=default)["Subject"] == f"[Test] {office.edition.subject}"
    assert first.content.split(b"Message-ID: ")[1][:30] != second.content.split(b"Message-ID: ")[1][:30]
    assert office.counts() == {}
    assert office.now().state is EditionState.approved
    with office.app.database.read() as connection:
        last = connection.execute(sa.select(event).order_by(event.c.id.desc())).first()
    assert last is not None
    assert (last.action, last.actor) == ("test", "ed")
    assert last.detail == {"addresses": ["ada@example.test", "bob@example.test"]}


def test_a_test_copy_that_is_refused_is_said(office: Office) -> None:
    office.server.faults.append(Fault("rcpt", reply=b"550 5.1.1 no such user"))
    refused = send_test(office.app, office.edition, ["ada@example.test"], by="ed")
    assert refused == ["ada@example.test: 550 5.1.1 no such user"]


def test_an_edition_without_content_has_no_test(office: Office) -> None:
    with office.app.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM variant")
    with pytest.raises(EditionError, match="no content"):
        send_test(office.app, office.now(), ["ada@example.test"], by="ed")


# --- who is there -------------------------------------------------------------------------------------


def test_a_process_knows_itself_and_who_is_gone() -> None:
    own = identity()
    assert own != identity()
    assert not gone(own)
    host, pid, rest = own.rsplit(":", 2)
    assert gone(f"{host}:{pid}:1-abcd")  # the id came again
    assert gone(f"{host}:4194304:{rest}")
    assert not gone(f"elsewhere:{pid}:{rest}")
    assert not gone("")


# --- commands -----------------------------------------------------------------------------------------


@pytest.fixture
def fresh(tmp_path: Path, server: SmtpServer) -> Office:
    """As `office`, but in the present: commands use the machine's clock."""
    return Office(tmp_path, server)


def test_the_command_prints_counts_as_json(fresh: Office) -> None:
    ran = fresh.command("send", "weekly", "--json")
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    assert (told["edition"], told["finished"]) == (fresh.edition.name, True)
    assert told["counts"]["accepted"] == PEOPLE
    assert told["counts"]["uncertain"] == 0
    assert f"{PEOPLE} accepted" in ran.stderr


def test_an_edition_that_was_sent_still_has_its_counts_as_json(fresh: Office) -> None:
    fresh.command("send", "weekly")
    for options in ([], ["--resume"]):
        again = fresh.command("send", "weekly", *options, "--json")
        assert again.exit_code == 3
        document = json.loads(again.stdout)
        assert document["counts"]["accepted"] == PEOPLE
        assert (document["finished"], document["exit_code"]) == (True, 3)
        assert "was sent" in document["error"]
    assert len(fresh.server.addresses) == PEOPLE


def test_a_relay_that_is_down_has_its_counts_as_json_too(fresh: Office) -> None:
    fresh.server.stop()
    result = fresh.command("send", "weekly", "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert set(document["counts"].values()) == {0}
    assert "connect" in document["error"]


def test_a_run_that_breaks_off_says_how_far_it_came_and_what_is_in_doubt(fresh: Office) -> None:
    refusal = Fault("mail", reply=b"553 5.7.1 not yours", times=-1)
    fresh.server.faults.append(
        Fault("dot", reply=b"", then="close", hook=lambda: fresh.server.faults.append(refusal))
    )
    ran = fresh.command("send", "weekly")
    assert ran.exit_code == 1
    assert f"{fresh.edition.name}: " in ran.stderr
    assert "1 uncertain" in ran.stderr
    assert "1 copy may or may not have arrived: digest deliveries weekly/" in ran.stderr
    assert "Nothing was lost" not in ran.stderr


def test_copies_that_wait_are_exit_code_3(fresh: Office) -> None:
    fresh.server.faults.append(Fault("rcpt", reply=b"451 4.7.1 later"))
    ran = fresh.command("send", "weekly", "--json")
    assert ran.exit_code == 3
    told = json.loads(ran.stdout)
    assert told["counts"]["deferred"] == 1
    assert told["next_attempt"]
    assert "--resume" in ran.stderr


def test_uncertain_copies_are_listed_and_decided(fresh: Office) -> None:
    fresh.server.faults.append(Fault("dot", reply=b"", then="close"))
    ran = fresh.command("send", "weekly")
    assert ran.exit_code == 0
    assert "digest deliveries resolve" in ran.stderr
    listed = json.loads(fresh.command("deliveries", "weekly", "--state", "uncertain", "--json").stdout)
    (row,) = listed["deliveries"]
    assert (row["state"], row["attempts"], listed["counts"]["uncertain"]) == ("uncertain", 1, 1)
    assert fresh.command("deliveries", "resolve", "weekly").exit_code == 2
    nobody = fresh.command("deliveries", "resolve", "weekly", "--skip", "--only", "nobody@example.test")
    assert nobody.exit_code == 3
    done = fresh.command(
        "deliveries", "resolve", "weekly", "--resend", "--only", row["address"].upper(), "--json"
    )
    assert json.loads(done.stdout)["resolved"] == 1
    assert fresh.command("send", "weekly", "--resume").exit_code == 0
    message = fresh.server.received[-1]
    assert message.rcpt_to == row["address"]
    assert row["message_id"].encode() in message.content


def test_uncertain_copies_can_be_left(fresh: Office) -> None:
    fresh.server.faults.append(Fault("dot", reply=b"", then="close"))
    fresh.command("send", "weekly")
    ran = fresh.command("deliveries", "resolve", "weekly", "--skip")
    assert (ran.exit_code, fresh.counts()) == (0, {"accepted": PEOPLE - 1, "skipped": 1})


def test_deliveries_are_shown_as_a_table(fresh: Office) -> None:
    fresh.command("send", "weekly")
    ran = fresh.command("deliveries", "weekly")
    assert ran.exit_code == 0
    assert ran.stdout.count("accepted") == PEOPLE
    listed = json.loads(fresh.command("deliveries", "--json", "weekly").stdout)
    assert {row["address"] for row in listed["deliveries"]} == set(fresh.addresses())
    assert set(listed["deliveries"][0]) >= {"address", "state", "message_id", "attempts", "reply"}
    assert all(row["reply"].startswith("250 2.0.0 ok") for row in listed["deliveries"])


def test_domains_can_be_narrowed_to_a_state_and_an_empty_table_is_left_out(fresh: Office) -> None:
    empty = fresh.command("deliveries", "weekly")
    assert (empty.exit_code, empty.stdout) == (0, "")
    assert "not fixed yet" in empty.stderr
    fresh.command("send", "weekly")
    assert "Domain" in fresh.command("deliveries", "weekly", "--domains", "--state", "accepted").stdout
    refused = fresh.command("deliveries", "weekly", "--domains", "--state", "rejected")
    assert (refused.exit_code, refused.stdout) == (0, "")
    listed = json.loads(
        fresh.command("deliveries", "weekly", "--domains", "--state", "rejected", "--json").stdout
    )
    assert listed["domains"] == []


def test_a_paused_edition_goes_on_with_resume(fresh: Office) -> None:
    fresh.server.faults.append(Fault("mail", reply=b"553 5.7.1 not yours", times=-1))
    ran = fresh.command("send", "weekly")
    assert ran.exit_code == 1
    assert "not yours" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert fresh.command("send", "weekly").exit_code == 3
    fresh.server.faults.clear()
    assert fresh.command("send", "weekly", "--resume").exit_code == 0
    assert len(fresh.server.received) == PEOPLE


def test_the_test_option_sends_only_there(fresh: Office) -> None:
    ran = fresh.command("send", "weekly", "--test", "ada@example.test", "--json")
    assert (ran.exit_code, fresh.server.addresses) == (0, ["ada@example.test"])
    assert json.loads(ran.stdout)["accepted"] == 1
    fresh.server.faults.append(Fault("rcpt", reply=b"550 no"))
    assert fresh.command("send", "weekly", "--test", "ada@example.test").exit_code == 1


def test_an_edition_that_does_not_exist_is_named(fresh: Office) -> None:
    for words in (["send", "daily"], ["deliveries", "daily"], ["deliveries", "resolve", "daily", "--skip"]):
        ran = fresh.command(*words)
        assert ran.exit_code == 2
        assert "daily" in ran.stderr
