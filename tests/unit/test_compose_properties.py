"""Whatever the template and the values: equal to the slow way, no defect, no line too long."""

from __future__ import annotations

import dataclasses
import email
import html
import re
from email import policy
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage

from hypothesis import given
from hypothesis import strategies as st

from digest.compose import compile_message, headers, mailbox
from digest.model import Message, Recipient, Sender, SlotContext, SlotName, Variant, slot_token
from tests.compose_frames import FRAME, NONCE, TOKENS

STRICT = policy.SMTP.clone(raise_on_defect=True)

CONSTANTS = st.lists(
    st.sampled_from(
        ["=", ".", " ", "\t", "\n", "\r\n", "\r", "From ", "ä", "🙂", "x" * 70, "=\n", "--", "&amp;"]
    )
    | st.text(max_size=100),
    max_size=8,
).map("".join)
CHARACTERS = st.characters(exclude_categories=("Cc", "Cs"))
NAMES = st.one_of(
    st.text(CHARACTERS, max_size=120),
    st.sampled_from(
        ["", ".", "...", "From ", "From me", "a=b", "=?utf-8?q?x?=", '"', "\\", "x" * 200, "O'B & Co"]
    ),
    st.text("abc.= ", max_size=160),
)
ATOMS = st.text("abcXYZ019!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=20)
LOCALS = st.one_of(
    st.lists(ATOMS, min_size=1, max_size=3).map(".".join),
    st.text(" !#ab.@,;:<>()[]", min_size=1, max_size=60).map(lambda text: f'"{text}"'),
    st.just('"a\\"b\\\\c"'),
)
DOMAINS = st.sampled_from(
    ["example.org", "localhost", "bücher.example", "日本.example", "a" * 60 + ".example"]
)
ADDRESSES = st.builds("{}@{}".format, LOCALS, DOMAINS).filter(lambda address: "=?" not in address)


def pieces(contexts: list[SlotContext]) -> st.SearchStrategy[list[str | tuple[SlotName, SlotContext]]]:
    slots = st.tuples(st.sampled_from(SlotName), st.sampled_from(contexts)).filter(
        lambda slot: slot[1] is not SlotContext.url or slot[0] is SlotName.leave_url
    )
    return st.lists(CONSTANTS | slots, max_size=12)


def written(parts: list[str | tuple[SlotName, SlotContext]]) -> str:
    return "".join(part if isinstance(part, str) else slot_token(NONCE, *part) for part in parts)


def expected(parts: list[str | tuple[SlotName, SlotContext]], recipient: Recipient) -> str:
    values = {
        SlotName.address: recipient.address,
        SlotName.name: " ".join(recipient.name.split()),
        SlotName.leave_url: f"{FRAME.site_url}/u/{TOKENS['leave']}",
    }
    whole = re.sub(r"\r\n|\r|\n", "\n", written(parts))
    for name, value in values.items():
        for context in SlotContext:
            shown = value
            if context in {SlotContext.html, SlotContext.attribute, SlotContext.url}:
                shown = html.escape(value, quote=context is not SlotContext.html)
            whole = whole.replace(slot_token(NONCE, name, context), shown)
    return whole


def parsed(message: Message) -> EmailMessage:
    whole = email.message_from_bytes(message.content, policy=STRICT)
    assert isinstance(whole, EmailMessage)
    return whole


def unfolded(message: EmailMessage, part: int) -> str:
    content = list(message.iter_parts())[part].get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


@given(
    text=pieces([SlotContext.text]),
    page=pieces([SlotContext.html, SlotContext.attribute, SlotContext.url]),
    name=NAMES,
    address=ADDRESSES,
)
def test_a_copy_equals_what_the_standard_library_makes(
    text: list[str | tuple[SlotName, SlotContext]],
    page: list[str | tuple[SlotName, SlotContext]],
    name: str,
    address: str,
) -> None:
    recipient = Recipient(1, 1, address, name)
    compiled = compile_message(Variant("default", "News", written(page), written(text), NONCE), FRAME)
    message = compiled.message(recipient, **TOKENS)
    fast = parsed(message)

    slow = EmailMessage(policy=policy.SMTP)
    slow.set_content(expected(text, recipient), cte="quoted-printable")
    slow.add_alternative(expected(page, recipient), subtype="html", cte="quoted-printable")
    slow = email.message_from_bytes(bytes(slow), policy=policy.SMTP)
    for place, wanted in enumerate([expected(text, recipient), expected(page, recipient)]):
        assert unfolded(fast, place) == wanted
        # The standard library ends every part with a line break.
        assert unfolded(slow, place) in {wanted, wanted + "\n"}

    for part in (fast, *fast.iter_parts()):
        assert not part.defects
        assert not [defect for value in part.values() for defect in getattr(value, "defects", ())]
    copy = compiled.copy(recipient, leave=TOKENS["leave"])
    assert [copy.text, copy.html] == [unfolded(fast, place) for place in (0, 1)]


@given(
    text=pieces([SlotContext.text]),
    page=pieces([SlotContext.html, SlotContext.attribute, SlotContext.url]),
    name=NAMES,
    address=ADDRESSES,
    subject=st.text(CHARACTERS, max_size=200),
)
def test_a_copy_is_fit_for_every_relay(
    text: list[str | tuple[SlotName, SlotContext]],
    page: list[str | tuple[SlotName, SlotContext]],
    name: str,
    address: str,
    subject: str,
) -> None:
    compiled = compile_message(Variant("default", subject, written(page), written(text), NONCE), FRAME)
    message = compiled.message(Recipient(1, 1, address, name), **TOKENS)
    content = message.content
    assert content.isascii()
    assert content.endswith(b"\r\n")
    head, _, body = content.partition(b"\r\n\r\n")
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", content)
    for line in head.split(b"\r\n"):
        assert len(line) <= 78 or message.rcpt_to.encode() in line
    for line in body.split(b"\r\n"):
        assert len(line) <= 76
    lines = content.split(b"\r\n")
    assert not [line for line in lines if line.startswith((b".", b"From ")) or line.endswith((b" ", b"\t"))]


@given(name=NAMES, address=ADDRESSES)
def test_a_reader_is_addressed_by_name(name: str, address: str) -> None:
    compiled = compile_message(Variant("default", "News", "", "", NONCE), FRAME)
    message = compiled.message(Recipient(1, 1, address, name), **TOKENS)
    [field] = [value for key, value in email.message_from_bytes(message.content).items() if key == "To"]
    wanted = " ".join(name.split())
    assert mailbox(address) == message.rcpt_to
    to = parsed(message)["To"]
    assert [one.addr_spec for one in to.addresses] == [Address(addr_spec=message.rcpt_to).addr_spec]
    phrase = field.partition("<")[0]
    if field.startswith("=?") and phrase.count("=?") > 1:
        # Python < 3.13 puts spaces between the words of one name (gh-128110): ask its older decoder.
        assert str(make_header(decode_header(phrase.replace("\r\n", "").strip()))) == wanted
    else:
        assert to.addresses[0].display_name == wanted


WIDE_LOCALS = st.lists(
    st.text("aé\u00dfñ日本🙂-", min_size=1, max_size=6).filter(lambda text: not text.isascii()),
    min_size=1,
    max_size=2,
).map(".".join)


@given(name=NAMES, local=WIDE_LOCALS, page=pieces([SlotContext.html, SlotContext.attribute]))
def test_a_reader_outside_ascii_has_one_line_outside_ascii(
    name: str, local: str, page: list[str | tuple[SlotName, SlotContext]]
) -> None:
    recipient = Recipient(1, 1, f"{local}@bücher.example", name)
    compiled = compile_message(Variant("default", "News", written(page), "", NONCE), FRAME)
    message = compiled.message(recipient, **TOKENS)

    assert not message.plain
    assert message.rcpt_to == f"{local}@xn--bcher-kva.example"
    wide = [line for line in message.content.split(b"\r\n") if not line.isascii()]
    assert len(wide) == 1
    assert len(wide[0]) <= 998
    # RFC 6532: the header is UTF-8. The parser of strings reads it so.
    whole = email.message_from_string(message.content.decode(), policy=STRICT)
    assert isinstance(whole, EmailMessage)
    [to] = whole["To"].addresses
    assert (to.username, to.domain) == (local, "xn--bcher-kva.example")
    assert unfolded(whole, 1) == expected(page, recipient)


PERSONAL = (SlotName.name, SlotName.address)
SUBJECTS = st.lists(st.text(CHARACTERS, max_size=40) | st.sampled_from(range(len(PERSONAL))), max_size=4)


@given(subject=SUBJECTS, name=NAMES, address=ADDRESSES, sender=NAMES)
def test_header_fields_equal_those_of_the_standard_library(
    subject: list[str | int], name: str, address: str, sender: str
) -> None:
    recipient = Recipient(1, 1, address, name)
    frame = dataclasses.replace(FRAME, sender=Sender(sender, "news@example.org", "desk@example.org"))
    values = {SlotName.name: " ".join(name.split()), SlotName.address: address}
    template = "".join(
        part if isinstance(part, str) else slot_token(NONCE, PERSONAL[part], SlotContext.header)
        for part in subject
    )
    shown = "".join(part if isinstance(part, str) else values[PERSONAL[part]] for part in subject)
    message = compile_message(Variant("default", template, "", "", NONCE), frame).message(recipient, **TOKENS)
    fast = parsed(message)

    slow = EmailMessage(policy=policy.SMTP)
    slow["From"] = Address(sender, addr_spec="news@example.org")
    slow["To"] = Address(values[SlotName.name], addr_spec=message.rcpt_to)
    slow["Subject"] = shown
    slow["Date"] = FRAME.date
    slow["Reply-To"] = Address(addr_spec="desk@example.org")
    slow["Message-ID"] = f"<{TOKENS['message']}@example.org>"
    slow["MIME-Version"] = "1.0"
    assert fast["Subject"] == shown
    if "=?" not in shown:  # the standard library would take it for an encoded word
        assert slow["Subject"] == shown
    for field in ("Date", "Reply-To", "Message-ID", "MIME-Version"):
        assert str(fast[field]) == str(slow[field])
    for field in ("From", "To"):
        [ours], [theirs] = fast[field].addresses, slow[field].addresses
        assert ours.addr_spec == theirs.addr_spec
        if message.content.count(b"=?utf-8?") == 0:  # Python < 3.13 puts spaces between words (gh-128110)
            assert ours.display_name == theirs.display_name
    names = [key.lower() for key in fast]
    assert len(names) == len(set(names))


@given(st.text(CHARACTERS, max_size=300))
def test_any_subject_survives(subject: str) -> None:
    compiled = compile_message(Variant("default", subject, "", "", NONCE), FRAME)
    assert parsed(compiled.message(Recipient(1, 1, "a@example.org"), **TOKENS))["Subject"] == subject


@given(st.text(CHARACTERS, max_size=300), st.integers(4, 20))
def test_encoded_words_are_whole_and_fit_their_lines(text: str, column: int) -> None:
    lines = headers.encoded_words(text, column).split("\r\n")
    assert column + len(lines[0]) <= 76
    assert all(line.startswith(" ") and len(line) <= 76 for line in lines[1:])
    for line in lines:
        [(data, charset)] = decode_header(line.strip())
        assert isinstance(data, bytes)
        assert charset == "utf-8"
        data.decode("utf-8")


@given(sender=NAMES, title=NAMES, reply_to=ADDRESSES)
def test_any_names_of_sender_and_list_survive(sender: str, title: str, reply_to: str) -> None:
    frame = dataclasses.replace(FRAME, sender=Sender(sender, "news@example.org", reply_to), title=title)
    message = compile_message(Variant("default", "News", "", "", NONCE), frame).message(
        Recipient(1, 1, "a@example.org"), **TOKENS
    )
    whole = parsed(message)
    assert whole["From"].addresses[0].addr_spec == "news@example.org"
    assert whole["List-Id"].endswith("<weekly.example.org>")
    assert Address(addr_spec=mailbox(reply_to)).addr_spec == whole["Reply-To"].addresses[0].addr_spec
