"""Which addresses are taken, and which are the same mailbox."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers import AddressRefused, address_key, masked, normalise

SECRET = b"a secret of this test"


@pytest.mark.parametrize(
    ("address", "written", "domain"),
    [
        ("reader@example.org", "reader@example.org", "example.org"),
        ("Anna.Lee@Example.ORG", "Anna.Lee@example.org", "example.org"),
        ("user+tag/dep=shipping@example.org", "user+tag/dep=shipping@example.org", "example.org"),
        ("!#$%&'*+-/=?^_`.{|}~@example.org", "!#$%&'*+-/=?^_`.{|}~@example.org", "example.org"),
        ("jeff@臺網中心.tw", "jeff@xn--fiqq24b10vi0d.tw", "xn--fiqq24b10vi0d.tw"),
        ("anna@BÜCHER.example", "anna@xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("用户@example.org", "用户@example.org", "example.org"),
        ("test@c--n.example", "test@c--n.example", "c--n.example"),
        ("test@xn--hxajbheg2az3al.xn--jxalpdlp", "test@xn--hxajbheg2az3al.xn--jxalpdlp", None),
    ],
)
def test_a_usual_address_is_written_as_it_came_with_its_domain_as_a_labels(
    address: str, written: str, domain: str | None
) -> None:
    normal = normalise(address)
    assert normal.address == written
    assert normal.domain == (domain or written.partition("@")[2])


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("", "empty"),
        ("nobody", "no @"),
        ("@example.org", "nothing before"),
        ("anna@", "nothing after"),
        ("a@b@example.org", "more than one @"),
        ("anna@localhost", "no dot"),
        ("anna@example..org", "dot in the domain"),
        ("anna@example.org.", "dot in the domain"),
        ("anna@-example.org", "cannot be part"),
        ("anna@exam_ple.org", "cannot be part"),
        ("anna@127.0.0.1", "number"),
        ("anna@[127.0.0.1]", "IP address"),
        (".anna@example.org", "begins or ends"),
        ("anna.@example.org", "begins or ends"),
        ("an..na@example.org", "two dots"),
        ("an na@example.org", "white space"),
        (" anna@example.org", "around"),
        ("anna@example.org\r\nRCPT TO:<x@example.org>", "U+000D"),
        ("anna\x00@example.org", "U+0000"),
        ("anna\u202e@example.org", "U+202E"),
        ("an\u200bna@example.org", "U+200B"),
        ("\ud800anna@example.org", "U+D800"),
        ("\u0300anna@example.org", "combining"),
        ('"anna lee"@example.org', "quoted"),
        ('"anna@home"@example.org', "quoted"),
        ("anna(work)@example.org", "comments"),
        ("Anna <anna@example.org>", "name around it"),
        ("anna,bob@example.org", "','"),
        ("a" * 65 + "@example.org", "65 octets before the @"),
        ("ä" * 33 + "@example.org", "66 octets before the @"),
        ("a@" + "b" * 64 + ".org", "longer than 63"),
        ("a@" + ".".join(["b" * 60] * 5), "octets long"),
        ("anna@☃\u2028.org", "U+2028"),
        ("anna@a\u0301\u0300-.org", ""),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_with_its_reason(address: str, reason: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        normalise(address)
    assert reason in refused.value.reason
    assert refused.value.address == address
    assert refused.value.hint


def test_longest_allowed_parts_are_taken() -> None:
    assert normalise("a" * 64 + "@example.org").address.startswith("aaa")
    longest = "a@" + ".".join(["b" * 62] * 4)
    assert len(normalise(longest).address) <= 254


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bob@example.org", "bob@EXAMPLE.org"),
        ("jos\u00e9@example.org", "JOSE\u0301@example.org"),
        ("bob@b\u00fccher.example", "bob@xn--bcher-kva.example"),
    ],
)
def test_two_spellings_of_one_mailbox_have_one_key(one: str, other: str) -> None:
    assert address_key(SECRET, one) == address_key(SECRET, normalise(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [("b.ob@example.org", "bob@example.org"), ("bob+news@example.org", "bob@example.org")],
)
def test_tags_and_dots_are_told_apart(one: str, other: str) -> None:
    assert address_key(SECRET, one) != address_key(SECRET, other)


def test_a_key_says_nothing_without_the_secret() -> None:
    key = address_key(SECRET, "bob@example.org")
    assert len(key) == 32
    assert key != address_key(b"another secret", "bob@example.org")


def test_a_local_part_beyond_ascii_is_marked() -> None:
    assert normalise("用户@example.org").needs_smtputf8
    assert not normalise("jeff@臺網中心.tw").needs_smtputf8


def test_a_masked_address_shows_its_owner_enough() -> None:
    assert masked("anna@example.org") == "a•••@example.org"


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_taken_or_refused(local: str, domain: str) -> None:
    for address in (local, f"{local}@{domain}", f"{local}@example.org", f"reader@{domain}.example"):
        try:
            normal = normalise(address)
        except AddressRefused:
            continue
        assert normal.domain.isascii()
        assert normal.address.isprintable()
        assert not any(c.isspace() for c in normal.address)
        assert len(normal.address.encode()) <= 254
        # What was taken once is taken again, unchanged: keys never move.
        again = normalise(normal.address)
        assert again == normal
        assert normalise(normal.normal).normal == normal.normal


@pytest.mark.real_data
def test_published_cases_come_out_as_their_authors_say(real_data: Path) -> None:
    """isemail and email-validator: what they call wrong is refused, what is plainly right is taken."""
    folder = real_data / "subscribers" / "emails"
    control = {0x2400 + code: code for code in range(0x20)}
    for test in ET.parse(folder / "isemail_tests.xml").getroot().iter("test"):
        address = (test.findtext("address") or "").translate(control)
        category = test.findtext("category")
        taken = _taken(address)
        if category in {
            "ISEMAIL_ERR",
            "ISEMAIL_CFWS",
            "ISEMAIL_DEPREC",
            "ISEMAIL_RFC5322",
            "ISEMAIL_RFC5321",
        }:
            assert not taken, address
        elif address != "test@io":  # one label: mail to it is not routed
            assert taken, address
    cases = json.loads((folder / "email_validator_cases.json").read_text())
    for address, _ in cases["test_email_valid"]:
        assert _taken(address) == ('"' not in address and "<" not in address), address
    for address, _ in cases["test_email_invalid_syntax_strict"]:
        assert not _taken(address), address
    for characters, _ in cases["test_email_unsafe_character"]:
        assert not _taken(f"{characters}@example.org"), ascii(characters)
        assert not _taken(f"x{characters}@example.org") or characters == "\u0300", ascii(characters)


def _taken(address: str) -> bool:
    try:
        normalise(address)
    except AddressRefused:
        return False
    return True
