"""What editors do to stories: hide, edit, merge, split. Each is undone by its counterpart, and in the trail.

Nothing is deleted. A hidden story is withdrawn with a reason; an edited one keeps the source's own words; one
that was merged into another keeps its names and readings, which count for that other one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from digest.errors import UsageError
from digest.store import Database
from digest.store.events import record
from digest.store.intake import keep_versions
from digest.store.sources import source_id
from digest.store.story_rows import EDITABLE, KEPT, whole
from digest.store.tables import story, story_name


class StoryDesk:
    """Changes by people to what sources brought."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hide(self, number: int, *, reason: str, at: dt.datetime, by: str) -> bool:
        """Takes a story out of every coming edition; False when it was hidden already. One that is in an
        edition that has not left yet holds that edition, as a withdrawal does."""
        with self._database.write() as connection:
            row = _row(connection, number)
            if row.hidden is not None:
                return False
            moment = whole(at)
            hidden = {"reason": reason, "by": by, "at": int(moment.timestamp())}
            _update(connection, number, hidden=hidden, withdrawn=row.withdrawn or moment)
            _note(connection, number, "hide", at=at, by=by, reason=reason)
        return True

    def unhide(self, number: int, *, at: dt.datetime, by: str) -> bool:
        """Undoes `hide`; False when it was not hidden. A withdrawal by the source before that stays."""
        with self._database.write() as connection:
            row = _row(connection, number)
            if row.hidden is None:
                return False
            was_first = int(row.withdrawn.timestamp()) < row.hidden["at"]
            _update(connection, number, hidden=None, withdrawn=row.withdrawn if was_first else None)
            _note(connection, number, "unhide", at=at, by=by)
        return True

    def edit(self, number: int, words: Mapping[str, Any], *, at: dt.datetime, by: str) -> bool:
        """Writes columns of `EDITABLE` over what the source says, until they are given back; the former
        heading is kept as a version. False when nothing is different."""
        unknown = set(words) - set(EDITABLE)
        if unknown:
            raise ValueError(f"not for editors: {sorted(unknown)}")
        with self._database.write() as connection:
            row = _row(connection, number)
            stood = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's name for a public thing
            changed = {column: value for column, value in words.items() if stood[column] != value}
            if not changed:
                return False
            source_says = {column: stood[column] for column in changed}
            edited = {**source_says, **(row.edited or {})}
            _change(connection, stood, {**changed, "edited": edited}, at)
            _note(connection, number, "edit", at=at, by=by, fields=sorted(changed))
        return True

    def give_back(self, number: int, *, at: dt.datetime, by: str) -> bool:
        """Undoes every edit: the story says what its source says; False when nothing was edited."""
        with self._database.write() as connection:
            row = _row(connection, number)
            if not row.edited:
                return False
            stood = dict(row._mapping)  # noqa: SLF001
            _change(connection, stood, {**row.edited, "edited": None}, at)
            _note(connection, number, "give back", at=at, by=by, fields=sorted(row.edited))
        return True

    def merge(self, into: int, others: Sequence[int], *, at: dt.datetime, by: str) -> None:
        """Makes the others parts of the story `into`, with what was merged into them. Raises `UsageError`
        when there is no such story, or one is a part already, or is to be merged into itself."""
        with self._database.write() as connection:
            for number in (into, *others):
                row = _row(connection, number)
                if row.merged_into is not None:
                    raise UsageError(
                        f"story #{number} was merged into #{row.merged_into} already",
                        hint=f"Undo that first: digest stories split '#{number}'",
                    )
            if into in others:
                raise UsageError(f"story #{into} cannot be merged into itself", hint="Name two stories.")
            for number in others:
                change = sa.update(story).where(sa.or_(story.c.id == number, story.c.merged_into == number))
                connection.execute(change.values(merged_into=into))
                _note(connection, number, "merge", at=at, by=by, into=into)

    def split(self, number: int, *, at: dt.datetime, by: str) -> int:
        """Makes a merged story one of its own again; returns what it was merged into. Raises `UsageError`
        when it was not merged."""
        with self._database.write() as connection:
            row = _row(connection, number)
            if row.merged_into is None:
                raise UsageError(
                    f"story #{number} was not merged into another",
                    hint="Its parts: digest stories show. A name is split off with --name SOURCE:ID.",
                )
            _update(connection, number, merged_into=None)
            _note(connection, number, "split", at=at, by=by, from_story=row.merged_into)
        return int(row.merged_into)

    def split_name(self, number: int, source: str, external_id: str, *, at: dt.datetime, by: str) -> int:
        """Makes a story of its own of what another source calls this one, for two that only share a link;
        returns its number. It has this one's words until that source is read again."""
        with self._database.write() as connection:
            row = _row(connection, number)
            by_source = source_id(connection, source)
            named = sa.and_(
                story_name.c.source == by_source,
                story_name.c.external_id == external_id,
                story_name.c.story == number,
            )
            own = (row.source, row.external_id) == (by_source, external_id)
            if own or connection.execute(sa.select(story_name.c.story).where(named)).first() is None:
                raise UsageError(
                    f"story #{number} is not known to {source} as {external_id!r}"
                    if not own
                    else f"{source}:{external_id} is the first name of story #{number}",
                    hint="Its names: digest stories show.",
                )
            copied = {column: getattr(row, column) for column in KEPT}
            copied |= {"edited": None, "source": by_source, "external_id": external_id}
            made = connection.execute(story.insert().returning(story.c.id), copied).scalar_one()
            connection.execute(sa.update(story_name).where(named).values(story=made))
            _note(connection, number, "split", at=at, by=by, name=f"{source}:{external_id}", made=made)
        return int(made)

    def parts(self, number: int) -> list[int]:
        """The stories that were merged into this one."""
        query = sa.select(story.c.id).where(story.c.merged_into == number).order_by(story.c.id)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def edited(self, number: int) -> dict[str, Any]:
        """Column -> what the source says, where an editor wrote something else."""
        with self._database.read() as connection:
            return dict(_row(connection, number).edited or {})


def _row(connection: sa.Connection, number: int) -> sa.Row[Any]:
    row = connection.execute(sa.select(story).where(story.c.id == number)).first()
    if row is None:
        raise UsageError(f"there is no story #{number}", hint="See: digest stories list")
    return row


def _update(connection: sa.Connection, number: int, **columns: Any) -> None:
    connection.execute(sa.update(story).where(story.c.id == number).values(**columns))


def _change(
    connection: sa.Connection, stood: Mapping[str, Any], columns: Mapping[str, Any], at: dt.datetime
) -> None:
    _update(connection, stood["id"], **columns)
    if columns.get("title", stood["title"]) != stood["title"]:
        version = {"title": stood["title"], "standfirst": stood["standfirst"], "until": whole(at)}
        keep_versions(connection, [version | {"story": stood["id"]}])


def _note(
    connection: sa.Connection, number: int, action: str, *, at: dt.datetime, by: str, **detail: object
) -> None:
    record(connection, at=at, actor=by, action=action, subject=f"story {number}", **detail)
