"""Many people at once: entries are checked, folded by mailbox and written in batches.

Each batch is one short transaction: an import of a million people never keeps anyone who is leaving waiting,
and whatever was committed is found again when the import is repeated.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from subscribers.address import NORMALISER_VERSION, NormalAddress, address_key, normalise
from subscribers.errors import AddressRefused, ImportRefused
from subscribers.model import (
    ConsentAction,
    Entry,
    ImportReport,
    Rejected,
    SubscriptionState,
    SuppressionReason,
    SuppressionReport,
)
from subscribers.tables import Tables

BATCH = 2000
"""Entries a transaction: some 50 ms of write lock, and well under the bound parameters of either database."""

MOST_NAME = 200
"""Characters of a name that are kept."""

_JOINERS = "\u200c\u200d"
"""Invisible, but part of how names are written in Persian and in Indian scripts."""

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*", re.ASCII)


@dataclass(slots=True)
class _Person:
    """One mailbox of a batch: the first entry that named it, and how many named it again."""

    address: NormalAddress
    entry: Entry
    repeats: int = 0


@dataclass(slots=True)
class Batch:
    """Some entries of an import, checked. `people` is by address key."""

    size: int = 0
    people: dict[str, _Person] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the store knows of a batch's mailboxes, by address key."""

    subscriber: dict[str, int]
    states: dict[str, set[str]]
    pending: dict[str, list[int]]
    suppressed: set[str]
    nameless: set[int]


