"""Which stories a newsletter shows or is about to show: never one twice.

Reserved when an edition is built, used once its first copy was offered, given back when it is cancelled or
skipped before that. All of it happens within the transaction that changes the edition.
"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from digest.errors import EditionError
from digest.model import Edition, LeftOutBy
from digest.store.stories import keep_for_next
from digest.store.tables import edition, held_over, newsletter, story_use


def reserve(connection: sa.Connection, made: Edition) -> None:
    """Reserves the stories of an edition instead of those that it had, and holds over the too young ones.

    Raises `EditionError` when another edition of the newsletter has one of them. The caller has locked the
    newsletter.
    """
    numbers = [each.story.id for each in made.stories]
    others = (
        sa.select(story_use.c.story, edition.c.start_date)
        .join(edition, edition.c.id == story_use.c.edition)
        .where(
            story_use.c.newsletter == made.newsletter,
            story_use.c.story.in_(numbers),
            story_use.c.edition != made.id,
        )
        .order_by(story_use.c.story)
    )
    taken = connection.execute(others).first()
    if taken is not None:
        raise EditionError(
            made.name,
            f"story #{taken.story} is already in {made.newsletter}/{taken.start_date}",
            hint="Build it again, or exclude that story.",
        )
    give_back(connection, made.id)
    if numbers:
        connection.execute(
            story_use.insert(),
            [
                {"newsletter": made.newsletter, "story": number, "edition": made.id, "used": False}
                for number in numbers
            ],
        )
    too_young = [each.story.id for each in made.left_out if each.by is LeftOutBy.too_young]
    keep_for_next(connection, made.newsletter, too_young, since=made.period.window.end)


def give_back(connection: sa.Connection, number: int) -> None:
    """Frees what the edition reserved and no reader was offered."""
    connection.execute(story_use.delete().where(story_use.c.edition == number, story_use.c.used.is_(False)))


def mark_used(connection: sa.Connection, number: int, *, at: dt.datetime) -> bool:
    """Notes, with the first offer of an edition's copies, that its stories are used. False: noted before.

    From then on its number is taken, too, and what was held over to this edition is no longer held over.
    Called in the transaction that records the offer.
    """
    first = sa.update(edition).where(edition.c.id == number, edition.c.started.is_(None)).values(started=at)
    if connection.execute(first).rowcount == 0:
        return False
    connection.execute(sa.update(story_use).where(story_use.c.edition == number).values(used=True))
    row = connection.execute(
        sa.select(edition.c.newsletter, edition.c.number, edition.c.window_start).where(
            edition.c.id == number
        )
    ).one()
    connection.execute(
        sa.update(newsletter)
        .where(newsletter.c.slug == row.newsletter, newsletter.c.last_number < row.number)
        .values(last_number=row.number)
    )
    connection.execute(
        held_over.delete().where(held_over.c.newsletter == row.newsletter, held_over.c.at <= row.window_start)
    )
    return True
