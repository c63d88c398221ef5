"""Sends an edition's copies: each once, and none lost, whatever breaks.

A tour: `engine` is the loop that claims, offers, sends and records; `ledger` is what it asks of the ledger
(the implementation is digest.store.leased); `interleave` orders what was claimed, and `throttle` says how
much of it may start now. `judge` makes of an outcome the row's next state (`retry` says when a deferred
copy is tried again), `health` says whether the run may go on, with the `breaker` for lists of dead
addresses. `forecast` tells all that before approval; `progress` counts; `stop` is how a run is asked to
end. What a reply means is in digest.replies; how bytes reach the relay is the transport's matter
(digest.smtp).
"""

from digest.delivery.engine import Engine, Limits, Report
from digest.delivery.ledger import Claimed, Ledger, Offered, Page, Result, SendingStopped
from digest.delivery.progress import Progress
from digest.delivery.retry import RetryPolicy
from digest.delivery.stop import Stop

__all__ = [
    "Claimed",
    "Engine",
    "Ledger",
    "Limits",
    "Offered",
    "Page",
    "Progress",
    "Report",
    "Result",
    "RetryPolicy",
    "SendingStopped",
    "Stop",
]
