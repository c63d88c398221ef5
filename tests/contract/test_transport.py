"""What every transport promises, against a real server that misbehaves on command.

Whatever happens, every message ends in one outcome; "accepted" is only said of what the server took, and
"deferred", "rejected" and "unsent" only of what it did not.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
import time
from pathlib import Path

import pytest

from digest.errors import TransportError
from digest.model import Outcome, OutcomeKind
from digest.ports import Transport
from digest.smtp import SmtpTransport
from tests import relaying
from tests.relaying import MODES, TEXT, Heard, deliver, hand_over, make, message
from tests.smtp_server import Fault, SmtpServer

Kind = OutcomeKind
PEM = Path(__file__).resolve().parents[1] / "data" / "localhost.pem"


@pytest.fixture(autouse=True, params=MODES)
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Everything here holds however messages share a connection."""
    name = str(request.param)
    monkeypatch.setattr(relaying, "defaults", MODES[name])
    return name


# --- all is well --------------------------------------------------------------------------------------


def test_the_server_gets_exactly_the_bytes() -> None:
    with SmtpServer() as server:
        (outcome,) = deliver(make(server), message())
    assert (outcome.kind, outcome.code, outcome.enhanced) == (Kind.accepted, 250, "2.0.0")
    assert outcome.reply == "2.0.0 ok queued as 1"
    (received,) = server.received
    assert (received.mail_from, received.rcpt_to) == ("bounce+1@sender.test", "reader1@example.test")
    assert received.content == TEXT


@pytest.mark.parametrize("content", [b".", b".\r\n", b"..\r\n.", b"a\r\n.\r\nb\r\n", b"\r\n.\r\n.\r\n"])
def test_dots_cannot_end_a_text_early(content: bytes) -> None:
    with SmtpServer() as server:
        outcomes = deliver(make(server), message(1, content=content), message(2))
    assert [o.kind for o in outcomes] == [Kind.accepted, Kind.accepted]
    assert server.received[0].content == (content if content.endswith(b"\r\n") else content + b"\r\n")


def test_one_connection_serves_many_messages() -> None:
    with SmtpServer() as server:
        outcomes = deliver(make(server), *map(message, range(1, 21)))
    assert all(o.kind is Kind.accepted for o in outcomes)
    assert server.connections == 1
    assert server.commands[-1] == "QUIT"


def test_several_connections_are_used_at_once() -> None:
    with SmtpServer(pace=0.05) as server:
        transport = make(server, connections=4)
        assert transport.capacity == 32
        outcomes = deliver(transport, *map(message, range(1, 13)), at_once=True)
    assert all(o.kind is Kind.accepted for o in outcomes)
    assert sorted(server.addresses) == sorted(f"reader{n}@example.test" for n in range(1, 13))
    assert server.connections == 4


# --- one recipient's trouble --------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["rcpt", "data", "dot"])
@pytest.mark.parametrize(
    ("reply", "kind"),
    [(b"550 5.1.1 no such user", Kind.rejected), (b"451 4.3.0 come back later", Kind.deferred)],
)
def test_a_refusal_concerns_one_message_and_not_its_neighbours(at: str, reply: bytes, kind: Kind) -> None:
    with SmtpServer(Fault(at, who="reader2@example.test", reply=reply)) as server:
        outcomes = deliver(make(server), message(1), message(2), message(3))
    assert [o.kind for o in outcomes] == [Kind.accepted, kind, Kind.accepted]
    assert (outcomes[1].code, outcomes[1].reply) == (int(reply[:3]), reply[4:].decode())
    assert outcomes[1].enhanced == reply[4:9].decode()
    assert server.addresses == ["reader1@example.test", "reader3@example.test"]
    assert server.connections == 1


def test_many_refusals_in_a_row_disturb_nobody() -> None:
    refused = [Fault("rcpt", who=f"reader{n}@example.test", reply=b"550 no") for n in range(2, 200, 50)]
    with SmtpServer(*refused) as server:
        outcomes = deliver(make(server, connections=3), *map(message, range(1, 201)), at_once=True)
    assert sum(o.kind is Kind.rejected for o in outcomes) == 4
    assert len(server.received) == 196
    taken = set(server.addresses)
    assert all((f"reader{o.delivery}@example.test" in taken) == (o.kind is Kind.accepted) for o in outcomes)


