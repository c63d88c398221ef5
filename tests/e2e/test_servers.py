"""The same messages to servers that others wrote: what each took must be what we call accepted, to the byte.

Postfix, Exim and aiosmtpd keep what they take, and it is compared; smtp-sink refuses, hangs up and delays on
command. Each in every way of talking that it offers.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from digest.config import Smtp
from digest.model import Message, Outcome, OutcomeKind
from digest.smtp import SmtpTransport
from tests.e2e import exim, postfix
from tests.handing_over import hand_over, until_known

Kind = OutcomeKind
MODES: dict[str, dict[str, object]] = {
    "sequential": {"pipelining": False, "chunking": False},
    "pipelining": {"pipelining": True, "chunking": False},
    "chunking": {"pipelining": True, "chunking": True, "depth": 8},
}
Kept = Callable[[int], list[tuple[str, bytes]]]
LIMIT = 1_000_000
"""What each of these servers takes at most, in bytes."""


@dataclass(frozen=True, slots=True)
class Case:
    who: str
    content: bytes


def cases(run: str) -> list[Case]:
    """A conversation: what is odd stands between what is not, which must not be disturbed by it."""
    texts = [
        b"plain\r\n",
        b".\r\n..\r\n...\r\n.leading\r\n\r\n.\r\n",
        b".",
        b"no line end at the end",
        b"",
        b"\r\n\r\n\r\n",
        "Grüße, 日本語\r\n".encode(),
        bytes(range(0x80, 0x100)) + b"\r\n",
        b"x" * 998 + b"\r\n",
        b".".join([b"x" * 990] * 1) + b"\r\n." + b"y" * 990 + b"\r\n",
        b"tab\tand trailing space \r\n",
        b"BDAT 10 LAST\r\nQUIT\r\nRSET\r\nMAIL FROM:<x@y.test>\r\n",
        b"0123456789abcdef\r\n." * 20_000 + b"\r\n",
        b"short again\r\n",
    ]
    made = [Case(f"reader{number}", text) for number, text in enumerate(texts)]
    made[3:3] = [Case("unknown1", b"for nobody\r\n"), Case("later1", b"not now\r\n.\r\n")]
    made[8:8] = [Case(f"unknown{number}", b"y" * 70_000 + b"\r\n") for number in range(2, 5)]
    made[14:14] = [Case("huge", b"z" * 70 + b"\r\n" + (b"z" * 70 + b"\r\n") * (LIMIT // 70))]
    made += [Case(f"one-of-many{number}", b"many\r\n") for number in range(20)]
    return [Case(f"{each.who}-{run}", _whole(number, each.content)) for number, each in enumerate(made)]


def _whole(number: int, body: bytes) -> bytes:
    head = (
        f"X-Case: {number}\r\nMessage-ID: <{number}@example.org>\r\nDate: Mon, 16 Nov 2026 09:00:00 +0000\r\n"
        "From: <a@example.org>\r\nTo: <b@example.org>\r\nSubject: a case\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    )
    return head.encode() + body


def settings(port: int, mode: str, **more: object) -> Smtp:
    return Smtp.model_validate({"host": "127.0.0.1", "port": port, "connections": 1, **MODES[mode], **more})


def sent(smtp: Smtp, messages: Sequence[Message], *, once: bool = False) -> dict[int, Outcome]:
    """The last outcome of each message; `once`: without handing over again what was "unsent"."""

    async def run() -> dict[int, Outcome]:
        transport = SmtpTransport(smtp)
        try:
            if once:
                return (await hand_over(transport, messages)).outcomes
            history = await until_known(transport, messages)
            return {delivery: outcomes[-1] for delivery, outcomes in history.items()}
        finally:
            await transport.close()

    return asyncio.run(run())


def compare(smtp: Smtp, run: str, kept: Kept) -> None:
    """`kept` waits for so many of this run and tells what there is: recipient, and text from X-Case on."""
    conversation = cases(run)
    messages = [
        Message(number, "bounce@example.org", f"{case.who}@example.org", case.content)
        for number, case in enumerate(conversation)
    ]
    outcomes = sent(smtp, messages)
    expected = [Kind.accepted if _usual(case) else Kind.rejected for case in conversation]
    for number, case in enumerate(conversation):
        if case.who.startswith("later"):
            expected[number] = Kind.deferred
    told = {case.who: outcomes[number] for number, case in enumerate(conversation)}
    assert [outcomes[number].kind for number in range(len(conversation))] == expected, told
    taken = [case for number, case in enumerate(conversation) if outcomes[number].kind is Kind.accepted]
    there = kept(len(taken))
    assert Counter(who for who, _ in there) == Counter(f"{case.who}@example.org" for case in taken)
    texts = dict(there)
    for case in taken:
        assert texts[f"{case.who}@example.org"] == _as_kept(case.content), case.who


def _usual(case: Case) -> bool:
    return not case.who.startswith(("unknown", "huge"))


def _as_kept(content: bytes) -> bytes:
    """A mailbox has the line ends of the machine, and whole lines only."""
    return content.replace(b"\r\n", b"\n") + (b"" if content.endswith(b"\n") else b"\n")


def from_maildir(
    mail: Callable[[int], list[bytes]], header: bytes
) -> Callable[[int], list[tuple[str, bytes]]]:
    """What is new in a Maildir; `header` names the recipient of the envelope."""
    seen: set[bytes] = set()

    def kept(count: int) -> list[tuple[str, bytes]]:
        new = [content for content in mail(len(seen) + count) if content not in seen]
        seen.update(new)
        made = []
        for content in new:
            trace, _, text = content.partition(b"X-Case: ")
            (who,) = (
                line.partition(b":")[2].strip().decode()
                for line in trace.splitlines()
                if line.lower().startswith(header)
            )
            made.append((who, b"X-Case: " + text))
        return made

    return kept


@pytest.mark.postfix
def test_postfix() -> None:
    with postfix.running("example.org") as server:
        kept = from_maildir(server.mail, b"delivered-to:")
        for mode in MODES:
            compare(settings(server.port, mode), mode, kept)


@pytest.mark.exim
def test_exim() -> None:
    with exim.running() as server:
        kept = from_maildir(server.mail, b"envelope-to:")
        for mode in MODES:
            compare(settings(server.port, mode), mode, kept)


class Keeping:
    """aiosmtpd's handler: the same rules as the others'."""

    def __init__(self) -> None:
        self.copies: list[tuple[str, bytes]] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _: Any) -> str:  # noqa: N802
        if address.startswith("unknown"):
            return "550 5.1.1 no such user"
        if address.startswith("later"):
            return "450 4.2.1 come back later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.copies.extend((address, envelope.original_content) for address in envelope.rcpt_tos)
        return "250 2.0.0 ok"


def test_aiosmtpd() -> None:
    keeping = Keeping()
    controller = Controller(keeping, hostname="127.0.0.1", port=_free_port(), data_size_limit=LIMIT)
    controller.start()
    try:

        def kept(_: int) -> list[tuple[str, bytes]]:
            return [(who, _as_kept(content)) for who, content in keeping.copies]

        compare(settings(controller.port, "chunking"), "aiosmtpd", kept)
    finally:
        controller.stop()


# --- smtp-sink, which fails on command ----------------------------------------------------------------


@contextmanager
def smtp_sink(*options: str) -> Iterator[int]:
    program = shutil.which("smtp-sink", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if program is None:
        pytest.skip("smtp-sink is not installed; it comes with Postfix")
    port = _free_port()
    if os.geteuid() == 0:
        options = ("-u", "nobody", *options)
    process = subprocess.Popen([program, *options, f"127.0.0.1:{port}", "100"], stderr=subprocess.PIPE)
    try:
        until = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(10)
        assert process.stderr is not None
        process.stderr.close()


TEXT = b"Subject: x\r\n\r\n" + b"0123456789abcdef\r\n" * 100
FAULTS = {
    "none": ([], Kind.accepted),
    "no ESMTP": (["-e"], Kind.accepted),
    "no PIPELINING": (["-p"], Kind.accepted),
    "no 8BITMIME": (["-8"], Kind.accepted),
    "slow DATA": (["-w", "1"], Kind.accepted),
    "slow texts": (["-W", ".:1"], Kind.accepted),
    "a recipient refused": (["-f", "RCPT", "-B", "550 5.1.1 no such user"], Kind.rejected),
    "a recipient deferred": (["-r", "RCPT", "-b", "450 4.2.1 come back later"], Kind.deferred),
    "a text refused": (["-f", ".", "-B", "554 5.7.1 not this one"], Kind.rejected),
    "a text deferred": (["-r", ".", "-b", "451 4.3.0 not now"], Kind.deferred),
    "DATA refused": (["-f", "DATA", "-B", "554 5.7.1 not from you to her"], Kind.rejected),
    "DATA deferred": (["-r", "DATA", "-b", "451 4.3.0 not now"], Kind.deferred),
    "hangs up at MAIL": (["-q", "MAIL"], Kind.unsent),
    "hangs up at RCPT": (["-q", "RCPT"], Kind.unsent),
    "hangs up at DATA": (["-q", "DATA"], Kind.unsent),
    "hangs up after the text": (["-q", "."], Kind.uncertain),
}


@pytest.mark.parametrize("mode", ["sequential", "pipelining"])
@pytest.mark.parametrize("fault", FAULTS)
def test_smtp_sink_with_a_fault(fault: str, mode: str) -> None:
    """Postfix' test server, which does to every message what it is told."""
    options, kind = FAULTS[fault]
    messages = [Message(number, "b@s.test", f"r{number}@r.test", TEXT) for number in range(3)]
    with smtp_sink(*options) as port:
        # What was "unsent" behind another one's trouble is handed over again.
        once = kind is Kind.unsent
        outcomes = sent(settings(port, mode, connections=2, timeout=5), messages, once=once)
    assert {outcome.kind for outcome in outcomes.values()} == {kind}, outcomes


