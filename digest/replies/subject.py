"""What a reply can be about, and whether it counts against an address."""

from __future__ import annotations

from enum import StrEnum


class About(StrEnum):
    """Whose matter a reply of the relay is."""

    recipient = "recipient"
    """This address or this copy; its neighbours are not concerned."""
    content = "content"
    """The message: its words, an attachment, its size. Others of the same edition will hear the same."""
    connection = "connection"
    """This connection ends; another one may go on (421, RFC 5321 3.8)."""
    run = "run"
    """Us: the sender, the sign-in, a quota, what the relay lets us do. Every further copy would hear the
    same, so sending pauses and no recipient is judged by it."""


class Counts(StrEnum):
    """What a refusal counts as against its address, now or in returned mail."""

    hard = "hard"
    """The mailbox or domain does not exist: no further mail."""
    soft = "soft"
    """Full, disabled, busy, out of reach: no further mail if that lasts over several editions."""
    nothing = "nothing"
    """About us, or about this message: it says nothing about the address."""
