"""What the pages of stories answered when they were looked at, so that two looks can be told from one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from digest.store import Database
from digest.store.dialects import insert
from digest.store.tables import story_page


@dataclass(frozen=True, slots=True)
class PageState:
    """The last look at a story's page. `status` is that of the answer (RFC 9110 15), 0 where there was
    none."""

    looked: dt.datetime
    status: int
    missing: dt.datetime | None = None
    """Since when it is not found; None when it was there at the last answer that says either."""


class StoryPages:
    """The last look at each page; no row for a story that was never looked at."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get_many(self, numbers: Iterable[int]) -> dict[int, PageState]:
        """Story id -> the last look at its page."""
        query = sa.select(story_page).where(story_page.c.story.in_(list(numbers)))
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return {row.story: PageState(row.looked, row.status, row.missing) for row in rows}

    def note(self, number: int, state: PageState) -> None:
        """Keeps a look in place of the one before."""
        values = {"looked": state.looked, "status": state.status, "missing": state.missing}
        with self._database.write() as connection:
            statement = insert(connection, story_page).values(story=number, **values)
            connection.execute(
                statement.on_conflict_do_update(index_elements=[story_page.c.story], set_=values)
            )
