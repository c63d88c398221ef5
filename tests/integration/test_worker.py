"""The work process of `digest run`: from build to inbox by its rounds, with a clock that is handed in."""

from __future__ import annotations

import datetime as dt
import json
import mailbox
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from digest.app import App
from digest.config import Source
from digest.errors import NothingToDo
from digest.model import DeliveryState, Edition, EditionState
from digest.ports import Transport
from digest.smtp.client import SmtpTransport
from digest.web.inbox import Inbox
from digest.work import worker as work
from digest.work.alerts import why_it_waits
from digest.work.worker import LEAD, LEASE, Worker
from tests.fakes import FixedClock
from tests.feed_site import feed_site, page
from tests.newsroom import WEEK_END, newsroom, subscribe
from tests.smtp_server import Fault, SmtpServer

State = DeliveryState
MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
BEFORE = WEEK_END - HOUR
BUILD = WEEK_END + 6 * HOUR
LOCK = WEEK_END + 32 * HOUR
SEND = WEEK_END + 33 * HOUR
PEOPLE = 5


class Machine:
    """An installation and one work process on it."""

    def __init__(self, app: App, clock: FixedClock) -> None:
        self.app, self.clock = app, clock
        self.said: list[str] = []
        self.start()

    @classmethod
    def set_up(cls, folder: Path, port: int, **environ: str) -> Machine:
        """Known since an hour before the week ended, so that this week is the first that is promised."""
        variables = {
            "DIGEST_SMTP__PORT": str(port),
            "DIGEST_SMTP__TIMEOUT": "5",
            "DIGEST_SMTP__DEPTH": "1",
            **environ,
        }
        return cls(*newsroom(folder, now=BEFORE, people=PEOPLE, environ=variables))

    def start(self) -> None:
        """A new process; what the old one knew is in the store or gone."""
        self.stop = threading.Event()
        self.worker = Worker(self.app, stop=self.stop, say=self.said.append)

    def at(self, moment: dt.datetime) -> list[str]:
        """One round then, and whatever it set off; what was said."""
        self.clock.set(moment)
        before = len(self.said)
        self.worker.round()
        self.worker.join()
        return self.said[before:]

    def approved(self) -> None:
        for moment in (BEFORE, BUILD, LOCK):
            self.at(moment)

    @property
    def edition(self) -> Edition:
        return self.app.editions.get("weekly")

    @property
    def counts(self) -> dict[str, int]:
        return {s.value: n for s, n in self.app.ledger.counts(self.edition.id).items() if n}

    @property
    def alerts(self) -> list[str]:
        return [alert.message for alert in self.app.installation.open_alerts()]


def arrived(folder: Path) -> list[str]:
    """Who got something, and what it is called."""
    box = mailbox.Maildir(folder)
    return sorted(f"{message['Delivered-To']}: {message['Subject']}" for message in box)


# --- a week by itself ---------------------------------------------------------------------------------


def test_an_edition_goes_from_build_to_the_inbox_by_rounds(tmp_path: Path) -> None:
    with Inbox(port=0, maildir=tmp_path / "inbox") as inbox:
        machine = Machine.set_up(tmp_path, inbox.port)
        assert machine.at(BEFORE) == []
        assert machine.at(BUILD)[0] == "weekly/2026-11-09: built"
        assert machine.at(LOCK) == ["weekly/2026-11-09: approved by the schedule"]
        assert machine.at(SEND - MINUTE) == []
        assert machine.at(SEND)[-1].startswith(f"weekly/2026-11-09: {PEOPLE} accepted")
        assert machine.edition.state is EditionState.finished
        assert machine.at(SEND + MINUTE) == []
    assert len(set(arrived(tmp_path / "inbox"))) == PEOPLE
    assert machine.alerts == []


def test_every_step_may_be_done_by_another_process(tmp_path: Path) -> None:
    with Inbox(port=0, maildir=tmp_path / "inbox") as inbox:
        machine = Machine.set_up(tmp_path, inbox.port)
        for moment in (BEFORE, BUILD, LOCK, SEND, SEND + 2 * MINUTE):
            machine.at(moment)
            machine.clock.set(moment + LEASE)
            machine.start()
    assert machine.edition.state is EditionState.finished
    assert len(arrived(tmp_path / "inbox")) == PEOPLE