def test_multi_line_replies_are_read_whole() -> None:
    reply = b"550-5.7.1 first line\r\n550-5.7.1 second line\r\n550 5.7.1 last"
    with SmtpServer(Fault("rcpt", reply=reply)) as server:
        outcomes = deliver(make(server), message(1), message(2))
    assert outcomes[0].reply == "5.7.1 first line 5.7.1 second line 5.7.1 last"
    assert outcomes[1].kind is Kind.accepted


@pytest.mark.parametrize(
    "address",
    ["a\r\nRCPT TO:<b@example.test>@example.test", "a b@example.test", "<x@example.test>", "a\0@example.test",
     "x" * 65 + "@example.test", "x@" + "d" * 260, "nobody", "jürgen@example.test", "x@exämple.test"],
)  # fmt: skip
def test_an_address_that_cannot_be_written_never_leaves(address: str) -> None:
    with SmtpServer() as server:
        outcomes = deliver(make(server), message(1, to=address), message(2))
    assert [o.kind for o in outcomes] == [Kind.rejected, Kind.accepted]
    assert (outcomes[0].code, bool(outcomes[0].reply)) == (0, True)
    assert server.addresses == ["reader2@example.test"]
    assert sum(line.startswith("RCPT") for line in server.commands) == 1


@pytest.mark.parametrize("at", ["mail", "rcpt", "data", "dot"])
@pytest.mark.parametrize("reply", [b"550 5.7.1 no", b"451 4.3.0 later"])
def test_refusals_in_the_midst_of_many_disturb_nobody(at: str, reply: bytes) -> None:
    """Also where the next envelopes, and texts, have left before the refusal came."""
    refused = {f"reader{n}@example.test" for n in (3, 9, 10, 11, 25, 40)}
    who = ["", ""] if at == "mail" else sorted(refused)
    with SmtpServer(*(Fault(at, who=each, reply=reply) for each in who)) as server:
        outcomes = deliver(make(server, depth=8), *map(message, range(1, 41)), at_once=True)
    kind = Kind.rejected if reply.startswith(b"5") else Kind.deferred
    told = [f"reader{o.delivery}@example.test" for o in outcomes if o.kind is kind]
    assert len(told) == len(who)
    assert at == "mail" or set(told) == refused
    assert {o.kind for o in outcomes} == {Kind.accepted, kind}
    assert sorted({*told, *server.addresses}) == sorted(f"reader{n}@example.test" for n in range(1, 41))
    assert {(r.mail_from, r.rcpt_to) for r in server.received} <= {
        (f"bounce+{n}@sender.test", f"reader{n}@example.test") for n in range(1, 41)
    }
    assert server.connections == 1


def test_a_text_without_a_recipient_ends_at_once() -> None:
    """A server that asks for a text although it refused its recipient gets an empty one."""
    faults = (
        Fault("rcpt", who="reader2@example.test", reply=b"550 5.1.1 no"),
        Fault("data", reply=b"354 go on all the same", who="", times=0),
    )
    with SmtpServer(*faults) as server:
        outcomes = deliver(make(server), *map(message, range(1, 4)), at_once=True)
    assert [o.kind for o in outcomes] == [Kind.accepted, Kind.rejected, Kind.accepted]
    assert server.addresses == ["reader1@example.test", "reader3@example.test"]


# --- what the relay offers ----------------------------------------------------------------------------


def test_a_message_that_is_not_ascii_says_so() -> None:
    eight_bit = b"Subject: x\r\n\r\nG\xc3\xbcnter\r\n"
    header = "Subject: Günter\r\n\r\nx\r\n".encode()
    extensions = (b"8BITMIME", b"SMTPUTF8", b"PIPELINING", b"CHUNKING")
    with SmtpServer(extensions=extensions) as server:
        outcomes = deliver(
            make(server),
            message(1, content=eight_bit),
            message(2, content=header),
            message(3, to="jürgen@example.test"),
        )
    assert [o.kind for o in outcomes] == [Kind.accepted] * 3
    said = [line.partition("> ")[2] for line in server.commands if line.startswith("MAIL")]
    assert said == ["BODY=8BITMIME", "BODY=8BITMIME SMTPUTF8", "SMTPUTF8"]
    assert [r.content for r in server.received] == [eight_bit, header, TEXT]


