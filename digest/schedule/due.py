"""Which step a period needs now: a pure function of its times, its edition's state and the moment.

Lateness is measured for each step on its own: a step is in time in [its time, its time + lateness). Later it
is not done by itself any more but reported, so that nobody gets a week-old "this week" after an outage. A
person who lets a held edition go on sees what time it is: lateness then counts from that moment.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from digest.config.settings import Approval
from digest.model import EditionState, Period
from digest.schedule.periods import Schedule, periods_after


class Step(StrEnum):
    """What a reconciler does next about one period."""

    wait = "wait"
    """Nothing until `Due.at`."""
    build = "build"
    """Make the draft."""
    tell = "tell"
    """Tell the editors that the draft is ready. Not after lock time: it must not keep anything waiting."""
    lock = "lock"
    """Settle the approved version: approve it by policy."""
    ask = "ask"
    """Lock time is here and a person has to approve: remind."""
    send = "send"
    """Begin to send, or go on with it."""
    late = "late"
    """The time of `Due.of` passed too long ago: hold, and report."""
    person = "person"
    """Held or paused: only a person moves it on."""
    done = "done"
    """Nothing more will be due."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the tables say about a period's edition. `state` None: there is no edition yet.

    `told` is whether its editors were told; `held` and `paused` are whether these flags are on; `released`
    is when a person last let it go on after a hold.
    """

    state: EditionState | None = None
    told: bool = False
    held: bool = False
    paused: bool = False
    released: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """A step; `at` is since when it is due (for `wait`: until when; None where no time is involved).

    For `late`, `of` is the step that was not done in time and `at` when that should have been.
    """

    step: Step
    at: dt.datetime | None = None
    of: Step | None = None


def due(period: Period, facts: Facts, now: dt.datetime, *, lateness: dt.timedelta, approval: Approval) -> Due:
    """What this period needs at `now`: once that is done and recorded, the next call says what comes then."""
    match facts.state:
        case None:
            return _timed(Step.build, period.build_at, facts, now, lateness)
        case EditionState.draft:
            return _draft(period, facts, now, lateness, approval)
        case EditionState.approved | EditionState.fanning | EditionState.sending:
            if facts.held or facts.paused:
                return Due(Step.person)
            if facts.state is EditionState.approved:
                return _timed(Step.send, period.send_at, facts, now, lateness)
            # Begun in time: it goes on, however long the machine was away. What has become too old for a
            # single reader is for the delivery's own expiry to say.
            return Due(Step.send, period.send_at)
        case _:
            return Due(Step.done)


def _draft(period: Period, facts: Facts, now: dt.datetime, lateness: dt.timedelta, approval: Approval) -> Due:
    if not facts.told and now < period.lock_at:
        return Due(Step.tell, period.build_at)
    if facts.held:
        return Due(Step.person)
    if approval is Approval.automatic:
        return _timed(Step.lock, period.lock_at, facts, now, lateness)
    if now < period.lock_at:
        return Due(Step.wait, period.lock_at)
    if now < _deadline(period.send_at, facts.released, lateness):
        return Due(Step.ask, period.lock_at)
    return Due(Step.late, period.send_at, Step.send)


def _timed(step: Step, at: dt.datetime, facts: Facts, now: dt.datetime, lateness: dt.timedelta) -> Due:
    if now < at:
        return Due(Step.wait, at)
    if now < _deadline(at, facts.released, lateness):
        return Due(step, at)
    return Due(Step.late, at, step)


def _deadline(at: dt.datetime, released: dt.datetime | None, lateness: dt.timedelta) -> dt.datetime:
    """Until when a step due `at` is in time."""
    return (at if released is None else max(at, released)) + lateness


def next_wake(
    period: Period, now: dt.datetime, *, lateness: dt.timedelta, released: dt.datetime | None = None
) -> dt.datetime | None:
    """The first moment later than `now` at which `due` can change its answer by time alone; None: never."""
    times = (period.build_at, period.lock_at, period.send_at)
    ends = (_deadline(time, released, lateness) for time in times)
    return min((at for at in (*times, *ends) if at > now), default=None)


@dataclass(frozen=True, slots=True)
class Missed:
    """Periods whose build time passed too long ago while nobody was there: all of them counted, the newest
    listed, oldest first."""

    count: int
    periods: tuple[Period, ...]


def missed(
    schedule: Schedule, previous: Period | None, since: dt.datetime, now: dt.datetime, *, limit: int = 60
) -> Missed:
    """What was never built and is too late at `now`.

    `previous` is the period of the newsletter's newest edition, also a cancelled one (or the scheduler would
    build again what an editor cancelled), or None; nothing is owed from before `since`, when the newsletter
    was set up.
    """
    count, newest = 0, deque[Period](maxlen=limit)
    for period in periods_after(schedule, previous, since):
        if now < period.build_at + schedule.lateness:
            break
        count += 1
        newest.append(period)
    return Missed(count, tuple(newest))


def coming(schedule: Schedule, previous: Period | None, since: dt.datetime, now: dt.datetime) -> Period:
    """The first period after `previous`, and since `since`, that can still be built in time."""
    return next(
        period
        for period in periods_after(schedule, previous, since)
        if now < period.build_at + schedule.lateness
    )
