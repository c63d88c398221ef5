"""A site of the web tests: a real store with one edition, and a real server on loopback."""

from __future__ import annotations

import datetime as dt
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import cast

import httpx
import uvicorn

from digest.compose import Frame
from digest.config import Newsletter, Settings, Site
from digest.errors import StoreError, UsageError
from digest.model import Edition, Sender, StoryDraft
from digest.render import Renderer
from digest.render.templates import folders
from digest.store import Database
from digest.store.editions import Editions
from digest.store.installation import Installation
from digest.store.ledger import SqlLedger
from digest.store.stories import Stories
from digest.store.tables import people
from digest.tokens import KeyRing, Purpose, sign
from digest.web import create_app
from digest.work.desk import Desk
from digest.work.dkim_keys import KeyFolder
from digest.work.pace import Pace
from subscribers import Entry, Subscribers, Subscription
from tests import sample_edition
from tests.fakes import FixedClock

PUBLIC = "https://news.harbourpost.example"
BUILT = dt.datetime(2026, 11, 16, 6, 0, tzinfo=dt.UTC)


@cache
def _empty_store() -> bytes:
    """The file of a new store: migrated once, for all tests of a run."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "digest.db"
        database = Database(f"sqlite:///{file}", synchronous="off")
        database.create_or_upgrade(now=BUILT)
        database.close()
        return file.read_bytes()


class WebSite:
    """What the pages need of the product's parts, over a new SQLite file in `folder`."""

    def __init__(self, folder: Path, *, pictures: str = f"{PUBLIC}/pictures", url: str = PUBLIC) -> None:
        self.clock = FixedClock(BUILT)
        self.pictures = pictures
        self.settings = Settings(
            root=folder,
            site=Site(url=url, postal_address="The Harbour Post, 14 Quayside, Port Wenlow, PW1 2AB"),
            newsletter={
                "weekly": Newsletter(
                    name="The Harbour Post",
                    sender="post@harbourpost.example",
                    reply_to="letters@harbourpost.example",
                    zone="Europe/London",
                ),
                "daily": Newsletter(
                    name="Harbour Mornings", sender="mornings@harbourpost.example", title="Yesterday's best"
                ),
            },
        )
        (folder / "digest.db").write_bytes(_empty_store())
        self.database = Database(f"sqlite:///{folder / 'digest.db'}", patience=0.2, synchronous="off")
        self.keys = KeyRing.generate()
        self.dkim_keys = KeyFolder(folder / "dkim")
        self.editions = Editions(self.database)
        self.stories = Stories(self.database)
        self.ledger = SqlLedger(self.database)
        self.pace = Pace(self.settings.sending, self.ledger, self.editions, self.clock)
        self.installation = Installation(self.database)
        self.subscribers = Subscribers(
            self.database, people, address_secret=self.keys.address_secret, now=self.clock.now
        )
        for slug in self.settings.newsletter:
            self.editions.ensure_newsletter(slug, since=BUILT)

    @cached_property
    def reader(self) -> Subscription:
        """Anna, who gets the weekly."""
        self.subscribers.import_confirmed(
            [Entry("Anna.Lee@example.org", "Anna")], "weekly", source="test", basis="a test"
        )
        return self.subscribers.subscriptions("weekly")[0]

    @property
    def token(self) -> str:
        return sign(self.keys, Purpose.leave, self.reader.id)

    def newsletter(self, slug: str) -> Newsletter:
        if slug not in self.settings.newsletter:
            raise UsageError(f"there is no newsletter {slug!r}")
        return self.settings.newsletter[slug]

    def frame(self, edition: Edition) -> Frame:
        return Frame(
            sender=edition.sender or Sender("x", "x@example.org"),
            newsletter=edition.newsletter,
            list_id="",
            site_url=self.settings.site.url,
            date=self.clock.now(),
            edition_name=edition.name,
            title="The Harbour Post",
        )

    def draft(self, count: int = 12, **changes: object) -> Edition:
        """Stores the sample edition as a draft."""
        made = sample_edition.edition(count, pictures=self.pictures)
        drafts = [
            StoryDraft(external_id=each.story.external_id, url=each.story.url, title=each.story.title)
            for each in made.stories
        ]
        self.stories.import_drafts("site", drafts, seen=BUILT)
        stories = tuple(
            replace(each, story=replace(each.story, id=self.stories.resolve(each.story.external_id).id))
            for each in made.stories
        )
        made = replace(made, id=0, number=0, stories=stories)
        facts = sample_edition.presentation(
            site_url=self.settings.site.url, web_url=f"{self.settings.site.url}/e/{made.name}"
        )
        variant = Renderer(folders(), facts).render(made, nonce=sample_edition.NONCE).variant
        made = replace(made, variants=(variant,), hash="first", **changes)  # type: ignore[arg-type]
        return self.editions.create(made, at=BUILT, by="a test")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """As long as this lasts somebody else writes: longer than anyone is patient."""
        with self.database.write():
            yield

    @contextmanager
    def serving(self) -> Iterator[httpx.Client]:
        """The pages on a free port; ends the server by itself."""
        # The protocol is named for asyncio, which else leaves Nagle's algorithm on: 40 ms for each POST.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        app = create_app(cast(Desk, self))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        until = time.monotonic() + 10
        while not server.started:
            assert time.monotonic() < until, "the pages did not start"
            time.sleep(0.005)
        try:
            port = listener.getsockname()[1]
            with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(10)
            listener.close()


class DeadInstallation:
    """An installation whose store cannot be used."""

    @property
    def generation(self) -> int:
        raise StoreError("database /srv/digest.db is read-only")
