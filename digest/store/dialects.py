"""What the two databases say in different words."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


def insert(connection: sa.Connection, table: sa.TableClause) -> sqlite.Insert:
    """An INSERT with `on_conflict_do_update` and `on_conflict_do_nothing`, for the database in use."""
    if connection.dialect.name == "postgresql":
        return cast("sqlite.Insert", postgresql.insert(table))
    return sqlite.insert(table)


def among(
    connection: sa.Connection, column: sa.ColumnElement[Any], values: Collection[object]
) -> sa.ColumnElement[bool]:
    """Whether the column is one of many values (up to 30,000).

    One array on PostgreSQL: taking apart a statement with a thousand parameters takes the driver longer than
    the database needs to answer it.
    """
    if connection.dialect.name == "postgresql":
        array = sa.bindparam(None, list(values), postgresql.ARRAY(column.type), unique=True)
        return column == sa.any_(array)
    return column.in_(values)
