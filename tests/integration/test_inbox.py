"""The local mailbox takes mail on loopback, keeps every byte, and shows it."""

from __future__ import annotations

import mailbox
import signal
import smtplib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from digest.errors import UsageError
from digest.web.inbox import Inbox
from digest.web.maildir import Maildir

MESSAGE = (
    b"From: =?utf-8?q?J=C3=BCrgen?= <j@sender.test>\r\nTo: ada@example.test\r\nSubject: Hello <b>you</b>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=x\r\n\r\n"
    b"--x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n.dots\r\n..stay\r\n"
    b"--x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Hi</p><script>alert(1)</script>\r\n--x--\r\n"
)


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    with Inbox(port=0, maildir=tmp_path / "mail", web_port=0) as opened:
        yield opened


def send(inbox: Inbox, content: bytes = MESSAGE, *to: str) -> None:
    with smtplib.SMTP("127.0.0.1", inbox.port) as smtp:
        smtp.sendmail("bounce+x@sender.test", list(to) or ["ada@example.test"], content)


def test_a_message_is_kept_to_the_byte(inbox: Inbox) -> None:
    send(inbox)
    (name,) = inbox.maildir.names()
    kept = (inbox.maildir.folder / "new" / name).read_bytes()
    head = b"Return-Path: <bounce+x@sender.test>\r\nDelivered-To: ada@example.test\r\n"
    assert kept == head + MESSAGE


def test_other_programs_can_read_the_folder(inbox: Inbox) -> None:
    send(inbox)
    (message,) = mailbox.Maildir(inbox.maildir.folder, create=False)
    assert message["Delivered-To"] == "ada@example.test"


def test_each_recipient_gets_a_copy(inbox: Inbox) -> None:
    send(inbox, MESSAGE, "a@example.test", "b@example.test")
    lines = inbox.maildir.lines(inbox.maildir.names())
    assert [line.to for line in lines] == ["b@example.test", "a@example.test"]


def test_the_list_shows_what_arrived_newest_first(inbox: Inbox) -> None:
    assert "Nothing has arrived yet" in httpx.get(inbox.url).text
    send(inbox)
    send(inbox, MESSAGE.replace(b"Hello", b"Later"))
    page = httpx.get(inbox.url).text
    assert page.index("Later &lt;b&gt;you") < page.index("Hello &lt;b&gt;you")
    assert "Jürgen" in page
    assert "2 messages" in page


def test_a_long_list_has_pages(inbox: Inbox) -> None:
    for number in range(130):
        inbox.maildir.add("s@x.test", f"r{number}@example.test", b"Subject: n\r\n\r\n")
    first = httpx.get(inbox.url).text
    older = first.split('href="?after=')[1].split('"')[0]
    second = httpx.get(f"{inbox.url}?after={older}").text
    assert "r129@example.test" in first
    assert "r30@example.test" in first
    assert "r29@example.test" not in first
    assert "r29@example.test" in second
    assert "Older messages" not in second


def test_a_message_is_shown_with_its_html_in_a_sandbox(inbox: Inbox) -> None:
    send(inbox)
    address = f"{inbox.url}message/{inbox.maildir.names()[0]}"
    page = httpx.get(address)
    assert 'sandbox="allow-popups' in page.text
    assert ".dots\n..stay" in page.text.replace("\r", "")
    assert "Return-Path" in page.text
    html = httpx.get(f"{address}/html")
    assert "<script>" in html.text
    assert "sandbox" in html.headers["content-security-policy"]
    assert "script-src" not in html.headers["content-security-policy"]
    source = httpx.get(f"{address}/source")
    assert source.content.endswith(MESSAGE)
    assert source.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "1.1_1.inbox", "x"])
def test_what_is_not_there_is_404(inbox: Inbox, name: str) -> None:
    for part in ("", "/html", "/source"):
        assert httpx.get(f"{inbox.url}message/{name}{part}").status_code == 404
    assert httpx.get(f"{inbox.url}static/{name}").status_code == 404
    assert httpx.get(f"{inbox.url}static/pages.css").status_code == 200


def test_mail_that_is_no_message_is_kept_and_shown(inbox: Inbox) -> None:
    for content in (
        b"",
        b"\xff\xfe\x00rubbish",
        b"Subject: =?unknown?q?x?=\r\nContent-Type: text/html; charset=wat\r\n\r\n\xe4",
    ):
        send(inbox, content)
    assert len(inbox.maildir.names()) == 3
    assert httpx.get(inbox.url).status_code == 200
    for name in inbox.maildir.names():
        assert httpx.get(f"{inbox.url}message/{name}").status_code == 200


def test_a_full_disk_is_a_deferral_and_not_a_loss(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Maildir, "add", full)
    with pytest.raises(smtplib.SMTPDataError) as caught:
        send(inbox)
    assert caught.value.smtp_code == 452


def test_it_listens_on_loopback_only(inbox: Inbox) -> None:
    with socket.create_connection(("127.0.0.1", inbox.port)) as here:
        assert here.getpeername()[0] == "127.0.0.1"
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", inbox.port), timeout=1):  # noqa: PT011
        pass


def test_a_port_that_is_taken_is_named(inbox: Inbox, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=str(inbox.port)) as caught, Inbox(port=inbox.port, maildir=tmp_path):
        pass
    assert "--port" in caught.value.hint
    with pytest.raises(UsageError) as web, Inbox(port=0, web_port=inbox.web_port, maildir=tmp_path):
        pass
    assert "--web-port" in web.value.hint


def test_it_ends_with_connections_open(tmp_path: Path) -> None:
    with Inbox(port=0, maildir=tmp_path) as inbox:
        idle = socket.create_connection(("127.0.0.1", inbox.port))
        idle.recv(100)
    assert threading.active_count() < 20
    idle.close()


def test_two_thousand_messages_are_taken(tmp_path: Path) -> None:
    with Inbox(port=0, maildir=tmp_path) as inbox, smtplib.SMTP("127.0.0.1", inbox.port) as smtp:
        smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # type: ignore[union-attr]
        for number in range(2000):
            smtp.sendmail("s@sender.test", [f"r{number}@example.test"], b"Subject: n\r\n\r\nbody\r\n")
        assert len(set(inbox.maildir.names())) == 2000


def test_the_command_takes_mail_until_it_is_stopped(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "digest", "inbox", "--port", "0", "--no-web", "--maildir", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        port = int(process.stderr.readline().split("127.0.0.1:")[1].split()[0])
        with smtplib.SMTP("127.0.0.1", port) as smtp:
            smtp.sendmail("s@sender.test", ["r@example.test"], b"Subject: n\r\n\r\nbody\r\n")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert len(Maildir(tmp_path).names()) == 1
