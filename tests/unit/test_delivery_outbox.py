"""Copies composed ahead of need wait for nobody, and keep to the rates of their domains."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from digest.delivery import Claimed
from digest.delivery.outbox import Outbox
from digest.delivery.throttle import Domains
from digest.errors import AddressError
from digest.model import Message, Rate, Recipient


class Signing:
    """Takes its time, as signing does."""

    slow = True

    def messages(self, recipients: Sequence[Recipient]) -> list[Message | AddressError]:
        return [Message(each.delivery, "b@sender.test", each.address, b"text") for each in recipients]


def test_what_a_domain_may_have_while_other_limits_are_closed_does_not_leave_in_one_go() -> None:
    outbox = Outbox(Signing(), ahead=100, domains=Domains({"slow.test": Rate(1, 1)}))
    outbox.add([Claimed(Recipient(n, n, f"r{n}@slow.test"), 0, "slow.test") for n in range(1, 50)])
    ready = threading.Event()
    for second in range(20):  # the hour's limit is reached: nothing may leave
        ready.clear()
        assert outbox.take(0, float(second), ready.set) == []
        ready.wait(0.05)
    assert len(outbox.take(100, 20.0, ready.set)) <= 2
    outbox.close()
