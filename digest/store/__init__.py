"""Where everything is kept: SQLite by default, PostgreSQL by URL, the same behaviour on both.

    Database        connections: `read()` sees one consistent moment, `write()` is one whole transaction
    tables          the shape and its promises, as constraints; migrations/ brings a database to it
    stories         what importers bring, by which names it is known, and what may enter an edition
    signals         readings of popularity: idempotent, a second import replaces
    sources         when a source was looked at last and what it said
    editions        frozen content, its states, and which stories are reserved or used
    ledger          one row for each copy that leaves, and what became of it
    installation    who this installation is, who leads, what needs a person

Above this package everything sees frozen dataclasses; SQL stays in here.
"""

from digest.store.database import Database

__all__ = ["Database"]
