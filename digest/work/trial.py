"""Copies for trying: an edition as it is, to a few addresses, flagged and with links that do nothing."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import replace

from digest.errors import AddressError, EditionError, UsageError
from digest.model import Edition, Recipient
from digest.tokens import Purpose, inert
from digest.work.composer import compiled, signing_keys
from digest.work.departure import check_links
from digest.work.desk import Desk
from digest.work.direct import hand_over


def send_test(desk: Desk, edition: Edition, addresses: Sequence[str], *, by: str) -> list[str]:
    """Sends the edition to these addresses. Returns "address: reply" for those not taken.

    Nothing of it is in the ledger; the audit trail has a line. Raises `EditionError` (it has no content yet),
    `UsageError` (no address), `TransportError` (the relay cannot be used).
    """
    if not edition.variants:
        raise EditionError(
            edition.name, "has no content yet", hint=f"Build it: digest edition build {edition.newsletter}"
        )
    check_links(desk, edition)
    variant = edition.variants[0]
    flagged = replace(variant, subject=f"[Test] {variant.subject}")
    made = compiled(desk, edition, flagged, signing_keys(desk, edition))
    try:
        messages = [
            made.message(
                Recipient(-number, 0, address),
                leave=inert(Purpose.leave),
                bounce=inert(Purpose.bounce),
                message=secrets.token_hex(14),  # mailboxes fold copies with one Message-ID into one
            )
            for number, address in enumerate(addresses, 1)
        ]
    except AddressError as error:
        raise UsageError(str(error), hint=error.hint) from error
    refused = asyncio.run(hand_over(desk.transport(), messages))
    desk.ledger.note_test(edition.id, addresses, now=desk.clock.now(), actor=by)
    return refused