def test_a_stop_while_it_leaves_is_recorded_and_the_next_start_goes_on(tmp_path: Path) -> None:
    with SmtpServer() as server:
        machine = Machine.set_up(tmp_path, server.port, DIGEST_SMTP__CONNECTIONS="1")
        server.faults.append(Fault("dot", hook=machine.stop.set, delay=0.3))
        machine.approved()
        assert machine.at(SEND)[-1].startswith("weekly/2026-11-09: stopped:")
        assert machine.edition.state is EditionState.sending
        assert 0 < machine.counts["accepted"] < PEOPLE
        machine.start()
        assert machine.at(SEND + 2 * MINUTE)[-1].startswith(f"weekly/2026-11-09: {PEOPLE} accepted")
        assert len(server.addresses) == len(set(server.addresses)) == PEOPLE


# --- trouble ------------------------------------------------------------------------------------------


def test_copies_that_wait_leave_the_relay_alone_until_they_are_due(tmp_path: Path) -> None:
    with SmtpServer(Fault("rcpt", reply=b"451 4.2.0 greylisted, try again in 300 seconds")) as server:
        machine = Machine.set_up(tmp_path, server.port)
        machine.approved()
        machine.at(SEND)
        assert machine.counts == {"accepted": PEOPLE - 1, "deferred": 1}
        before = server.connections
        assert [line for n in range(1, 5) for line in machine.at(SEND + n * MINUTE)] == []
        assert server.connections == before
        machine.at(SEND + 10 * MINUTE)
        assert machine.edition.state is EditionState.finished
        assert len(server.addresses) == PEOPLE


def test_a_relay_that_is_down_is_told_once_and_asked_again_less_and_less_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    machine = Machine.set_up(tmp_path, port)
    machine.approved()
    asked: list[dt.datetime] = []
    transport = machine.app.transport

    def counted() -> Transport:
        asked.append(machine.clock.now())
        return transport()

    monkeypatch.setattr(machine.app, "transport", counted)
    said = [line for n in range(60) for line in machine.at(SEND + n * MINUTE / 2)]
    assert [(moment - SEND) / MINUTE for moment in asked] == [0, 1, 3, 7, 15]
    assert sum("Needs you" in line for line in said) == 1
    assert sum("Connection refused" in line for line in said) == 2
    assert machine.edition.state is EditionState.approved
    with SmtpServer() as server:
        there = machine.app.settings.smtp.model_copy(update={"port": server.port})
        monkeypatch.setattr(machine.app, "transport", lambda: SmtpTransport(there))
        machine.at(SEND + 31 * MINUTE)
        assert len(server.addresses) == PEOPLE
    assert machine.alerts == []


def test_a_relay_with_no_time_now_is_asked_again_by_itself(tmp_path: Path) -> None:
    with SmtpServer(Fault("greeting", reply=b"421 4.3.2 restarting")) as server:
        machine = Machine.set_up(tmp_path, server.port)
        machine.approved()
        machine.at(SEND)
        assert machine.edition.paused == ""
        machine.at(SEND + 14 * MINUTE)
        assert server.connections == 1
        machine.at(SEND + 15 * MINUTE)
        assert machine.edition.state is EditionState.finished


@pytest.mark.parametrize(
    ("reply", "tries"),
    [
        (b"451 4.7.0 Daily sending quota exceeded", [0, 15, 45, 105, 165]),
        (b"452 4.5.3 Your account has exceeded its daily limit", [0, 15, 45, 105, 165]),
        (b"450 4.2.1 Hourly limit reached, try again in 2 hours", [0, 120]),
    ],
)
def test_a_quota_is_told_and_asked_again_ever_more_rarely(
    tmp_path: Path, reply: bytes, tries: list[int]
) -> None:
    hits: list[dt.datetime] = []
    with SmtpServer() as server:
        machine = Machine.set_up(tmp_path, server.port)
        server.faults.append(
            Fault("mail", reply=reply, times=-1, hook=lambda: hits.append(machine.clock.now()))
        )
        machine.approved()
        for minute in range(0, 180, 5):
            machine.at(SEND + minute * MINUTE)
        assert [(moment - SEND) / MINUTE for moment in sorted(set(hits))] == tries
        (alert,) = machine.alerts
        assert reply[10:].decode() in alert
        assert (machine.edition.state, machine.edition.paused) == (EditionState.sending, "")
        assert machine.counts == {"queued": PEOPLE}
        assert why_it_waits(machine.app, machine.edition) == alert
        server.faults.clear()
        machine.at(SEND + 6 * HOUR)
    assert machine.edition.state is EditionState.finished
    assert machine.alerts == []


