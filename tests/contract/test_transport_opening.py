"""Whether a relay can be used at all: connecting, greeting, TLS, sign-in; and what an error says."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import pytest
from pydantic import SecretStr

from digest.config import SmtpTls
from digest.errors import TransportError
from digest.model import Outcome, OutcomeKind
from digest.ports import Transport
from digest.replies import About, meaning
from digest.smtp import is_loopback
from tests.relaying import TEXT, deliver, fails, hand_over, make, message
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


# --- names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "LOCALHOST.", "x.localhost"]
)
def test_hosts_that_are_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["10.0.0.1", "example.org", "localhost.example.org", "0.0.0.0", ""])
def test_hosts_that_are_not(host: str) -> None:
    assert not is_loopback(host)
