"""One message: its headers, its tree, and what is refused."""

from __future__ import annotations

import dataclasses
import datetime as dt
import email
import re
from email import policy
from email.message import EmailMessage
from typing import Any

import pytest

from digest.compose import (
    CLIPPED_AT,
    Clipping,
    Compiled,
    Frame,
    clipping,
    compile_message,
    message_id,
    return_path,
)
from digest.errors import AddressError
from digest.model import Recipient, Sender, SlotContext, SlotName, Variant, slot_token
from digest.tokens import KeyRing, copy_signer
from tests import compose_frames
from tests.compose_frames import NONCE

STRICT = policy.SMTP.clone(raise_on_defect=True)
LEAVE, BOUNCE, MESSAGE = "leave" + "2" * 23, "bounce" + "3" * 22, "message" + "4" * 21

FRAME = dataclasses.replace(
    compose_frames.FRAME,
    sender=Sender("Weekly News", "news@example.org", "desk@example.org", "bounces.example.org"),
    title="Weekly News",
    language="en",
)
ANN = Recipient(delivery=7, subscription=3, address="ann@example.net", name="Ann Smith")


def slot(name: SlotName, context: SlotContext) -> str:
    return slot_token(NONCE, name, context)


LEAVE_HTML = slot(SlotName.leave_url, SlotContext.url)
LEAVE_TEXT = slot(SlotName.leave_url, SlotContext.text)
NAME_HTML = slot(SlotName.name, SlotContext.html)
NAME_TEXT = slot(SlotName.name, SlotContext.text)


def variant(html: str = "<p>Hi</p>\n", text: str = "Hi\n", subject: str = "The news") -> Variant:
    return Variant("default", subject, html, text, NONCE)


def copy_of(compiled: Compiled, recipient: Recipient = ANN) -> bytes:
    return compiled.message(recipient, leave=LEAVE, bounce=BOUNCE, message=MESSAGE).content


def parsed(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=STRICT)
    assert isinstance(message, EmailMessage)
    return message


def test_a_whole_message_byte_for_byte() -> None:
    compiled = compile_message(
        variant(
            html=f'<p>Hi {NAME_HTML}</p>\n<a href="{LEAVE_HTML}">leave</a>\n',
            text=f"Hi {NAME_TEXT}\n{LEAVE_TEXT}\n.\n",
        ),
        FRAME,
    )
    assert copy_of(compiled).decode("ascii").split("\r\n") == [
        "From: Weekly News <news@example.org>",
        "To: Ann Smith <ann@example.net>",
        "Subject: The news",
        "Date: Tue, 17 Nov 2026 09:00:00 +0000",
        "Reply-To: desk@example.org",
        "List-Id: Weekly News <weekly.example.org>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        "Feedback-ID: 2026-11-09:weekly:digest:exampleorg",
        "Auto-Submitted: auto-generated",
        "Precedence: bulk",
        "Content-Language: en",
        f"Message-ID: <{MESSAGE}@example.org>",
        f"List-Unsubscribe: <https://news.example.org/u/{LEAVE}>,",
        f" <mailto:leave+{LEAVE}@bounces.example.org>",
        "MIME-Version: 1.0",
        "Content-Type: multipart/alternative;",
        f' boundary="{compiled.boundary}"',
        "",
        f"--{compiled.boundary}",
        'Content-Type: text/plain; charset="utf-8"',
        "Content-Transfer-Encoding: quoted-printable",
        "",
        "Hi=20=",
        "Ann Smith",
        f"https://news.example.org/u/{LEAVE}",
        "=2E",
        "",
        f"--{compiled.boundary}",
        'Content-Type: text/html; charset="utf-8"',
        "Content-Transfer-Encoding: quoted-printable",
        "",
        "<p>Hi=20=",
        "Ann Smith=",
        "</p>",
        '<a href=3D"=',
        f"https://news.example.org/u/{LEAVE}=",
        '">leave</a>',
        "",
        f"--{compiled.boundary}--",
        "",
    ]


