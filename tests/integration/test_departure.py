"""An edition leaves: what is the same as in the preview, and what Date it carries."""

from __future__ import annotations

import datetime as dt
import mailbox
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from digest.app import App
from digest.model import DeliveryState, Edition
from digest.web.inbox import Inbox
from digest.work import build
from digest.work.preview import Preview, preview
from digest.work.send import send
from tests.newsroom import WEEK_END, newsroom

HOUR = dt.timedelta(hours=1)


def received(folder: Path) -> dict[str, EmailMessage]:
    """Address -> the message that it got."""
    found = {}
    for key in (box := mailbox.Maildir(folder)).keys():  # noqa: SIM118 - a mailbox is not a dict
        message = message_from_bytes(box.get_bytes(key), policy=policy.default)
        found[str(message["Delivered-To"])] = message
    return found


def sent_week(folder: Path, now: dt.datetime) -> tuple[App, Edition, dict[str, EmailMessage]]:
    with Inbox(port=0, maildir=folder / "inbox") as inbox:
        app, _ = newsroom(folder, now=now, people=5, environ={"DIGEST_SMTP__PORT": str(inbox.port)})
        period = build.period_at(app, "weekly", now)
        edition = build.approve(app, build.build(app, "weekly", period, by="test"), by="test")
        sent = send(app, edition)
    assert sent.counts[DeliveryState.accepted] == 5
    return app, app.editions.get(edition.id), received(folder / "inbox")


def parts(message: EmailMessage) -> tuple[str, str]:
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content(), html.get_content()


def token_of(message: EmailMessage) -> str:
    return str(message["List-Unsubscribe"]).partition(">")[0].rpartition("/")[2]


def test_preview_and_received_copy_are_equal_byte_for_byte_for_each_reader(tmp_path: Path) -> None:
    app, edition, copies = sent_week(tmp_path, WEEK_END + 7 * HOUR)
    assert len(copies) == 5
    for address, message in copies.items():
        shown: Preview = preview(app, edition, address=address, name=app.subscribers.name_of(address))
        own, inert = (
            token_of(message),
            token_of(message_from_bytes(shown.eml, policy=policy.default)),
        )
        assert len(own) == len(inert)
        assert own != inert
        text, html = parts(message)
        assert text.replace(own, inert) == shown.text
        assert html.replace(own, inert) == shown.html


def test_an_edition_sent_before_its_time_has_no_date_in_the_future(tmp_path: Path) -> None:
    now = WEEK_END + 7 * HOUR
    _, edition, copies = sent_week(tmp_path, now)
    assert edition.period.send_at > now
    assert {message["Date"].datetime for message in copies.values()} == {now}


def test_an_edition_sent_in_time_has_the_date_that_it_froze(tmp_path: Path) -> None:
    now = WEEK_END + 33 * HOUR + dt.timedelta(minutes=10)
    _, edition, copies = sent_week(tmp_path, now)
    assert {message["Date"].datetime for message in copies.values()} == {edition.date}
