"""The tables of people and their consent, defined into the caller's MetaData.

One MetaData is needed because the delivery ledger refers to subscriptions; the types of identifiers and times
are handed in so that both halves keep them alike.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Table, UniqueConstraint
from sqlalchemy.types import TypeDecorator, TypeEngine


@dataclass(frozen=True, slots=True)
class Tables:
    subscriber: Table
    subscription: Table
    consent: Table
    suppression: Table


def define_tables(
    metadata: sa.MetaData, *, identifier: TypeEngine[int], instant: type[TypeDecorator[dt.datetime]]
) -> Tables:
    """Defines `subscriber`, `subscription`, `consent` and `suppression` into `metadata`."""
    subscriber = Table(
        "subscriber",
        metadata,
        Column("id", identifier, primary_key=True, autoincrement=True),
        # Local part as the person wrote it, domain as A-labels in lower case.
        # NULL once erased; the key stays.
        Column("address", sa.Text, unique=True),
        # What stands behind the @, so that no query has to cut it out of a million addresses.
        # Empty once erased.
        Column("domain", sa.Text, nullable=False, server_default=""),
        # Keyed hash of the normalised address. Two rows may share it: one mailbox written in two ways.
        Column("address_key", sa.Text, nullable=False),
        Column("key_version", sa.Integer, nullable=False),
        Column("name", sa.Text, nullable=False, server_default=""),
        Column("language", sa.Text, nullable=False, server_default=""),
        Column("created", instant, nullable=False),
        Column("erased", instant),
        sa.Index("ix_subscriber_address_key", "address_key", "id"),
    )
    subscription = Table(
        "subscription",
        metadata,
        Column("id", identifier, primary_key=True, autoincrement=True),
        Column("subscriber", identifier, ForeignKey("subscriber.id"), nullable=False),
        Column("newsletter", sa.Text, ForeignKey("newsletter.slug"), nullable=False),
        Column("state", sa.Text, nullable=False),
        Column("changed", instant, nullable=False),
        UniqueConstraint("subscriber", "newsletter"),
        sa.CheckConstraint("state IN ('pending', 'confirmed', 'unsubscribed')", name="state"),
        sa.Index("ix_subscription_audience", "newsletter", "state", "id"),
        sqlite_autoincrement=True,  # its id is in links that never expire
    )
    consent = Table(  # what was agreed to, when, where and in which words; never changed, only added to
        "consent",
        metadata,
        Column("id", identifier, primary_key=True, autoincrement=True),
        Column("subscription", identifier, ForeignKey("subscription.id"), nullable=False, index=True),
        Column("at", instant, nullable=False),
        Column("action", sa.Text, nullable=False),
        Column("source", sa.Text, nullable=False),
        Column("basis", sa.Text, nullable=False, server_default=""),
        Column("wording", sa.Text, nullable=False, server_default=""),
        Column("ip_key", sa.Text, nullable=False, server_default=""),
    )
    suppression = Table(  # do not send; outlives erasure, for it holds no address
        "suppression",
        metadata,
        Column("address_key", sa.Text, primary_key=True),
        Column("reason", sa.Text, nullable=False),
        Column("at", instant, nullable=False),
        Column("note", sa.Text, nullable=False, server_default=""),
        Column("key_version", sa.Integer, nullable=False),
        sa.CheckConstraint(
            "reason IN ('hard_bounce', 'soft_bounce', 'complaint', 'manual', 'imported')", name="reason"
        ),
    )
    return Tables(subscriber, subscription, consent, suppression)