def test_the_envelope_has_the_return_path_and_the_bare_address() -> None:
    message = compile_message(variant(), FRAME).message(ANN, leave=LEAVE, bounce=BOUNCE, message=MESSAGE)
    assert message.delivery == 7
    assert message.mail_from == f"bounce+{BOUNCE}@bounces.example.org" == return_path(FRAME.sender, BOUNCE)
    assert message.rcpt_to == "ann@example.net"
    assert message.plain
    assert message_id(FRAME.sender, MESSAGE) == f"<{MESSAGE}@example.org>"
    assert FRAME.leave_url(LEAVE) == f"https://news.example.org/u/{LEAVE}"


def test_every_header_stands_there_once() -> None:
    names = [name.lower() for name in parsed(copy_of(compile_message(variant(), FRAME)))]
    assert len(names) == len(set(names))


def test_the_text_comes_first_and_the_html_last() -> None:
    message = parsed(copy_of(compile_message(variant(), FRAME)))
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_two_copies_differ_only_in_the_values_of_their_readers() -> None:
    compiled = compile_message(variant(html=f"<p>{NAME_HTML}</p>"), FRAME)
    bea = ANN._replace(name="Bea Jones")
    assert copy_of(compiled, bea) == copy_of(compiled).replace(b"Ann Smith", b"Bea Jones")


def test_the_same_variant_compiles_to_the_same_bytes() -> None:
    assert copy_of(compile_message(variant(), FRAME)) == copy_of(compile_message(variant(), FRAME))


def test_inert_tokens_change_nothing_but_themselves() -> None:
    compiled = compile_message(variant(html=f'<a href="{LEAVE_HTML}">'), FRAME)
    preview = compiled.message(ANN, leave="a" * 28, bounce="b" * 28, message="c" * 28).content
    sent = copy_of(compiled)
    assert preview.replace(b"a" * 28, LEAVE.encode()).replace(b"c" * 28, MESSAGE.encode()) == sent


def test_optional_fields_may_be_missing() -> None:
    bare = dataclasses.replace(
        FRAME, sender=Sender("", "news@example.org"), title="", language="", site_url="http://127.0.0.1:8765/"
    )
    message = parsed(copy_of(compile_message(variant(), bare), Recipient(1, 1, "ann@example.net")))
    assert message["From"] == "news@example.org"
    assert message["To"] == "ann@example.net"
    assert message["List-Id"] == "<weekly.example.org>"
    assert "Reply-To" not in message
    assert "Content-Language" not in message
    assert f"<http://127.0.0.1:8765/u/{LEAVE}>" in message["List-Unsubscribe"]
    assert f"<mailto:leave+{LEAVE}@example.org>" in message["List-Unsubscribe"]


# --- what large mailbox providers ask of bulk mail ----------------------------------------------------


def test_one_can_leave_by_one_click_and_by_mail() -> None:
    message = parsed(copy_of(compile_message(variant(), FRAME)))

    assert re.findall(r"<([^>]*)>", message["List-Unsubscribe"]) == [
        f"https://news.example.org/u/{LEAVE}",
        f"mailto:leave+{LEAVE}@bounces.example.org",
    ]
    assert message.get_all("List-Unsubscribe-Post") == ["List-Unsubscribe=One-Click"]


def test_it_says_that_it_is_bulk_mail_and_whose() -> None:
    message = parsed(copy_of(compile_message(variant(), FRAME)))

    assert message["List-Id"] == "Weekly News <weekly.example.org>"
    assert message["Feedback-ID"].split(":") == ["2026-11-09", "weekly", "digest", "exampleorg"]
    assert (message["Auto-Submitted"], message["Precedence"]) == ("auto-generated", "bulk")


def test_complaints_have_an_address_only_where_one_is_set() -> None:
    assert "CFBL-Address" not in parsed(copy_of(compile_message(variant(), FRAME)))
    frame = dataclasses.replace(
        FRAME, sender=dataclasses.replace(FRAME.sender, complaints="fbl@bücher.example")
    )
    message = parsed(copy_of(compile_message(variant(), frame)))
    assert message["CFBL-Address"] == "fbl@xn--bcher-kva.example; report=arf"


def test_each_copy_has_a_message_id_and_a_return_path_of_its_own_and_keeps_them() -> None:
    compose = compile_message(variant(), FRAME).composer(copy_signer(KeyRing.generate()))
    readers = [ANN._replace(delivery=number) for number in range(50)]
    made = [compose(reader) for reader in readers]

    assert len({parsed(each.content)["Message-ID"] for each in made}) == 50
    assert len({each.mail_from for each in made}) == 50
    assert all(re.fullmatch(r"bounce\+[a-z2-7]{28}@bounces\.example\.org", each.mail_from) for each in made)
    assert [compose(reader) for reader in readers] == made