@pytest.mark.parametrize("mode", ["sequential", "pipelining"])
@pytest.mark.parametrize("at", ["MAIL", "RCPT", "DATA", "."])
def test_smtp_sink_that_says_421_to_everybody(at: str, mode: str) -> None:
    """It ends the connection and not the message: nobody was refused, nothing is in doubt."""
    messages = [Message(number, "b@s.test", f"r{number}@r.test", TEXT) for number in range(3)]
    with smtp_sink("-Q", at) as port:
        outcomes = sent(settings(port, mode, timeout=5), messages, once=True)
    assert {outcome.kind for outcome in outcomes.values()} <= {Kind.deferred, Kind.unsent}, outcomes


@pytest.mark.parametrize("mode", ["sequential", "pipelining"])
def test_smtp_sink_that_answers_before_the_text_is_over(mode: str) -> None:
    """550 behind the 354, and nothing is read any more: whatever we make of it, it was not taken."""
    text = TEXT + b"0123456789abcdef\r\n" * 500_000
    messages = [Message(number, "b@s.test", f"r{number}@r.test", text) for number in range(2)]
    with smtp_sink("-A", "0") as port:
        outcomes = sent(settings(port, mode, timeout=5), messages, once=True)
    assert {outcome.kind for outcome in outcomes.values()} <= {Kind.rejected, Kind.unsent}, outcomes


def test_smtp_sink_that_greets_only_one_of_our_connections() -> None:
    """The others hang until we give them up; everything goes through the one."""
    messages = [Message(number, "b@s.test", f"r{number}@r.test", TEXT) for number in range(30)]
    with smtp_sink("-m", "1") as port:
        outcomes = sent(settings(port, "pipelining", connections=3, timeout=1), messages)
    assert {outcome.kind for outcome in outcomes.values()} == {Kind.accepted}, outcomes


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
