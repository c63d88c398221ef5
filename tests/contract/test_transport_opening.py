"""Whether a relay can be used at all: connecting, greeting, TLS, sign-in; and what an error says."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from digest.config import Smtp, SmtpTls
from digest.errors import TransportError
from digest.model import Outcome, OutcomeKind
from digest.ports import Transport
from digest.replies import About, meaning
from digest.smtp import is_loopback
from tests import relaying
from tests.relaying import MODES, TEXT, Heard, deliver, fails, hand_over, make, message
from tests.smtp_server import Fault, SmtpServer

Kind = OutcomeKind
PEM = Path(__file__).resolve().parents[1] / "data" / "localhost.pem"


# --- the relay cannot be used -------------------------------------------------------------------------


def test_a_server_that_is_down() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = fails(make(port=port))
    assert str(port) in error.message
    assert error.phase == "connect"
    assert "smtp.port" in error.hint


def test_open_finds_out_before_anything_is_sent() -> None:
    async def run(transport: Transport) -> Outcome:
        await transport.open()
        (outcome,) = await hand_over(transport, [message()])
        await transport.close()
        return outcome

    with SmtpServer() as server:
        assert asyncio.run(run(make(server))).kind is Kind.accepted
        assert server.connections == 1
    with pytest.raises(TransportError):
        asyncio.run(run(make(server)))


def test_whoever_waits_hears_once_and_before_the_outcomes_that_a_relay_cannot_be_used() -> None:
    class Log(Heard):
        def unusable(self, error: TransportError) -> None:
            super().unusable(error)
            assert not self.outcomes

    async def run(server: SmtpServer) -> tuple[Log, Log, list[Outcome]]:
        transport, first, second, third = make(server), Log(), Log(), Log()
        transport.send([message(1), message(2)], first)
        transport.send([message(3)], second)
        async with asyncio.timeout(20):
            await second.changed.wait()
        transport.send([message(4)], third)  # it is tried anew
        outcomes = await third.all(1)
        await transport.close()
        return first, second, outcomes

    with SmtpServer(Fault("greeting", reply=b"421 4.3.2 not now")) as server:
        first, second, outcomes = asyncio.run(run(server))
    for heard, numbers in ((first, [1, 2]), (second, [3])):
        (error,) = heard.errors
        assert (error.phase, error.code, error.for_good) == ("greeting", 421, False)
        assert sorted(heard.outcomes) == numbers
        assert {o.kind for o in heard.outcomes.values()} == {Kind.unsent}
    assert outcomes[0].kind is Kind.accepted


@pytest.mark.parametrize(
    ("fault", "phase"),
    [
        (Fault("greeting", reply=b"554 5.7.1 you are blocked", times=-1), "greeting"),
        (Fault("greeting", reply=b"HTTP/1.1 400 Bad Request", times=-1), "greeting"),
        (Fault("connect", then="close", times=-1), "greeting"),
        (Fault("ehlo", reply=b"", then="close", times=-1), "EHLO"),
    ],
)
def test_a_server_that_does_not_want_us(fault: Fault, phase: str) -> None:
    with SmtpServer(fault) as server:
        error = fails(make(server))
    assert error.phase == phase
    assert server.received == []


def test_a_server_that_closes_with_its_answer_to_ehlo_is_not_waited_for() -> None:
    with SmtpServer(Fault("ehlo", extra=b"421 4.3.2 closing\r\n", then="close", times=-1)) as server:
        error = fails(make(server))
    assert (error.phase, error.problem, error.for_good) == ("EHLO", "421 4.3.2 closing", False)


def test_a_refused_sender_is_an_outcome_that_says_so() -> None:
    with SmtpServer(Fault("mail", reply=b"550 5.7.1 not yours")) as server:
        outcomes = deliver(make(server), message(1), message(2))
    assert [(o.kind, o.code, o.at) for o in outcomes] == [
        (Kind.rejected, 550, "MAIL"),
        (Kind.accepted, 250, "text"),
    ]
    assert outcomes[0].reply == "5.7.1 not yours"


def test_a_sender_refused_for_now_is_deferred() -> None:
    with SmtpServer(Fault("mail", reply=b"451 4.3.0 busy")) as server:
        outcomes = deliver(make(server), message(1), message(2))
    assert [(o.kind, o.code, o.at) for o in outcomes] == [
        (Kind.deferred, 451, "MAIL"),
        (Kind.accepted, 250, "text"),
    ]
    assert server.connections == 1


def test_a_text_larger_than_the_server_takes_is_not_begun() -> None:
    with SmtpServer(extensions=(b"SIZE 100",)) as server:
        (outcome,) = deliver(make(server), message(content=b"x" * 200))
    assert (outcome.kind, outcome.code, outcome.enhanced, outcome.at) == (Kind.rejected, 552, "5.3.4", "MAIL")
    assert outcome.reply == "a message has 202 bytes, the server takes 100"
    assert meaning(outcome.code, outcome.reply, outcome.enhanced).about is About.content
    assert not any(line.startswith("MAIL") for line in server.commands)


def test_a_server_without_ehlo_is_spoken_to_with_helo() -> None:
    with SmtpServer(Fault("ehlo", reply=b"502 what?", times=-1)) as server:
        (outcome,) = deliver(make(server), message())
    assert outcome.kind is Kind.accepted


# --- sign-in and TLS ----------------------------------------------------------------------------------


@pytest.fixture
def context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    return context


@pytest.mark.parametrize("mode", [SmtpTls.required, SmtpTls.implicit])
def test_tls_with_a_certificate_of_a_named_authority(mode: SmtpTls, context: ssl.SSLContext) -> None:
    with SmtpServer(tls=context, implicit=mode is SmtpTls.implicit) as server:
        transport = make(server, tls=mode, ca_file=PEM)
        outcomes = deliver(transport, message(1), message(2))
    assert [o.kind for o in outcomes] == [Kind.accepted, Kind.accepted]
    assert server.received[0].content == TEXT


@pytest.mark.parametrize("mode", [SmtpTls.required, SmtpTls.implicit])
def test_an_unknown_certificate_is_refused(mode: SmtpTls, context: ssl.SSLContext) -> None:
    with SmtpServer(tls=context, implicit=mode is SmtpTls.implicit) as server:
        error = fails(make(server, tls=mode))
    assert "certificate" in error.message
    assert "smtp.ca_file" in error.hint


def test_required_tls_that_is_not_offered_is_an_error() -> None:
    with SmtpServer() as server:
        error = fails(make(server, tls=SmtpTls.required))
    assert error.phase == "STARTTLS"
    assert not any(line.startswith("MAIL") for line in server.commands)


def test_what_is_said_before_tls_does_not_count_as_said_under_it(context: ssl.SSLContext) -> None:
    injected = Fault("starttls", extra=b"250 injected\r\n", times=-1)
    with SmtpServer(injected, tls=context) as server:
        error = fails(make(server, tls=SmtpTls.required, ca_file=PEM))
    assert error.phase == "STARTTLS"


def test_starttls_that_is_refused_is_an_error(context: ssl.SSLContext) -> None:
    with SmtpServer(
        Fault("starttls", reply=b"454 4.7.0 not now", then="close", times=-1), tls=context
    ) as server:
        error = fails(make(server, tls=SmtpTls.required))
    assert (error.phase, error.code) == ("STARTTLS", 454)


def test_a_ca_file_that_is_none(tmp_path: Path, context: ssl.SSLContext) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    with SmtpServer(tls=context) as server:
        error = fails(make(server, tls=SmtpTls.required, ca_file=tmp_path / "ca.pem"))
    assert "smtp.ca_file" in error.message


@pytest.mark.parametrize("end", ["close", "reset"])
def test_lost_after_the_dot_under_tls_is_uncertain(end: str, context: ssl.SSLContext) -> None:
    with SmtpServer(Fault("dot", reply=b"", then=end), tls=context) as server:
        (outcome,) = deliver(make(server, tls=SmtpTls.required, ca_file=PEM), message())
    assert outcome.kind is Kind.uncertain


def signed_in(server: SmtpServer, password: str) -> Transport:
    return make(server, user="us", password=SecretStr(password))


def test_sign_in() -> None:
    with SmtpServer(user="us", password="right") as server:
        (outcome,) = deliver(signed_in(server, "right"), message())
    assert outcome.kind is Kind.accepted


def test_a_wrong_password_is_an_error_and_is_not_shown() -> None:
    with SmtpServer(user="us", password="right") as server:
        error = fails(signed_in(server, "wr0ng"))
    assert (error.phase, error.code) == ("sign-in", 535)
    assert "wr0ng" not in error.message
    assert "smtp.user" in error.hint


def test_sign_in_that_is_not_offered_is_an_error() -> None:
    with SmtpServer() as server:
        assert fails(signed_in(server, "x")).phase == "sign-in"


@pytest.mark.parametrize(("mechanism", "verb"), [("login", "AUTH LOGIN"), ("plain", "AUTH PLAIN")])
def test_sign_in_as_configured(mechanism: str, verb: str) -> None:
    with SmtpServer(user="us", password="right") as server:
        transport = make(server, user="us", password=SecretStr("right"), auth=mechanism)
        (outcome,) = deliver(transport, message())
    assert outcome.kind is Kind.accepted
    assert any(line.startswith(verb) for line in server.commands)


def with_token(server: SmtpServer, command: str) -> Transport:
    return make(server, user="us", token_command=command)


def test_sign_in_with_a_token_of_a_command() -> None:
    with SmtpServer(user="us", token="t0ken") as server:
        (outcome,) = deliver(with_token(server, "printf '%s\\n' t0ken"), message())
    assert outcome.kind is Kind.accepted


def test_a_token_is_fetched_once_for_all_connections(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    command = f"sh -c 'echo x >> {asked}; echo t0ken'"
    with SmtpServer(user="us", token="t0ken", pace=0.02) as server:
        transport = make(server, user="us", token_command=command, connections=3, depth=1)
        outcomes = deliver(transport, *map(message, range(1, 10)), at_once=True)
    assert {o.kind for o in outcomes} == {Kind.accepted}
    assert server.connections == 3
    assert asked.read_text() == "x\n"


def test_a_token_that_is_refused_is_renewed_once(tmp_path: Path) -> None:
    old = tmp_path / "old"
    command = f"sh -c 'if [ -e {old} ]; then echo new; else touch {old}; echo old; fi'"
    with SmtpServer(user="us", token="new") as server:
        (outcome,) = deliver(with_token(server, command), message())
    assert outcome.kind is Kind.accepted
    assert sum(line.startswith("AUTH") for line in server.commands) == 2


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("echo wr0ng", "535"),
        ("sh -c 'echo wr0ng; exit 3'", "exit code 3"),
        ("no-such-program-anywhere", "No such file"),
        ("true", "no access token"),
        ("echo wr0ng wr0ng", "no access token"),
        ('echo \'{"no": "wr0ng"}\'', "no access_token"),
        ("echo 'unbalanced", "cannot be read"),
    ],
)
def test_a_token_that_cannot_be_had_is_an_error_and_is_not_shown(command: str, problem: str) -> None:
    with SmtpServer(user="us", token="right") as server:
        error = fails(with_token(server, command))
    assert error.phase == "sign-in"
    assert problem in error.message
    assert "wr0ng" not in f"{error.message} {error.hint}"


# --- a second server ----------------------------------------------------------------------------------


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def second(server: SmtpServer) -> Smtp:
    return Smtp(host="127.0.0.1", port=server.port, connections=1, timeout=5)


def test_the_second_server_takes_the_mail_when_the_first_is_down() -> None:
    with SmtpServer() as server:
        transport = make(port=closed_port(), fallback=second(server))
        outcomes = deliver(transport, message(1), message(2))
    assert [o.kind for o in outcomes] == [Kind.accepted] * 2


def test_the_second_server_takes_what_the_first_did_not_and_nothing_else() -> None:
    """The first dies with a copy in doubt: that one stays in doubt."""
    with SmtpServer() as spare:
        server = SmtpServer(Fault("dot", who="reader3@example.test", reply=b"", then="close", taken=True))
        with server:
            server.faults[0].hook = server.stop
            transport = make(server, fallback=second(spare))
            outcomes = deliver(transport, *map(message, range(1, 9)), at_once=True)
    doubtful = {o.delivery for o in outcomes if o.kind is Kind.uncertain}
    assert 3 in doubtful
    assert {o.delivery for o in outcomes if o.kind is Kind.accepted} == {*range(1, 9)} - doubtful
    assert not {f"reader{n}@example.test" for n in doubtful} & set(spare.addresses)
    assert 8 not in doubtful


def test_when_both_are_down_both_are_named() -> None:
    first, other = closed_port(), closed_port()
    fallback = Smtp(host="127.0.0.1", port=other)
    error = fails(make(port=first, fallback=fallback))
    assert error.server == f"127.0.0.1:{first}"
    assert str(other) in error.message
    assert not error.for_good


def test_starttls_where_it_is_offered(context: ssl.SSLContext) -> None:
    with SmtpServer() as server:
        (outcome,) = deliver(make(server, tls=SmtpTls.starttls), message())
    assert outcome.kind is Kind.accepted
    with SmtpServer(tls=context) as server:  # and there the certificate counts
        assert "certificate" in fails(make(server, tls=SmtpTls.starttls)).message


def test_many_messages_under_tls(context: ssl.SSLContext) -> None:
    texts = [TEXT * n for n in (1, 2000, 1, 4000, 1, 1)]
    with SmtpServer(tls=context) as server:
        transport = make(server, tls=SmtpTls.required, ca_file=PEM)
        messages = [message(n, content=text) for n, text in enumerate(texts, 1)]
        outcomes = deliver(transport, *messages, at_once=True)
    assert [o.kind for o in outcomes] == [Kind.accepted] * 6
    assert [r.content for r in server.received] == texts


def test_a_token_for_a_refresh_token(tmp_path: Path) -> None:
    (tmp_path / "refresh").write_text("r3fresh\n")
    (tmp_path / "secret").write_text("s3cret")
    with token_server() as (url, asked), SmtpServer(user="us", token="acc3ss") as server:
        transport = make(
            server,
            user="us",
            token_url=url,
            client_id="we",
            client_secret_file=tmp_path / "secret",
            refresh_token_file=tmp_path / "refresh",
        )
        (outcome,) = deliver(transport, message())
    assert outcome.kind is Kind.accepted
    assert asked == [
        "grant_type=refresh_token&client_id=we&refresh_token=r3fresh&client_secret=s3cret",
    ]


def test_a_refresh_token_that_is_refused(tmp_path: Path) -> None:
    (tmp_path / "refresh").write_text("r3fresh\n")
    answer = b'{"error":"invalid_grant","error_description":"r3fresh is old"}'
    refresh = tmp_path / "refresh"
    with token_server(400, answer) as (url, _), SmtpServer(user="us", token="acc3ss") as server:
        error = fails(make(server, user="us", token_url=url, client_id="we", refresh_token_file=refresh))
    assert "400 invalid_grant" in error.message
    assert "r3fresh" not in error.message
    assert error.for_good


@contextmanager
def token_server(
    status: int = 200, answer: bytes = b'{"access_token":"acc3ss","expires_in":3600}'
) -> Iterator[tuple[str, list[str]]]:
    """Where tokens come from; its address, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(status)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/token", asked
        finally:
            server.shutdown()
            thread.join()


