"""Letters to the people who run a newsletter: a draft is ready, something needs you.

Plain text, few words, the facts and where to click. They go through the same relay as editions, outside the
ledger: they are for a handful of people and may be written again.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets
from collections.abc import Callable, Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from digest.compose import sign_message
from digest.errors import ConfigError
from digest.model import Edition, Message
from digest.ports import Transport
from digest.work.direct import hand_over
from digest.work.dkim_keys import KeyFolder

PATIENCE = 30.0
"""Seconds for all letters of one occasion."""

_SEVEN_BIT = SMTP.clone(cte_type="7bit")
"""Not every relay takes 8-bit text (RFC 6152)."""

Send = Callable[[Sequence[EmailMessage]], list[str]]
"""Sends letters and returns the addresses that were not taken, with the reply."""


def letter(
    *, sender_name: str, sender: str, to: str, subject: str, text: str, at: dt.datetime
) -> EmailMessage:
    """One letter to one person. Raises ValueError for a header that cannot be written."""
    message = EmailMessage(policy=_SEVEN_BIT)
    local, _, domain = sender.rpartition("@")
    message["From"] = Address(sender_name, local, domain)
    message["To"] = to
    message["Subject"] = " ".join(subject.split())
    message["Date"] = at
    message["Message-ID"] = f"<{secrets.token_hex(16)}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


def draft_ready(
    edition: Edition, *, preview: str, lock_at: str, send_at: str, automatic: bool
) -> tuple[str, str]:
    """Subject and text of the letter that tells an editor that a draft is ready."""
    lines = [
        f"{edition.name} is ready to look at:",
        "",
        preview,
        "",
        f"Subject: {edition.subject}",
        "",
    ]
    lines += [f"{s.position:>2}. {s.story.title}\n    {'; '.join(s.reasons)}" for s in edition.stories]
    lines.append("")
    if edition.held:
        lines += [f"It is held and will not be sent as it is: {edition.held}", ""]
        subject = f"Held: {edition.name}"
    elif automatic:
        lines += [f"It is settled at {lock_at} and leaves at {send_at}, unless you hold it:", ""]
        lines += [f'  digest edition hold {edition.name} --reason "..."', ""]
        subject = f"Draft ready: {edition.name}"
    else:
        lines += [
            f"It waits for you. To send it at {send_at}:",
            "",
            f"  digest edition approve {edition.name}",
            "",
        ]
        subject = f"Please approve: {edition.name}"
    return subject, "\n".join(lines)


def send_letters(
    letters: Sequence[EmailMessage], transport: Transport, keys: KeyFolder | None = None
) -> list[str]:
    """Hands each letter to the relay, signed with `keys`; returns "address: reply" for those not taken.

    Raises `TransportError` when the relay cannot be used at all, or takes none of them within `PATIENCE`
    seconds: they are written in the round that looks at all newsletters, which must not wait for long.
    """
    messages = [
        Message(-number, str(each["From"].addresses[0].addr_spec), str(each["To"]), _content(each, keys))
        for number, each in enumerate(letters, 1)
    ]
    return asyncio.run(hand_over(transport, messages, seconds=PATIENCE))


def _content(letter: EmailMessage, keys: KeyFolder | None) -> bytes:
    """Its bytes, in ASCII: no relay has to change them."""
    content = letter.as_bytes(policy=_SEVEN_BIT)
    if keys is None:
        return content
    try:
        found = keys.signing(letter["From"].addresses[0].domain)
    except ConfigError:
        # That a key is missing is told by such a letter, too.
        return content
    return sign_message(content, found)
