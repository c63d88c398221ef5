"""What can go wrong with people's addresses and subscriptions, in a way that a person can mend."""

from __future__ import annotations


class SubscriberError(Exception):
    """Root of this package's errors. `hint` names the thing to change."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class AddressRefused(SubscriberError):  # noqa: N818 - reads as what happened
    """An address that no mail can be sent to, or that is too strange to be meant. `reason` is for people."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"{address!r}: {reason}", hint="Correct or remove this address.")
        self.address, self.reason = address, reason


class ImportRefused(SubscriberError):  # noqa: N818 - reads as what happened
    """A whole import was turned away; nothing of it was stored."""


class UnknownSubscription(SubscriberError):  # noqa: N818 - reads as what happened
    """There is no subscription of this number: erased long ago, or of another installation."""

    def __init__(self, subscription: int) -> None:
        super().__init__(f"there is no subscription {subscription}")
        self.subscription = subscription


class TooLate(SubscriberError):  # noqa: N818 - reads as what happened
    """Leaving can no longer be taken back by the link that did it; signing up again can."""

    def __init__(self, subscription: int) -> None:
        super().__init__(
            f"subscription {subscription} was left too long ago to take it back",
            hint="Sign up again.",
        )
        self.subscription = subscription