def test_a_relay_that_refuses_the_sender_pauses_the_edition_for_a_person(tmp_path: Path) -> None:
    with SmtpServer(Fault("mail", reply=b"550 5.7.1 sender not allowed", times=-1)) as server:
        machine = Machine.set_up(tmp_path, server.port)
        machine.approved()
        machine.at(SEND)
        assert "sender not allowed" in machine.edition.paused
        connections = server.connections
        machine.at(SEND + 3 * HOUR)
        assert server.connections == connections
    assert machine.counts == {"queued": PEOPLE}
    assert any("sender not allowed" in message for message in machine.alerts)


def test_an_alert_is_mailed_once(tmp_path: Path) -> None:
    with Inbox(port=0, maildir=tmp_path / "inbox") as inbox:
        machine = Machine.set_up(tmp_path, inbox.port, DIGEST_ALERTS__TO="ops@example.org")
        machine.at(BEFORE)
        machine.app.installation.raise_alert("disk", "The disk is nearly full.", at=BEFORE)
        for n in range(1, 5):
            machine.at(BEFORE + n * MINUTE)
    assert arrived(tmp_path / "inbox") == ["ops@example.org: Weekly: 1 thing needs you"]


def test_an_alert_that_could_not_be_mailed_is_mailed_later(tmp_path: Path) -> None:
    with SmtpServer(Fault("greeting", reply=b"421 busy")) as server:
        machine = Machine.set_up(tmp_path, server.port, DIGEST_ALERTS__TO="ops@example.org")
        machine.app.installation.raise_alert("disk", "The disk is nearly full.", at=BEFORE)
        said = machine.at(BEFORE)
        assert any("alert not sent, tried again" in line for line in said)
        machine.at(BEFORE + MINUTE / 2)
        assert server.connections == 1
        machine.at(BEFORE + 2 * MINUTE)
        assert server.addresses == ["ops@example.org"]


def test_copies_in_doubt_are_a_person_s_matter(tmp_path: Path) -> None:
    with SmtpServer(Fault("dot", reply=b"", then="close", taken=True)) as server:
        machine = Machine.set_up(tmp_path, server.port, DIGEST_SMTP__CONNECTIONS="1")
        machine.approved()
        machine.at(SEND)
    assert machine.counts == {"accepted": PEOPLE - 1, "uncertain": 1}
    assert any("nobody can know whether 1 copy arrived" in message for message in machine.alerts)
    machine.at(SEND + MINUTE)
    assert any("digest deliveries resolve weekly/2026-11-09" in message for message in machine.alerts)


def test_a_relay_that_hangs_up_after_every_text_does_not_bring_the_whole_edition_in_doubt(
    tmp_path: Path,
) -> None:
    with SmtpServer(Fault("dot", reply=b"", then="close", times=-1)) as server:
        machine = Machine.set_up(tmp_path, server.port, DIGEST_SMTP__CONNECTIONS="1")
        subscribe(machine.app, 30)
        machine.approved()
        machine.at(SEND)
        assert machine.counts["uncertain"] == 11  # ten, and the one that could be under way
        assert machine.counts["queued"] == 19
        assert "there was no answer" in machine.edition.paused
        before = server.connections
        machine.at(SEND + 3 * HOUR)
        assert server.connections == before
    assert any("there was no answer" in message for message in machine.alerts)


def test_an_edition_that_nobody_got_is_a_person_s_matter(tmp_path: Path) -> None:
    with SmtpServer(Fault("rcpt", reply=b"550 5.1.1 no such user", times=-1)) as server:
        machine = Machine.set_up(tmp_path, server.port)
        machine.approved()
        machine.at(SEND)
    assert any(f"took no copy and rejected {PEOPLE}" in message for message in machine.alerts)


def test_a_fault_of_the_program_while_sending_ends_neither_the_process_nor_the_edition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SmtpServer() as server:
        machine = Machine.set_up(tmp_path, server.port)
        machine.approved()

        def broken(_edition: object) -> object:
            raise ZeroDivisionError("of all things")

        monkeypatch.setattr(machine.app, "frame", broken)
        machine.at(SEND)
        assert any("ZeroDivisionError: of all things" in message for message in machine.alerts)
        monkeypatch.undo()
        machine.at(SEND + 2 * MINUTE)
        assert machine.edition.state is EditionState.finished


# --- a restored backup --------------------------------------------------------------------------------


def step_back(app: App) -> None:
    """Makes the store look older than the note beside the keys."""
    note = app.settings.path("digest.keys.generation")
    note.write_text(json.dumps({"installation": app.installation.id, "generation": 7}))


