"""From the greeting to ready, as bytes: EHLO and HELO, STARTTLS, every way of signing in."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from digest.smtp.capabilities import Auth, Capabilities, Mode, Options, Tls
from digest.smtp.events import Event, Failed, Ready, StartTls, TokenWanted
from digest.smtp.replies import ReplyReader
from digest.smtp.session import Session
from digest.smtp.transactions import Phase

SIGN_IN = Options(name="us.example.test", user="us", password="pa ss", secure=True)
TOKEN = replace(SIGN_IN, password="", auth=Auth.xoauth2)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class Dialogue:
    """Feeds a session and keeps what it says."""

    def __init__(self, options: Options = SIGN_IN) -> None:
        self.session = Session(options)
        self.shown: list[str] = []

    def hears(self, *lines: str) -> list[Event]:
        return self.session.receive("".join(f"{line}\r\n" for line in lines).encode())

    def says(self) -> str:
        self.shown.append(self.session.shown)
        return b"".join(map(bytes, self.session.take())).decode()

    def greeted(self, *extensions: str) -> list[Event]:
        assert self.hears("220 hello") == []
        assert self.says() == f"EHLO {self.session.options.name}\r\n"
        lines = ["relay.test at your service", *extensions]
        return self.hears(*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}")


def failure(events: list[Event]) -> Failed:
    (event,) = events
    assert isinstance(event, Failed)
    return event


def test_what_is_offered_is_known_when_it_is_ready() -> None:
    (ready,) = Dialogue(Options()).greeted(
        "PIPELINING", "chunking", "SIZE 1000", "8BITMIME", "SMTPUTF8", "DSN", "AUTH=LOGIN", "LIMITS MAILMAX=7"
    )
    assert isinstance(ready, Ready)
    offered = ready.capabilities
    assert ready.mode is Mode.chunking
    assert (offered.name, offered.size, offered.sized, offered.most_messages) == ("relay.test", 1000, True, 7)
    assert (offered.eight_bit, offered.utf8, offered.dsn, offered.starttls) == (True, True, True, False)
    assert offered.mechanisms == ("LOGIN",)


@pytest.mark.parametrize("value", ["", "SIZE", "SIZE many", "SIZE -1", f"SIZE {'9' * 40}", "SIZE ²"])
def test_a_size_that_is_none_limits_nothing(value: str) -> None:
    (ready,) = Dialogue(Options()).greeted(value)
    assert isinstance(ready, Ready)
    assert ready.capabilities.size == 0


@pytest.mark.parametrize(
    ("wanted", "offered", "mode"),
    [
        (Options(), ("PIPELINING",), Mode.pipelining),
        (Options(chunking=False), ("PIPELINING", "CHUNKING"), Mode.pipelining),
        (Options(pipelining=False, chunking=False), ("PIPELINING", "CHUNKING"), Mode.sequential),
        (Options(pipelining=False), ("CHUNKING",), Mode.chunking),
        (Options(), (), Mode.sequential),
    ],
)
def test_the_mode_follows_from_both_sides(wanted: Options, offered: tuple[str, ...], mode: Mode) -> None:
    (ready,) = Dialogue(wanted).greeted(*offered)
    assert isinstance(ready, Ready)
    assert ready.mode is mode


def test_a_server_without_ehlo_is_greeted_with_helo_and_offers_nothing() -> None:
    talk = Dialogue(Options())
    assert talk.session.waits.value == "greeting"
    talk.hears("220-hello", "220 ESMTP PIPELINING")
    talk.says()
    assert talk.session.waits.value == "command"
    assert talk.hears("500 what?") == []
    assert talk.says() == "HELO [127.0.0.1]\r\n"
    (ready,) = talk.hears("250 PIPELINING")
    assert ready == Ready(Capabilities(), Mode.sequential)


@pytest.mark.parametrize(
    ("greeting", "code"), [("554 5.7.1 go away", 554), ("421 busy", 421), ("250 ok", 0), ("220x", 0)]
)
def test_a_greeting_that_is_none(greeting: str, code: int) -> None:
    failed = failure(Dialogue().hears(greeting))
    assert (failed.phase, failed.code) == ("greeting", code)


def test_what_comes_before_it_was_asked_for_is_not_an_answer() -> None:
    failed = failure(Dialogue().hears("220 hello", "250 PIPELINING"))
    assert "nobody asked for" in failed.problem


# --- STARTTLS -----------------------------------------------------------------------------------------


def encrypted(talk: Dialogue, *extensions: str) -> list[Event]:
    assert talk.greeted("STARTTLS", "CHUNKING", "AUTH PLAIN") == []
    assert talk.says() == "STARTTLS\r\n"
    assert talk.hears("220 go ahead") == [StartTls()]
    assert talk.says() == ""
    assert talk.session.waits is Phase.nothing
    talk.session.secured()
    assert talk.says().startswith("EHLO ")
    lines = ["relay.test", *extensions]
    return talk.hears(*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}")


@pytest.mark.parametrize("tls", [Tls.offered, Tls.required])
def test_under_tls_only_what_is_said_there_counts(tls: Tls) -> None:
    (ready,) = encrypted(Dialogue(Options(tls=tls, secure=False)), "PIPELINING")
    assert isinstance(ready, Ready)
    assert ready.mode is Mode.pipelining
    assert ready.capabilities.mechanisms == ()


@pytest.mark.parametrize("injected", ["250 ok\r\n", "250-x", "2", "\r\n"])
def test_what_was_said_in_the_clear_behind_the_220_is_an_attack(injected: str) -> None:
    talk = Dialogue(Options(tls=Tls.required))
    talk.greeted("STARTTLS")
    talk.says()
    failed = failure(talk.session.receive(f"220 go ahead\r\n{injected}".encode()))
    assert (failed.phase, failed.problem) == (
        "STARTTLS",
        "the server sent more than its answer before TLS began",
    )


def test_tls_that_is_required_and_not_offered() -> None:
    assert failure(Dialogue(Options(tls=Tls.required)).greeted()).phase == "STARTTLS"


def test_tls_that_is_welcome_and_not_offered() -> None:
    (ready,) = Dialogue(Options(tls=Tls.offered)).greeted()
    assert isinstance(ready, Ready)


def test_a_password_never_crosses_in_the_clear() -> None:
    failed = failure(Dialogue(replace(SIGN_IN, tls=Tls.offered, secure=False)).greeted("AUTH PLAIN"))
    assert failed.phase == "sign-in"
    assert "encrypted" in failed.problem


# --- sign-in ------------------------------------------------------------------------------------------


def test_plain() -> None:
    talk = Dialogue()
    assert talk.greeted("AUTH LOGIN PLAIN") == []
    assert talk.says() == f"AUTH PLAIN {b64(chr(0) + 'us' + chr(0) + 'pa ss')}\r\n"
    (ready,) = talk.hears("235 2.7.0 welcome")
    assert isinstance(ready, Ready)
    assert talk.shown[-1] == "AUTH PLAIN ********"


def test_login() -> None:
    talk = Dialogue()
    assert talk.greeted("AUTH LOGIN") == []
    assert talk.says() == "AUTH LOGIN\r\n"
    assert talk.hears("334 VXNlciBOYW1l") == []
    assert talk.says() == f"{b64('us')}\r\n"
    assert talk.hears("334 UGFzc3dvcmQ=") == []
    assert talk.says() == f"{b64('pa ss')}\r\n"
    (ready,) = talk.hears("235 welcome")
    assert isinstance(ready, Ready)
    assert talk.shown == ["EHLO us.example.test", "AUTH LOGIN", "********", "********"]


def test_a_long_password_waits_to_be_asked_for() -> None:
    long = "x" * 600
    talk = Dialogue(replace(SIGN_IN, password=long))
    talk.greeted("AUTH PLAIN")
    assert talk.says() == "AUTH PLAIN\r\n"
    assert talk.hears("334 ") == []
    assert talk.says() == f"{b64(chr(0) + 'us' + chr(0) + long)}\r\n"


def test_a_wrong_password_is_a_failure_that_does_not_repeat_it() -> None:
    talk = Dialogue()
    talk.greeted("AUTH PLAIN")
    talk.says()
    failed = failure(talk.hears("535 5.7.8 'pa ss' is not the password"))
    assert (failed.phase, failed.code) == ("sign-in", 535)
    assert "pa ss" not in failed.problem
    assert "********" in failed.problem


@pytest.mark.parametrize("answer", ["250 ok", "334 more", "220 x"])
def test_an_odd_answer_to_a_sign_in(answer: str) -> None:
    talk = Dialogue()
    talk.greeted("AUTH PLAIN")
    talk.says()
    assert "does not fit" in failure(talk.hears(answer)).problem


@pytest.mark.parametrize(
    ("options", "offered"),
    [
        (SIGN_IN, "AUTH XOAUTH2 CRAM-MD5"),
        (TOKEN, "AUTH PLAIN"),
        (replace(SIGN_IN, auth=Auth.login), "AUTH PLAIN"),
    ],
)
def test_a_way_that_is_not_offered(options: Options, offered: str) -> None:
    failed = failure(Dialogue(options).greeted(offered))
    assert "does not offer" in failed.problem


def bearer(token: str) -> str:
    return b64(f"user=us\x01auth=Bearer {token}\x01\x01")


def test_a_token() -> None:
    talk = Dialogue(TOKEN)
    assert talk.greeted("AUTH PLAIN XOAUTH2") == [TokenWanted(fresh=False)]
    assert talk.says() == ""
    talk.session.token("t1")
    assert talk.says() == f"AUTH XOAUTH2 {bearer('t1')}\r\n"
    (ready,) = talk.hears("235 welcome")
    assert isinstance(ready, Ready)
    assert talk.shown[-1] == "AUTH XOAUTH2 ********"


def test_a_token_that_is_refused_is_renewed_once() -> None:
    talk = Dialogue(TOKEN)
    talk.greeted("AUTH XOAUTH2")
    talk.session.token("t1")
    talk.says()
    problem = b64('{"status":"401","schemes":"bearer"}')
    assert talk.hears(f"334 {problem}") == []
    assert talk.says() == "\r\n"
    assert talk.hears("535 5.7.8 no") == [TokenWanted(fresh=True)]
    talk.session.token("t2")
    assert talk.says() == f"AUTH XOAUTH2 {bearer('t2')}\r\n"
    assert talk.hears(f"334 {problem}") == []
    talk.says()
    failed = failure(talk.hears("535 5.7.8 t2 is no good"))
    assert (failed.code, failed.problem) == (535, "535 5.7.8 ******** is no good (token: 401)")


@pytest.mark.parametrize("challenge", ["", "?", b64("[" * 2000), b64("[1]"), b64('{"status": {}}'), "/w=="])
def test_a_challenge_that_says_nothing(challenge: str) -> None:
    talk = Dialogue(TOKEN)
    talk.greeted("AUTH XOAUTH2")
    talk.session.token("t1")
    talk.says()
    assert talk.hears(f"334 {challenge}") == []
    assert talk.says() == "\r\n"
    assert talk.hears("535 no") == [TokenWanted(fresh=True)]


def test_a_refusal_for_now_is_not_the_token_s_fault() -> None:
    talk = Dialogue(TOKEN)
    talk.greeted("AUTH XOAUTH2")
    talk.session.token("t1")
    talk.says()
    assert failure(talk.hears("454 4.7.0 later")).code == 454


def test_a_loss_while_shaking_hands_names_the_step() -> None:
    talk = Dialogue()
    talk.greeted("AUTH PLAIN")
    talk.says()
    assert failure(talk.session.lost("reset")) == Failed("sign-in", "reset")
    assert talk.session.lost("again") == []
    assert talk.hears("235 welcome") == []


# --- replies ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line", [b"199 x", b"600 x", b"25 x", b"2500", b"250x", b" 250", b"", b"250\x00x", b"\xff"]
)
def test_what_is_no_reply(line: bytes) -> None:
    reader = ReplyReader()
    assert reader.feed(b"250 ok\r\n" + line + b"\r\n250 ok\r\n")[1:] == []
    assert "rubbish" in reader.rubbish
    assert reader.feed(b"250 ok\r\n") == []


def test_replies_are_the_same_however_they_are_split() -> None:
    said = b"250-5.0.0 a\r\n250-\r\n250 5.0.0 b\r\n354\r\n421 4.3.2\x1b[31mbye\n" * 2
    whole = ReplyReader().feed(said)
    for size in range(1, len(said)):
        reader = ReplyReader()
        parts = [said[i : i + size] for i in range(0, len(said), size)]
        assert [reply for part in parts for reply in reader.feed(part)] == whole
        assert not reader.begun
    assert [str(reply) for reply in whole[:3]] == ["250 5.0.0 a 5.0.0 b", "354", "421 4.3.2 [31mbye"]
    assert whole[0].enhanced == "5.0.0"


@pytest.mark.parametrize("size", [1, 1000, 100_000])
@pytest.mark.parametrize(
    "said",
    [b"250 " + b"x" * 5000 + b"\r\n", b"250-a\r\n" * 200, b"2" * 5000],
    ids=["line", "lines", "no end"],
)
def test_no_reply_goes_on_for_ever(said: bytes, size: int) -> None:
    reader = ReplyReader()
    for start in range(0, len(said), size):
        assert reader.feed(said[start : start + size]) == []
    assert reader.rubbish
