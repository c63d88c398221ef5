"""An edition through a real Postfix, as most operators have it, into a mailbox."""

from __future__ import annotations

import email.policy
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser

import pytest

from digest.app import App
from digest.model import Edition
from digest.tokens import Purpose, inert, verify
from digest.work.build import approve, build, period_at
from digest.work.preview import preview
from tests.e2e import postfix
from tests.newsroom import newsroom, subscribe

PEOPLE = 50
TOKEN = r"[a-z2-7]{28}"

pytestmark = pytest.mark.postfix


@dataclass(frozen=True)
class Week:
    """An edition that was sent, and what lies in the mailbox: by address, with the envelope's sender."""

    app: App
    edition: Edition
    people: list[str]
    copies: dict[str, list[EmailMessage]]

    def each(self) -> Iterator[tuple[str, EmailMessage]]:
        for address in self.people:
            yield address, self.copies[address][0]


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Week]:
    with postfix.running("example.org") as relay:
        folder = tmp_path_factory.mktemp("postfix")
        app, clock = newsroom(folder)
        app.editions.ensure_newsletter("weekly", since=clock.now())
        people = subscribe(app, PEOPLE)
        edition = build(app, "weekly", period_at(app, "weekly", clock.now()), by="test")
        edition = approve(app, edition, by="test")
        done = subprocess.run(
            [sys.executable, "-m", "digest", "send", edition.name, "--json"],
            cwd=folder / "news",
            env={**os.environ, "DIGEST_SMTP__HOST": "127.0.0.1", "DIGEST_SMTP__PORT": str(relay.port)},
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr.decode() + relay.log()
        assert json.loads(done.stdout)["counts"]["accepted"] == PEOPLE
        copies: dict[str, list[EmailMessage]] = {}
        for content in relay.mail(PEOPLE):
            # A Maildir has the line ends of the machine; on the wire, and in the preview, they are CR LF.
            wire = content.replace(b"\n", b"\r\n")
            message = BytesParser(policy=email.policy.default).parsebytes(wire)
            assert isinstance(message, EmailMessage)
            copies.setdefault(str(message["Delivered-To"]), []).append(message)
        yield Week(app, app.editions.get(edition.id), people, copies)


def test_everybody_has_one_copy(week: Week) -> None:
    assert {address: len(copies) for address, copies in week.copies.items()} == dict.fromkeys(week.people, 1)


def test_html_and_text_are_those_of_the_preview_to_the_byte(week: Week) -> None:
    for address, message in week.each():
        shown = preview(week.app, week.edition, address=address, name=week.app.subscribers.name_of(address))
        for kind, expected in (("html", shown.html), ("plain", shown.text)):
            assert inerted(body(message, kind)) == expected, f"{kind} of {address}"


def test_headers_arrive_as_the_preview_shows_them(week: Week) -> None:
    added = {"return-path", "x-original-to", "delivered-to", "received"}
    for address, message in week.each():
        shown = preview(week.app, week.edition, address=address, name=week.app.subscribers.name_of(address))
        kept = [(key, inerted(str(value))) for key, value in message.items() if key.lower() not in added]
        assert kept == list(shown.headers)


def test_tokens_name_the_recipient(week: Week) -> None:
    keys = week.app.keys
    seen = set()
    for address, message in week.each():
        leave = one(rf"<http://127\.0\.0\.1:8765/u/({TOKEN})>", str(message["List-Unsubscribe"]))
        assert one(rf"<mailto:leave\+({TOKEN})@example\.org>", str(message["List-Unsubscribe"])) == leave
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        subscription = week.app.subscribers.subscription(verify(keys, Purpose.leave, leave))
        assert subscription.address == address
        bounce = one(rf"<bounce\+({TOKEN})@example\.org>", str(message["Return-Path"]))
        copy = one(rf"<({TOKEN})@example\.org>", str(message["Message-ID"]))
        delivery = verify(keys, Purpose.bounce, bounce)
        assert verify(keys, Purpose.message, copy) == delivery
        seen.add(delivery)
    assert len(seen) == PEOPLE


def inerted(text: str) -> str:
    """With every token made one that does nothing, as in the preview."""
    for purpose in Purpose:
        head = inert(purpose)[0]
        text = re.sub(rf"(?<![a-z2-7]){head}[a-z2-7]{{27}}(?![a-z2-7])", inert(purpose), text)
    return text


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    content: str = part.get_content()
    return content


def one(pattern: str, text: str) -> str:
    (found,) = re.findall(pattern, text)
    return str(found)