def test_there_is_one_from_and_it_is_the_newsletter() -> None:
    message = parsed(copy_of(compile_message(variant(), FRAME)))

    assert [str(each) for each in message["From"].addresses] == ["Weekly News <news@example.org>"]


@pytest.mark.parametrize(
    ("host", "feedback_sender"), [("news.example.org", "newsexampleorg"), ("a.io", "aio00")]
)
def test_feedback_id_ends_in_a_sender_of_five_to_fifteen_characters(host: str, feedback_sender: str) -> None:
    frame = dataclasses.replace(FRAME, sender=Sender("", f"x@{host}"))
    assert parsed(copy_of(compile_message(variant(), frame)))["Feedback-ID"].endswith(f":{feedback_sender}")


def test_international_domains_are_written_as_a_labels() -> None:
    sender = Sender("Zeitung", "post@zeitung.münchen.example", "leser@bücher.example", "rück.example")
    frame = dataclasses.replace(
        FRAME, sender=sender, site_url="https://zeitung.münchen.example:8443/blätter/"
    )
    compiled = compile_message(variant(text=f"{LEAVE_TEXT}\n"), frame)
    message = compiled.message(
        ANN._replace(address="ann@bücher.example"), leave=LEAVE, bounce=BOUNCE, message=MESSAGE
    )
    assert message.rcpt_to == "ann@xn--bcher-kva.example"
    assert message.mail_from.endswith("@xn--rck-hoa.example")
    content = parsed(message.content)
    assert content["From"].addresses[0].domain == "zeitung.xn--mnchen-3ya.example"
    url = f"https://zeitung.xn--mnchen-3ya.example:8443/bl%C3%A4tter/u/{LEAVE}"
    assert f"<{url}>" in content["List-Unsubscribe"]
    assert next(content.iter_parts()).get_content().strip() == url


def test_a_date_is_shown_in_the_zone_it_came_in() -> None:
    zone = dt.timezone(dt.timedelta(hours=-3, minutes=-30))
    frame = dataclasses.replace(FRAME, date=FRAME.date.astimezone(zone))
    assert parsed(copy_of(compile_message(variant(), frame)))["Date"] == "Tue, 17 Nov 2026 05:30:00 -0330"
    odd = dt.timezone(dt.timedelta(minutes=17, seconds=30))
    frame = dataclasses.replace(FRAME, date=FRAME.date.astimezone(odd))
    assert parsed(copy_of(compile_message(variant(), frame)))["Date"] == "Tue, 17 Nov 2026 09:00:00 +0000"


def test_a_subject_may_name_its_reader() -> None:
    subject = f"{slot(SlotName.name, SlotContext.header)}, your news"
    compiled = compile_message(variant(subject=subject), FRAME)
    assert parsed(copy_of(compiled))["Subject"] == "Ann Smith, your news"
    zoe = ANN._replace(name="Zoë")
    assert parsed(copy_of(compiled, zoe))["Subject"] == "Zoë, your news"


def test_a_copy_can_be_read_without_decoding_it() -> None:
    compiled = compile_message(
        variant(html=f'<p>{NAME_HTML} <a href="{LEAVE_HTML}"></p>', text=f"{NAME_TEXT} {LEAVE_TEXT}"), FRAME
    )
    copy = compiled.copy(ANN._replace(name="<Ann & Bob>"), leave=LEAVE)
    url = f"https://news.example.org/u/{LEAVE}"
    assert copy.html == f'<p>&lt;Ann &amp; Bob&gt; <a href="{url}"></p>'
    assert copy.text == f"<Ann & Bob> {url}"
    assert copy.subject == "The news"
    ann = ANN._replace(name="Änn")
    assert compiled.html_size(ann, leave=LEAVE) == len(f'<p>Änn <a href="{url}"></p>'.encode())