@pytest.mark.parametrize(
    ("content", "to", "status"),
    [
        (b"Subject: x\r\n\r\nG\xc3\xbcnter\r\n", "", "5.6.3"),
        ("Subject: Günter\r\n\r\nx\r\n".encode(), "", "5.6.3"),
        (TEXT, "jürgen@example.test", "5.6.7"),
        (TEXT, "x@exämple.test", "5.6.7"),
    ],
)
def test_what_the_relay_could_not_carry_does_not_leave(content: bytes, to: str, status: str) -> None:
    with SmtpServer(extensions=(b"PIPELINING", b"CHUNKING")) as server:
        outcomes = deliver(make(server), message(1, to=to, content=content), message(2))
    assert [o.kind for o in outcomes] == [Kind.rejected, Kind.accepted]
    assert (outcomes[0].code, outcomes[0].enhanced) == (0, status)
    assert outcomes[0].reply
    assert sum(line.startswith("MAIL") for line in server.commands) == 1


def test_a_header_that_is_not_ascii_needs_smtputf8() -> None:
    with SmtpServer(extensions=(b"8BITMIME", b"PIPELINING", b"CHUNKING")) as server:
        (outcome,) = deliver(make(server), message(content="Subject: Günter\r\n\r\nx\r\n".encode()))
    assert (outcome.kind, outcome.enhanced) == (Kind.rejected, "5.6.7")
    assert "SMTPUTF8" in outcome.reply


def test_reports_are_asked_for_where_they_are_offered() -> None:
    with SmtpServer(extensions=(b"DSN", b"PIPELINING", b"CHUNKING")) as server:
        deliver(make(server, dsn="delay"), message(7, to="a+b=c@example.test"))
        deliver(make(server), message(8))
    said = [line for line in server.commands if line[:4] in ("MAIL", "RCPT")]
    assert said == [
        "MAIL FROM:<bounce+7@sender.test> RET=HDRS ENVID=7",
        "RCPT TO:<a+b=c@example.test> NOTIFY=FAILURE,DELAY ORCPT=rfc822;a+2Bb+3Dc@example.test",
        "MAIL FROM:<bounce+8@sender.test>",
        "RCPT TO:<reader8@example.test>",
    ]


@pytest.mark.parametrize("content", [b"a\nb\n", b"a\rb", b"a\n.\nb\r\n", b"a\r\n.\nb\r.\r\n", b"", b"\r\r\n"])
def test_line_ends_are_what_smtp_wants_them_to_be(content: bytes) -> None:
    with SmtpServer() as server:
        outcomes = deliver(make(server), message(1, content=content), message(2))
    assert [o.kind for o in outcomes] == [Kind.accepted] * 2
    received = server.received[0].content
    assert b"\n" not in received.replace(b"\r\n", b"")
    assert b"\r" not in received.replace(b"\r\n", b"")
    assert received.endswith(b"\r\n")
    assert received.split() == content.split()


@pytest.mark.parametrize("size", [131_070, 131_072, 131_073, 300_000])
def test_a_text_longer_than_a_block_arrives_whole(size: int) -> None:
    text = b"a" * (size - 80) + b"b" * 78 + b"\r\n"
    with SmtpServer() as server:
        outcomes = deliver(
            make(server), message(1, content=text), message(2), message(3, content=text), at_once=True
        )
    assert [o.kind for o in outcomes] == [Kind.accepted] * 3
    assert [len(r.content) for r in server.received] == [len(text), len(TEXT), len(text)]
    assert server.received[2].content == text


