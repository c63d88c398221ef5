"""Editions: made, changed, looked up. Each change is one transaction, fenced by what it was decided on.

An edition is handed in and out as `digest.model.Edition`. Whoever changes one says which one was read; when
that is no longer so, because somebody else was quicker, nothing happens and `EditionError` says what is the
case now. The steps from draft to finished are in `edition_steps`.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from digest.edition.actions import ACTIONS, Action
from digest.errors import EditionError, UsageError
from digest.model import Edition, EditionState, Period
from digest.store.edition_rows import content_values, only, period_values, read_editions, write_content
from digest.store.edition_steps import EditionSteps, note, read, refusal
from digest.store.newsletters import (
    FREE,
    ensure_newsletter,
    lock_newsletter,
    next_number,
    refuse_overlap,
    since_when,
)
from digest.store.reservations import reserve
from digest.store.tables import edition, edition_media, template_copy


class Editions(EditionSteps):
    """All editions of all newsletters."""

    # Newsletters

    def ensure_newsletter(self, slug: str, *, since: dt.datetime) -> dt.datetime:
        """Since when this newsletter is kept here: `since` when it is new. Earlier periods are not missed."""
        with self._database.read() as connection:
            known = connection.execute(since_when(slug)).scalar()
        if known is not None:
            return known
        with self._database.write() as connection:
            return ensure_newsletter(connection, slug, since)

    def next_number(self, slug: str) -> int:
        """The number that the next edition gets: one more than any that stands or that a reader has seen."""
        with self._database.read() as connection:
            return next_number(connection, slug)

    # Making one

    def create(
        self,
        made: Edition,
        *,
        at: dt.datetime,
        by: str,
        templates: Mapping[str, str] | None = None,
        pictures: Iterable[str] = (),
    ) -> Edition:
        """Stores a new draft with everything that it froze, and reserves its stories; returns it with its id.

        `made` comes with id 0; its number is `next_number`, or 0 to have it filled in. `templates` are the
        frozen sources by name, `pictures` hashes of `Stories.put_media`. Raises `EditionError` when there is
        an edition for its period, its window overlaps another one's, its number or a story is taken.
        """
        return self._insert(
            dataclasses.replace(made, state=EditionState.draft),
            action="build",
            at=at,
            by=by,
            templates=templates or {},
            pictures=pictures,
        )

    def skip(self, slug: str, period: Period, *, reason: str, at: dt.datetime, by: str) -> Edition:
        """Notes that a period has no edition, and why. Raises `EditionError` when it has one."""
        empty = Edition(
            id=0, newsletter=slug, number=0, period=period, state=EditionState.skipped, held=reason
        )
        return self._insert(empty, action="skip", at=at, by=by, templates={}, pictures=())

    def _insert(
        self,
        made: Edition,
        *,
        action: str,
        at: dt.datetime,
        by: str,
        templates: Mapping[str, str],
        pictures: Iterable[str],
    ) -> Edition:
        with self._database.write() as connection:
            ensure_newsletter(connection, made.newsletter, at)
            lock_newsletter(connection, made.newsletter)
            refuse_overlap(connection, made)
            number = 0 if made.state in FREE else next_number(connection, made.newsletter)
            if made.number not in {0, number}:
                raise EditionError(
                    made.name,
                    f"number {made.number} is not the next one, {number} is: another was built meanwhile",
                    hint="Build it again.",
                )
            values = {
                "newsletter": made.newsletter,
                "number": number,
                "state": made.state.value,
                "held": made.held,
                "created": at,
                **period_values(made.period),
                **content_values(made),
            }
            try:
                key = connection.execute(edition.insert().values(values)).inserted_primary_key
            except sa.exc.IntegrityError as error:
                raise EditionError(
                    made.name, "already exists", hint=f"Look at it: digest edition show {made.name}"
                ) from error
            assert key is not None
            stored = dataclasses.replace(made, id=int(key[0]), number=number)
            self._keep(connection, stored, templates, pictures)
            note(connection, stored.id, action, at=at, by=by, hash=made.hash, held=made.held)
            return read(connection, stored.id)

    def save_content(
        self,
        made: Edition,
        *,
        before: Edition,
        at: dt.datetime,
        by: str,
        action: str = "build",
        templates: Mapping[str, str] | None = None,
        pictures: Iterable[str] = (),
        tell_again: bool = False,
    ) -> Edition:
        """Replaces what a draft or approved edition says, and its reservations; returns it as it is now.

        `before` is the edition as it was read. Raises `EditionError` when it was changed, held, approved or
        sent meanwhile. An approval stays when the hash is the approved one; else it is a draft again. With
        `tell_again` its editors count as not told yet.
        """
        stays = before.state is EditionState.approved and made.hash == before.approved_hash
        values: dict[str, Any] = {
            **content_values(made),
            "held": made.held,
            "state": (EditionState.approved if stays else EditionState.draft).value,
        }
        if not stays:
            values |= {"approved_hash": "", "approved_by": "", "approved": None}
        if tell_again:
            values["told"] = None
        with self._database.write() as connection:
            lock_newsletter(connection, before.newsletter)
            if read(connection, before.id).choices != before.choices:
                # Not every choice is in the hash: to exclude what was not in the list changes nothing in it.
                raise refusal(connection, before.id, Action.set)
            same = sa.and_(
                edition.c.state == before.state.value,
                edition.c.hash == before.hash,
                edition.c.held == before.held,
            )
            change = sa.update(edition).where(edition.c.id == before.id, same).values(values)
            if before.state not in ACTIONS[Action.set].states or not connection.execute(change).rowcount:
                raise refusal(connection, before.id, Action.set)
            self._keep(connection, dataclasses.replace(made, id=before.id), templates or {}, pictures)
            note(connection, before.id, action, at=at, by=by, hash=made.hash, held=made.held)
            return read(connection, before.id)

    def _keep(
        self,
        connection: sa.Connection,
        made: Edition,
        templates: Mapping[str, str],
        pictures: Iterable[str],
    ) -> None:
        write_content(connection, made, templates, pictures)
        reserve(connection, made)

    # Looking

    def get(self, ref: str | int, *, content: bool = True) -> Edition:
        """By id (``12``, ``#12``), by name (``weekly/2026-11-16``), or the newest of ``weekly``.

        Where a period has a cancelled edition and another one, the name means that one. Without `content` no
        stories and no variants. Raises `UsageError`.
        """
        text = str(ref).strip()
        query = only()
        by_id = re.fullmatch(r"#?(\d{1,18})", text, re.ASCII)
        slug, slash, date = text.partition("/")
        if by_id:
            query = query.where(edition.c.id == int(by_id[1]))
        elif slash:
            query = query.where(edition.c.newsletter == slug, edition.c.start_date == date)
        else:
            query = query.where(edition.c.newsletter == slug)
        with self._database.read() as connection:
            found = read_editions(connection, _standing_first(query).limit(1), content=content)
            if found:
                return found[0]
            newest = read_editions(connection, only().limit(3), content=False)
        names = ", ".join(each.name for each in newest)
        raise UsageError(
            f"there is no edition {text!r}",
            hint=f"The newest are: {names}"
            if names
            else "None was built yet: digest edition build NEWSLETTER",
        )

    def list_(
        self,
        newsletter: str = "",
        *,
        states: Iterable[EditionState] | None = None,
        limit: int | None = None,
        content: bool = True,
    ) -> list[Edition]:
        """Editions, newest period first; without `content` no stories and no variants, which is quick."""
        with self._database.read() as connection:
            return read_editions(connection, only(newsletter, states).limit(limit), content=content)

    def newest(self, newsletter: str, *, cancelled: bool = False) -> Edition | None:
        """The edition of the latest period; cancelled ones count only when asked for."""
        query = only(newsletter)
        if not cancelled:
            query = query.where(edition.c.state != EditionState.cancelled.value)
        return self._first(query)

    def for_period(self, newsletter: str, start_date: dt.date, *, cancelled: bool = False) -> Edition | None:
        """The edition of the period that starts on this local date; a cancelled one only when asked for and
        when there is no other."""
        query = only(newsletter).where(edition.c.start_date == start_date.isoformat())
        if not cancelled:
            query = query.where(edition.c.state != EditionState.cancelled.value)
        return self._first(_standing_first(query))

    def _first(self, query: sa.Select[Any]) -> Edition | None:
        with self._database.read() as connection:
            found = read_editions(connection, query.limit(1))
        return found[0] if found else None

    def templates(self, number: int) -> dict[str, str]:
        """The template sources that an edition froze, by name."""
        query = sa.select(template_copy.c.name, template_copy.c.content).order_by(template_copy.c.name)
        with self._database.read() as connection:
            rows = connection.execute(query.where(template_copy.c.edition == number)).all()
        return {row.name: row.content for row in rows}

    def pictures(self, number: int) -> list[str]:
        """The hashes of the pictures that an edition froze."""
        query = sa.select(edition_media.c.hash).where(edition_media.c.edition == number)
        with self._database.read() as connection:
            return list(connection.execute(query.order_by(edition_media.c.hash)).scalars())


def _standing_first(query: sa.Select[Any]) -> sa.Select[Any]:
    """For one period or newsletter: the edition that stands before those that were cancelled."""
    cancelled = edition.c.state == EditionState.cancelled.value
    return query.order_by(None).order_by(cancelled, edition.c.window_start.desc(), edition.c.id.desc())
