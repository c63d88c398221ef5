"""What every copy of an edition has by configuration: files, pictures, signatures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from digest.app import App
from digest.errors import ConfigError
from digest.model import Edition, EditionState, Message, Recipient
from digest.sample import READERS, Sample
from digest.tokens import Purpose, inert
from digest.web.maildir import Maildir
from digest.work import build, composer
from digest.work.departure import check_content
from digest.work.letters import letter, send_letters
from digest.work.preview import preview, warnings, write
from digest.work.send import send
from digest.work.trial import send_test
from tests.dkim_reference import verify
from tests.newsroom import WEEK_END, newsroom
from tests.smtp_server import SmtpServer

PREFIX = "DIGEST_NEWSLETTER__WEEKLY__"


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


def office(folder: Path, **environ: str) -> App:
    """The sample with its pictures, kept here."""
    app, _ = newsroom(folder, environ=environ, stories=False)
    pictures = {
        name: f"{app.settings.site.url}/media/{app.stories.put_media(content, 'image/jpeg')}"
        for name, content in Sample(WEEK_END).pictures().items()
    }
    app.stories.import_drafts("sample", Sample(WEEK_END).stories(pictures), seen=WEEK_END)
    app.signals.record(READERS, "sample", Sample(WEEK_END).readings())
    return app


def built(app: App) -> Edition:
    return build.build(app, "weekly", build.period_at(app, "weekly", WEEK_END), by="test")


def parsed(content: bytes) -> EmailMessage:
    message = message_from_bytes(content, policy=policy.SMTP.clone(raise_on_defect=True))
    assert isinstance(message, EmailMessage)
    return message


def looked_up(app: App) -> dict[str, str]:
    return {
        key.name: key.record
        for domain in app.dkim_keys.domains()
        for kept in app.dkim_keys.kept(domain)
        for key in kept.keys
    }


# --- files --------------------------------------------------------------------------------------------


def test_attachments_are_those_of_the_build_whatever_becomes_of_the_files(tmp_path: Path) -> None:
    terms = tmp_path / "news" / "Bedingungen für März.pdf"
    app = office(tmp_path, **{f"{PREFIX}ATTACHMENTS": f"{terms.name},more.eml"})
    terms.write_bytes(b"%PDF-1.7 first")
    (tmp_path / "news" / "more.eml").write_bytes(b"From: x\n\nmail in mail")
    edition = built(app)
    terms.write_bytes(b"%PDF-1.7 second")

    shown = preview(app, edition, address="ada@example.org")
    first, second = parsed(shown.eml).iter_attachments()
    assert (first.get_filename(), first.get_content()) == (terms.name, b"%PDF-1.7 first")
    assert (first.get_content_type(), second.get_content_type()) == (
        "application/pdf",
        "application/octet-stream",
    )
    check_content(app, build.approve(app, edition, by="test"))


def test_other_attachments_make_another_version(tmp_path: Path) -> None:
    terms = tmp_path / "news" / "terms.pdf"
    app = office(tmp_path, **{f"{PREFIX}ATTACHMENTS": "terms.pdf"})
    terms.write_bytes(b"first")
    before = built(app)
    terms.write_bytes(b"second")
    changed = build.rebuild(app, before, by="test")
    assert changed.hash != before.hash
    terms.write_bytes(b"first")
    assert build.rebuild(app, changed, by="test").hash == before.hash


def test_an_edition_that_has_no_attachments_any_more_forgets_them(tmp_path: Path) -> None:
    app = office(tmp_path, **{f"{PREFIX}ATTACHMENTS": "terms.pdf", f"{PREFIX}INLINE_PICTURES": "yes"})
    (tmp_path / "news" / "terms.pdf").write_bytes(b"x")
    edition = built(app)
    settings = app.settings.newsletter["weekly"]
    weekly = settings.model_copy(update={"attachments": (), "inline_pictures": False})
    plain = App(app.settings.model_copy(update={"newsletter": {"weekly": weekly}}), app.clock)
    after = build.rebuild(plain, edition, by="test")
    assert composer.enclosed(plain, after) == []
    assert not {"attachments", "inline_pictures"} & set(after.policy)


def test_a_file_that_is_missing_or_too_large_is_named(tmp_path: Path) -> None:
    app = office(tmp_path, **{f"{PREFIX}ATTACHMENTS": "terms.pdf"})
    with pytest.raises(ConfigError, match=r"newsletter\.weekly\.attachments\[1\].*No such file"):
        built(app)
    (tmp_path / "news" / "terms.pdf").write_bytes(bytes(build.ATTACHMENTS + 1))
    with pytest.raises(ConfigError, match=r"too large for mail.*5,000,001 bytes"):
        built(app)
    assert app.editions.list_("weekly") == []


# --- pictures -----------------------------------------------------------------------------------------


def test_pictures_can_stand_in_the_mail(tmp_path: Path) -> None:
    app = office(tmp_path, **{f"{PREFIX}INLINE_PICTURES": "true"})
    edition = built(app)
    shown = preview(app, edition, address="ada@example.org")
    message = parsed(shown.eml)
    pictures = {
        part["Content-ID"].strip("<>"): part.get_content()
        for part in message.walk()
        if part.get_content_type() == "image/jpeg"
    }
    html = message.get_body(("html",))
    assert html is not None

    assert set(re.findall(r'src="cid:([^"]+)"', html.get_content())) == set(pictures)
    assert pictures
    assert "/media/" not in html.get_content()
    # A browser has no mail to look in: what people look at names the pictures by their address.
    assert "cid:" not in shown.html
    assert shown.html.count("/media/") == html.get_content().count("cid:")
    folder = write(app, shown, tmp_path / "preview").parent
    assert set(pictures.values()) <= {path.read_bytes() for path in (folder / "media").iterdir()}


def test_the_trial_inbox_shows_pictures_that_are_in_the_mail(tmp_path: Path) -> None:
    app = office(tmp_path, **{f"{PREFIX}INLINE_PICTURES": "true"})
    inbox = Maildir(tmp_path / "inbox")
    name = inbox.add("a@example.org", "b@example.org", preview(app, built(app), address="b@example.org").eml)
    letter = inbox.letter(name)
    assert letter is not None
    assert "cid:" not in letter.html
    assert 'src="data:image/jpeg;base64,' in letter.html


def test_a_large_copy_is_noted_and_a_huge_one_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = office(tmp_path, **{f"{PREFIX}ATTACHMENTS": "terms.pdf"})
    (tmp_path / "news" / "terms.pdf").write_bytes(bytes(1_000_000))
    edition = built(app)
    assert "each copy has 1.4 MB" in str(edition.policy["warnings"])
    assert edition.held == ""
    monkeypatch.setattr(build, "LARGEST", 1_300_000)
    assert "Each copy has 1.4 MB" in build.rebuild(app, edition, by="test").held


def test_pictures_are_linked_unless_asked_for(tmp_path: Path) -> None:
    app = office(tmp_path)
    eml = preview(app, built(app), address="ada@example.org").eml
    assert b"image/jpeg" not in eml
    assert b"cid:" not in eml


# --- signatures ---------------------------------------------------------------------------------------


def signing(app: App, selector: str = "s1") -> None:
    domain = app.settings.newsletter["weekly"].sender.partition("@")[2]
    app.dkim_keys.make(domain, selector, ed25519=True, at=app.clock.now())
    app.dkim_keys.activate(domain, selector, at=app.clock.now())


def approved(tmp_path: Path, server: SmtpServer, people: int = 0, **environ: str) -> tuple[App, Edition]:
    app, _ = newsroom(
        tmp_path,
        people=people,
        environ={"DIGEST_SMTP__PORT": str(server.port), "DIGEST_SMTP__TIMEOUT": "5", **environ},
    )
    return app, build.approve(app, built(app), by="test")


def test_every_copy_that_leaves_is_signed(tmp_path: Path, server: SmtpServer) -> None:
    app, edition = approved(tmp_path, server, people=20)
    signing(app)
    assert send(app, edition).finished
    assert len(server.received) == 20
    for received in server.received:
        verdicts = verify(received.content, looked_up(app).__getitem__)
        assert [(verdict.selector, verdict.good) for verdict in verdicts] == [
            ("s1", True),
            ("s1-ed25519", True),
        ]


def test_copies_for_trying_and_previews_are_signed_too(tmp_path: Path, server: SmtpServer) -> None:
    app, edition = approved(tmp_path, server)
    signing(app)
    assert send_test(app, edition, ["ed@example.org"], by="test") == []
    shown = preview(app, edition, address="ed@example.org").eml
    for content in (server.received[0].content, shown):
        assert all(verdict.good for verdict in verify(content, looked_up(app).__getitem__))
        assert content.startswith(b"DKIM-Signature: ")


def test_what_a_preview_shows_is_what_leaves(tmp_path: Path, server: SmtpServer) -> None:
    app, edition = approved(tmp_path, server, people=1)
    send(app, edition)
    [received] = server.received
    edition = app.editions.get(edition.id)
    name = str(parsed(received.content)["To"].addresses[0].display_name)
    shown = preview(app, edition, address=received.rcpt_to, name=name).eml

    sent = re.search(rb"\r\nMessage-ID: <(.{28})@", received.content)
    leave = re.search(rb"<mailto:leave\+(.{28})@", received.content)
    assert sent
    assert leave
    same = shown.replace(inert(Purpose.message).encode(), sent[1]).replace(
        inert(Purpose.leave).encode(), leave[1]
    )
    assert same == received.content


def test_a_missing_key_stops_an_edition_before_anything_is_changed(
    tmp_path: Path, server: SmtpServer
) -> None:
    app, edition = approved(tmp_path, server, people=3)
    signing(app)
    domain = app.dkim_keys.domains()[0]
    (tmp_path / "news" / "dkim" / domain / "s1.rsa.pem").unlink()
    (tmp_path / "news" / "dkim" / domain / "s1.ed25519.pem").unlink()
    with pytest.raises(ConfigError, match="its key is missing"):
        send(app, edition)
    assert app.editions.get(edition.id).state is EditionState.approved
    assert server.received == []

    # The preview goes on, and says it; without a path, because it is a page for editors.
    [warning] = [line for line in warnings(app, edition) if "It cannot leave" in line]
    assert "its key is missing" in warning
    assert str(tmp_path) not in warning
    assert preview(app, edition, address="ed@example.org").eml.startswith(b"From: ")


def test_a_rotation_between_two_attempts_changes_the_signature_and_nothing_else(
    tmp_path: Path, server: SmtpServer
) -> None:
    app, edition = approved(tmp_path, server, people=1)
    signing(app)

    recipient = Recipient(1, 1, "ada@example.org")

    def copy() -> tuple[str, bytes]:
        with composer.composer(app, edition) as made:
            [message] = made.messages([recipient])
        assert isinstance(message, Message)
        verdicts = verify(message.content, looked_up(app).__getitem__)
        assert all(verdict.good for verdict in verdicts)
        return verdicts[0].selector, message.content[message.content.index(b"\r\nFrom: ") :]

    first = copy()
    assert copy() == first
    signing(app, "s2")
    assert copy() == ("s2", first[1])


def test_letters_are_signed_as_well(tmp_path: Path, server: SmtpServer) -> None:
    app, _ = approved(tmp_path, server)
    signing(app)
    made = letter(
        sender_name="Wöchentlich",
        sender=app.settings.newsletter["weekly"].sender,
        to="ed@example.org",
        subject="Draft ready: " + "long " * 40,
        text="Grüße  an\t alle \n\n.\nFrom here\n\n\n",
        at=app.clock.now(),
    )
    assert send_letters([made], app.transport(), app.dkim_keys) == []
    [received] = server.received
    assert all(verdict.good for verdict in verify(received.content, looked_up(app).__getitem__))
    assert len(verify(received.content, looked_up(app).__getitem__)) == 2


def test_complaints_go_where_the_newsletter_says(tmp_path: Path) -> None:
    app = office(tmp_path, **{f"{PREFIX}COMPLAINTS": "fbl@example.org"})
    eml = preview(app, built(app), address="ada@example.org").eml
    assert b"\r\nCFBL-Address: fbl@example.org; report=arf\r\n" in eml
