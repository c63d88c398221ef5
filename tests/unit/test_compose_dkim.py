"""Signatures: who verifies them, what they cover, and what breaks them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from digest.compose import Compiled, Enclosure, SigningKey, compile_message
from digest.compose.dkim import relaxed
from digest.model import Recipient, Sender, SlotContext, SlotName, Variant, slot_token
from tests import compose_frames
from tests.compose_frames import NONCE, TOKENS
from tests.dkim_reference import relaxed_body, relaxed_header, taken_apart, verify

RSA = SigningKey("example.org", "s1", rsa.generate_private_key(65537, 2048))
ED25519 = SigningKey("example.org", "s1-ed", ed25519.Ed25519PrivateKey.generate())
RECORDS = {key.name: key.record for key in (RSA, ED25519)}
FRAME = replace(
    compose_frames.FRAME,
    sender=Sender("Weekly News", "news@example.org", "desk@example.org"),
    title="Weekly News",
    language="en",
)
ANN = Recipient(7, 3, "ann@example.net", "Ann Smith")

# White space of every kind at every place, and what transfer encoding treats apart.
TEXTS = st.lists(
    st.sampled_from(
        [" ", "  ", "\t", " \t ", "\n", "\r\n", "\n\n\n", "=", ".", "From ", "ä", "x" * 80, "word"]
    )
    | st.sampled_from([slot_token(NONCE, name, SlotContext.text) for name in SlotName])
    | st.text(max_size=40),
    max_size=12,
).map("".join)
PAGES = st.lists(
    st.sampled_from([" ", "  ", "\t", "\n", "\n\n", "<p>", "ä", "x" * 80])
    | st.sampled_from([slot_token(NONCE, name, SlotContext.html) for name in SlotName])
    | st.text(max_size=40),
    max_size=12,
).map("".join)
PEOPLE = st.builds(
    Recipient,
    st.just(7),
    st.just(3),
    st.sampled_from(
        ["ann@example.net", '"a  b"@example.net', "zoë@bücher.example", "a" * 60 + "@example.net"]
    ),
    st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=90)
    | st.sampled_from(["", "Ann  Smith"]),
)
SUBJECTS = st.sampled_from(
    ["", "The news", "two  spaces\tand a tab ", "Wörter " * 20, "words " * 30,
     f"{slot_token(NONCE, SlotName.name, SlotContext.header)}: the  news"]
)  # fmt: skip


def compiled(
    *keys: SigningKey, subject: str = "The news", html: str = "<p>Hi</p>", text: str = "Hi"
) -> Compiled:
    return compile_message(Variant("default", subject, html, text, NONCE), FRAME, keys=keys)


def signed(*keys: SigningKey) -> bytes:
    return compiled(*keys).message(ANN, **TOKENS).content


def looked_up(name: str) -> str:
    return RECORDS[name.rstrip(".")]


def dkimpy_says(content: bytes) -> bool:
    # Written in pure Python for RSA, and sharing nothing with ours.
    return bool(dkim.verify(content, dnsfunc=lambda name, timeout=5: looked_up(name.decode()).encode()))


def test_the_reference_agrees_with_the_example_of_rfc_8463() -> None:
    message = """\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
