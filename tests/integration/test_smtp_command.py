"""`digest smtp test`: what it shows of a relay, and what it never shows."""

from __future__ import annotations

import json
import socket
import ssl
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from digest.cli import command
from digest.cli.init import first_config, make
from tests.smtp_server import Fault, SmtpServer

PEM = Path(__file__).resolve().parents[1] / "data" / "localhost.pem"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return make(tmp_path / "news", first_config())[0]


def run(config: Path, *words: str, **settings: object) -> Result:
    environ = {f"DIGEST_{key.upper()}": str(value) for key, value in settings.items()}
    return CliRunner().invoke(command, ["--config", str(config), "smtp", "test", *words], env=environ)


def test_it_shows_the_conversation_and_hides_the_password(config: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    with SmtpServer(tls=context, user="us", password="hunter2hunter2") as server:
        result = run(
            config, smtp__port=server.port, smtp__user="us", smtp__password="hunter2hunter2",
            smtp__tls="required", smtp__ca_file=PEM,
        )  # fmt: skip
    assert result.exit_code == 0, result.output
    for told in (
        "S: 220 test.example ESMTP", "C: STARTTLS", "C: AUTH PLAIN ********", "S: 235 welcome", "C: QUIT",
        "TLSv1.3", "CN=localhost", "Sign-in      done", "Mode         chunking", "Round trip",
    ):  # fmt: skip
        assert told in result.output
    assert "hunter2" not in result.output
    assert "aHVudGVyMmh1bnRlcjI" not in result.output  # the same in base64
    assert server.received == []


def test_it_sends_one_message(config: Path) -> None:
    with SmtpServer(extensions=(b"PIPELINING",)) as server:
        result = run(config, "you@example.test", smtp__port=server.port)
    assert result.exit_code == 0, result.output
    assert "Message      accepted: 250 2.0.0 ok queued as 1" in result.output
    assert "C: RCPT TO:<you@example.test>" in result.output
    assert "Mode         pipelining" in result.output
    (received,) = server.received
    assert (received.mail_from, received.rcpt_to) == ("weekly@example.org", "you@example.test")
    assert b"Subject: A test of the relay" in received.content


def test_a_message_that_is_refused_is_an_error(config: Path) -> None:
    with SmtpServer(Fault("mail", reply=b"550 5.7.1 not yours")) as server:
        result = run(config, "you@example.test", smtp__port=server.port)
    assert result.exit_code == 1
    assert "550 5.7.1 not yours" in result.output
    assert "sender" in result.output.splitlines()[-1]


def test_json_is_one_document(config: Path) -> None:
    with SmtpServer() as server:
        result = run(config, "you@example.test", "--json", smtp__port=server.port)
    told = json.loads(result.stdout)
    assert told["mode"] == "chunking"
    assert told["extensions"]["SIZE"] == "100000000"
    assert told["outcome"]["kind"] == "accepted"
    assert "delivery" not in told["outcome"]
    assert told["encryption"] is None
    assert told["rate"] > 0


def test_a_relay_that_is_down_says_what_to_change(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    result = run(config, smtp__port=port)
    assert result.exit_code == 1
    assert "Connection refused" in result.output
    assert "smtp.port" in result.output


@pytest.mark.parametrize("end", ["close", "reset"])
def test_a_message_in_doubt_is_told_as_that(config: Path, end: str) -> None:
    with SmtpServer(Fault("dot", reply=b"", then=end)) as server:
        result = run(config, "you@example.test", smtp__port=server.port)
    assert result.exit_code == 1
    assert "uncertain" in result.output


def test_the_second_server_can_be_tried(config: Path) -> None:
    result = run(config, "--fallback")
    assert result.exit_code == 2
    assert "[fallback]" in result.output
    with SmtpServer() as server:
        result = run(config, "--fallback", fallback__host="127.0.0.1", fallback__port=server.port)
    assert result.exit_code == 0
    assert f"127.0.0.1:{server.port}" in result.output


def test_an_address_that_is_none_is_refused_before_anything_is_said(config: Path) -> None:
    result = run(config, "nobody")
    assert result.exit_code == 2
    assert "'nobody'" in result.output
