"""Drafts the next migration: ``python -m digest.store.migrations "add a summary to stories"``.

Compares tables.py with a database made by the history so far and writes versions/NNNN_add_a_summary.py, to be
read and corrected by a person: Alembic does not see changed CHECK constraints, and knows nothing of the data.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config

from digest.store import Database, versions
from digest.store.tables import Instant


def render_item(kind: str, item: object, _context: AutogenContext) -> str | bool:
    """A migration must not change when the program does: an `Instant` is written as what it is below."""
    return "sa.BigInteger()" if kind == "type" and isinstance(item, Instant) else False


def draft(message: str) -> Path:
    """Writes the file and returns its path."""
    number = f"{int(versions.known()[-1]) + 1 if versions.known() else 1:04d}"
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/draft.db")
        if versions.known():
            database.create_or_upgrade()
        else:
            Path(folder, "draft.db").touch()
        config = Config()
        config.set_main_option("script_location", str(versions.MIGRATIONS).replace("%", "%%"))
        config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
        with database.write() as connection:
            config.attributes |= {"connection": connection, "render_item": render_item}
            script = command.revision(config, message, autogenerate=True, rev_id=number)
        database.close()
    assert script is not None
    assert not isinstance(script, list)
    return Path(script.path)


if __name__ == "__main__":
    sys.stdout.write(f"{draft(' '.join(sys.argv[1:]))}\n")
