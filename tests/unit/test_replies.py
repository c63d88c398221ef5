"""What replies mean: whose matter they are, what they count as, and how long they ask to wait.

The wording is made up after the kinds that servers use. A line of the table reads: at this stage, this code
and text is about ..., counts as ... against the address, and is called ... .
"""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.replies import RULES, About, Counts, enhanced_status, meaning, wait_asked
from digest.replies.words import LONGEST, Index, phrases, read

TABLE = """
# No such mailbox, no such domain: the words first, then the status, then the code.
RCPT 550 5.1.1 <jo@example.org>: Recipient address rejected: User unknown in local table       | recipient hard no such mailbox
RCPT 550 5.1.1 The email account that you tried to reach does not exist. Check for typos       | recipient hard no such mailbox
RCPT 550 No such user here                                                                     | recipient hard no such mailbox
RCPT 550 Unrouteable address                                                                   | recipient hard no such mailbox
RCPT 550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup     | recipient hard no such mailbox
RCPT 550 5.4.1 Recipient address rejected: Access denied. AS(201806281)                        | recipient hard no such mailbox
RCPT 554 delivery error: dd This user doesn't have a mail.example account                      | recipient hard no such mailbox
RCPT 550 Requested action not taken: mailbox unavailable                                       | recipient hard no such mailbox
RCPT 553 sorry, no mailbox here by that name (#5.1.1)                                          | recipient hard no such mailbox
RCPT 501 5.1.3 Bad recipient address syntax                                                    | recipient hard no such mailbox
RCPT 550 5.1.1 <spam.virus@dkim.example>: User unknown                                         | recipient hard no such mailbox
RCPT 550 Addressee unknown                                                                     | recipient hard no such mailbox
RCPT 550 5.1.1 nope                                                                            | recipient hard no such mailbox
RCPT 550 5.1.6 recipient no longer on this server                                              | recipient hard address moved
RCPT 551 User not local; please try <other@example.net>                                        | recipient hard address moved
RCPT 553 5.1.2 We were not able to find the recipient domain                                   | recipient hard no such domain
RCPT 550 5.4.4 Host or domain name not found                                                   | recipient hard no such domain
RCPT 556 5.1.10 Domain example.net does not accept mail (nullMX)                               | recipient hard no such domain
text 554 5.0.0 host mx.example.net said: 550-5.1.1 The account does not exist 550 5.1.1 here   | recipient hard no such mailbox

# The same, but the server is not sure, or signs contradict each other: soft.
RCPT 450 4.1.1 <jo@example.org>: Recipient address rejected: unverified address: user unknown  | recipient soft no such mailbox
RCPT 450 4.1.2 Domain not found                                                                | recipient soft no such domain
RCPT 550 5.7.1 <jo@example.org>: Recipient address rejected: user unknown                      | recipient soft no such mailbox
RCPT 550 4.1.2 Domain not found, queue expired                                                 | recipient soft no such domain

# Full, disabled, busy: one reader's, and may pass.
RCPT 504 5.5.2 <jo>: Recipient address rejected: need fully-qualified address                  | recipient soft refused with 504
RCPT 552 5.2.2 Mailbox full                                                                    | recipient soft mailbox full
RCPT 452 4.2.2 The recipient's inbox is out of storage space. Direct them to support           | recipient soft mailbox full
RCPT 552 5.2.2 exceeds recipient's maximum message quota; mailbox quota limit exceeded         | recipient soft mailbox full
RCPT 550 user mailbox is over quota, rejected                                                  | recipient soft mailbox full
text 552 Requested mail action aborted: exceeded storage allocation                            | recipient soft mailbox full
RCPT 550 5.2.1 The email account that you tried to reach is disabled                           | recipient soft mailbox disabled
RCPT 554 30 Sorry, cannot be delivered. This mailbox is disabled (554.30)                      | recipient soft mailbox disabled
RCPT 450 4.2.1 The user you are trying to contact is receiving mail too quickly                | recipient soft mailbox takes no more now
RCPT 450 4.2.1 The person is receiving email at a rate that lets no more through               | recipient soft mailbox takes no more now
RCPT 450 4.2.0 <jo@example.org>: Recipient address rejected: Greylisted, see the help page     | recipient soft greylisted
RCPT 451 4.7.1 Greylisting in action, please come back in 00:04:59                             | recipient soft greylisted
RCPT 451 4.3.0 Temporary lookup failure                                                        | recipient soft out of reach
-    550 5.4.4 timed out while connecting to mx.example.net                                    | recipient soft out of reach
-    550 4.4.7 QUEUE.Expired; message expired                                                  | recipient soft out of reach
RCPT 550 no                                                                                    | recipient soft refused with 550
RCPT 450 later                                                                                 | recipient soft refused with 450

# One recipient's, but a decision and no fault of the address.
RCPT 554 5.7.1 <jo@example.org>: Recipient address rejected: Access denied                     | recipient nothing refused by policy
RCPT 550 5.7.1 Delivery not authorized                                                         | recipient nothing refused by its reader
RCPT 550 5.7.1 RESOLVER.RST.RecipientRestricted; recipient restricted                          | recipient nothing refused by its reader
RCPT 550 5.1.1 Refused due to recipient preferences                                            | recipient nothing refused by its reader
RCPT 550 Administrative prohibition                                                            | recipient nothing refused by policy
RCPT 450 4.7.0 not now                                                                         | recipient nothing refused by policy
RCPT 451 4.7.1 Try again later                                                                 | recipient nothing refused by policy

# The message: the same for everybody.
text 550 5.7.1 This message is likely unsolicited mail                                         | content nothing message refused as spam
text 554 5.7.1 Message content rejected, UBE                                                   | content nothing message refused as spam
text 554 rejected due to spam content                                                          | content nothing message refused as spam
text 550 5.7.1 Message contains a link that is blocked (URIBL)                                 | content nothing a link is blocked
text 552 5.7.0 Attachment type not allowed                                                     | content nothing message refused as harmful
text 550 virus found: Eicar-Test-Signature                                                     | content nothing message refused as harmful
MAIL 552 5.3.4 Message size exceeds fixed limit                                                | content nothing message too large
text 552 5.2.3 Message length exceeds administrative limit                                     | content nothing message too large
text 554 5.6.0 Malformed MIME                                                                  | content nothing message refused
text 554 Transaction failed                                                                    | content nothing message refused
DATA 554 Refused                                                                               | content nothing message refused

# Sign-in and conversation.
AUTH 535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6                                      | run nothing signing in failed
AUTH 454 4.7.0 Temporary authentication failure                                                | run nothing signing in failed
MAIL 530 5.7.0 Must issue a STARTTLS command first                                             | run nothing signing in failed
MAIL 530 5.7.1 Authentication required                                                         | run nothing signing in failed
MAIL 530 5.7.57 Client was not authenticated to send anonymous mail                            | run nothing signing in failed
RCPT 503 5.5.1 Error: need MAIL command                                                        | run nothing conversation went wrong
RCPT 502 5.5.2 Command not recognised                                                          | run nothing conversation went wrong

# What the relay lets us do.
RCPT 554 5.7.1 <jo@example.org>: Relay access denied                                           | run soft relaying refused
RCPT 454 4.7.1 <jo@example.org>: Relay access denied                                           | run soft relaying refused
RCPT 550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain                         | run soft relaying refused
RCPT 553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)                     | run soft relaying refused
text 550 5.4.5 Daily user sending limit exceeded. See our page on sending limits               | run nothing our limit reached
text 454 Throttling failure: Maximum sending rate exceeded.                                    | run nothing our limit reached
text 454 Throttling failure: Daily message quota exceeded.                                     | run nothing our limit reached
RCPT 452 4.7.1 The quota of the sender is used up                                              | run nothing our limit reached
RCPT 550 sender has exceeded the hourly limit                                                  | run nothing our limit reached
RCPT 450 4.2.1 Peak relay limit exceeded for this customer                                     | run nothing our limit reached
MAIL 421 account has been suspended, contact support                                           | run nothing our limit reached
text 452 4.3.1 Insufficient system storage                                                     | run soft relay out of room
text 451 4.3.0 Error: queue file write error                                                   | run soft relay out of room

# The sender.
RCPT 553 5.7.1 <us@sender.test>: Sender address rejected: not owned by user someone            | run nothing sender refused
RCPT 550 5.1.8 Sender address rejected: Domain not found                                       | run nothing sender refused
text 554 Message rejected: Email address is not verified. The identity failed the check        | run nothing sender refused
text 550 5.7.60 SMTP; Client does not have permissions to send as this sender                  | run nothing sender refused
MAIL 550 5.1.1 nope                                                                            | run nothing no such mailbox
MAIL 451 later                                                                                 | run nothing refused with 451

# The sender's domain and the sending machine.
text 550 5.7.26 Unauthenticated email is not accepted due to the domain's DMARC policy         | run nothing sender not authenticated
text 550 5.7.1 SPF check failed: not a permitted sender                                        | run nothing sender not authenticated
text 550 Rejected by header based anti-spoofing policy                                         | run nothing sender not authenticated
text 554 5.7.20 DKIM signature did not verify                                                  | run nothing sender not authenticated
RCPT 550 5.7.1 Service unavailable; client [192.0.2.7] blocked using zen.spamhaus.org          | run nothing sending machine refused
RCPT 554 5.7.1 blocked using spamhaus                                                          | run nothing sending machine refused
RCPT 550 5.7.606 Access denied, banned sending IP [192.0.2.7]                                  | run nothing sending machine refused
RCPT 450 4.7.1 <our.host.example>: Helo command rejected: Host not found                       | run nothing sending machine refused
RCPT 550 we no longer accept mail from your server                                             | run nothing sending machine refused
RCPT 550 your domain does not exist                                                            | run nothing sender refused
text 554 5.1.0 - Unknown address error 550-'5.7.1 blocked, listed by dnsbl.example.net'        | run nothing sending machine refused
RCPT 550 Too many invalid recipients from this host                                            | run nothing sending machine refused
RCPT 554 5.7.1 You are not allowed to connect                                                  | run nothing sending machine refused
RCPT 550-5.7.1 very low reputation of the sending domain                                       | run nothing sending machine refused
RCPT 554 poor reputation, see senderscore                                                      | run nothing sending machine refused
RCPT 450 4.7.25 Client host rejected: cannot find your reverse hostname                        | run nothing sending machine refused
RCPT 553 sending IP 192.0.2.7 is blocked                                                       | run nothing sending machine refused
text 421 4.7.28 Our system has detected an unusual rate of unsolicited mail                    | run nothing too much at once
text 451 host mx.example.net said: 421-4.7.28 Gmail has detected an 421-4.7.28 unusual rate    | run nothing too much at once
RCPT 421 4.7.0 Messages from 192.0.2.7 temporarily deferred due to unexpected volume           | run nothing too much at once
RCPT 451 4.7.650 The mail server has been temporarily rate limited due to IP reputation        | run nothing too much at once

# A goodbye.
RCPT 421 4.3.2 Service shutting down                                                           | connection soft connection closed
text 421 4.7.0 Too many errors on this connection                                              | connection nothing connection closed

# No reply at all.
-    0 the server closed the connection                                                        | recipient nothing refused
-    0 user unknown                                                                            | recipient hard no such mailbox
"""  # noqa: E501 - a table
LINES = [line for line in TABLE.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("line", LINES)
def test_what_a_reply_means(line: str) -> None:
    said, _, wanted = line.rpartition("|")
    at, code, text = said.replace("-5.7.1 very", " 5.7.1 very").split(None, 2)
    found = meaning(int(code), text.strip(), at="" if at == "-" else at)
    assert f"{found.about} {found.counts} {found.reason}" == " ".join(wanted.split())
    assert bool(found.hint) is (found.about in (About.run, About.content))


@pytest.mark.parametrize("line", [line for line in LINES if "| run nothing too much" in line])
def test_who_hears_that_it_is_too_much_stops_ten_minutes_and_starts_slowly(line: str) -> None:
    _, code, text = line.rpartition("|")[0].split(None, 2)
    found = meaning(int(code), text)
    assert (found.pause, found.slow_start) == (dt.timedelta(minutes=10), True)


def test_no_other_reply_asks_for_a_slow_start() -> None:
    assert {rule.reason for rule in RULES if rule.pause} == {"too much at once"}


def test_a_status_given_beside_the_text_counts() -> None:
    assert meaning(550, "no", enhanced="5.1.8").about is About.run
    assert meaning(550, "no", enhanced="5.1.1").counts is Counts.hard
    assert meaning(550, "no").counts is Counts.soft


def test_every_rule_about_us_or_the_message_says_what_to_do() -> None:
    for rule in RULES:
        assert bool(rule.hint) is (rule.about in (About.run, About.content)), rule.reason
        assert not rule.hint or rule.hint.endswith(".")


def test_every_rule_but_the_last_two_has_a_name_and_is_reached_by_the_table() -> None:
    assert [rule.reason for rule in RULES[-2:]] == ["", ""]
    reached = {" ".join(line.rpartition("|")[2].split()[2:]) for line in LINES}
    assert {rule.reason for rule in RULES[:-2]} <= reached


# --- words --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phrase", "text", "stands"),
    [
        ("mailbox full", "Mailbox full.", True),
        ("mailbox full", "the MAILBOX: full", True),
        ("mailbox full", "the mailboxes are full", False),
        ("exceed", "it exceeded", True),
        ("exceed", "unexceeded", False),
        ("spf|", "spf failed", True),
        ("spf|", "spfx", False),
        ("mailbox .. full", "mailbox of jo@example.org is full", True),
        ("mailbox .. full", f"mailbox {'x' * 60} full", False),
        ("mailbox .. full", f"mailbox {'x' * 60} mailbox is full", True),
        ("mailbox .. full", "full mailbox", False),
        ("no longer .. here", "no longer\r\n550-5.1.1 lives here", True),
        ("doesn t exist", "doesn't exist", True),
        ("spam", "<spam@spam.example>: no", False),
        ("blocked", "(jo@example.org:blocked)", True),
        ("no", "no@example.org", False),
    ],
)
def test_a_phrase_stands_in_a_text(phrase: str, text: str, stands: bool) -> None:
    words, _ = read(text)
    assert Index([phrases(phrase)]).groups_in(words) == ({0} if stands else set())