def test_gmails_clipping_is_foreseen() -> None:
    assert clipping(80_000) is Clipping.none
    assert clipping(CLIPPED_AT * 9 // 10 - 1) is Clipping.none
    assert clipping(CLIPPED_AT * 9 // 10) is Clipping.near
    assert clipping(CLIPPED_AT - 1) is Clipping.near
    assert clipping(CLIPPED_AT) is Clipping.clipped


def test_a_long_subject_is_folded_between_words() -> None:
    subject = (
        "Council approves the new bridge after nine hours of debate and three votes; the first stone in May"
    )
    content = copy_of(compile_message(variant(subject=subject), FRAME))
    start = content.index(b"Subject: ")
    assert content[start : content.index(b"\r\nDate:")].split(b"\r\n") == [
        b"Subject: Council approves the new bridge after nine hours of debate and three",
        b" votes; the first stone in May",
    ]
    assert parsed(content)["Subject"] == subject


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("evil", ["x\r\nBcc: eve@example.org", "x\nBcc: e@example.org", "x\ry", "x\0y"])
def test_no_value_of_a_reader_can_start_a_header(evil: str) -> None:
    compiled = compile_message(variant(subject=f"{slot(SlotName.name, SlotContext.header)}"), FRAME)
    with pytest.raises(AddressError, match="name"):
        copy_of(compiled, ANN._replace(name=evil))
    with pytest.raises(AddressError):
        copy_of(compiled, ANN._replace(address=f"{evil}@example.org"))
    with pytest.raises(AddressError):
        copy_of(compiled, ANN._replace(address=f"ann@{evil}"))
    tokens = {"leave": LEAVE, "bounce": BOUNCE, "message": MESSAGE}
    for token in tokens:
        with pytest.raises(ValueError, match=token):
            compiled.message(ANN, **{**tokens, token: evil})


@pytest.mark.parametrize("evil", ["x\r\nBcc: eve@example.org", "x\nBcc: e@example.org", "x\ry", "x\0y"])
@pytest.mark.parametrize(
    "field", ["sender.name", "sender.address", "sender.reply_to", "sender.return_path_domain", "list_id",
              "newsletter", "site_url", "title", "language", "subject"],
)  # fmt: skip
def test_no_setting_can_start_a_header(field: str, evil: str) -> None:
    frame, content = FRAME, variant()
    if field == "subject":
        content = variant(subject=evil)
    elif field.startswith("sender."):
        frame = dataclasses.replace(frame, sender=dataclasses.replace(frame.sender, **{field[7:]: evil}))
    else:
        change: dict[str, Any] = {field: evil}
        frame = dataclasses.replace(frame, **change)
    with pytest.raises((ValueError, AddressError)):
        compile_message(content, frame)


@pytest.mark.parametrize(
    "address",
    ["", "ann", "@example.org", "ann@", "a b@example.org", ".ann@example.org", "ann.@example.org",
     "a..b@example.org", "ann@exa_mple.org", "ann@-example.org", "ann@example-.org", "ann@example..org",
     "ann@example.org.", "ann@[127.0.0.1]", "ann@" + "x" * 64 + ".org", "x" * 65 + "@example.org",
     "ann@" + "abcdefg." * 31 + "org", "<ann@example.org>", '"a"b"@example.org', '""@example.org',
     "ann@xn--\u00df.example", "ann@a\u2024b..example", " ann@example.org", "ann@example.org ",
     "=?utf-8?q?eve=40example.org?=@example.net"],
)  # fmt: skip
def test_what_is_no_mailbox_is_refused_by_name(address: str) -> None:
    with pytest.raises(AddressError) as caught:
        copy_of(compile_message(variant(), FRAME), ANN._replace(address=address))
    assert caught.value.address == address


def test_a_local_part_outside_ascii_is_written_as_it_is_for_servers_that_offer_smtputf8() -> None:
    compiled = compile_message(variant(html=f"<p>{slot(SlotName.address, SlotContext.html)}</p>"), FRAME)
    zoe = ANN._replace(address="zoë@bücher.example", name="Zoë")
    message = compiled.message(zoe, leave=LEAVE, bounce=BOUNCE, message=MESSAGE)

    assert message.rcpt_to == "zoë@xn--bcher-kva.example"
    assert not message.plain
    to = "To: =?utf-8?q?Zo=C3=AB?= <zoë@xn--bcher-kva.example>\r\n".encode()
    plain = message.content.replace(to, b"")
    assert len(plain) == len(message.content) - len(to)
    assert plain.isascii()
    assert b"<p>=\r\nzo=C3=AB@b=C3=BCcher.example=\r\n</p>" in plain


@pytest.mark.parametrize(
    "address",
    ["zoë\u00a0x@example.org", "z\u3000@example.org", "é" * 33 + "@example.org", "zo\ud800@example.org",
     "ë..x@example.org", "z\u0085@example.org"],
)  # fmt: skip
def test_not_every_local_part_outside_ascii_is_one(address: str) -> None:
    with pytest.raises(AddressError):
        copy_of(compile_message(variant(), FRAME), ANN._replace(address=address))


def test_a_sender_outside_ascii_is_refused_with_its_status() -> None:
    frame = dataclasses.replace(FRAME, sender=Sender("Zoë", "zoë@example.org"))
    with pytest.raises(AddressError, match=r"5\.6\.7.*SMTPUTF8"):
        compile_message(variant(), frame)


def test_half_a_character_in_a_name_is_refused() -> None:
    with pytest.raises(AddressError, match="half of a character"):
        copy_of(compile_message(variant(), FRAME), ANN._replace(name="A\ud83dB"))


def test_white_space_in_a_name_becomes_single_spaces() -> None:
    message = parsed(copy_of(compile_message(variant(), FRAME), ANN._replace(name="\tAnn  Smith ")))
    assert message["To"] == "Ann Smith <ann@example.net>"


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ({"html": slot(SlotName.name, SlotContext.text)}, "HTML part.*context text.*attribute, html, url"),
        ({"text": slot(SlotName.name, SlotContext.html)}, "text part.*context html"),
        ({"subject": slot(SlotName.name, SlotContext.text)}, "subject.*context text"),
        ({"html": slot(SlotName.name, SlotContext.url)}, "name is no URL"),
        ({"html": f"SLOT-{NONCE}-shoe.size-html-TOLS"}, "unknown slot"),
        ({"html": f"SLOT-{NONCE}-name-speech-TOLS"}, "unknown slot"),
        ({"html": f"SLOT-{NONCE}-name-html-"}, "HTML part: a damaged slot"),
    ],
)
def test_a_slot_in_the_wrong_place_is_refused(part: dict[str, str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        compile_message(variant(**part), FRAME)


def test_a_story_that_mentions_a_slot_of_another_build_is_left_alone() -> None:
    other = slot_token("f" * 16, SlotName.name, SlotContext.html)
    message = parsed(copy_of(compile_message(variant(html=f"<p>{other}</p>"), FRAME)))
    assert list(message.iter_parts())[1].get_content() == f"<p>{other}</p>"


def test_a_nonce_must_be_one() -> None:
    with pytest.raises(ValueError, match="nonce"):
        compile_message(dataclasses.replace(variant(), nonce=".*"), FRAME)


@pytest.mark.parametrize(
    "site_url",
    ["", "news.example.org", "ftp://news.example.org", "https://", "https://a b", "https://ann:x@example.org",
     "https://example.org?x=1", "https://example.org#x", "https://example.org:port", "https://[::1"],
)  # fmt: skip
def test_what_is_no_site_is_refused(site_url: str) -> None:
    with pytest.raises(ValueError, match=r"site_url|domain"):
        compile_message(variant(), dataclasses.replace(FRAME, site_url=site_url))


def test_a_site_may_be_an_address_of_ipv6_under_a_path() -> None:
    frame = dataclasses.replace(FRAME, site_url="http://[::1]:8765/100% news")
    assert frame.leave_url(LEAVE) == f"http://[::1]:8765/100%25%20news/u/{LEAVE}"


@pytest.mark.parametrize(
    ("frame", "field"),
    [
        (dataclasses.replace(FRAME, list_id="weekly"), "list_id"),
        (dataclasses.replace(FRAME, language="english please"), "language"),
        (dataclasses.replace(FRAME, date=dt.datetime(2026, 1, 1)), "date"),  # noqa: DTZ001 - refused for it
    ],
)
def test_other_fields_that_cannot_stand_are_refused(frame: Frame, field: str) -> None:
    with pytest.raises(ValueError, match=field):
        compile_message(variant(), frame)