class Intake:
    """Writes batches of entries through a connection that it is handed."""

    def __init__(self, tables: Tables, address_secret: bytes) -> None:
        self._tables = tables
        self._secret = address_secret

    def check(self, connection: sa.Connection, newsletter: str, basis: str) -> None:
        """Raises `ImportRefused` when an import could not be accounted for, or has nowhere to go."""
        if not basis.strip():
            raise ImportRefused(
                "an import needs a basis",
                hint='Say how these people agreed, such as --basis "double opt-in at the old site".',
            )
        slug = next(iter(self._tables.subscription.c.newsletter.foreign_keys)).column
        if connection.scalar(sa.select(slug).where(slug == newsletter)) is None:
            raise ImportRefused(
                f"there is no newsletter {newsletter!r} in the store",
                hint="Add it to the configuration first.",
            )

    def batches(self, entries: Iterable[Entry]) -> Iterator[Batch]:
        """Entries checked and folded by mailbox, a batch at a time."""
        batch = Batch()
        for entry in entries:
            batch.size += 1
            try:
                address = normalise(entry.address)
            except AddressRefused as error:
                batch.rejected.append(Rejected(entry.row, entry.address, error.reason))
            else:
                key = address_key(self._secret, address)
                if key in batch.people:
                    batch.people[key].repeats += 1
                else:
                    batch.people[key] = _Person(address, entry)
            if batch.size == BATCH:
                yield batch
                batch = Batch()
        if batch.size:
            yield batch

    def confirm(
        self,
        connection: sa.Connection,
        batch: Batch,
        report: ImportReport,
        *,
        newsletter: str,
        at: dt.datetime,
        source: str,
        basis: str,
        wording: str,
    ) -> ImportReport:
        """Subscribes a batch's people as confirmed, each with a row of consent; returns the report so far."""
        known = self._known(connection, list(batch.people), newsletter)
        wanted: dict[str, _Person] = {}
        already = left_before = suppressed = 0
        for key, person in batch.people.items():
            states = known.states.get(key, set())
            if key in known.suppressed:
                suppressed += 1 + person.repeats
            elif SubscriptionState.confirmed in states:
                already += 1 + person.repeats
            elif SubscriptionState.unsubscribed in states:
                left_before += 1 + person.repeats
            else:
                already += person.repeats
                wanted[key] = person
        ids = self._subscribers(connection, wanted, known, at)
        confirmed = self._subscriptions(connection, wanted, ids, known, newsletter=newsletter, at=at)
        self._consents(connection, confirmed, at=at, source=source, basis=basis, wording=wording)
        self._fill_names(connection, batch, known)
        return replace(
            report,
            new=report.new + len(confirmed),
            # The difference: two imports at once, and the other one was quicker.
            already=report.already + already + len(wanted) - len(confirmed),
            left_before=report.left_before + left_before,
            suppressed=report.suppressed + suppressed,
            smtputf8=report.smtputf8 + sum(p.address.needs_smtputf8 for p in wanted.values()),
            rejected=(*report.rejected, *batch.rejected),
        )

    def suppress(
        self,
        connection: sa.Connection,
        batch: Batch,
        report: SuppressionReport,
        *,
        reason: SuppressionReason,
        note: str,
        at: dt.datetime,
    ) -> SuppressionReport:
        """Suppresses a batch's mailboxes; returns the report so far."""
        table = self._tables.suppression
        new = 0
        if batch.people:
            rows = [
                {
                    "address_key": key,
                    "reason": reason.value,
                    "at": at,
                    "note": note,
                    "key_version": NORMALISER_VERSION,
                }
                for key in batch.people
            ]
            insert = _insert_if_absent(connection, table, "address_key").returning(table.c.address_key)
            new = len(connection.execute(insert, rows).all())
        named = sum(1 + person.repeats for person in batch.people.values())
        return SuppressionReport(
            new=report.new + new,
            already=report.already + named - new,
            rejected=(*report.rejected, *batch.rejected),
        )

    def _known(self, connection: sa.Connection, keys: Sequence[str], newsletter: str) -> _Known:
        person, series, suppression = (
            self._tables.subscriber,
            self._tables.subscription,
            self._tables.suppression,
        )
        known = _Known({}, {}, {}, set(), set())
        keys_of: dict[int, str] = {}
        people = sa.select(person.c.id, person.c.address_key, person.c.name, person.c.erased).where(
            person.c.address_key.in_(keys)
        )
        for row in connection.execute(people.order_by(person.c.id)):
            keys_of[row.id] = row.address_key
            if row.erased is None:
                known.subscriber.setdefault(row.address_key, row.id)
                if not row.name:
                    known.nameless.add(row.id)
        # Not as a join: until PostgreSQL has counted a table that is just being filled, it reads all of it
        # for every batch.
        subscriptions = sa.select(series.c.subscriber, series.c.id, series.c.state).where(
            series.c.subscriber.in_(list(keys_of)), series.c.newsletter == newsletter
        )
        for subscriber, subscription, state in connection.execute(subscriptions) if keys_of else ():
            key = keys_of[subscriber]
            known.states.setdefault(key, set()).add(state)
            if state == SubscriptionState.pending:
                known.pending.setdefault(key, []).append(subscription)
        known.suppressed.update(
            connection.scalars(
                sa.select(suppression.c.address_key).where(suppression.c.address_key.in_(keys))
            )
        )
        return known

    def _subscribers(
        self, connection: sa.Connection, wanted: dict[str, _Person], known: _Known, at: dt.datetime
    ) -> dict[str, int]:
        """The subscriber of each wanted mailbox, made where there is none."""
        table = self._tables.subscriber
        ids = {key: known.subscriber[key] for key in wanted if key in known.subscriber}
        rows = [
            {
                "address": person.address.address,
                "domain": person.address.domain,
                "address_key": key,
                "key_version": NORMALISER_VERSION,
                "name": _name(person.entry.name),
                "language": _language(person.entry.language),
                "created": at,
            }
            for key, person in wanted.items()
            if key not in ids
        ]
        if not rows:
            return ids
        insert = _insert_if_absent(connection, table, "address").returning(table.c.id, table.c.address_key)
        ids.update((row.address_key, row.id) for row in connection.execute(insert, rows))
        if len(ids) < len(wanted):  # another import wrote some of them since we looked
            missing = [key for key in wanted if key not in ids]
            again = sa.select(table.c.id, table.c.address_key).where(table.c.address_key.in_(missing))
            ids.update((row.address_key, row.id) for row in connection.execute(again))
        return ids

    def _subscriptions(
        self,
        connection: sa.Connection,
        wanted: dict[str, _Person],
        ids: dict[str, int],
        known: _Known,
        *,
        newsletter: str,
        at: dt.datetime,
    ) -> list[int]:
        """Makes or confirms the subscription of each wanted mailbox; returns those that became confirmed."""
        table = self._tables.subscription
        state = SubscriptionState.confirmed.value
        rows = [
            {"subscriber": ids[key], "newsletter": newsletter, "state": state, "changed": at}
            for key in wanted
            if key not in known.pending
        ]
        confirmed: list[int] = []
        if rows:
            insert = _insert_if_absent(connection, table, "subscriber", "newsletter").returning(table.c.id)
            confirmed.extend(connection.scalars(insert, rows))
        # One for each mailbox: of two rows that share it, the other goes on waiting.
        waiting = [known.pending[key][0] for key in wanted if key in known.pending]
        if waiting:
            update = (
                sa.update(table)
                .where(table.c.id.in_(waiting), table.c.state == SubscriptionState.pending.value)
                .values(state=state, changed=at)
                .returning(table.c.id)
            )
            confirmed.extend(connection.scalars(update))
        return confirmed

    def _consents(
        self,
        connection: sa.Connection,
        confirmed: Sequence[int],
        *,
        at: dt.datetime,
        source: str,
        basis: str,
        wording: str,
    ) -> None:
        if not confirmed:
            return
        rows = [
            {
                "subscription": subscription,
                "at": at,
                "action": ConsentAction.imported.value,
                "source": source,
                "basis": basis.strip(),
                "wording": wording,
            }
            for subscription in confirmed
        ]
        connection.execute(sa.insert(self._tables.consent), rows)

    def _fill_names(self, connection: sa.Connection, batch: Batch, known: _Known) -> None:
        """Gives a name to people who were known without one; a name that is there is theirs and stays."""
        table = self._tables.subscriber
        rows = [
            {"who": known.subscriber[key], "called": name}
            for key, person in batch.people.items()
            if known.subscriber.get(key) in known.nameless and (name := _name(person.entry.name))
        ]
        if rows:
            connection.execute(
                sa.update(table).where(table.c.id == sa.bindparam("who")).values(name=sa.bindparam("called")),
                rows,
            )


def _insert_if_absent(
    connection: sa.Connection, table: sa.Table, *unique: str
) -> postgresql.Insert | sqlite.Insert:
    """INSERT ... ON CONFLICT DO NOTHING, which both databases have, each in its own dialect."""
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    return make(table).on_conflict_do_nothing(index_elements=list(unique))


def _name(value: str) -> str:
    """A name as it may stand in a greeting and in a To header: one line, nothing invisible, not too long."""
    seen = "".join(
        " " if character.isspace() else character
        for character in value
        if character.isspace() or character in _JOINERS or unicodedata.category(character)[0] != "C"
    )
    return " ".join(seen.split())[:MOST_NAME].rstrip()


def _language(value: str) -> str:
    value = value.strip()
    return value.replace("_", "-") if _LANGUAGE.fullmatch(value) else ""