def test_statuses_are_found_wherever_they_stand_and_addresses_are_none() -> None:
    words, statuses = read("5.7.1 from 4.2.2.2, said: 550-5.1.1 no (#5.2.2) v5.1.1x 10.5.1.1")
    assert statuses == ("5.7.1", "5.1.1", "5.2.2")
    assert " no " in words


# --- waits --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("4.2.0 Greylisted for 300 seconds", 300),
        ("greylisted for 5 minutes", 300),
        ("Greylisting in effect, please come back in 00:04:59", 299),
        ("try again in 00:05:00", 300),
        ("4.7.1 Try again in 5 minutes", 300),
        ("please try again in 2 hours", 7200),
        ("try again in 1 hour 30 minutes", 5400),
        ("try again in 1 hour and 30 minutes", 5400),
        ("try again in 1h30m", 5400),
        ("retry in 5-10 minutes", 600),
        ("try again in 10 to 15 min", 900),
        ("retry after 90s", 90),
        ("retry after 300", 300),
        ("Retry-After: 120", 120),
        ("retry timeout is 60", 60),
        ("try again after PT5M", 300),
        ("try again after PT1H30M", 5400),
        ("try again in 5 more minutes", 300),
        ("next attempt in 20 minutes", 1200),
        ("deferred: wait 15 min", 900),
        ("you must wait at least 45 seconds", 45),
        ("try again in 1 day", 86400),
        ("try again in 400 days", 7 * 86400),
        ("try again later", None),
        ("try again in 0 seconds", None),
        ("retry after 2026-11-17", None),
        ("4.2.0 queue id 300 seconds", None),
        ("retry. 5 minutes", None),
        ("", None),
    ],
)
def test_the_wait_that_a_reply_asks_for(text: str, seconds: int | None) -> None:
    wanted = None if seconds is None else dt.timedelta(seconds=seconds)
    assert wait_asked(text) == wanted
    assert meaning(451, text).wait == wanted


