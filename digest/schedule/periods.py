"""Windows and the times of their steps.

A window begins where the one before it ends, at a local time of the newsletter's zone, so windows tile time
however clocks change: a week has 167 or 169 hours then, 167.5 or 168.5 on Lord Howe. A period is named by the
local date on which its schedule starts it. A local day that never was (30 December 2011 in Apia) has no daily
period.

For each period: window end <= build < lock < send. Each is the first such local moment after the one before
it; two that a clock change moves to the same instant keep their order, a minute apart.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from digest.config.moments import parse_moment
from digest.config.settings import Newsletter
from digest.errors import ConfigError
from digest.model import Period, Window
from digest.schedule.local import instant

_DAY = dt.timedelta(days=1)
_APART = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Moment:
    """A local time of day, on one weekday (0 is Monday) or, with None, on every day."""

    weekday: int | None
    time: dt.time

    def at_or_after(self, local: dt.datetime) -> dt.datetime:
        """The first such naive local moment at or after `local`."""
        found = dt.datetime.combine(local, self.time)
        if self.weekday is not None:
            found += (self.weekday - found.weekday()) % 7 * _DAY
        if found < local:
            found += _DAY if self.weekday is None else 7 * _DAY
        return found

    def after(self, local: dt.datetime) -> dt.datetime:
        """The first such naive local moment later than `local`."""
        return self.at_or_after(local + dt.timedelta.resolution)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a newsletter's editions are made and sent, in its own zone.

    `days` is 7 or 1, the nominal length of a window. For a week `start` has a weekday. `lateness` is how long
    after its time a step is still done without a person.
    """

    zone: ZoneInfo
    days: int
    start: Moment
    build: Moment
    lock: Moment
    send: Moment
    lateness: dt.timedelta = dt.timedelta(hours=24)

    @classmethod
    def of(cls, newsletter: Newsletter) -> Schedule:
        """The schedule of a `[newsletter.SLUG]` section; for a day only the times of its moments count.

        Raises ConfigError naming the key that cannot be used.
        """
        days = {"7d": 7, "1d": 1}[newsletter.window]
        moments: dict[str, Moment] = {}
        for key in ("window_start", "build", "lock", "send"):
            found = getattr(newsletter, key)
            try:
                weekday, time = parse_moment(found)
            except ValueError as error:
                raise ConfigError(str(error), key=key) from error
            if key == "window_start" and days == 7 and weekday is None:
                raise ConfigError(
                    "a week needs the day that it begins on",
                    key=key,
                    found=f'"{found}"',
                    allowed='a moment with its weekday, such as "mon 00:00"',
                )
            moments[key] = Moment(None if days == 1 else weekday, time)
        try:
            zone = ZoneInfo(newsletter.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ConfigError(
                "no such time zone",
                key="zone",
                found=f'"{newsletter.zone}"',
                allowed="a name of the tz database, such as Europe/London",
            ) from error
        return cls(
            zone,
            days,
            moments["window_start"],
            moments["build"],
            moments["lock"],
            moments["send"],
            newsletter.lateness,
        )


def period(schedule: Schedule, start_date: dt.date) -> Period:
    """The period that starts on this local date.

    Raises ValueError for a date on which none starts: another weekday, or a local day that never was.
    """
    if schedule.start.weekday not in {None, start_date.weekday()}:
        raise ValueError(f"no period starts on {start_date:%a} {start_date}")
    start, end = _boundary(schedule, start_date), _boundary(schedule, start_date + schedule.days * _DAY)
    if start == end:
        raise ValueError(f"no period starts on {start_date}: that day never was in {schedule.zone.key}")
    return _period(schedule, start_date, start, start_date)


def containing(schedule: Schedule, at: dt.datetime) -> Period:
    """The period in whose window `at` lies."""
    return period(schedule, _start_before(schedule, at))


def last_complete(schedule: Schedule, at: dt.datetime, *, previous: Period | None = None) -> Period:
    """The newest period whose window had ended at `at`.

    With `previous`, the period of an edition that exists already and was complete by then, windows are laid
    on from its end (as `following` does), and it is itself the answer when nothing after it is complete: so
    a changed schedule never gives a period that overlaps an edition's.
    """
    if previous is not None:
        while (later := following(schedule, previous)).window.end <= at:
            previous = later
        return previous
    date = _start_before(schedule, at)
    start = _boundary(schedule, date)
    while _boundary(schedule, date) == start:  # more than once only behind a day that never was
        date -= schedule.days * _DAY
    return period(schedule, date)


def following(schedule: Schedule, previous: Period) -> Period:
    """The period after `previous`, which may come from an older schedule; its window begins where that ended.

    With an unchanged schedule it is simply the next. After a change the time up to the next regular boundary
    is a remainder: half a window or more of it makes a short window of its own; less is joined to the regular
    window behind it, which then begins earlier. So no story falls in two windows or in none, and readers get
    no edition of a few hours. Its start date is the local date on which it begins, or, where a neighbour has
    that date, the one of the regular period that it ends with; dates of consecutive periods always rise.
    """
    after = previous.window.end
    regular = containing(schedule, after)
    if regular.window.start == after and regular.start_date > previous.start_date:
        return regular
    begins = after.astimezone(schedule.zone).date()
    if (regular.window.end - after) * 2 < schedule.days * _DAY:
        regular = _next(schedule, regular)
    while True:
        next_date = regular.start_date + schedule.days * _DAY
        for date in (begins, regular.start_date):
            if previous.start_date < date < next_date:
                return _period(schedule, regular.start_date, after, date)
        regular = _next(schedule, regular)


def first(schedule: Schedule, since: dt.datetime) -> Period:
    """The first period of a new newsletter: the earliest to be built at or after `since`.

    What was complete before is nobody's promise; a person may still build it by hand.
    """
    found = last_complete(schedule, since)
    while found.build_at >= since:  # a build may be due long after the end of its window
        found = last_complete(schedule, found.window.start)
    while found.build_at < since:
        found = _next(schedule, found)
    return found


def periods_after(schedule: Schedule, previous: Period | None, since: dt.datetime) -> Iterator[Period]:
    """The periods that are to be built by themselves, oldest first and without end.

    They follow `previous`, that of the newest edition; where there is none yet, or only one that somebody
    made of an old week by hand, they begin with the first that the newsletter owes `since` it was set up.
    """
    current = first(schedule, since) if previous is None else following(schedule, previous)
    if current.build_at < since:
        current = first(schedule, since)
    while True:
        yield current
        current = following(schedule, current)


def periods_between(
    schedule: Schedule, since: dt.datetime, until: dt.datetime, *, limit: int = 1000
) -> tuple[Period, ...]:
    """The regular periods whose windows lie within [since, until), oldest first; at most `limit` of them."""
    current = containing(schedule, since)
    if current.window.start < since:
        current = _next(schedule, current)
    found: list[Period] = []
    while current.window.end <= until and len(found) < limit:
        found.append(current)
        current = _next(schedule, current)
    return tuple(found)


def _boundary(schedule: Schedule, date: dt.date) -> dt.datetime:
    return instant(schedule.zone, dt.datetime.combine(date, schedule.start.time))


def _start_before(schedule: Schedule, at: dt.datetime) -> dt.date:
    """The latest start date whose boundary is at or before `at`."""
    date = at.astimezone(schedule.zone).date() + 2 * _DAY  # a local date can run ahead of an offset change
    if schedule.start.weekday is not None:
        date -= (date.weekday() - schedule.start.weekday) % 7 * _DAY
    while _boundary(schedule, date) > at:
        date -= schedule.days * _DAY
    return date


def _next(schedule: Schedule, current: Period) -> Period:
    """The regular period after a regular one."""
    return containing(schedule, current.window.end)


def _period(schedule: Schedule, regular: dt.date, start: dt.datetime, start_date: dt.date) -> Period:
    """The period that begins at `start`, ends as the regular one of date `regular`, and has `start_date`."""
    end_date = regular + schedule.days * _DAY
    window = Window(start, _boundary(schedule, end_date))
    build = schedule.build.at_or_after(dt.datetime.combine(end_date, schedule.start.time))
    lock = schedule.lock.after(build)
    send = schedule.send.after(lock)
    build_at = instant(schedule.zone, build)
    lock_at = max(instant(schedule.zone, lock), build_at + _APART)
    send_at = max(instant(schedule.zone, send), lock_at + _APART)
    return Period(start_date, window, build_at, lock_at, send_at)
