"""Subscriptions as they are kept: who is in the audience, who left, who came back.

`Subscribers` runs on connections that it is handed and on the tables of `subscribers.tables`; bulk work is in
`subscribers.intake`. Leaving counts for the mailbox: where two rows share one (written in two ways), both
leave, or the person would get the next edition all the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

import sqlalchemy as sa

from subscribers.address import address_key
from subscribers.errors import TooLate, UnknownSubscription
from subscribers.intake import Intake
from subscribers.model import (
    ConsentAction,
    Counts,
    Entry,
    ImportReport,
    Subscription,
    SubscriptionState,
    SuppressionReason,
    SuppressionReport,
)
from subscribers.tables import Tables

UNDO_WITHIN = dt.timedelta(days=7)
"""How long the link that ended a subscription can bring it back: it never expires, and mail is forwarded."""

GRANTS = (ConsentAction.imported.value, ConsentAction.returned.value)
"""What a person did, or the operator vouched for, that makes a subscription confirmed."""


class Connections(Protocol):
    """Where connections come from. `write` commits at its end, or rolls back when an error passes."""

    def read(self) -> AbstractContextManager[sa.Connection]: ...

    def write(self) -> AbstractContextManager[sa.Connection]: ...


class Subscribers:
    """The people of this installation. `address_secret` keys the hashes that stand for addresses."""

    def __init__(
        self,
        connections: Connections,
        tables: Tables,
        *,
        address_secret: bytes,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._connections = connections
        self._tables = tables
        self._now = now
        self._secret = address_secret
        self._intake = Intake(tables, address_secret)

    # --- bulk -----------------------------------------------------------------------------------------

    def import_confirmed(
        self,
        entries: Iterable[Entry],
        newsletter: str,
        *,
        source: str,
        basis: str,
        wording: str = "",
        progress: Callable[[int], object] | None = None,
    ) -> ImportReport:
        """Takes in people who agreed elsewhere; `basis` says how the operator knows that they did.

        Idempotent, and committed batch by batch, so that an interrupted import is simply run again. Nobody
        who left or is suppressed comes back. `progress` is told the number of entries of each batch. Raises
        `ImportRefused` without a basis or for an unknown newsletter, before anything is stored.
        """
        with self._connections.read() as connection:
            self._intake.check(connection, newsletter, basis)
        report = ImportReport()
        for batch in self._intake.batches(entries):
            with self._connections.write() as connection:
                report = self._intake.confirm(
                    connection,
                    batch,
                    report,
                    newsletter=newsletter,
                    at=self._now(),
                    source=source,
                    basis=basis,
                    wording=wording,
                )
            if progress is not None:
                progress(batch.size)
        return report

    def import_suppressions(
        self,
        entries: Iterable[Entry],
        reason: SuppressionReason,
        note: str = "",
        *,
        progress: Callable[[int], object] | None = None,
    ) -> SuppressionReport:
        """Makes sure that these addresses are never written to; the first reason of an address stays."""
        report = SuppressionReport()
        for batch in self._intake.batches(entries):
            with self._connections.write() as connection:
                report = self._intake.suppress(
                    connection, batch, report, reason=reason, note=note, at=self._now()
                )
            if progress is not None:
                progress(batch.size)
        return report

    # --- one person -----------------------------------------------------------------------------------

    def subscription(self, subscription: int) -> Subscription:
        """One subscription; raises `UnknownSubscription`."""
        with self._connections.read() as connection:
            return self._subscription(connection, subscription)

    def leave(self, subscription: int, *, source: str, at: dt.datetime | None = None) -> Subscription:
        """Ends a subscription at once; done again it changes nothing. Raises `UnknownSubscription`.

        `source` says by which door: "one-click", "page", "mail".
        """
        person, series, consent = (
            self._tables.subscriber,
            self._tables.subscription,
            self._tables.consent,
        )
        moment = at or self._now()
        with self._connections.write() as connection:
            before = self._subscription(connection, subscription)
            key = sa.select(person.c.address_key).where(person.c.id == before.subscriber).scalar_subquery()
            left = connection.scalars(
                sa.update(series)
                .where(
                    series.c.newsletter == before.newsletter,
                    series.c.state != SubscriptionState.unsubscribed.value,
                    series.c.subscriber.in_(sa.select(person.c.id).where(person.c.address_key == key)),
                )
                .values(state=SubscriptionState.unsubscribed.value, changed=moment)
                .returning(series.c.id)
            ).all()
            if left:
                connection.execute(
                    sa.insert(consent),
                    [
                        {
                            "subscription": each,
                            "at": moment,
                            "action": ConsentAction.left.value,
                            "source": source,
                        }
                        for each in left
                    ],
                )
            return self._subscription(connection, subscription)

    def undo(self, subscription: int, *, source: str) -> Subscription:
        """Takes leaving back; changes nothing for someone who is still there.

        Raises `UnknownSubscription`, or `TooLate` once `UNDO_WITHIN` has passed. A subscription that nobody
        ever confirmed goes back to waiting for that.
        """
        series, consent = self._tables.subscription, self._tables.consent
        moment = self._now()
        with self._connections.write() as connection:
            before = self._subscription(connection, subscription)
            if before.state is not SubscriptionState.unsubscribed:
                return before
            if before.address is None or moment - before.changed > UNDO_WITHIN:
                raise TooLate(subscription)
            granted = connection.scalar(
                sa.select(consent.c.id)
                .where(consent.c.subscription == subscription, consent.c.action.in_(GRANTS))
                .limit(1)
            )
            state = SubscriptionState.pending if granted is None else SubscriptionState.confirmed
            returned = connection.execute(
                sa.update(series)
                .where(series.c.id == subscription, series.c.state == SubscriptionState.unsubscribed.value)
                .values(state=state.value, changed=moment)
            )
            if returned.rowcount:
                connection.execute(
                    sa.insert(consent).values(
                        subscription=subscription,
                        at=moment,
                        action=ConsentAction.returned.value,
                        source=source,
                    )
                )
            return self._subscription(connection, subscription)

    # --- many, for people to look at ------------------------------------------------------------------

    def subscriptions(
        self, newsletter: str, *, state: SubscriptionState | None = None, after: int = 0, limit: int = 1000
    ) -> list[Subscription]:
        """Subscriptions of a newsletter in the order of their numbers, from the one behind `after`."""
        series = self._tables.subscription
        statement = (
            self._select()
            .where(series.c.newsletter == newsletter, series.c.id > after)
            .order_by(series.c.id)
            .limit(limit)
        )
        if state is not None:
            statement = statement.where(series.c.state == state.value)
        with self._connections.read() as connection:
            return [_subscription(row) for row in connection.execute(statement)]

    def of_address(self, address: str) -> list[Subscription]:
        """Every subscription of a mailbox, however it is written. Raises `AddressRefused`."""
        person = self._tables.subscriber
        key = address_key(self._secret, address)
        statement = self._select().where(person.c.address_key == key).order_by(self._tables.subscription.c.id)
        with self._connections.read() as connection:
            return [_subscription(row) for row in connection.execute(statement)]

    def name_of(self, address: str) -> str:
        """The name of whoever has this mailbox; "" where that is not known. Raises `AddressRefused`."""
        person = self._tables.subscriber
        key = address_key(self._secret, address)
        statement = sa.select(person.c.name).where(person.c.address_key == key).order_by(person.c.id)
        with self._connections.read() as connection:
            return next((name for name in connection.scalars(statement) if name), "")

    def counts(self, newsletter: str) -> Counts:
        """How many people a newsletter has."""
        series = self._tables.subscription
        by_state = (
            sa.select(series.c.state, sa.func.count())
            .where(series.c.newsletter == newsletter)
            .group_by(series.c.state)
        )
        audience = self.audience(newsletter).subquery()
        reachable = sa.select(sa.func.count(audience.c.address_key.distinct())).where(
            audience.c.address_key.not_in(self.do_not_send())
        )
        with self._connections.read() as connection:
            found = {SubscriptionState(state): count for state, count in connection.execute(by_state)}
            return Counts(
                newsletter=newsletter,
                states={state: found.get(state, 0) for state in SubscriptionState},
                reachable=connection.scalar(reachable) or 0,
            )

    def suppressions(self) -> Mapping[SuppressionReason, int]:
        """How many mailboxes must not be written to, by reason."""
        table = self._tables.suppression
        statement = sa.select(table.c.reason, sa.func.count()).group_by(table.c.reason)
        with self._connections.read() as connection:
            return {SuppressionReason(reason): count for reason, count in connection.execute(statement)}

    # --- what the ledger builds on --------------------------------------------------------------------

    def audience(self, newsletter: str) -> sa.Select[tuple[int, str, str, int, str, str, str]]:
        """Who is to get this newsletter, suppressions not yet taken off.

        Columns: subscription, address, address_key, mailbox, domain, name, language. `mailbox` is the lowest
        id of the subscribers who share the address key. Without an order; `subscription` is indexed with the
        newsletter and the state, so that a fan-out can go on from where it was.
        """
        person, series = self._tables.subscriber, self._tables.subscription
        sharing = person.alias("sharing")
        # The index has the answer; only a lower one needs to be looked for.
        lower = sa.select(sharing.c.id).where(
            sharing.c.address_key == person.c.address_key, sharing.c.id < person.c.id
        )
        first = lower.order_by(sharing.c.id).limit(1).correlate(person).scalar_subquery()
        return (
            sa.select(
                series.c.id.label("subscription"),
                person.c.address,
                person.c.address_key,
                sa.func.coalesce(first, person.c.id).label("mailbox"),
                person.c.domain,
                person.c.name,
                person.c.language,
            )
            .join_from(series, person, series.c.subscriber == person.c.id)
            .where(
                series.c.newsletter == newsletter,
                series.c.state == SubscriptionState.confirmed.value,
                person.c.address.is_not(None),
            )
        )

    def key_of(self, address: str) -> str:
        """The key of a mailbox, as it stands in the audience. Raises `AddressRefused`."""
        return address_key(self._secret, address)

    def do_not_send(self) -> sa.Select[tuple[str]]:
        """The keys of all suppressed mailboxes: one column, `address_key`."""
        return sa.select(self._tables.suppression.c.address_key)

    # --- inside ---------------------------------------------------------------------------------------

    def _select(self) -> sa.Select[tuple[object, ...]]:
        person, series = self._tables.subscriber, self._tables.subscription
        return sa.select(
            series.c.id,
            series.c.subscriber,
            series.c.newsletter,
            series.c.state,
            series.c.changed,
            person.c.address,
            person.c.name,
            person.c.language,
        ).join_from(series, person, series.c.subscriber == person.c.id)

    def _subscription(self, connection: sa.Connection, subscription: int) -> Subscription:
        statement = self._select().where(self._tables.subscription.c.id == subscription)
        row = connection.execute(statement).one_or_none()
        if row is None:
            raise UnknownSubscription(subscription)
        return _subscription(row)


def _subscription(row: sa.Row[tuple[object, ...]]) -> Subscription:
    return Subscription(
        id=row.id,
        subscriber=row.subscriber,
        newsletter=row.newsletter,
        state=SubscriptionState(row.state),
        changed=row.changed,
        address=row.address,
        name=row.name,
        language=row.language,
    )