# --- statuses and anything ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "status"),
    [("5.1.1 no", "5.1.1"), ("5.1.1", "5.1.1"), ("no 5.1.1", ""), ("3.1.1 x", ""), ("5.1.1x", ""), ("", "")],
)
def test_the_enhanced_status_stands_at_the_beginning(text: str, status: str) -> None:
    assert enhanced_status(text) == status


STAGES = st.sampled_from(["", "connect", "AUTH", "MAIL", "RCPT", "DATA", "text"])
WORDS = st.lists(
    st.sampled_from(["mailbox full", "user", "unknown", "quota", "try again in", "5 minutes", "PT", "00:"])
    | st.sampled_from(["5.7.1", "421-4.7.28", "4.2.2", "-", "spam", "account", "blocked", "does not exist"]),
    max_size=60,
).map(" ".join)


@given(st.integers(0, 999), st.text(max_size=500) | WORDS, STAGES, st.sampled_from(["", "5.1.1", "4.7.28"]))
def test_any_reply_has_a_meaning(code: int, text: str, at: str, status: str) -> None:
    found = meaning(code, text, status, at)
    assert found.about in About
    assert found.wait is None or dt.timedelta(0) < found.wait <= dt.timedelta(days=7)
    assert found.reason
    if found.about in (About.run, About.content):
        assert found.counts is not Counts.hard
        assert found.hint
    if 400 <= code < 500 or "4.7.28" in text:
        assert found.counts is not Counts.hard
    if at not in ("", "RCPT", "DATA", "text"):
        assert found.about is not About.recipient


@given(st.integers(400, 599), st.text(min_size=LONGEST, max_size=LONGEST), st.text(max_size=3000))
def test_however_long_a_reply_is_only_its_beginning_is_looked_at(code: int, text: str, more: str) -> None:
    """So that no server can make us slow: all work is on a text of bounded length."""
    assert meaning(code, text + more) == meaning(code, text)
