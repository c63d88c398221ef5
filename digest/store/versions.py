"""Which schema a database has, and bringing it to the newest one.

The history is linear: migrations/versions/NNNN_what.py, each naming the one before. File names are enough to
judge a database at every start; Alembic, which is slow to import, is loaded only to upgrade.
"""

from __future__ import annotations

import datetime as dt
import functools
import secrets
from pathlib import Path

import sqlalchemy as sa

from digest.errors import StoreError
from digest.store import tables

MIGRATIONS = Path(__file__).parent / "migrations"
ADVISORY_LOCK = 0x6469676573740001  # "digest" and a number: any constant that other programs do not use
_VERSION_TABLE = "alembic_version"


@functools.cache
def known() -> tuple[str, ...]:
    """The revisions of this program, oldest first."""
    return tuple(sorted(file.name[:4] for file in (MIGRATIONS / "versions").glob("[0-9]*_*.py")))


def current(connection: sa.Connection) -> str | None:
    """The revision of the connected database; None where nothing was set up."""
    if not sa.inspect(connection).has_table(_VERSION_TABLE):
        return None
    return connection.execute(sa.text(f"SELECT version_num FROM {_VERSION_TABLE}")).scalar()  # noqa: S608 - a constant


def upgrade(connection: sa.Connection, *, database: str, now: dt.datetime) -> None:
    """Runs what is missing, in the transaction of `connection`; the first time it names the installation."""
    if current(connection) is None:
        others = sorted(set(sa.inspect(connection).get_table_names()) & set(tables.metadata.tables))
        if others:
            raise StoreError(
                f"{database} holds tables of another program ({', '.join(others[:3])})",
                hint="Give digest a database of its own: database.url in config.toml.",
            )
    _run_alembic(connection)
    if connection.execute(sa.select(tables.installation.c.one)).first() is None:
        connection.execute(
            tables.installation.insert(), {"one": 1, "id": secrets.token_hex(16), "created": now}
        )


def _run_alembic(connection: sa.Connection) -> None:
    from alembic import command  # noqa: PLC0415 - slow to import, and rarely needed
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
