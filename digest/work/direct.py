"""Hands a few messages to the relay outside the ledger: letters to editors, copies for trying."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from digest.errors import TransportError
from digest.model import Message, Outcome, OutcomeKind
from digest.ports import Transport
from digest.replies import meaning


class _Waiting:
    """Whoever waits for one outcome."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.error: TransportError | None = None

    def outcome(self, outcome: Outcome) -> None:
        if not self.ended.done():
            self.ended.set_result(outcome)

    def allowed(self) -> bool:
        return True

    def unusable(self, error: TransportError) -> None:
        self.error = error


async def hand_over_one(transport: Transport, message: Message) -> Outcome:
    """Sends one message and waits for its outcome. Raises `TransportError` when the relay cannot be used.

    Cancelled, it breaks everything off that the transport has under way.
    """
    waiting = _Waiting()
    transport.send([message], waiting)
    try:
        outcome = await waiting.ended
    except asyncio.CancelledError:
        transport.break_off()
        raise
    if waiting.error is not None and outcome.kind is OutcomeKind.unsent:
        raise waiting.error
    return outcome


async def hand_over(
    transport: Transport, messages: Sequence[Message], *, seconds: float | None = None
) -> list[str]:
    """One after the other, then closes the transport. Returns "address: reply" for those not taken.

    Raises `TransportError` when the relay cannot be used or refuses the sender, or took nothing within
    `seconds`; what it did not get round to after that counts as not taken.
    """
    refused: list[str] = []
    tried = 0
    try:
        async with asyncio.timeout(seconds):
            await transport.open()
            for message in messages:
                outcome = await hand_over_one(transport, message)
                tried += 1
                if outcome.kind is not OutcomeKind.accepted:
                    _raise_refused_sender(transport, message, outcome)
                    refused.append(
                        f"{message.rcpt_to}: {outcome.code or ''} {outcome.reply}".replace(":  ", ": ")
                    )
    except TimeoutError:
        if tried == len(refused):
            problem = f"it took nothing within {seconds:g} seconds"
            raise TransportError("relay", "sending", problem, hint="Look into the relay's log.") from None
        refused += [f"{message.rcpt_to}: the relay is too slow" for message in messages[tried:]]
    finally:
        await transport.close()
    return refused


def _raise_refused_sender(transport: Transport, message: Message, outcome: Outcome) -> None:
    """No further copy would fare better."""
    if outcome.at == "MAIL" and outcome.kind is OutcomeKind.rejected:
        raise TransportError(
            transport.server,
            "MAIL FROM",
            f"the sender {message.mail_from} is refused: {outcome.code} {outcome.reply}",
            code=outcome.code,
            hint=meaning(outcome.code, outcome.reply, outcome.enhanced).hint
            or "Check the newsletter's sender and return_path_domain in config.toml.",
        )
