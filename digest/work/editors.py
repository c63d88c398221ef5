"""Telling the editors of a newsletter that its draft is ready, or that it is held."""

from __future__ import annotations

import datetime as dt

from digest.config import Approval, Newsletter
from digest.errors import TransportError
from digest.model import Edition
from digest.tokens import preview_link
from digest.work.desk import Desk
from digest.work.letters import draft_ready, letter, send_letters


def tell(desk: Desk, edition: Edition, settings: Newsletter) -> tuple[bool, list[str]]:
    """Writes to the editors, or, with none, just notes it. Whether that is done, and what is to be said.

    A letter that cannot be sent is tried again in the next round, until lock time: an edition does not wait
    for a letter.
    """
    said = []
    if settings.editors:
        zone = desk.schedule(edition.newsletter).zone
        subject, text = draft_ready(
            edition,
            preview=preview_url(desk, edition.newsletter),
            lock_at=moment(edition.period.lock_at.astimezone(zone)),
            send_at=moment(edition.period.send_at.astimezone(zone)),
            automatic=settings.approval is Approval.automatic,
        )
        letters = [
            letter(
                sender_name=settings.sender_name or settings.name,
                sender=settings.sender,
                to=editor,
                subject=subject,
                text=text,
                at=desk.clock.now(),
            )
            for editor in settings.editors
        ]
        try:
            refused = send_letters(letters, desk.transport(), desk.dkim_keys)
        except TransportError as error:
            message = f"{edition.name}: editors not told: {error}"
            desk.installation.raise_alert(f"letters {edition.name}", message, at=desk.clock.now())
            return False, [message]
        said += [f"{edition.name}: editor not told: {line}" for line in refused]
    # Two that reconcile at once may both write, which harms nobody; it is noted, and said, once.
    if desk.editions.mark_told(edition.id, at=desk.clock.now()):
        said.append(f"{edition.name}: editors told")
    return True, said


def preview_url(desk: Desk, slug: str) -> str:
    """The signed address of the coming edition's preview; it works for 30 days."""
    return f"{desk.settings.site.url.rstrip('/')}/preview/{preview_link(desk.keys, slug)}"


def moment(at: dt.datetime) -> str:
    """As in letters and reports: "Mon 16 Nov 06:00 UTC"."""
    return at.strftime("%a %d %b %H:%M %Z")
