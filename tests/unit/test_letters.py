from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from email.message import EmailMessage

import pytest

from digest.errors import TransportError
from digest.model import (
    Edition,
    EditionState,
    EditionStory,
    Message,
    Outcome,
    OutcomeKind,
    Period,
    Story,
    Window,
)
from digest.ports import Results
from digest.work.letters import draft_ready, letter, send_letters
from tests.fakes import Relay

NOW = dt.datetime(2026, 11, 16, 8, tzinfo=dt.UTC)
WEEK = Window(NOW - dt.timedelta(days=7), NOW)


def edition(held: str = "") -> Edition:
    story = Story(7, "feed", "a", "https://example.org/a", "A comet that nobody had ordered", first_seen=NOW)
    return Edition(
        id=1,
        newsletter="weekly",
        number=3,
        period=Period(dt.date(2026, 11, 9), WEEK, NOW, NOW, NOW),
        state=EditionState.draft,
        stories=(EditionStory(1, story, ("4,210 readers", "2 similar folded")),),
        subject="A comet",
        held=held,
    )


def test_a_draft_letter_has_the_picks_with_reasons_and_the_preview() -> None:
    subject, text = draft_ready(
        edition(),
        preview="https://x.example/preview/abc",
        lock_at="Tue 08:00",
        send_at="Tue 09:00",
        automatic=True,
    )
    assert subject == "Draft ready: weekly/2026-11-09"
    assert " 1. A comet that nobody had ordered\n    4,210 readers; 2 similar folded" in text
    assert "https://x.example/preview/abc" in text
    assert "digest edition hold weekly/2026-11-09" in text


def test_an_editor_is_asked_to_approve_where_nothing_leaves_without() -> None:
    subject, text = draft_ready(edition(), preview="p", lock_at="a", send_at="b", automatic=False)
    assert subject.startswith("Please approve")
    assert "digest edition approve weekly/2026-11-09" in text


def test_a_held_draft_says_why_first() -> None:
    subject, text = draft_ready(
        edition("stale figures"), preview="p", lock_at="a", send_at="b", automatic=True
    )
    assert subject.startswith("Held")
    assert "stale figures" in text


def test_letters_leave_through_the_relay_and_it_is_closed() -> None:
    relay = Relay()
    made = letter(
        sender_name="The Post",
        sender="post@example.org",
        to="ed@example.org",
        subject="Hi\nthere",
        text="Ö",
        at=NOW,
    )
    assert send_letters([made], relay) == []
    assert relay.closed
    assert relay.taken[0].mail_from == "post@example.org"
    assert relay.taken[0].rcpt_to == "ed@example.org"
    assert b"Subject: Hi there\r\n" in relay.taken[0].content


def test_a_refused_letter_is_reported_with_its_reply() -> None:
    made = letter(
        sender_name="P", sender="post@example.org", to="ed@example.org", subject="s", text="t", at=NOW
    )
    assert send_letters([made], Relay(OutcomeKind.rejected)) == ["ed@example.org: 550 no such user"]


class Slow(Relay):
    """Takes so many letters, and then says nothing more."""

    def __init__(self, quick: int, *, opens: bool = True) -> None:
        super().__init__()
        self.quick, self.opens = quick, opens
        self.waiting: list[tuple[Message, Results]] = []

    async def open(self) -> None:
        if not self.opens:
            await asyncio.sleep(60)

    def send(self, messages: Sequence[Message], results: Results, server: str = "") -> None:
        room = self.quick - len(self.taken)
        super().send(messages[:room], results)
        self.waiting += [(message, results) for message in messages[room:]]

    def break_off(self) -> None:
        for message, results in self.waiting:
            results.outcome(Outcome(message.delivery, OutcomeKind.uncertain, reply="broken off"))


def letters(*to: str) -> list[EmailMessage]:
    return [
        letter(sender_name="P", sender="post@example.org", to=each, subject="s", text="t", at=NOW)
        for each in to
    ]


@pytest.mark.parametrize("relay", [Slow(0, opens=False), Slow(0)])
def test_a_relay_that_takes_nothing_for_long_is_out_of_use(
    relay: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.work.letters.PATIENCE", 0.05)
    with pytest.raises(TransportError, match="took nothing within"):
        send_letters(letters("a@example.org", "b@example.org"), relay)
    assert relay.closed


def test_a_relay_that_becomes_slow_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digest.work.letters.PATIENCE", 0.05)
    said = send_letters(letters(*(f"{n}@example.org" for n in "abc")), Slow(1))
    assert said[-1] == "c@example.org: the relay is too slow"
    assert len(said) == 2


def test_a_letter_cannot_have_a_header_slipped_in() -> None:
    with pytest.raises(ValueError, match=r"(?i)header|line|newline|CR|folding"):
        letter(sender_name="P", sender="post@example.org", to="a@b.example\r\nBcc: c@d.example", subject="s",
               text="t", at=NOW)  # fmt: skip
