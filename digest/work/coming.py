"""What happens next by itself, in words: what `digest run` says when it starts."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from digest.config import Approval, Newsletter
from digest.model import Edition, EditionState, Period
from digest.schedule import coming
from digest.work.desk import Desk
from digest.work.editors import moment

_OPEN = (EditionState.draft, EditionState.approved, EditionState.fanning, EditionState.sending)


def coming_up(desk: Desk) -> list[str]:
    """For each newsletter a line for every edition on its way and one for the next to be built, and a note
    where nobody would hear of trouble."""
    lines = [line for slug in desk.settings.newsletter for line in _newsletter(desk, slug)]
    if not lines:
        lines.append("config.toml has no [newsletter.SLUG] section: nothing will be built or sent.")
    elif not desk.settings.alerts.to:
        lines.append("[alerts] to is empty: what needs a person is only said here.")
    return lines


def _newsletter(desk: Desk, slug: str) -> list[str]:
    settings, now = desk.newsletter(slug), desk.clock.now()
    since = desk.editions.ensure_newsletter(slug, since=now)
    newest = desk.editions.list_(slug, limit=1, content=False)
    period = coming(desk.schedule(slug), newest[0].period if newest else None, since, now)
    on_their_way = desk.editions.list_(slug, states=_OPEN, content=False)
    return [
        *(f"{edition.name} {_next(edition, settings, now)}" for edition in reversed(on_their_way)),
        f"{slug}/{period.start_date} is built on {_local(period, settings)}",
    ]


def _next(edition: Edition, settings: Newsletter, now: dt.datetime) -> str:
    """The end of the sentence that begins with the edition's name."""
    zone, period = ZoneInfo(settings.zone), edition.period
    leaves = moment(period.send_at.astimezone(zone))
    if edition.held or edition.paused:
        return f"is {'held' if edition.held else 'paused'}: {edition.held or edition.paused}"
    if edition.state is EditionState.approved:
        late = period.send_at <= now
        return f"is approved and {'was to leave' if late else 'leaves'} on {leaves}"
    if edition.state is not EditionState.draft:
        return "is leaving"
    if settings.approval is Approval.editor:
        return (
            f"is a draft and leaves on {leaves}, once it is approved: digest edition approve {edition.name}"
        )
    lock = moment(period.lock_at.astimezone(zone))
    return f"is a draft; unless held, it is approved by itself on {lock} and leaves on {leaves}"


def _local(period: Period, settings: Newsletter) -> str:
    """The times of its steps in the newsletter's own zone."""
    zone = ZoneInfo(settings.zone)
    build, lock, send = (
        moment(at.astimezone(zone)) for at in (period.build_at, period.lock_at, period.send_at)
    )
    approved = "approved" if settings.approval is Approval.automatic else "to be approved by an editor until"
    return f"{build}, {approved} {lock}, sent {send}"
