"""When an edition would be out, and what stands in its way, said before it is approved."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from digest.config.durations import parse_duration
from digest.delivery.forecast import Forecast, Measured, Plan, forecast
from digest.model import Edition, EditionState
from digest.work.desk import Desk


def forecast_of(desk: Desk, edition: Edition, *, start: dt.datetime | None = None) -> Forecast | None:
    """For an edition that has not left yet: as if it left at `start`, by default at its send time or now,
    whichever is later. None for others, and where nobody would get it."""
    if edition.state not in (EditionState.draft, EditionState.approved):
        return None
    newsletter = desk.newsletter(edition.newsletter)
    recipients = desk.subscribers.counts(edition.newsletter).reachable
    if not recipients:
        return None
    now = desk.clock.now()
    frozen = edition.policy.get("lateness")
    lateness = parse_duration(str(frozen)) if frozen else newsletter.lateness
    start = start or max(now, edition.period.send_at)
    ahead = (start - now).total_seconds()
    plan = Plan(
        recipients=recipients,
        start=start,
        stale=start + lateness,
        rates=desk.settings.sending.rates,
        used=[(ago + ahead, count) for ago, count in desk.pace.used()],
        growth=desk.pace.cap(edition, newsletter.growth),
        measured=_measured(desk, edition),
        connections=desk.settings.smtp.connections,
    )
    return forecast(plan, ZoneInfo(newsletter.zone))


def forecast_in_words(made: Forecast, recipients: int | None = None) -> list[str]:
    """For people: the first line is when it finishes."""
    first = made.words[:1].upper() + made.words[1:]
    if recipients is not None:
        first = f"{recipients:,} {'copy' if recipients == 1 else 'copies'}: {made.words}"
    return [f"{first}.", *(f"{each.words[:1].upper()}{each.words[1:]}." for each in made.notices)]


def _measured(desk: Desk, edition: Edition) -> Measured | None:
    """The speed of the newsletter's last edition, at its busiest minute or over all of a short one."""
    last = desk.pace.last(edition)
    if last is None or last.started is None:
        return None
    speed = desk.ledger.speed(last.id)
    return Measured(speed, desk.settings.smtp.connections) if speed else None
