"""What the editions of one newsletter have to agree on: when it began, their numbers, their windows."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from digest.errors import EditionError
from digest.model import Edition, EditionState
from digest.store.dialects import insert
from digest.store.edition_rows import only, read_editions
from digest.store.tables import edition, newsletter

FREE = (EditionState.cancelled, EditionState.skipped)
"""Such editions use neither a number nor stories."""


def since_when(slug: str) -> sa.Select[dt.datetime]:
    """Gives no row for a newsletter that is new."""
    return sa.select(newsletter.c.since).where(newsletter.c.slug == slug)


def ensure_newsletter(connection: sa.Connection, slug: str, since: dt.datetime) -> dt.datetime:
    """Since when the newsletter is kept; makes it when it is new."""
    made = insert(connection, newsletter).values(slug=slug, since=since)
    connection.execute(made.on_conflict_do_nothing())
    return connection.execute(since_when(slug)).scalar_one()


def lock_newsletter(connection: sa.Connection, slug: str) -> None:
    """One at a time makes or changes editions of a newsletter (SQLite has one writer anyway)."""
    connection.execute(sa.select(newsletter.c.slug).where(newsletter.c.slug == slug).with_for_update())


def next_number(connection: sa.Connection, slug: str) -> int:
    """One more than any number that stands or that a reader has seen."""
    seen = sa.select(newsletter.c.last_number).where(newsletter.c.slug == slug)
    standing = sa.select(sa.func.max(edition.c.number)).where(
        edition.c.newsletter == slug, edition.c.state.not_in([state.value for state in FREE])
    )
    return 1 + max(connection.execute(each).scalar() or 0 for each in (seen, standing))


def refuse_overlap(connection: sa.Connection, made: Edition) -> None:
    """A changed schedule must not tell the same hours twice. (The same period has its own error.)"""
    window = made.period.window
    query = (
        only(made.newsletter)
        .where(
            edition.c.state != EditionState.cancelled.value,
            edition.c.window_start < window.end,
            edition.c.window_end > window.start,
            edition.c.start_date != made.period.start_date.isoformat(),
        )
        .limit(1)
    )
    for other in read_editions(connection, query, content=False):
        raise EditionError(
            made.name,
            f"its window overlaps that of {other.name}"
            f" ({other.period.window.start:%Y-%m-%d %H:%M} to {other.period.window.end:%Y-%m-%d %H:%M} UTC)",
            hint=f"Wait for the first period after it, or cancel it: digest edition cancel {other.name}",
        )
