"""Attachments, and pictures in the mail: the tree, the names, and the bytes."""

from __future__ import annotations

import email
import re
from email import policy
from email.message import EmailMessage, MIMEPart

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.compose import Enclosure, compile_message, content_id, headers
from digest.model import Recipient, SlotContext, SlotName, Variant, slot_token
from tests.compose_frames import FRAME, NONCE, TOKENS

STRICT = policy.SMTP.clone(raise_on_defect=True)
NAME = slot_token(NONCE, SlotName.name, SlotContext.html)
URL = "https://news.example.org/media/" + "a" * 64
PICTURE = Enclosure("aaaaaaaa.jpg", "image/jpeg", b"\xff\xd8 a picture", URL)
TERMS = Enclosure("terms.pdf", "application/pdf", b"%PDF-1.7 " + bytes(range(256)))


def made(*enclosures: Enclosure, html: str = f'<p>{NAME}<img src="{URL}" alt=""></p>') -> bytes:
    variant = Variant("default", "The news", html, "Hi", NONCE)
    compiled = compile_message(variant, FRAME, enclosures=enclosures)
    return compiled.message(Recipient(1, 1, "ann@example.net", "Ann"), **TOKENS).content


def parsed(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=STRICT)
    assert isinstance(message, EmailMessage)
    return message


def tree(message: MIMEPart) -> object:
    kind = message.get_content_type()
    return (kind, *(tree(part) for part in message.iter_parts())) if message.is_multipart() else kind


def test_without_enclosures_there_is_text_and_html() -> None:
    assert tree(parsed(made())) == ("multipart/alternative", "text/plain", "text/html")


def test_files_stand_behind_both_and_pictures_beside_the_html() -> None:
    related = ("multipart/related", "text/html", "image/jpeg")
    alternative = ("multipart/alternative", "text/plain", related)

    assert tree(parsed(made(PICTURE))) == alternative
    assert tree(parsed(made(TERMS, PICTURE))) == ("multipart/mixed", alternative, "application/pdf")
    assert tree(parsed(made(TERMS))) == (
        "multipart/mixed",
        ("multipart/alternative", "text/plain", "text/html"),
        "application/pdf",
    )


def test_an_attachment_arrives_as_it_was() -> None:
    [part] = parsed(made(TERMS, PICTURE)).iter_attachments()

    assert part.get_filename() == "terms.pdf"
    assert part.get_content_disposition() == "attachment"
    assert part.get_content() == TERMS.content


def test_a_picture_is_named_by_its_content_id() -> None:
    message = parsed(made(PICTURE))
    html, picture = list(message.iter_parts())[1].iter_parts()

    assert picture["Content-ID"] == f"<{content_id(PICTURE, FRAME.sender)}>"
    assert f'<p>Ann<img src="cid:{content_id(PICTURE, FRAME.sender)}" alt=""></p>' == html.get_content()
    assert picture.get_content_disposition() == "inline"
    assert picture.get_content() == PICTURE.content
    assert list(message.iter_parts())[1].get_param("type") == "text/html"


def test_a_picture_that_is_not_shown_stays_out() -> None:
    assert tree(parsed(made(PICTURE, html="<p>Hi</p>"))) == (
        "multipart/alternative",
        "text/plain",
        "text/html",
    )


def test_only_addresses_of_pictures_change_and_each_picture_is_there_once() -> None:
    twin = Enclosure("twin.jpg", "image/jpeg", PICTURE.content, URL + "-twin")
    page = '<a href="{0}"><img src="{1}"><td background=\'{2}\'>{0}</td><v:fill src="{2}"/></a>'
    html = page.format(URL, URL, f"{URL}-twin")
    message = parsed(made(PICTURE, twin, html=html))
    body = message.get_body(("html",))
    assert body is not None

    cid = f"cid:{content_id(PICTURE, FRAME.sender)}"
    wanted = page.format(URL, cid, cid)
    assert body.get_content() == wanted
    assert sum(part.get_content_type() == "image/jpeg" for part in message.walk()) == 1


def test_boundaries_differ_and_are_the_same_each_time() -> None:
    content = made(TERMS, PICTURE)
    boundaries = re.findall(rb'boundary="([^"]+)"', content)

    assert len(set(boundaries)) == 3
    assert made(TERMS, PICTURE) == content


NAMES = st.one_of(
    st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=120),
    st.sampled_from(
        ["Bedingungen für März.pdf", "a b.pdf", 'a"b.pdf', "a\\b.pdf", "日" * 80, "x" * 300, "=?utf-8?q?x?=",
         "a%20b'c*.pdf", "🙂.pdf", "a" * 60, "a" * 61]
    ),
)  # fmt: skip


@given(NAMES, st.binary(max_size=400))
def test_any_file_arrives_with_its_name(name: str, content: bytes) -> None:
    whole = made(Enclosure(name, "application/octet-stream", content))
    [part] = parsed(whole).iter_attachments()

    assert part.get_filename() == name.strip()  # the parser's doing
    assert part.get_content() == content
    assert part.get_param("name") is not None
    assert whole.isascii()
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", whole)
    assert all(len(line) <= 78 for line in whole.split(b"\r\n"))
    assert not [
        line for line in whole.split(b"\r\n") if line.startswith((b".", b"From ")) or line.endswith(b" ")
    ]


@given(NAMES)
def test_names_are_read_by_the_older_parser_too(name: str) -> None:
    field = f"Content-Disposition: attachment{headers.parameter('filename', name)}\r\n\r\n"
    message = email.message_from_bytes(field.encode("ascii"))

    assert message.get_filename() == name.strip()


def test_a_name_of_several_lines_is_refused() -> None:
    for evil in ("a\r\nBcc: eve@example.com", "a\nb", "a\0b"):
        with pytest.raises(ValueError, match="name"):
            made(Enclosure(evil, "application/pdf", b""))


@pytest.mark.parametrize(
    "kind",
    ["", "pdf", "application/pdf; x=y", "application/pdf\r\nX: y", "message/rfc822", "multipart/mixed"],
)
def test_a_media_type_must_be_one_that_base64_fits(kind: str) -> None:
    with pytest.raises(ValueError, match=r"terms\.pdf"):
        made(Enclosure("terms.pdf", kind, b""))
