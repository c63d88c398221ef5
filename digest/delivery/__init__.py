"""Sends an edition's copies: each once, and none lost, whatever breaks.

A tour. `engine` is the loop that claims, offers, sends and records; `ledger` is what it asks of the ledger
(the implementation is digest.store.leased); `outbox` holds what is claimed and composes it ahead of need, in
the order of `interleave`; `throttle` says how many copies may start. What becomes of a copy: `judge` says
what its outcome makes of its row (`retry` when it is tried again), `health` whether the run may go on,
`breaker` whether the addresses are real, and `judging` keeps what these remember in one run. `forecast` runs
through the limits before anything leaves; `progress` counts; `stop` is how a run is asked to end. What a
reply means is in digest.replies; how bytes reach the relay is the transport's matter (digest.smtp).
"""

from digest.delivery.breaker import Breaker, hard_reasons
from digest.delivery.engine import Engine, Limits, Report
from digest.delivery.ledger import Claimed, Ledger, Offered, Page, Result, SendingStopped
from digest.delivery.outbox import Composer
from digest.delivery.progress import Meter, Progress
from digest.delivery.retry import RetryPolicy
from digest.delivery.stop import Stop
from digest.delivery.throttle import Throttle, growth_limit

__all__ = [
    "Breaker",
    "Claimed",
    "Composer",
    "Engine",
    "Ledger",
    "Limits",
    "Meter",
    "Offered",
    "Page",
    "Progress",
    "Report",
    "Result",
    "RetryPolicy",
    "SendingStopped",
    "Stop",
    "Throttle",
    "growth_limit",
    "hard_reasons",
]
