"""Telling the operator: each alert once, by mail to `[alerts] to`, and always in the log."""

from __future__ import annotations

from collections.abc import Callable

from digest.errors import DigestError
from digest.work.desk import Desk
from digest.work.letters import letter, send_letters

RESTORED = "restored backup"
"""The key of the alert that a store went back in time."""

SECOND_SERVER = "second server"
"""The key of the alert that mail leaves through [fallback]."""


def in_doubt(edition: str) -> str:
    """The key of the alert that copies of this edition may or may not have arrived."""
    return f"in doubt: {edition}"


def waits(edition: str) -> str:
    """The key of the alert that copies of this edition wait for a server that alone may be given them."""
    return f"waits {edition}"


def raise_(desk: Desk, key: str, message: str) -> None:
    """Opens an alert, or brings the words of an open one up to date."""
    desk.installation.raise_alert(key, message, at=desk.clock.now())


def tell(desk: Desk, say: Callable[[str], None]) -> bool:
    """Writes to the operators what they were not told yet; False when that could not be sent: the next call
    tries again."""
    untold = desk.installation.untold()
    if not untold:
        return True
    for alert in untold:
        say(f"Needs you: {alert.message}")
    now = desk.clock.now()
    operators = desk.settings.alerts.to
    newsletter = next(iter(desk.settings.newsletter.values()), None)
    if operators and newsletter is not None:
        text = "\n\n".join(alert.message for alert in untold)
        things = "1 thing needs" if len(untold) == 1 else f"{len(untold)} things need"
        subject = f"{newsletter.name}: {things} you"
        letters = [
            letter(sender_name="digest", sender=newsletter.sender, to=to, subject=subject, text=text, at=now)
            for to in operators
        ]
        try:
            for line in send_letters(letters, desk.transport(), desk.dkim_keys):
                say(f"alert not taken: {line}")
        except DigestError as error:
            say(f"alert not sent, tried again: {error}")
            return False
    desk.installation.mark_told([alert.id for alert in untold], at=now)
    return True
