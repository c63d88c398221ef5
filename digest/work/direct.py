"""Hands a few messages to the relay outside the ledger: letters to editors, copies for trying."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from digest.errors import TransportError
from digest.model import Message, OutcomeKind
from digest.ports import Transport


async def hand_over(
    transport: Transport, messages: Sequence[Message], *, seconds: float | None = None
) -> list[str]:
    """One after the other, then closes the transport. Returns "address: reply" for those not taken.

    Raises `TransportError` when the relay cannot be used, or took nothing within `seconds`; what it did not
    get round to after that counts as not taken.
    """
    refused: list[str] = []
    tried = 0
    try:
        async with asyncio.timeout(seconds):
            await transport.open()
            for message in messages:
                outcome = await transport.send(message)
                tried += 1
                if outcome.kind is not OutcomeKind.accepted:
                    refused.append(
                        f"{message.rcpt_to}: {outcome.code or ''} {outcome.reply}".replace(":  ", ": ")
                    )
                _end_if_asked()
    except TimeoutError:
        if tried == len(refused):
            problem = f"it took nothing within {seconds:g} seconds"
            raise TransportError("relay", "sending", problem, hint="Look into the relay's log.") from None
        refused += [f"{message.rcpt_to}: the relay is too slow" for message in messages[tried:]]
    finally:
        await transport.close()
    return refused


def _end_if_asked() -> None:
    """A transport that is cancelled may still have an outcome to tell; the end comes all the same."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
