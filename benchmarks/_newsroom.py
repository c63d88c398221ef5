"""Installations to send from, made once and copied for each run, so that every run begins alike.

The edition is a real one of the sample newspaper, with its HTML and text replaced by those of
`benchmarks.compose` (40 kB, 65 slots) before it is approved. Readers are written straight into the tables of
the store: to take people in properly is the subject of `benchmarks.import`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from benchmarks._material import address, name
from benchmarks._tools import FOLDER, Missing
from benchmarks.compose import variant
from digest.app import App
from digest.cli.init import first_config, make
from digest.config import load
from digest.edition import content_hash
from digest.model import Edition
from digest.sample import READERS, Sample
from digest.schedule import last_complete
from digest.store import Database
from digest.store.tables import people as tables
from digest.work.build import approve, build
from digest.work.dkim_keys import KeyFolder
from subscribers import address_key

SERVER = os.environ.get("DIGEST_BENCH_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
"""Where the PostgreSQL ledger is measured: databases are made and dropped there."""
DOMAIN = "example.org"
"""Of the sender in the first configuration."""
_WEEK_END = dt.datetime(2026, 11, 16, tzinfo=dt.UTC)
_BATCH = 20_000
_numbers = count(1)


@dataclass(frozen=True)
class Copy:
    """An installation for one run: its folder, and the variables that point its configuration elsewhere."""

    folder: Path
    variables: Mapping[str, str]
    edition: int


@dataclass(frozen=True)
class Newsroom:
    """An installation with an approved edition for `people` readers, to be copied."""

    folder: Path
    people: int
    edition: int
    template: str = ""
    """Its PostgreSQL database; "" for SQLite."""

    @contextmanager
    def copy(self, people: int, *, key: str = "", within: Path = FOLDER) -> Iterator[Copy]:
        """One with the first `people` readers, that signs with a `key` of that kind; gone afterwards."""
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=within))
        variables: dict[str, str] = {}
        database = ""
        try:
            for file in ("config.toml", "digest.keys"):
                shutil.copy(self.folder / file, folder)
            if key:
                shutil.copytree(self._signing(key), folder / "dkim")
            if self.template:
                database = _create(self.template)
                variables["DIGEST_DATABASE__URL"] = url(database)
            else:
                shutil.copy(self.folder / "digest.db", folder)
            if people < self.people:
                self._leave_out(folder, database, people)
            os.sync()  # what was copied must not be written while the run waits for its commits
            yield Copy(folder, variables, self.edition)
        finally:
            if database:
                drop(database)
            shutil.rmtree(folder, ignore_errors=True)

    def _signing(self, kind: str) -> Path:
        """A folder with one DKIM key that signs: "rsa" (2048 bits) or "ed25519"."""
        folder = self.folder / f"dkim-{kind}"
        if not folder.exists():
            keys, now = KeyFolder(folder), dt.datetime.now(dt.UTC)
            keys.make(DOMAIN, "bench", ed25519=True, at=now)
            keys.activate(DOMAIN, "bench", at=now)
            for file in (folder / DOMAIN).glob("*.pem"):
                if f".{kind}." not in file.name:
                    file.unlink()
        return folder

    def _leave_out(self, folder: Path, database: str, people: int) -> None:
        statement = f"DELETE FROM subscription WHERE id > {people:d}"
        if database:
            with psycopg.connect(url(database)) as postgres:
                postgres.execute(statement)
        else:
            with closing(sqlite3.connect(folder / "digest.db")) as connection, connection:
                connection.execute(statement)


@contextmanager
def newsroom(people: int, *, postgres: bool = False) -> Iterator[Newsroom]:
    """Makes one. Raises `Missing` where PostgreSQL is asked for and not there."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    template = _create("template1") if postgres else ""
    folder = Path(tempfile.mkdtemp(prefix="newsroom-", dir=FOLDER))
    try:
        variables = {"DIGEST_DATABASE__URL": url(template)} if template else {}
        config, _, _ = make(folder / "news", first_config())
        if template:
            with closing(Database(url(template))) as database:
                database.create_or_upgrade()
        app = App(load(config, variables))
        try:
            edition = _fill(app, people)
        finally:
            app.database.close()
        if not template:
            with closing(sqlite3.connect(folder / "news" / "digest.db")) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        yield Newsroom(folder / "news", people, edition, template)
    finally:
        if template:
            drop(template)
        shutil.rmtree(folder, ignore_errors=True)


def url(database: str) -> str:
    return f"{SERVER.rpartition('/')[0]}/{database}"


def _create(template: str) -> str:
    database = f"digest_bench_{os.getpid()}_{next(_numbers)}"
    try:
        with psycopg.connect(SERVER, autocommit=True, connect_timeout=3) as server:
            server.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"'.encode())
    except psycopg.Error as error:
        raise Missing(f"no PostgreSQL to make a database on: {str(error).splitlines()[0]}") from error
    return database


def drop(database: str) -> None:
    with psycopg.connect(SERVER, autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)'.encode())


def _fill(app: App, people: int) -> int:
    """Stories, readers and an approved edition; its number."""
    sample = Sample(_WEEK_END)
    app.stories.import_drafts("sample", sample.stories({}), seen=_WEEK_END)
    app.signals.record(READERS, "sample", sample.readings())
    app.editions.ensure_newsletter("weekly", since=_WEEK_END - dt.timedelta(days=30))
    subscribe(app, people)
    made = build(app, "weekly", last_complete(app.schedule("weekly"), _WEEK_END), by="benchmark")
    approve(app, _with_slots(app, made), by="benchmark")
    return made.id


def _with_slots(app: App, made: Edition) -> Edition:
    """The edition with the HTML and text of `benchmarks.compose`."""
    content = replace(variant(), key=made.variants[0].key)
    changed = replace(made, variants=(content,))
    sources = app.editions.templates(made.id)
    hashes = {key: hashlib.sha256(source.encode()).hexdigest() for key, source in sources.items()}
    changed = replace(changed, hash=content_hash(changed, hashes, policy=changed.policy))
    return app.editions.save_content(
        changed, before=made, templates=sources, at=app.clock.now(), by="benchmark"
    )


def subscribe(app: App, people: int) -> None:
    """Confirmed readers 1 to `people`; the id of a subscription is its reader's number."""
    secret, now = app.keys.address_secret, app.clock.now()

    def rows() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        for number in range(1, people + 1):
            where = address(number)
            person = {
                "id": number,
                "address": where,
                "domain": where.rpartition("@")[2],
                "address_key": address_key(secret, where),
                "key_version": 1,
                "name": name(number),
                "created": now,
            }
            series = {"id": number, "subscriber": number, "newsletter": "weekly", "state": "confirmed",
                      "changed": now}  # fmt: skip
            yield person, series

    everybody = rows()
    while batch := list(islice(everybody, _BATCH)):
        with app.database.write() as connection:
            connection.execute(sa.insert(tables.subscriber), [person for person, _ in batch])
            connection.execute(sa.insert(tables.subscription), [series for _, series in batch])
