"""What does one copy of an edition cost?

Input: an edition variant of 35 kB of HTML and 6 kB of text with 65 slots, and 1,000 readers, of whom one in
five has a name outside ASCII and one an apostrophe in it. Compared are ways to make the same message:
splicing into the message compiled once (what the product does, with the three tokens that it signs for each
copy, and with tokens that are there already), encoding both parts anew with `quopri` around a fixed head, and
`email.message.EmailMessage` as most programs do it. Each figure is the median of several rounds, in
microseconds of CPU a message; compare the ratios.
"""

from __future__ import annotations

import datetime as dt
import quopri
import statistics
import time
from collections.abc import Callable
from email import policy
from email.message import EmailMessage

from digest.compose import Compiled, Frame, compile_message
from digest.model import Recipient, Sender, SlotContext, SlotName, Variant, slot_token
from digest.tokens import KeyRing, copy_signer

NONCE = "0123456789abcdef"
TOKENS = {"leave": "l" * 28, "bounce": "b" * 28, "message": "m" * 28}
FIRST_NAMES = ("Ann", "Bea O'Neill", "Chris Smith", "Zoë Müller", "")
STORY = (
    '<tr><td style="padding:0 24px 24px 24px"><h2 style="font:bold 21px/27px Georgia,serif">A heading of '
    "usual length, such as readers know – and as editors write</h2><p>{text}</p>"
    '<a href="https://news.example.org/stories/2026/11/17/a-heading-of-usual-length">Read more</a>'
    '<a href="{leave}">Too many of these?</a></td></tr>\n'
)


def variant() -> Variant:
    """40 kB of HTML, 65 slots in both parts together."""
    leave = slot_token(NONCE, SlotName.leave_url, SlotContext.url)
    name = slot_token(NONCE, SlotName.name, SlotContext.html)
    address = slot_token(NONCE, SlotName.address, SlotContext.html)
    story = STORY.format(text="The standfirst says what happened, and to whom. " * 4, leave=leave)
    html = (
        f"<html><body><p>Good morning {name}</p><table>{story * 60}</table><p>{address}</p></body></html>\n"
    )
    text = (
        f"Good morning {slot_token(NONCE, SlotName.name, SlotContext.text)}\n\n"
        + "A heading of usual length, such as readers know\nhttps://news.example.org/stories/2026/11/17\n\n"
        * 60
        + f"{slot_token(NONCE, SlotName.address, SlotContext.text)} leaves at:\n"
        + f"{slot_token(NONCE, SlotName.leave_url, SlotContext.text)}\n"
    )
    return Variant("default", "The new bridge: what the city decided", html, text, NONCE)


def readers(number: int) -> list[Recipient]:
    return [
        Recipient(i, i, f"reader.{i}@example.net", FIRST_NAMES[i % len(FIRST_NAMES)]) for i in range(number)
    ]


def by_splicing(compiled: Compiled) -> Callable[[Recipient], bytes]:
    return lambda reader: compiled.message(reader, **TOKENS).content


def with_tokens(compiled: Compiled) -> Callable[[Recipient], bytes]:
    compose = compiled.composer(copy_signer(KeyRing.generate()))
    return lambda reader: compose(reader).content


def by_encoding(compiled: Compiled) -> Callable[[Recipient], bytes]:
    """The values put into the template, and both parts encoded again by C code of the standard library."""
    head = by_splicing(compiled)(Recipient(0, 0, "x@example.net")).partition(b"\r\n\r\n")[0]

    def make(reader: Recipient) -> bytes:
        copy = compiled.copy(reader, leave=TOKENS["leave"])
        parts = [quopri.encodestring(part.encode()) for part in (copy.text, copy.html)]
        return b"\r\n".join([head, *(part.replace(b"\n", b"\r\n") for part in parts)])

    return make


def by_email_message(compiled: Compiled, frame: Frame) -> Callable[[Recipient], bytes]:
    def make(reader: Recipient) -> bytes:
        copy = compiled.copy(reader, leave=TOKENS["leave"])
        message = EmailMessage(policy=policy.SMTP)
        message["From"] = f"{frame.sender.name} <{frame.sender.address}>"
        message["To"] = f'"{reader.name}" <{reader.address}>'
        message["Subject"] = copy.subject
        message["Date"] = frame.date
        message["Message-ID"] = f"<{TOKENS['message']}@example.org>"
        message["List-Unsubscribe"] = f"<{frame.leave_url(TOKENS['leave'])}>"
        message.set_content(copy.text, cte="quoted-printable")
        message.add_alternative(copy.html, subtype="html", cte="quoted-printable")
        return bytes(message)

    return make


def microseconds(make: Callable[[Recipient], bytes], people: list[Recipient], rounds: int) -> float:
    """CPU time a message: the median of the rounds."""
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        for reader in people:
            make(reader)
        taken.append((time.process_time() - start) / len(people) * 1e6)
    return statistics.median(taken)


def frame() -> Frame:
    return Frame(
        sender=Sender("Weekly News", "news@example.org"),
        newsletter="weekly",
        list_id="",
        site_url="https://news.example.org",
        date=dt.datetime(2026, 11, 17, 9, 0, tzinfo=dt.UTC),
        edition_name="weekly/2026-11-09",
    )


def run() -> None:
    content = variant()
    start = time.process_time()
    compiled = compile_message(content, frame())
    once = (time.process_time() - start) * 1e3
    people = readers(1000)
    slots = (content.html + content.text).count(f"SLOT-{NONCE}-")
    size = len(by_splicing(compiled)(people[0]))
    print(f"a message of {size / 1000:.0f} kB with {slots} slots; compiling it once: {once:.1f} ms")
    spliced = microseconds(by_splicing(compiled), people, 15)
    print(f"spliced             {spliced:8.1f} us")
    print(f"and tokens signed   {microseconds(with_tokens(compiled), people, 15):8.1f} us")
    for name, make, some in (
        ("parts encoded anew", by_encoding(compiled), people[:200]),
        ("EmailMessage", by_email_message(compiled, frame()), people[:20]),
    ):
        taken = microseconds(make, some, 5)
        print(f"{name:19} {taken:8.1f} us   {taken / spliced:6.0f} x")