@pytest.mark.parametrize("limit", [1, 3])
def test_a_connection_is_left_after_its_number_of_messages(limit: int) -> None:
    with SmtpServer() as server:
        outcomes = deliver(
            make(server, messages_per_connection=limit), *map(message, range(1, 8)), at_once=True
        )
    assert [o.kind for o in outcomes] == [Kind.accepted] * 7
    assert server.connections == -(-7 // limit)
    assert server.commands.count("QUIT") == server.connections


def test_a_server_may_name_its_number_of_messages() -> None:
    extensions = (b"PIPELINING", b"CHUNKING", b"LIMITS MAILMAX=2 RCPTMAX=1")
    with SmtpServer(extensions=extensions) as server:
        outcomes = deliver(make(server), *map(message, range(1, 6)), at_once=True)
    assert [o.kind for o in outcomes] == [Kind.accepted] * 5
    assert server.connections == 3


def test_a_connection_without_work_is_ended() -> None:
    async def run(server: SmtpServer) -> None:
        transport = make(server, idle=0.05)
        await hand_over(transport, [message(1)])
        async with asyncio.timeout(20):
            while server.open:  # noqa: ASYNC110 - the server is not on this loop
                await asyncio.sleep(0.01)
        await hand_over(transport, [message(2)])
        await transport.close()

    with SmtpServer() as server:
        asyncio.run(run(server))
    assert server.commands.count("QUIT") == 2
    assert server.connections == 2


# --- the connection breaks ----------------------------------------------------------------------------

ENDS = ("close", "reset")


def before_the_text(at: str, mode: str) -> Kind:
    """What a message is of which the server last saw this command: BDAT brings the text with it."""
    return Kind.uncertain if at == "data" and "chunking" in mode else Kind.unsent


@pytest.mark.parametrize(("at", "end"), [*itertools.product(("mail", "rcpt", "data"), ENDS)])
def test_lost_before_the_text_is_unsent(at: str, end: str, mode: str) -> None:
    with SmtpServer(Fault(at, reply=b"", then=end)) as server:
        outcomes = deliver(make(server), message(1), message(2))
    assert [o.kind for o in outcomes] == [before_the_text(at, mode), Kind.accepted]
    assert outcomes[0].reply
    assert server.addresses == ["reader2@example.test"]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("after", [0, 1000, 3_000_000])
def test_lost_in_the_middle_of_the_text_is_never_accepted(end: str, after: int) -> None:
    """The rest of it may have left this machine, dot and all, before the end shows: then nobody knows."""
    text = b"Subject: long\r\n\r\n" + b"0123456789abcdef\r\n" * 2_000_000
    with SmtpServer(Fault("text", then=end, after=after)) as server:
        outcomes = deliver(make(server), message(1, content=text), message(2))
    assert outcomes[0].kind in (Kind.unsent, Kind.uncertain)
    if after < 10_000:
        assert outcomes[0].kind is Kind.unsent
    assert outcomes[1].kind is Kind.accepted
    assert server.addresses == ["reader2@example.test"]


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("end", ENDS)
def test_lost_after_the_dot_is_uncertain(end: str, taken: bool) -> None:
    with SmtpServer(Fault("dot", reply=b"", then=end, taken=taken)) as server:
        outcomes = deliver(make(server), message(1), message(2))
    assert [o.kind for o in outcomes] == [Kind.uncertain, Kind.accepted]
    assert len(server.received) == 1 + taken


def test_a_connection_that_was_closed_while_idle_costs_nothing() -> None:
    with SmtpServer(Fault("dot", then="close", taken=True, reply=b"250 ok")) as server:
        transport = make(server)

        async def run() -> list[Outcome]:
            first = await hand_over(transport, [message(1)])
            await asyncio.sleep(0.05)
            second = await hand_over(transport, [message(2)])
            await transport.close()
            return first + second

        outcomes = asyncio.run(run())
    assert [o.kind for o in outcomes] == [Kind.accepted, Kind.accepted]
    assert server.connections == 2


@pytest.mark.parametrize("at", ["mail", "rcpt", "data"])
def test_421_closes_one_connection_and_the_message_goes_over_the_next(at: str, mode: str) -> None:
    with SmtpServer(Fault(at, reply=b"421 4.3.2 shutting down", then="close")) as server:
        outcomes = deliver(make(server), message(1), message(2))
    answered = at == "data" and "chunking" in mode  # it is the answer to the text
    assert [o.kind for o in outcomes] == [Kind.deferred if answered else Kind.accepted, Kind.accepted]
    assert server.connections == 2


def test_421_again_and_again_is_given_back() -> None:
    with SmtpServer(Fault("mail", reply=b"421 4.3.2 shutting down", then="close", times=-1)) as server:
        (outcome,) = deliver(make(server), message())
    assert outcome.kind is Kind.unsent
    assert (outcome.code, outcome.reply, outcome.at) == (421, "4.3.2 shutting down", "MAIL")
    assert server.received == []


def test_421_after_the_dot_is_a_definite_no() -> None:
    with SmtpServer(Fault("dot", reply=b"421 4.3.2 shutting down", then="close")) as server:
        outcomes = deliver(make(server), message(1), message(2))
    assert [o.kind for o in outcomes] == [Kind.deferred, Kind.accepted]


def test_an_unasked_goodbye_between_messages_is_not_an_answer() -> None:
    with SmtpServer(
        Fault("dot", extra=b"421 4.4.2 idle for too long\r\n", then="close", taken=True)
    ) as server:
        outcomes = deliver(make(server), message(1), message(2))
    assert [o.kind for o in outcomes] == [Kind.accepted, Kind.accepted]
    assert server.addresses == ["reader1@example.test", "reader2@example.test"]


def test_a_server_that_closes_after_so_many_messages_is_gone_along_with() -> None:
    """The usual way of ending a connection: 421 instead of the answer to the next MAIL."""
    faults = [Fault("dot", times=0)]
    with SmtpServer(*faults, per_connection=3) as server:
        outcomes = deliver(make(server), *map(message, range(1, 21)), at_once=True)
    assert [o.kind for o in outcomes] == [Kind.accepted] * 20
    assert len(server.received) == 20
    assert server.connections == 7


@pytest.mark.parametrize("end", ENDS)
def test_a_server_that_hangs_up_after_every_text_brings_one_copy_in_doubt_each_time(end: str) -> None:
    with SmtpServer(Fault("dot", reply=b"", then=end, taken=True, times=3)) as server:
        outcomes = deliver(make(server), *map(message, range(1, 9)), at_once=True)
    assert sorted(o.kind for o in outcomes) == [Kind.accepted] * 5 + [Kind.uncertain] * 3
    assert len(server.received) == len(set(server.addresses)) == 8


def test_fewer_connections_than_configured_are_made_do_with() -> None:
    with SmtpServer(most=2, pace=0.01) as server:
        outcomes = deliver(make(server, connections=6), *map(message, range(1, 31)), at_once=True)
    assert all(o.kind is Kind.accepted for o in outcomes)
    assert len(server.received) == 30


@pytest.mark.parametrize(
    ("at", "reply"),
    [
        ("ehlo", b"421 4.3.2 too many connections"),
        ("auth", b"432 4.3.2 concurrent connections limit exceeded"),
    ],
)
def test_a_connection_too_many_that_is_refused_late_is_made_do_without(at: str, reply: bytes) -> None:
    async def run(transport: Transport, server: SmtpServer) -> list[Outcome]:
        await transport.open()
        server.faults.append(Fault(at, reply=reply, then="close", times=-1))
        try:
            return await hand_over(transport, [message(n) for n in range(1, 17)], at_once=True)
        finally:
            await transport.close()

    with SmtpServer(user="u", password="p", pace=0.02) as server:
        outcomes = asyncio.run(run(make(server, connections=4, depth=4, user="u", password="p"), server))
    assert {outcome.kind for outcome in outcomes} == {Kind.accepted}
    assert len(server.received) == 16


# --- rubbish, silence, too many words -----------------------------------------------------------------


@pytest.mark.parametrize("at", ["mail", "rcpt", "data"])
@pytest.mark.parametrize(
    "said", [b"hello there", b"9", b"999 what", b"250_ok", b"\xff\xfe\x00", b"220-a\r\n250 b"]
)
def test_rubbish_before_the_text_is_unsent(at: str, said: bytes, mode: str) -> None:
    with SmtpServer(Fault(at, reply=said)) as server:
        outcomes = deliver(make(server), message(1), message(2))
    assert [o.kind for o in outcomes] == [before_the_text(at, mode), Kind.accepted]
    assert server.addresses == ["reader2@example.test"]


@pytest.mark.parametrize("said", [b"hello there", b"354 more", b"999 what", b"250"[:2]])
def test_rubbish_after_the_dot_is_uncertain(said: bytes) -> None:
    with SmtpServer(Fault("dot", reply=said, taken=True)) as server:
        outcomes = deliver(make(server), message(1), message(2))
    assert [o.kind for o in outcomes] == [Kind.uncertain, Kind.accepted]
    assert server.connections == 2


def test_a_bare_code_is_an_answer() -> None:
    with SmtpServer(Fault("dot", reply=b"250", taken=True)) as server:
        (outcome,) = deliver(make(server), message())
    assert (outcome.kind, outcome.reply) == (Kind.accepted, "")


def test_an_endless_reply_is_not_waited_for() -> None:
    with SmtpServer(Fault("rcpt", reply=b"250-yes\r\n" * 5000 + b"250 yes")) as server:
        (outcome,) = deliver(make(server), message())
    assert outcome.kind is Kind.unsent
    with SmtpServer(Fault("rcpt", reply=b"250 " + b"y" * 100_000)) as server:
        (outcome,) = deliver(make(server), message())
    assert outcome.kind is Kind.unsent


@pytest.mark.parametrize("at", ["mail", "rcpt"])
def test_one_reply_too_many_is_never_taken_for_the_next_answer(at: str) -> None:
    """A stray 250 must not make an accepted message out of a refused one."""
    faults = (Fault(at, extra=b"250 2.0.0 ok\r\n"), Fault("dot", who="reader1@example.test", reply=b"554 no"))
    with SmtpServer(*faults) as server:
        outcomes = deliver(make(server), message(1), message(2))
    assert outcomes[0].kind is not Kind.accepted
    assert outcomes[1].kind is Kind.accepted
    assert server.addresses == ["reader2@example.test"]


def test_two_answers_to_the_text_do_not_reach_the_next_message() -> None:
    faults = (
        Fault("dot", who="reader1@example.test", extra=b"250 2.0.0 ok again\r\n", taken=True),
        Fault("dot", who="reader2@example.test", reply=b"554 5.6.0 no"),
    )
    with SmtpServer(*faults) as server:
        outcomes = deliver(make(server), message(1), message(2))
    assert [o.kind for o in outcomes] == [Kind.accepted, Kind.rejected]
    assert server.addresses == ["reader1@example.test"]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [(b"552 5.3.0 enough", Kind.rejected), (b"452 4.3.1 full", Kind.deferred), (b"250 ok", Kind.unsent)],
)
@pytest.mark.parametrize("then", ["", "close"])
def test_an_answer_before_the_end_of_the_text_takes_nothing(reply: bytes, kind: Kind, then: str) -> None:
    text = b"0123456789abcdef\r\n" * 400_000
    with SmtpServer(Fault("text", reply=reply, after=100, then=then)) as server:
        outcomes = deliver(make(server), message(1, content=text), message(2))
    assert outcomes[0].kind is kind
    assert outcomes[1].kind is Kind.accepted
    assert server.addresses == ["reader2@example.test"]


