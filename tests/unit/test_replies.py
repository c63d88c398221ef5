"""What replies mean: whose matter they are, and how long they ask to wait. The texts are of real servers."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.replies import About, enhanced_status, meaning, wait_asked

OF_ONE_RECIPIENT = [
    (550, "5.1.1 <x@example.org>: Recipient address rejected: User unknown in virtual mailbox table"),
    (550, "5.1.1 The email account that you tried to reach does not exist. Please try double-checking"),
    (552, "5.2.2 Mailbox full"),
    (452, "4.2.2 The email account that you tried to reach is over quota. Please direct the recipient to"),
    (552, "5.2.2 This message exceeds recipient's maximum message quota; mailbox quota limit exceeded"),
    (450, "4.2.0 <x@example.org>: Recipient address rejected: Greylisted, see http://postgrey.example/"),
    (450, "4.1.1 <x@example.org>: Recipient address rejected: unverified address: connection timed out"),
    (554, "5.7.1 <x@example.org>: Recipient address rejected: Access denied"),
    (451, "4.3.0 Temporary lookup failure"),
    (553, "5.1.2 We weren't able to find the recipient domain"),
    (550, "user mailbox is over quota, rejected"),
    (0, "a@b c: white space in the address"),
]
OF_THE_RUN = [
    (454, "4.7.0 Temporary authentication failure"),
    (503, "5.5.1 Error: need MAIL command"),
    (502, "5.5.2 Command not recognised"),
    (530, "5.7.0 Must issue a STARTTLS command first"),
    (530, "5.7.1 Authentication required"),
    (535, "5.7.8 Error: authentication failed: UGFzc3dvcmQ6"),
    (554, "5.7.1 <x@example.org>: Relay access denied"),
    (550, "5.7.1 Unable to relay for x@example.org"),
    (550, "relay not permitted, authentication required"),
    (454, "4.7.1 <x@example.org>: Relay access denied"),
    (550, "5.4.5 Daily user sending limit exceeded. For more information on Gmail sending limits go to"),
    (421, "4.7.28 Our system has detected an unusual rate of unsolicited mail originating from your IP"),
    (454, "Throttling failure: Maximum sending rate exceeded."),
    (454, "Throttling failure: Daily message quota exceeded."),
    (554, "Message rejected: Email address is not verified. The following identities failed the check"),
    (553, "5.7.1 <us@sender.test>: Sender address rejected: not owned by user someone"),
    (550, "5.7.60 SMTP; Client does not have permissions: not allowed to send as this sender"),
    (550, "5.1.8 Sender address rejected: Domain not found"),
    (421, "account has been suspended, contact support"),
]


@pytest.mark.parametrize(("code", "text"), OF_ONE_RECIPIENT)
def test_a_reply_about_one_recipient(code: int, text: str) -> None:
    assert meaning(code, text).about is About.recipient


@pytest.mark.parametrize(("code", "text"), OF_THE_RUN)
def test_a_reply_about_us_and_never_about_the_recipient(code: int, text: str) -> None:
    found = meaning(code, text)
    assert found.about is About.run
    assert found.hint.endswith(".")


def test_a_goodbye_is_about_one_connection() -> None:
    assert meaning(421, "4.3.2 Service shutting down").about is About.connection


def test_a_status_given_beside_the_text_counts() -> None:
    assert meaning(550, "no", enhanced="5.1.8").about is About.run
    assert meaning(550, "no").about is About.recipient


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("4.2.0 Greylisted for 300 seconds", 300),
        ("Greylisting in effect, please come back in 00:04:59", 299),
        ("4.7.1 Try again in 5 minutes", 300),
        ("please try again in 2 hours", 7200),
        ("retry after 90s", 90),
        ("deferred: wait 15 min", 900),
        ("try again in 1 day", 86400),
        ("try again in 400 days", 7 * 86400),
        ("try again later", None),
        ("try again in 0 seconds", None),
        ("4.2.0 queue id 300 seconds", None),
        ("retry. 5 minutes", None),
        ("", None),
    ],
)
def test_the_wait_that_a_reply_asks_for(text: str, seconds: int | None) -> None:
    wanted = None if seconds is None else dt.timedelta(seconds=seconds)
    assert wait_asked(text) == wanted
    assert meaning(451, text).wait == wanted


@pytest.mark.parametrize(
    ("text", "status"),
    [("5.1.1 no", "5.1.1"), ("5.1.1", "5.1.1"), ("no 5.1.1", ""), ("3.1.1 x", ""), ("5.1.1x", ""), ("", "")],
)
def test_the_enhanced_status_stands_at_the_beginning(text: str, status: str) -> None:
    assert enhanced_status(text) == status


@given(st.integers(0, 999), st.text(max_size=500))
def test_any_reply_has_a_meaning(code: int, text: str) -> None:
    found = meaning(code, text)
    assert found.about in About
    assert found.wait is None or dt.timedelta(0) < found.wait <= dt.timedelta(days=7)