def test_a_restored_backup_sends_nothing_until_a_person_accepts_it(tmp_path: Path) -> None:
    with SmtpServer() as server:
        machine = Machine.set_up(tmp_path, server.port)
        machine.approved()
        step_back(machine.app)
        said = [line for n in range(3) for line in machine.at(SEND + n * MINUTE)]
        assert server.addresses == []
        assert sum("went back in time" in line for line in said) == 1
        machine.app.generation.accept()
        machine.at(SEND + 3 * MINUTE)
        assert len(server.addresses) == PEOPLE


def test_a_process_does_not_even_start_on_a_restored_backup(tmp_path: Path) -> None:
    machine = Machine.set_up(tmp_path, 1)
    step_back(machine.app)
    with pytest.raises(NothingToDo):
        machine.worker.run()


# --- the lead -----------------------------------------------------------------------------------------


def test_of_two_processes_one_leads_and_the_other_takes_over_when_it_is_silent(tmp_path: Path) -> None:
    with SmtpServer() as server:
        first = Machine.set_up(tmp_path, server.port)
        first.at(BEFORE)
        second = Machine(first.app, first.clock)
        assert second.at(BUILD - LEASE) == []  # the lead of the first ended long ago: taken over
        assert first.at(BUILD - LEASE) == []
        assert second.at(BUILD)[0] == "weekly/2026-11-09: built"
        assert first.at(LOCK) == ["weekly/2026-11-09: approved by the schedule"]
        second.at(SEND)
        first.at(SEND)
        assert len(server.addresses) == PEOPLE


def test_the_lead_of_a_process_that_was_killed_is_not_waited_for(tmp_path: Path) -> None:
    machine = Machine.set_up(tmp_path, 1)
    code = "from digest.work.identity import identity; print(identity())"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    machine.app.installation.acquire(LEAD, ended.stdout.strip(), now=BUILD, length=LEASE)
    machine.at(BEFORE)
    assert machine.at(BUILD)[0] == "weekly/2026-11-09: built"


# --- the process --------------------------------------------------------------------------------------


def running(machine: Machine, until: Callable[[], bool]) -> float:
    """Lets the process run until then, and stops it; the seconds that it took to end."""
    thread = threading.Thread(target=machine.worker.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not until() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert until()
    began = time.monotonic()
    machine.stop.set()
    thread.join(30)
    assert not thread.is_alive()
    return time.monotonic() - began


def test_a_process_does_what_is_due_and_gives_the_lead_back(tmp_path: Path) -> None:
    machine = Machine.set_up(tmp_path, 1)
    machine.at(BEFORE)
    machine.clock.set(BUILD)
    machine.start()
    assert running(machine, lambda: bool(machine.app.editions.list_())) < 6
    lease = machine.app.installation.lease(LEAD)
    assert lease is not None
    assert lease.owner == ""


def test_a_source_that_will_not_mend_by_itself_is_an_alert_until_it_is_well(tmp_path: Path) -> None:
    machine = Machine.set_up(tmp_path, 1)
    with feed_site() as site:
        here = Source(name="paper", url=f"{site.url}/feed", internal=True)
        machine.app.settings = machine.app.settings.model_copy(update={"source": (here,)})
        site.pages["/feed"] = page(status=500)
        machine.worker.poll()
        assert machine.alerts == [], "it may be well again by the next time"
        for _ in range(3):
            machine.clock.advance(8 * HOUR)
            machine.worker.poll()
        (told,) = machine.alerts
        assert "Source paper cannot be read, and never could be: the server answered 500" in told
        site.pages["/feed"] = page(b"<rss version='2.0'><channel><title>x</title></channel></rss>")
        machine.clock.advance(8 * HOUR)
        machine.worker.poll()
        assert machine.alerts == []
        site.pages["/feed"] = page(status=410)
        machine.clock.advance(HOUR)
        machine.worker.poll()
        assert "gone for good" in machine.alerts[0], "nobody has to wait for a day to hear that"
        machine.app.settings = machine.app.settings.model_copy(update={"source": ()})
        machine.worker.poll()
        assert machine.alerts == []


def test_a_source_that_never_answers_does_not_keep_a_stop_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "_LEAVE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        machine = Machine.set_up(tmp_path, 1)
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/feed.xml"
        source = Source(name="slow", url=address, internal=True)
        machine.app.settings = machine.app.settings.model_copy(update={"source": (source,)})
        called: list[socket.socket] = []
        threading.Thread(target=lambda: called.append(silent.accept()[0]), daemon=True).start()
        assert running(machine, lambda: bool(called)) < 5
        called[0].close()
