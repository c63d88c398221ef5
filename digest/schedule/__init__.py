"""What is due, computed from a schedule, an edition's state and a moment that is handed in.

A tour: `local` says at which instant a local time happens, clock changes included; `periods` cuts time into
windows and gives each its build, lock and send times; `due` says which step a period needs now and when to
look again. Nothing here knows what time it is: a reconciler asks, as often as it likes, and the same facts
give the same answer.
"""

from digest.schedule.due import Due, Facts, Missed, Step, coming, due, missed, next_wake
from digest.schedule.local import instant
from digest.schedule.periods import (
    Moment,
    Schedule,
    containing,
    first,
    following,
    last_complete,
    period,
    periods_after,
    periods_between,
)

__all__ = [
    "Due",
    "Facts",
    "Missed",
    "Moment",
    "Schedule",
    "Step",
    "coming",
    "containing",
    "due",
    "first",
    "following",
    "instant",
    "last_complete",
    "missed",
    "next_wake",
    "period",
    "periods_after",
    "periods_between",
]