""".replace("\n", "\r\n").encode()
    key = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

    def lookup(name: str) -> str:
        assert name == "brisbane._domainkey.football.example.com"
        return key

    assert [verdict.good for verdict in verify(message, lookup)] == [True]
    assert [verdict.good for verdict in verify(message.replace(b"lost", b"won"), lookup)] == [False]


def test_both_signatures_verify_and_name_their_keys() -> None:
    content = signed(RSA, ED25519)

    first, second = verify(content, looked_up)
    assert (first.algorithm, first.domain, first.selector, first.good) == (
        "rsa-sha256",
        "example.org",
        "s1",
        True,
    )
    assert (second.algorithm, second.selector, second.good) == ("ed25519-sha256", "s1-ed", True)
    assert dkimpy_says(content)


def test_a_copy_made_again_has_the_same_bytes() -> None:
    assert signed(RSA, ED25519) == signed(RSA, ED25519)
    assert b" t=" not in signed(RSA, ED25519)


def test_signing_adds_its_fields_and_changes_nothing_else() -> None:
    content = signed(RSA)

    assert content.startswith(
        b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n d=example.org; s=s1;\r\n h="
    )
    assert content[content.index(b"From: ") :] == signed()
    assert all(len(line) <= 78 for line in content.split(b"\r\n"))
    assert b" l=" not in content


@given(subject=SUBJECTS, html=PAGES, text=TEXTS, reader=PEOPLE)
def test_whatever_is_in_a_copy_it_verifies(subject: str, html: str, text: str, reader: Recipient) -> None:
    content = compiled(ED25519, subject=subject, html=html, text=text).message(reader, **TOKENS).content

    assert [verdict.good for verdict in verify(content, looked_up)] == [True]


@given(html=PAGES, text=TEXTS, reader=PEOPLE)
def test_the_body_is_in_canonical_form_already(html: str, text: str, reader: Recipient) -> None:
    files = (Enclosure("a b.txt", "text/csv", b"1 \n\n"), Enclosure("ä.bin", "application/pdf", b""))
    variant = Variant("default", "The news", html, text, NONCE)
    for enclosures in ((), files):
        content = compile_message(variant, FRAME, enclosures=enclosures).message(reader, **TOKENS).content
        body = taken_apart(content)[1]
        assert relaxed_body(body) == body


@given(subject=SUBJECTS, html=PAGES, text=TEXTS, reader=PEOPLE)
def test_dkimpy_verifies_it_too(subject: str, html: str, text: str, reader: Recipient) -> None:
    message = compiled(RSA, subject=subject, html=html, text=text).message(reader, **TOKENS)

    assert dkimpy_says(message.content)


@given(st.sampled_from(["To", "Subject", "X"]), st.text(" \ta=:", max_size=30), st.booleans())
def test_header_fields_become_canonical_as_the_rfc_says(name: str, value: str, folded: bool) -> None:
    field = f"{name}: {value}{chr(13)}{chr(10)} {value}" if folded else f"{name}:{value}"

    assert relaxed(field.encode()) == relaxed_header(field.encode()) + b"\r\n"


# --- what it covers -----------------------------------------------------------------------------------


def test_every_field_that_we_write_is_signed() -> None:
    content = signed(RSA)
    fields = [field.partition(b":")[0].lower().decode() for field in taken_apart(content)[0]]
    [verdict] = verify(content, looked_up)

    assert set(fields) - {"dkim-signature"} <= set(verdict.signed)
    assert {"list-unsubscribe", "list-unsubscribe-post", "list-id", "feedback-id", "message-id"} <= set(
        verdict.signed
    )


@pytest.mark.parametrize("name", [field.partition(b":")[0].decode() for field in taken_apart(signed())[0]])
def test_a_changed_field_breaks_it(name: str) -> None:
    fields, body = taken_apart(signed(RSA, ED25519))
    changed = [field + b"x" if field.startswith(f"{name}:".encode()) else field for field in fields]
    content = b"\r\n".join([*changed, b"", body])

    assert [verdict.good for verdict in verify(content, looked_up)] == [False, False]
    assert not dkimpy_says(content)


@pytest.mark.parametrize(
    "field",
    ["From: Eve <eve@example.com>", "To: eve@example.com", "Cc: eve@example.com", "Reply-To: eve@example.com",
     "Subject: Win", "Date: Tue, 17 Nov 2026 10:00:00 +0000", "List-Unsubscribe: <https://eve.example.com/>",
     "List-Unsubscribe-Post: x", "List-Id: <x.example.com>", "Message-ID: <x@example.com>",
     "Content-Type: text/plain", "MIME-Version: 1.1"],
)  # fmt: skip
@pytest.mark.parametrize("above", [True, False])
def test_an_added_field_breaks_it(field: str, above: bool) -> None:
    content = signed(RSA)
    added = (
        field.encode() + b"\r\n" + content
        if above
        else content.replace(b"\r\n\r\n", f"\r\n{field}\r\n\r\n".encode(), 1)
    )

    assert [verdict.good for verdict in verify(added, looked_up)] == [False]
    assert not dkimpy_says(added)


def test_what_relays_add_on_the_way_leaves_it_whole() -> None:
    content = b"Received: from here\r\n\tby there\r\nX-Spam: no\r\n" + signed(RSA, ED25519)

    assert all(verdict.good for verdict in verify(content, looked_up))
    assert dkimpy_says(content)


def test_a_changed_or_longer_body_breaks_it() -> None:
    content = signed(RSA, ED25519)
    for changed in (content.replace(b"<p>Hi</p>", b"<p>Ho</p>"), content + b"more\r\n"):
        assert not any(verdict.good for verdict in verify(changed, looked_up))
        assert not dkimpy_says(changed)


def test_fields_that_a_relay_writes_anew_can_be_left_out() -> None:
    variant = Variant("default", "The news", "<p>Hi</p>", "Hi", NONCE)
    unsigned = frozenset({"message-id", "date"})
    content = compile_message(variant, FRAME, keys=[RSA], unsigned=unsigned).message(ANN, **TOKENS).content
    relayed = re.sub(rb"Message-ID: .*\r\n", b"Message-ID: <of@the.relay.example>\r\n", content)
    relayed = re.sub(rb"Date: .*\r\n", b"Date: Tue, 17 Nov 2026 10:00:00 +0000\r\n", relayed)

    [verdict] = verify(relayed, looked_up)
    assert relayed != content
    assert verdict.good
    assert not unsigned & set(verdict.signed)


def test_the_signer_of_another_domain_has_its_own_key() -> None:
    other = SigningKey("news.example.com", "k", ED25519.private)
    content = (
        compile_message(Variant("d", "x", "", "", NONCE), FRAME, keys=[other]).message(ANN, **TOKENS).content
    )

    [verdict] = verify(content, {other.name: other.record}.__getitem__)
    assert (verdict.domain, verdict.good) == ("news.example.com", True)


# --- keys ---------------------------------------------------------------------------------------------


def pem(
    private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey, password: bytes = b""
) -> bytes:
    encryption: serialization.KeySerializationEncryption = (
        serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    )
    return private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize("key", [RSA, ED25519])
def test_a_key_comes_back_from_its_file(key: SigningKey) -> None:
    assert not isinstance(key.private, ec.EllipticCurvePrivateKey)
    loaded = SigningKey.load(key.domain, key.selector, pem(key.private))

    assert loaded.record == key.record
    digest = hashlib.sha256(b"x").digest()
    assert loaded.sign(digest) == key.sign(digest)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no private key"),
        (b"-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n", "no private key"),
        (pem(RSA.private, b"secret"), "no private key without a password"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "neither an RSA nor an Ed25519"),
        (pem(rsa.generate_private_key(65537, 4224)), "4224 bits"),
    ],
)
def test_what_is_no_signing_key_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        SigningKey.load("example.org", "s1", content)


def test_a_record_has_what_dns_needs() -> None:
    assert RSA.name == "s1._domainkey.example.org"
    assert RSA.record.startswith("v=DKIM1; k=rsa; p=MIIBIjAN")
    assert ED25519.record.startswith("v=DKIM1; k=ed25519; p=")
    assert len(ED25519.record) == len("v=DKIM1; k=ed25519; p=") + 44