@pytest.mark.parametrize("at", ["mail", "rcpt", "data"])
def test_silence_before_the_text_is_unsent(at: str, mode: str) -> None:
    with SmtpServer(Fault(at, reply=b"", then="stall")) as server:
        started = time.monotonic()
        outcomes = deliver(make(server, timeout=0.2, text_timeout=0.4), message(1), message(2))
    assert [o.kind for o in outcomes] == [before_the_text(at, mode), Kind.accepted]
    assert time.monotonic() - started < 20


def test_silence_after_the_dot_is_uncertain() -> None:
    with SmtpServer(Fault("dot", reply=b"", then="stall")) as server:
        (outcome,) = deliver(make(server, timeout=0.05), message())
    assert outcome.kind is Kind.uncertain
    assert "0.5 seconds" in outcome.reply


def test_a_server_that_stops_reading_is_not_waited_for() -> None:
    text = b"0123456789abcdef\r\n" * 1_000_000
    with SmtpServer(Fault("text", after=10, then="stall")) as server:
        (outcome,) = deliver(make(server, timeout=0.3), message(content=text))
    assert outcome.kind is Kind.unsent


def test_a_slow_server_is_waited_for() -> None:
    with SmtpServer(Fault("dot", delay=0.3), Fault("rcpt", delay=0.2)) as server:
        (outcome,) = deliver(make(server), message())
    assert outcome.kind is Kind.accepted


