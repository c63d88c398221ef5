"""Before approval: when an edition would be out, and what stands in the way.

The limits are not reckoned anew: a `Throttle` is run through in thought, in steps of half a minute, so that
the forecast and the run cannot disagree about what a limit means. Retries of deferred copies are left out;
they are few, and no one knows when.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from digest.config.durations import format_duration
from digest.delivery.throttle import Throttle
from digest.model import Rate

_STEP = 30.0
_HORIZON = 31 * 86400.0
"""Further ahead nothing is reckoned: no edition is news for a month."""
_SPANS = {3600: "an hour", 86400: "a day"}
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """How fast the last edition left: copies a second, over so many connections."""

    speed: float
    connections: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What would leave, and under which limits. `start` and `stale` are aware."""

    recipients: int
    start: dt.datetime
    stale: dt.datetime
    """From this moment on the edition is old news (start and lateness)."""
    rates: Sequence[Rate] = ()
    """The relay's limits; a count of 0 is none."""
    used: Sequence[tuple[float, int]] = ()
    """What will have left before the start: (seconds before it, how many)."""
    growth: Rate | None = None
    """The cap on growth (`throttle.growth_limit`), of this edition only."""
    measured: Measured | None = None
    connections: int = 1


class About(StrEnum):
    """What a notice is about."""

    speed = "speed"
    """No edition was measured yet."""
    limit = "limit"
    """One of the relay's limits delays a part."""
    growth = "growth"
    """The cap on growth delays a part."""
    late = "late"
    """Copies would expire."""


@dataclass(frozen=True, slots=True)
class Notice:
    about: About
    words: str
    copies: int = 0
    """How many copies it concerns."""
    at: dt.datetime | None = None
    """When the delayed part begins to leave."""


@dataclass(frozen=True, slots=True)
class Forecast:
    finish: dt.datetime | None
    """When the last copy leaves, in the newsletter's zone; None when nobody can know, or after a month."""
    late: int
    """Copies that would be too late, and expire."""
    words: str
    """ "finishes 08:11"."""
    notices: tuple[Notice, ...]


def forecast(plan: Plan, zone: dt.tzinfo) -> Forecast:
    """Pure: the same plan has the same forecast. Times in words are the zone's."""
    speed = _speed(plan)
    steps = list(departures(plan, speed))
    complete = sum(count for _, count in steps) == plan.recipients
    seconds = steps[-1][0] + steps[-1][1] / speed if steps else 0.0

    def at(after: float) -> dt.datetime:
        """Whole seconds, and through UTC: clocks may change on the way."""
        return (plan.start.astimezone(dt.UTC) + dt.timedelta(seconds=math.ceil(after))).astimezone(zone)

    start, finish = at(0.0), at(seconds) if complete else None
    guessed = complete and plan.measured is None
    if guessed and not seconds:
        finish, words = None, "how long sending takes can be said once an edition has left"
    elif finish is None:
        words = "takes more than a month"
    else:
        words = f"finishes {'not before ' if guessed else ''}{_clock(finish, start)}"
    notices: list[Notice] = []
    if guessed and seconds:
        notices.append(Notice(About.speed, "no edition has left yet: only the limits are counted"))
    notices += _delays(plan, steps, start, at)
    lateness = (plan.stale - plan.start).total_seconds()
    late = plan.recipients - _begun(steps, lateness, speed)
    if late:
        words_late = f"{late:,} would be too late (lateness {format_duration(plan.stale - plan.start)})"
        notices.append(Notice(About.late, words_late, late))
    return Forecast(finish, late, words, tuple(notices))


def _delays(
    plan: Plan, steps: Sequence[tuple[float, int]], start: dt.datetime, at: Callable[[float], dt.datetime]
) -> Iterator[Notice]:
    """One notice for each limit that is smaller than what is to leave."""
    for rate in plan.rates:
        if rate.count <= 0 or rate.seconds < 3600:
            continue
        used = sum(count for ago, count in plan.used if ago < rate.seconds)
        more = plan.recipients - max(rate.count - used, 0)
        if more > 0:
            then, when = _then(more, plan, steps, start, at)
            already = f" ({used:,} of them are used)" if used else ""
            limit = f"the relay's {rate.count:,} {_SPANS.get(rate.seconds, f'in {rate.seconds} s')}{already}"
            yield Notice(About.limit, f"exceeds {limit} by {more:,}: the rest would leave {when}", more, then)
    if plan.growth is not None and plan.recipients > plan.growth.count:
        more = plan.recipients - plan.growth.count
        then, when = _then(more, plan, steps, start, at)
        words = (
            f"the last edition was smaller: {plan.growth.count:,} leave in an hour (growth), and the other "
            f"{more:,} would follow {when}"
        )
        yield Notice(About.growth, words, more, then)


def _then(
    more: int,
    plan: Plan,
    steps: Sequence[tuple[float, int]],
    start: dt.datetime,
    at: Callable[[float], dt.datetime],
) -> tuple[dt.datetime | None, str]:
    """When the last `more` copies begin to leave, as a moment and in words."""
    before = plan.recipients - more
    for moment, count in steps:
        before -= count
        if before < 0:
            then = at(moment)
            return then, f"from {_clock(then, start)}" if then.date() == start.date() else _day(then, start)
    return None, "after more than a month"


def _begun(steps: Sequence[tuple[float, int]], before: float, speed: float) -> int:
    """How many copies begin to leave earlier than `before` (seconds after the start)."""
    return sum(
        count if math.isinf(speed) else min(count, math.ceil((before - moment) * speed))
        for moment, count in steps
        if moment < before
    )


def _clock(moment: dt.datetime, start: dt.datetime) -> str:
    """ "08:11" on the day of the start, else with the day before it."""
    time = f"{moment:%H:%M}"
    return time if moment.date() == start.date() else f"{_day(moment, start).removeprefix('on ')} {time}"


def _day(moment: dt.datetime, start: dt.datetime) -> str:
    """ "on Wednesday", or "on 3 December" when a weekday could be misread."""
    if moment.date() - start.date() < dt.timedelta(days=7):
        return f"on {_WEEKDAYS[moment.weekday()]}"
    return f"on {moment.day} {_MONTHS[moment.month - 1]}"


def departures(plan: Plan, speed: float) -> Iterator[tuple[float, int]]:
    """(seconds after the start, how many begin to leave), step by step, as the throttle lets them.

    A step takes its count divided by `speed` (copies a second; infinite for none known).
    """
    throttle = Throttle([rate for rate in plan.rates if rate.seconds > 1])
    throttle.seed(0.0, plan.used)
    if plan.growth is not None:
        throttle = throttle.narrowed(plan.growth)
    now, left = 0.0, plan.recipients
    most = left if math.isinf(speed) else max(int(speed * _STEP), 1)
    while left and now < _HORIZON:
        count = throttle.take(now, min(left, most))
        if count:
            yield now, count
            left -= count
            now += count / speed
        else:
            now += max(throttle.wait(now), 1e-6)


def _speed(plan: Plan) -> float:
    """Copies a second: as measured, fewer with fewer connections, and never more than a limit a second.

    More connections than at the time promise nothing, since what they would add was never measured.
    """
    speeds = [rate.count / rate.seconds for rate in plan.rates if rate.seconds == 1 and rate.count > 0]
    if plan.measured is not None:
        speeds.append(plan.measured.speed * min(plan.connections / max(plan.measured.connections, 1), 1.0))
    return max(min(speeds, default=math.inf), 1e-3)
