"""What happens to an edition after it was made: each step one transaction, fenced by the state before it.

Which step is allowed in which state is told by `digest.edition.actions`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from digest.edition.actions import ACTIONS, Action, check
from digest.errors import EditionError, UsageError
from digest.model import Edition, EditionState
from digest.store import Database
from digest.store.edition_rows import read_editions
from digest.store.events import record
from digest.store.newsletters import FREE
from digest.store.reservations import give_back, mark_used
from digest.store.tables import Instant, edition, edition_story

FACTS = frozenset({"held", "paused", "finished", "approved", "approved_hash", "approved_by"})
"""Columns that `EditionSteps.transition` may set."""


class EditionSteps:
    """The changing half of `digest.store.editions.Editions`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def approve(self, number: int, approved_hash: str, *, at: dt.datetime, by: str) -> Edition:
        """Approves the content with this hash. Raises `EditionError` when it is held, or was changed."""
        return self._act(
            number,
            Action.approve,
            at=at,
            by=by,
            values={"approved_hash": approved_hash, "approved_by": by, "approved": at},
            where=(
                edition.c.hash == approved_hash,
                edition.c.held == "",
                sa.exists().where(edition_story.c.edition == number),
            ),
            hash=approved_hash,
        )

    def hold(self, number: int, reason: str, *, at: dt.datetime, by: str) -> Edition:
        """Keeps a draft or approved edition from going on; a later reason replaces an earlier one."""
        reason = _given(reason)
        return self._act(number, Action.hold, at=at, by=by, values={"held": reason}, reason=reason)

    def release(self, number: int, *, at: dt.datetime, by: str) -> Edition:
        """Lets a held edition go on from the state that it is in; lateness is counted anew from `at`."""
        held = edition.c.held != ""
        values = {"held": "", "released": at}
        return self._act(number, Action.release, at=at, by=by, values=values, where=(held,))

    def pause(self, number: int, reason: str, *, at: dt.datetime, by: str) -> Edition:
        """Stops an edition that is leaving; what was not offered yet waits."""
        free = edition.c.paused == ""
        reason = _given(reason)
        values = {"paused": reason}
        return self._act(number, Action.pause, at=at, by=by, values=values, where=(free,), reason=reason)

    def resume(self, number: int, *, at: dt.datetime, by: str) -> Edition:
        """Lets a paused edition go on leaving; nothing happens to one that was not paused."""
        return self._act(number, Action.resume, at=at, by=by, values={"paused": ""})

    def cancel(self, number: int, *, at: dt.datetime, by: str, reason: str = "") -> Edition:
        """Ends an edition for good and frees its period. Gives back its stories unless a reader was offered
        them."""
        return self._act(number, Action.cancel, at=at, by=by, values={}, reason=reason)

    def transition(
        self,
        number: int,
        from_states: Collection[EditionState],
        to: EditionState,
        *,
        at: dt.datetime,
        by: str,
        action: str = "",
        reason: str = "",
        **facts: object,
    ) -> Edition:
        """Any other step: to state `to` if it is in one of `from_states`. Raises `EditionError` otherwise.

        `facts` are columns that go with it: held, paused, finished, approved, approved_hash, approved_by.
        """
        if unknown := facts.keys() - FACTS:
            raise TypeError(f"no such facts: {sorted(unknown)}")
        with self._database.write() as connection:
            if to is EditionState.fanning:
                facts["departed"] = sa.func.coalesce(edition.c.departed, sa.bindparam(None, at, Instant()))
            states = [state.value for state in from_states]
            change = sa.update(edition).where(edition.c.id == number, edition.c.state.in_(states))
            if to is EditionState.fanning:
                # Held since it was looked at: past this step there is no way to release it.
                change = change.where(edition.c.held == "")
            if connection.execute(change.values(state=to.value, **facts)).rowcount == 0:
                found = read(connection, number)
                raise EditionError(
                    found.name,
                    f"is {found.state}{', held,' if found.held else ''} and not "
                    f"{' or '.join(sorted(states))}: somebody else was quicker",
                    hint=f"Look at it: digest edition show {found.name}",
                )
            return self._settled(
                connection, number, to, action=action or to.value, at=at, by=by, reason=reason
            )

    def mark_told(self, number: int, *, at: dt.datetime) -> bool:
        """Notes that the editors know; False when that was noted before."""
        change = sa.update(edition).where(edition.c.id == number, edition.c.told.is_(None)).values(told=at)
        with self._database.write() as connection:
            return connection.execute(change).rowcount == 1

    def mark_used(self, number: int, *, at: dt.datetime) -> bool:
        """Notes that a first copy was offered: its stories are used. False when that was noted before.

        The ledger calls `digest.store.reservations.mark_used` in the transaction of the offer itself.
        """
        with self._database.write() as connection:
            return mark_used(connection, number, at=at)

    def _act(
        self,
        number: int,
        action: Action,
        *,
        at: dt.datetime,
        by: str,
        values: Mapping[str, Any],
        where: Collection[sa.ColumnElement[bool]] = (),
        **detail: object,
    ) -> Edition:
        rule = ACTIONS[action]
        becomes = {} if rule.becomes is None else {"state": rule.becomes.value}
        with self._database.write() as connection:
            change = sa.update(edition).where(
                edition.c.id == number, edition.c.state.in_([s.value for s in rule.states]), *where
            )
            if connection.execute(change.values(**values, **becomes)).rowcount == 0:
                raise refusal(connection, number, action)
            return self._settled(
                connection, number, rule.becomes, action=action.value, at=at, by=by, **detail
            )

    def _settled(
        self,
        connection: sa.Connection,
        number: int,
        to: EditionState | None,
        *,
        action: str,
        at: dt.datetime,
        by: str,
        **detail: object,
    ) -> Edition:
        """What follows from a step that was taken, in its transaction."""
        if to in FREE:
            give_back(connection, number)
        note(connection, number, action, at=at, by=by, **detail)
        return read(connection, number)


def _given(reason: str) -> str:
    if not reason.strip():
        raise UsageError("a reason is needed", hint="Say in a few words why, for those who find it so.")
    return reason.strip()


def note(
    connection: sa.Connection, number: int, action: str, *, at: dt.datetime, by: str, **detail: object
) -> None:
    """Adds to the audit trail; empty details are left out."""
    kept = {key: value for key, value in detail.items() if value}
    record(connection, at=at, actor=by, action=action, subject=f"edition {number}", **kept)


def read(connection: sa.Connection, number: int) -> Edition:
    """The edition as this transaction sees it."""
    found = read_editions(connection, sa.select(edition).where(edition.c.id == number))
    if not found:
        raise UsageError(f"there is no edition #{number}", hint="See: digest edition list")
    return found[0]


def refusal(connection: sa.Connection, number: int, action: Action) -> EditionError:
    """Why an action did not happen: it is not allowed now, or somebody else was quicker."""
    found = read(connection, number)
    try:
        check(found, action)
    except EditionError as error:
        return error
    return EditionError(
        found.name,
        "was changed meanwhile: nothing was done",
        hint=f"Look at it again: digest edition show {found.name}",
    )