# --- ending -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "kind"),
    [(at, Kind.unsent) for at in ("greeting", "ehlo", "mail", "rcpt", "data", "text")]
    + [("dot", Kind.uncertain)],
)
def test_breaking_off_says_at_once_what_is_known(at: str, kind: Kind, mode: str) -> None:
    async def run(server: SmtpServer) -> list[Outcome]:
        transport, heard = make(server, timeout=60.0), Heard()
        text = TEXT * 100_000 if at == "text" else TEXT  # more than there is room for on the way
        transport.send([message(content=text)], heard)
        await asyncio.to_thread(reached.wait, 20)
        transport.break_off()
        outcomes = list(heard.outcomes.values())
        await transport.close()
        return outcomes

    if at == "data" and "chunking" in mode:
        kind = Kind.uncertain  # its bytes have been read
    started, reached = time.monotonic(), threading.Event()
    with SmtpServer(Fault(at, reply=b"", then="stall", after=1, hook=reached.set)) as server:
        (outcome,) = asyncio.run(run(server))
        assert not server.received
    assert outcome.kind is kind
    assert outcome.reply
    assert time.monotonic() - started < 40


def test_nobody_waits_for_a_connection_that_is_not_answered() -> None:
    """A firewall that drops everything: neither a stop nor the end takes as long as smtp.timeout."""

    async def run(port: int) -> None:
        transport, heard = make(host="127.0.0.1", port=port, timeout=30.0, connections=3), Heard()
        opening = asyncio.create_task(transport.open())
        transport.send([message(1), message(2)], heard)
        await asyncio.sleep(0.2)
        opening.cancel()
        transport.break_off()
        assert [outcome.kind for outcome in heard.outcomes.values()] == [Kind.unsent] * 2
        with pytest.raises(asyncio.CancelledError):
            await opening
        await transport.close()

    started = time.monotonic()
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)  # what is more than this one in the queue gets no answer at all
        for other in (first, second):
            other.setblocking(False)
            other.connect_ex(deaf.getsockname())
        asyncio.run(run(deaf.getsockname()[1]))
    assert time.monotonic() - started < 20


