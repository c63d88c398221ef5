"""The audit trail: who did what to which edition or story, written in the transaction that did it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from digest.store import Database
from digest.store.tables import event


@dataclass(frozen=True, slots=True)
class Event:
    at: dt.datetime
    actor: str
    """Who: a person's name or address, or the part of the program that acted by itself."""
    action: str
    subject: str
    """What it was done to: ``edition 12``, ``story 345``."""
    detail: Mapping[str, Any]


def record(
    connection: sa.Connection, *, at: dt.datetime, actor: str, action: str, subject: str, **detail: object
) -> None:
    """Adds one line within the caller's transaction: it is there exactly when the thing was done."""
    connection.execute(
        event.insert(),
        {"at": at, "actor": actor, "action": action, "subject": subject, "detail": detail},
    )


class Events:
    """Reading the trail."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, subject: str = "", *, limit: int = 100) -> list[Event]:
        """The latest events of one subject, or of all; newest first."""
        query = sa.select(event).order_by(event.c.id.desc()).limit(limit)
        if subject:
            query = query.where(event.c.subject == subject)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [Event(row.at, row.actor, row.action, row.subject, row.detail) for row in rows]