# --- another loop -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODES)
def test_everything_is_the_same_on_uvloop(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    uvloop = pytest.importorskip("uvloop")
    monkeypatch.setattr(relaying, "defaults", MODES[name])
    refused = Fault("rcpt", who="reader5@example.test", reply=b"550 5.1.1 no")
    silent = Fault("dot", who="reader9@example.test", reply=b"", then="close", taken=True)

    async def run(server: SmtpServer) -> list[Outcome]:
        transport = make(server, connections=2)
        try:
            return await hand_over(
                transport, [message(n, content=TEXT * 3000) for n in range(1, 41)], at_once=True
            )
        finally:
            await transport.close()

    with SmtpServer(refused, silent) as server:
        outcomes = uvloop.run(run(server))
    taken = set(server.addresses)
    assert [o.delivery for o in outcomes if o.kind is Kind.rejected] == [5]
    assert 9 in [o.delivery for o in outcomes if o.kind is Kind.uncertain]
    for outcome in outcomes:
        here = f"reader{outcome.delivery}@example.test" in taken
        assert outcome.kind is Kind.uncertain or here == (outcome.kind is Kind.accepted)


@pytest.mark.parametrize("mode", [SmtpTls.required, SmtpTls.implicit])
def test_tls_on_uvloop(mode: SmtpTls, context: ssl.SSLContext) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def run(server: SmtpServer) -> list[Outcome]:
        transport = make(server, tls=mode, ca_file=PEM)
        try:
            return await hand_over(
                transport, [message(n, content=TEXT * 3000) for n in (1, 2, 3)], at_once=True
            )
        finally:
            await transport.close()

    with SmtpServer(tls=context, implicit=mode is SmtpTls.implicit) as server:
        assert {o.kind for o in uvloop.run(run(server))} == {Kind.accepted}
    assert {r.content for r in server.received} == {TEXT * 3000}


def test_whoever_opens_hears_that_it_was_broken_off() -> None:
    async def run(server: SmtpServer) -> None:
        transport = make(server, timeout=60.0)
        opening = asyncio.create_task(transport.open())
        await asyncio.to_thread(reached.wait, 20)
        transport.break_off()
        with pytest.raises(TransportError, match="broken off"):
            await opening
        await transport.close()

    reached = threading.Event()
    with SmtpServer(Fault("greeting", reply=b"", then="stall", hook=reached.set)) as server:
        asyncio.run(run(server))


# --- names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "LOCALHOST.", "x.localhost"]
)
def test_hosts_that_are_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["10.0.0.1", "example.org", "localhost.example.org", "0.0.0.0", ""])
def test_hosts_that_are_not(host: str) -> None:
    assert not is_loopback(host)
