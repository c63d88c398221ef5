"""What a session writes and when, byte by byte; and the answers that are easily misunderstood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from digest.model import Message, Outcome, OutcomeKind
from digest.smtp.capabilities import Options
from digest.smtp.envelope import Copy
from digest.smtp.events import Closed, Event
from digest.smtp.session import Session
from digest.smtp.transactions import BLOCK

Kind = OutcomeKind
TEXT = b"Subject: x\r\n\r\nhello\r\n"
ALL = ("PIPELINING", "CHUNKING", "SIZE 100000000")


def opened(options: Options | None = None, extensions: Sequence[str] = ALL) -> Session:
    session = Session(options or Options())
    session.receive(b"220 hello\r\n")
    session.take()
    lines = ["relay.test", *extensions]
    session.receive(
        "".join(f"250-{line}\r\n" for line in lines[:-1]).encode() + f"250 {lines[-1]}\r\n".encode()
    )
    assert session.ready
    return session


def add(session: Session, *numbers: int, text: bytes = TEXT) -> list[Copy]:
    copies = [Copy(Message(n, f"s{n}@s.test", f"r{n}@r.test", text, plain=True)) for n in numbers]
    assert all(session.add(copy) for copy in copies)
    return copies


def writes(session: Session) -> list[bytes]:
    """All that it would write now, one entry a write."""
    written = []
    while pieces := session.take():
        written.append(b"".join(pieces))
    return written


def told(events: list[Event]) -> list[Outcome]:
    return [event.outcome for event in events if isinstance(event, Copy) and event.outcome is not None]


def kinds(events: list[Event]) -> list[tuple[int, str]]:
    return [(outcome.delivery, outcome.kind.value) for outcome in told(events)]


def envelope(number: int, size: int = len(TEXT)) -> bytes:
    return b"MAIL FROM:<s%d@s.test> SIZE=%d\r\nRCPT TO:<r%d@r.test>\r\n" % (number, size, number)


OK = b"250 2.0.0 ok\r\n"


def warm(depth: int = 8) -> Session:
    """In chunking mode, with the trust of many messages."""
    session = opened(Options(depth=depth))
    for number in range(100, 110):
        add(session, number)
        while writes(session):
            session.receive(OK * (3 if number > 100 else 1))
    assert session.room == depth
    return session


def test_one_command_at_a_time() -> None:
    session = opened(Options(pipelining=False, chunking=False))
    add(session, 1)
    assert session.room == 0
    assert writes(session) == [b"MAIL FROM:<s1@s.test> SIZE=21\r\n"]
    session.receive(OK)
    assert writes(session) == [b"RCPT TO:<r1@r.test>\r\n"]
    session.receive(OK)
    assert writes(session) == [b"DATA\r\n"]
    session.receive(b"354 go\r\n")
    assert writes(session) == [TEXT + b".\r\n"]
    assert kinds(session.receive(OK)) == [(1, "accepted")]


def test_the_next_envelope_stands_behind_the_dot() -> None:
    session = opened(Options(chunking=False))
    add(session, 1, 2)
    assert writes(session) == [envelope(1) + b"DATA\r\n"]
    session.receive(OK + OK + b"354 go\r\n")
    assert writes(session) == [TEXT + b".\r\n" + envelope(2) + b"DATA\r\n"]
    assert kinds(session.receive(OK + OK + OK + b"354 go\r\n")) == [(1, "accepted")]
    assert writes(session) == [TEXT + b".\r\n"]


def test_an_envelope_that_comes_late_leaves_ahead_of_the_reply() -> None:
    session = opened(Options(chunking=False))
    add(session, 1)
    writes(session)
    session.receive(OK + OK + b"354 go\r\n")
    assert writes(session) == [TEXT + b".\r\n"]
    add(session, 2)
    assert writes(session) == [envelope(2) + b"DATA\r\n"]


def test_after_a_refusal_the_next_envelope_begins_anew() -> None:
    session = opened(Options(chunking=False))
    add(session, 1, 2)
    writes(session)
    assert kinds(session.receive(OK + b"550 no\r\n")) == [(1, "rejected")]
    assert writes(session) == []  # DATA may still be answered with 354
    session.receive(b"354 go\r\n")
    assert writes(session) == [b".\r\nRSET\r\n" + envelope(2) + b"DATA\r\n"]
    assert kinds(session.receive(b"250 taken\r\n" + OK + OK + OK + b"354 go\r\n")) == []
    writes(session)
    assert kinds(session.receive(OK)) == [(2, "accepted")]


def test_chunks_leave_one_message_to_a_write() -> None:
    session = warm()
    add(session, 1, 2, 3)
    chunk = b"BDAT 21 LAST\r\n" + TEXT
    reset = b"RSET\r\n"
    assert writes(session) == [
        envelope(1) + chunk,
        reset + envelope(2) + chunk,
        reset + envelope(3) + chunk,
    ]
    assert kinds(session.receive(OK * 11)) == [(1, "accepted"), (2, "accepted"), (3, "accepted")]


def test_a_new_connection_is_trusted_step_by_step() -> None:
    session = opened(Options(depth=8))
    rooms = [session.room]
    add(session, 1)
    for answer in (OK, OK, OK):
        assert len(writes(session)) == 1
        session.receive(answer)
    rooms.append(session.room)
    add(session, 2, 3, 4)
    assert len(writes(session)) == 3
    session.receive(OK * 11)
    rooms.append(session.room)
    assert rooms == [1, 3, 8]


def test_a_text_is_passed_on_as_it_is() -> None:
    session = warm()
    (copy,) = add(session, 1, text=b"x" * 40_000 + b"\r\n")
    pieces = session.take()
    assert pieces[1] is copy.message.content


def test_a_long_text_leaves_in_blocks_and_an_early_answer_is_not_the_last() -> None:
    for answer, kind in ((b"250 ok", "unsent"), (b"552 too much", "rejected"), (b"452 full", "deferred")):
        session = warm()
        add(session, 1, text=b"x" * (3 * BLOCK) + b"\r\n")
        assert len(b"".join(session.take())) > BLOCK
        assert session.midway
        session.receive(OK + OK)
        session.take()
        events = session.receive(answer + b"\r\n")
        assert kinds(events) == [(1, kind)]
        assert isinstance(events[-1], Closed)


def test_a_reader_refused_in_the_middle_of_a_chunk_still_gets_the_rest_of_it() -> None:
    """The server has been told how long it is, and takes whatever comes next for it."""
    session = warm()
    add(session, 1, text=b"x" * (2 * BLOCK) + b"\r\n")
    add(session, 2)
    written = b"".join(session.take())
    events = session.receive(OK + b"550 5.1.1 nobody\r\n")
    written += b"".join(writes(session))
    chunk = b"BDAT %d LAST\r\n" % (2 * BLOCK + 2)
    assert written.partition(chunk)[2][2 * BLOCK :].startswith(b"\r\nRSET\r\n" + envelope(2))
    events += session.receive(b"503 5.5.1 no recipient\r\n" + OK * 4)
    assert kinds(events) == [(1, "rejected"), (2, "accepted")]


def test_behind_a_421_nothing_was_executed() -> None:
    session = warm()
    add(session, 1, 2, 3, 4)
    writes(session)
    assert kinds(session.receive(OK * 3 + OK + b"421 4.7.0 enough\r\n")) == [(1, "accepted")]
    assert session.room == 0
    assert writes(session) == []
    events = session.lost("closed")
    assert kinds(events) == [(2, "unsent"), (3, "unsent"), (4, "unsent")]
    assert [outcome.code for outcome in told(events)] == [421, 0, 0]
    assert events[-1] == Closed("closed", usual=True)


def test_a_server_that_goes_on_after_its_421_is_heard() -> None:
    session = warm()
    add(session, 1, 2, 3, 4)
    writes(session)
    session.receive(OK + b"421 4.7.28 slow down\r\n" + b"503 no recipient\r\n")
    assert kinds(session.receive(OK * 4)) == [(2, "accepted")]
    session.receive(OK * 3)
    events = session.lost("closed")
    assert kinds(events) == [(3, "uncertain"), (4, "uncertain")]


def test_421_to_every_command_is_one_goodbye() -> None:
    session = warm()
    add(session, 1, 2)
    writes(session)
    events = session.receive(b"421 4.3.2 closing\r\n" * 7)
    assert {kind for _, kind in kinds(events)} == {"unsent"}
    assert len(told(events)) == 2
    assert isinstance(events[-1], Closed)


def test_what_never_left_is_not_in_doubt() -> None:
    session = warm()
    add(session, 1, 2, 3)
    last = len(writes(session)[-1])
    assert kinds(session.lost("reset", kept_back=1)) == [(1, "uncertain"), (2, "uncertain"), (3, "unsent")]
    session = warm()
    add(session, 1, 2, 3)
    writes(session)
    kept = session.lost("reset", kept_back=last + 1)
    assert kinds(kept) == [(1, "uncertain"), (2, "unsent"), (3, "unsent")]


def test_without_the_dot_a_text_is_nothing() -> None:
    for kept_back, kind in ((0, "uncertain"), (1, "unsent"), (3, "unsent")):
        session = opened(Options(chunking=False))
        add(session, 1)
        writes(session)
        session.receive(OK + OK + b"354 go\r\n")
        writes(session)
        assert kinds(session.lost("reset", kept_back=kept_back)) == [(1, kind)]


def test_a_recipient_without_a_sender_is_not_believed() -> None:
    session = warm()
    add(session, 1, 2)
    writes(session)
    events = session.receive(b"550 no\r\n" + OK)
    assert kinds(events) == [(1, "uncertain"), (2, "uncertain")]


@pytest.mark.parametrize("code", ["199", "220", "221", "235", "300", "354"])
def test_a_code_that_does_not_fit_accepts_nothing(code: str) -> None:
    session = warm()
    add(session, 1)
    writes(session)
    assert kinds(session.receive(OK + OK + f"{code} hm\r\n".encode())) == [(1, "uncertain")]


def test_goodbye_is_said_when_all_is_done() -> None:
    session = warm()
    add(session, 1)
    session.quit()
    assert session.room == 0
    assert writes(session)[-1].endswith(TEXT)
    session.receive(OK * 3)
    assert writes(session) == [b"QUIT\r\n"]
    assert session.receive(b"221 bye\r\n") == [Closed("221 bye", usual=True)]
    assert session.lost("closed") == []


def test_the_limit_of_a_connection_ends_it() -> None:
    session = opened(replace(Options(), limit=1))
    add(session, 1)
    assert session.room == 0
    for _ in range(3):
        writes(session)
        session.receive(OK)
    assert session.used_up
    assert writes(session) == [b"QUIT\r\n"]