def test_what_waits_can_be_taken_back_while_the_rest_goes_on() -> None:
    async def run(server: SmtpServer) -> list[Outcome]:
        transport, heard = make(server, depth=8), Heard()
        assert isinstance(transport, SmtpTransport)
        transport.send([message(n) for n in range(1, 9)], heard)
        await asyncio.to_thread(reached.wait, 20)
        transport.recall()
        assert len(heard.outcomes) >= 6
        await transport.close()
        return await heard.all(8)

    reached = threading.Event()
    with SmtpServer(Fault("dot", delay=0.2, hook=reached.set)) as server:
        outcomes = asyncio.run(run(server))
    assert outcomes[0].kind is Kind.accepted
    assert {o.kind for o in outcomes[2:]} == {Kind.unsent}
    assert server.addresses == [
        f"reader{o.delivery}@example.test" for o in outcomes if o.kind is Kind.accepted
    ]


def test_after_breaking_off_it_can_be_used_again() -> None:
    async def run(server: SmtpServer) -> list[Outcome]:
        transport, heard = make(server), Heard()
        transport.send([message(1), message(2)], heard)
        await asyncio.to_thread(reached.wait, 20)
        transport.break_off()
        transport.send([message(3)], heard)
        outcomes = await heard.all(3)
        await transport.close()
        return outcomes

    reached = threading.Event()
    with SmtpServer(Fault("rcpt", reply=b"", then="stall", hook=reached.set)) as server:
        outcomes = asyncio.run(run(server))
    assert outcomes[2].kind is Kind.accepted
    assert Kind.accepted not in {outcome.kind for outcome in outcomes[:2]}
    assert server.addresses == ["reader3@example.test"]


def test_closing_waits_for_what_is_under_way() -> None:
    async def run(server: SmtpServer) -> list[Outcome]:
        transport, heard = make(server), Heard()
        transport.send([message(1), message(2)], heard)
        await asyncio.sleep(0.1)
        await transport.close()
        return await heard.all(2)

    with SmtpServer(Fault("dot", delay=0.4)) as server:
        assert [outcome.kind for outcome in asyncio.run(run(server))] == [Kind.accepted] * 2


# --- every position -----------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["connect", "greeting", "ehlo", "mail", "rcpt", "data", "text", "dot"])
@pytest.mark.parametrize("end", ENDS)
def test_whatever_breaks_the_outcome_is_true(at: str, end: str) -> None:
    """The promise itself: accepted means taken; unsent, deferred and rejected mean not taken."""
    outcomes: list[Outcome] = []
    with SmtpServer(Fault(at, then=end, times=2, reply=b"")) as server:
        try:
            outcomes = deliver(make(server, connections=2), *map(message, range(1, 6)), at_once=True)
        except TransportError:
            assert at in ("connect", "greeting", "ehlo")
    taken = server.addresses
    assert len(taken) == len(set(taken))
    for outcome in outcomes:
        here = f"reader{outcome.delivery}@example.test" in taken
        assert outcome.kind is Kind.uncertain or here == (outcome.kind is Kind.accepted)
