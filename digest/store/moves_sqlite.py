"""The moves of copies on SQLite: what keeps the cost of one at a few microseconds.

Many rows travel as JSON, there and back, so that few statements have to be stepped through: each step lets go
of the interpreter, and to get it back from a busy event loop takes longer than the statement. A transaction
holds the write lock from its beginning, so that what was read in it stays true.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from digest.delivery import Result
from digest.model import DeliveryState, EditionState
from digest.store.moves import (
    MAY_GO,
    SETTLED,
    Claim,
    Committed,
    Held,
    Place,
    Row,
    Taken,
    When,
)
from digest.store.piles import pile

State = DeliveryState

_LAST = (1 << 63) - 1

_PLACE = """
SELECT e.state, e.held, e.paused, l.until, v.data_version FROM pragma_data_version v JOIN edition e
LEFT JOIN lease l ON l.name = ? AND l.owner = ? AND l.epoch = ? AND l.until > ? WHERE e.id = ?"""
_RENEW = "UPDATE lease SET until = ? WHERE name = ?"

_THESE = "id IN (SELECT value FROM json_each(?))"
_MINE = "owner = ? AND epoch = ?"
_MAY_GO = MAY_GO.format(server="?")
_QUEUE = f"d.edition = ? AND d.pile = 'queued' AND {_MAY_GO}"
# The plus keeps an index from being used: rows are found by their ids, or by the time of their next attempt.
_DUE = (
    f"d.edition = ? AND d.next_attempt <= ? AND +d.pile = 'deferred' AND {_MAY_GO}"
    " ORDER BY d.next_attempt, d.id"
)
_CLAIM = "UPDATE delivery AS d SET state = 'claimed', pile = NULL, next_attempt = NULL, owner = ?, epoch = ?"
_CLAIM_RANGE = f"{_CLAIM} WHERE id BETWEEN ? AND ? AND +edition = ? AND +pile = 'queued' AND {_MAY_GO}"
_CLAIM_THESE = f"{_CLAIM} WHERE {_THESE}"
_SKIP = """
UPDATE delivery SET state = 'skipped', pile = 'skipped', skip_reason = ?, settled = ?, next_attempt = NULL
WHERE id = ?"""

_OPEN = f"""
SELECT id, state, resends FROM delivery
WHERE {_THESE} AND {_MINE} AND (state = 'offered' OR state = 'claimed' OR state = 'uncertain')"""
# Ids and replies are keys and values of one object.
_ACCEPT = f"""
UPDATE delivery SET state = 'accepted', attempts = attempts + 1, settled = ?, code = ?, enhanced = ?,
reply = j.value FROM json_each(?) j
WHERE delivery.id = CAST(j.key AS INTEGER) AND delivery.state = 'offered' AND {_MINE}"""
_WRITE = """
UPDATE delivery SET state = ?, pile = ?, attempts = attempts + ?, next_attempt = ?, settled = ?, code = ?,
enhanced = ?, reply = ? WHERE id = ?"""
_OFFER = f"""
UPDATE delivery AS d SET state = 'offered', offered = ?, server = ?
WHERE {_THESE} AND state = 'claimed' AND {_MINE} AND {_MAY_GO}"""
_OFFERED = f"SELECT id FROM delivery WHERE {_THESE} AND state = 'offered' AND {_MINE}"
_QUEUE_AGAIN = "UPDATE delivery SET state = 'queued', pile = 'queued', next_attempt = NULL"
_GIVE_BACK = f"{_QUEUE_AGAIN} WHERE {_THESE} AND state = 'claimed' AND {_MINE}"
_GIVE_BACK_UNKNOWN = f"{_QUEUE_AGAIN} WHERE edition = ? AND state = 'claimed' AND {_MINE} AND NOT {_THESE}"
_KEEP_MINUTE = """
INSERT INTO sending_minute (minute, edition, offered) SELECT minute, edition, minute_offered FROM sending
WHERE edition = ? AND minute <> ? AND minute_offered > 0
ON CONFLICT (minute, edition) DO UPDATE SET offered = max(sending_minute.offered, excluded.offered)"""


class SqliteMoves:
    """See `digest.store.moves.Moves`; `why` is the text that `why_not` makes."""

    def __init__(self, number: int, held: Held, why: str, mine: AbstractSet[int]) -> None:
        self._number, self._held, self._outstanding = number, held, mine
        self._mine = (held.owner, held.epoch)
        self._minute = -1
        # Until another connection changes anything, nobody can have left since the rows were claimed.
        self._checked: tuple[sqlite3.Connection, int] | None = None
        self._version: tuple[sqlite3.Connection, int] | None = None
        """The connection of the present transaction, and what differs when anything was committed over
        another one in between."""
        only = "d.address_key IN (SELECT value FROM json_each(?))"
        self._select_queue = _in_one(f"{_QUEUE} AND d.id > ? AND d.id <= ? ORDER BY d.id LIMIT ?", why)
        self._select_only = _in_one(f"{_QUEUE} AND {only} ORDER BY d.id LIMIT ?", why)
        self._select_due = _in_one(f"{_DUE} LIMIT ?", why)
        self._unwanted = (
            f"SELECT why, ?, id FROM (SELECT d.id, {why} AS why FROM json_each(?) j"
            " CROSS JOIN delivery d ON d.id = j.value"
            " WHERE d.state = 'claimed' AND d.owner = ? AND d.epoch = ?) WHERE why IS NOT NULL"
        )

    def claim(self, driver: sqlite3.Connection, what: Claim, when: When) -> Taken:
        place = self._place(driver, when)
        if place.stopped(EditionState.sending):
            return Taken(place)
        found = self._find(driver, what, when)
        if not self._outstanding:
            self._checked = self._version
        rows: list[Row] = found
        skipped = [(row[7], when.now, row[0]) for row in found if row[7] is not None]
        if skipped:
            driver.executemany(_SKIP, skipped)
            rows = [row for row in found if row[7] is None]
        if rows and not what.due and what.only is None:
            ends = (rows[0][0], rows[-1][0], self._number, what.server)
            driver.execute(_CLAIM_RANGE, (*self._mine, *ends))
        elif rows:
            driver.execute(_CLAIM_THESE, (*self._mine, json.dumps([row[0] for row in rows])))
        origin = "deferred" if what.due else "queued"
        moved = {origin: -len(found), "claimed": len(rows), "skipped": len(skipped)}
        left = self._count(driver, moved)
        return Taken(place, rows, len(found), found[-1][0] if found else 0, left)

    def commit(
        self,
        driver: sqlite3.Connection,
        results: Sequence[Result],
        offers: Sequence[int],
        server: str,
        when: When,
        *,
        again: bool = False,  # noqa: ARG002 - a transaction of SQLite ends in sight
    ) -> Committed:
        place = self._place(driver, when)
        moved: dict[str, int] = {}
        if results:
            self._write(driver, results, when, place, moved)
        if not offers or place.stopped(EditionState.sending):
            self._count(driver, moved)
            return Committed(place)
        skipped = self._skip_unwanted(driver, offers, when)
        _move(moved, "claimed", "skipped", len(skipped))
        wanted = self._outstanding & set(offers) - skipped
        offered = frozenset(wanted)
        these = json.dumps(list(wanted))
        rows = driver.execute(_OFFER, (when.now, server, these, *self._mine, server)).rowcount
        if rows != len(wanted):  # not all are claimed still, or may go there; none was offered before
            offered = frozenset(number for (number,) in driver.execute(_OFFERED, (these, *self._mine)))
        _move(moved, "claimed", "offered", rows)
        self._count(driver, moved, offered=rows, minute=when.minute)
        return Committed(place, offered, skipped)

    def give_back(self, driver: sqlite3.Connection, deliveries: Collection[int]) -> int:
        these = json.dumps(list(deliveries))
        given = driver.execute(_GIVE_BACK, (these, *self._mine)).rowcount
        self._count(driver, {"claimed": -given, "queued": given})
        return given

    def give_back_unknown(self, driver: sqlite3.Connection) -> int:
        parameters = (self._number, *self._mine, json.dumps(list(self._outstanding)))
        given = driver.execute(_GIVE_BACK_UNKNOWN, parameters).rowcount
        self._count(driver, {"claimed": -given, "queued": given})
        return given

    def _place(self, driver: sqlite3.Connection, when: When) -> Place:
        mine = (self._held.name, self._held.owner, self._held.epoch, when.now)
        row = driver.execute(_PLACE, (*mine, self._number)).fetchone()
        state, held, paused, until, version = row
        self._version = driver, version
        if until is not None and until != when.until:  # whole seconds: most transactions need not write it
            driver.execute(_RENEW, (when.until, self._held.name))
        return Place(until is not None, state, held, paused)

    def _find(self, driver: sqlite3.Connection, what: Claim, when: When) -> list[Any]:
        number, server, limit = self._number, what.server, what.limit
        if what.due:
            found = driver.execute(self._select_due, (number, when.now, server, limit))
        elif what.only is not None:
            found = driver.execute(self._select_only, (number, server, json.dumps(list(what.only)), limit))
        else:
            to = _LAST if what.to is None else what.to
            found = driver.execute(self._select_queue, (number, server, what.after, to, limit))
        rows: list[Any] = json.loads(found.fetchone()[0])
        return rows if what.due else sorted(rows)

    def _skip_unwanted(self, driver: sqlite3.Connection, offers: Sequence[int], when: When) -> frozenset[int]:
        """Those of the offers whose readers left or were suppressed since they were claimed."""
        if self._version == self._checked:
            return frozenset()
        these = json.dumps(list(self._outstanding))
        found = driver.execute(self._unwanted, (when.now, these, *self._mine)).fetchall()
        if not found:
            self._checked = self._version
        offered = set(offers)
        skipped = [row for row in found if row[2] in offered]
        if skipped:
            driver.executemany(_SKIP, skipped)
        return frozenset(number for _, _, number in skipped)

    def _write(
        self,
        driver: sqlite3.Connection,
        results: Sequence[Result],
        when: When,
        place: Place,
        moved: dict[str, int],
    ) -> None:
        late = self._accept(driver, results, when, moved)
        others = [result for result in results if result.state is not State.accepted or late]
        if not others:
            return
        these = json.dumps([result.outcome.delivery for result in others])
        was = {row[0]: row[1:] for row in driver.execute(_OPEN, (these, *self._mine))}
        now, rows, waiting = when.now, [], False
        for result in others:
            outcome, state = result.outcome, result.state
            before, resends = was.pop(outcome.delivery, (None, 0))
            if before is None:
                continue  # of another owner, or settled by a person
            if state is State.expired and resends:
                state = State.uncertain  # what was sent before may have arrived
            tried = 0 if state is State.queued else 1
            again = result.next_attempt if state is State.deferred else None
            if state is State.queued or state is State.deferred:
                if place.state == EditionState.cancelled:
                    state, again = State.cancelled, None
                else:
                    waiting = True
            name = state.value
            settled = now if state in SETTLED or state is State.cancelled else None
            # An attempt that ended in doubt was counted then.
            tried -= before == "uncertain"
            rows.append(
                (
                    name, pile(name), tried, None if again is None else int(again.timestamp()), settled,
                    outcome.code, outcome.enhanced, outcome.reply, outcome.delivery,
                )
            )  # fmt: skip
            _move(moved, before, name, 1)
        if rows:
            driver.executemany(_WRITE, rows)
        if waiting and place.state == EditionState.finished:
            # Whoever took over from a process that was suspended called its copies uncertain, and finished.
            driver.execute(
                "UPDATE edition SET state = 'sending', finished = NULL WHERE id = ?", (self._number,)
            )

    def _accept(
        self, driver: sqlite3.Connection, results: Sequence[Result], when: When, moved: dict[str, int]
    ) -> bool:
        """Writes what was accepted of the rows that are offered; whether some were not."""
        replies: dict[tuple[int, str], dict[int, str]] = {}
        for result in results:
            if result.state is State.accepted:
                outcome = result.outcome
                alike = replies.setdefault((outcome.code, outcome.enhanced), {})
                alike[outcome.delivery] = outcome.reply
        late = False
        for (code, enhanced), texts in replies.items():
            values = (when.now, code, enhanced, json.dumps(texts), *self._mine)
            written = driver.execute(_ACCEPT, values).rowcount
            _move(moved, "offered", "accepted", written)
            late = late or written < len(texts)
        return late

    def _count(
        self, driver: sqlite3.Connection, moved: Mapping[str, int], *, offered: int = 0, minute: int = 0
    ) -> int:
        """Notes what was moved; how many rows are queued after that."""
        changes = [(state, by) for state, by in moved.items() if by]
        sets = [f"{state} = {state} + ?" for state, _ in changes]
        values = [by for _, by in changes]
        if offered:
            if minute != self._minute:
                driver.execute(_KEEP_MINUTE, (self._number, minute))
                self._minute = minute
            sets += ["minute_offered = ? + CASE WHEN minute = ? THEN minute_offered ELSE 0 END", "minute = ?"]
            values += [offered, minute, minute]
        if sets:
            statement = f"UPDATE sending SET {', '.join(sets)} WHERE edition = ? RETURNING queued"
        else:
            statement = "SELECT queued FROM sending WHERE edition = ?"
        row = driver.execute(statement, (*values, self._number)).fetchone()
        return int(row[0]) if row else 0


def _in_one(condition: str, why: str) -> str:
    """A query for rows of the ledger in one step: a list of lists as JSON (see `Row`; the reason is last)."""
    columns = "id, subscription, address, name, variant, attempts, domain"
    rows = f"SELECT d.{columns.replace(', ', ', d.')}, {why} AS why FROM delivery d WHERE {condition}"
    return f"SELECT json_group_array(json_array({columns}, why)) FROM ({rows})"


def _move(moved: dict[str, int], before: str, after: str, rows: int) -> None:
    moved[before] = moved.get(before, 0) - rows
    moved[after] = moved.get(after, 0) + rows
