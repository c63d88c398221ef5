"""Stories as they are kept: taken in, looked up, and offered to editions."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa

from digest.errors import UsageError
from digest.model import Candidate, Series, Story, StoryDraft, Window
from digest.store import Database
from digest.store.candidates import candidates, signals_of, used
from digest.store.dialects import among, insert
from digest.store.events import record
from digest.store.intake import StoryCounts, take_in
from digest.store.story_rows import STORIES, read, whole
from digest.store.tables import edition_story, held_over, media, source, story, story_name, story_version

__all__ = ["Heading", "Name", "Stories", "StoryCounts"]

_ENDS = (sa.func.min, sa.func.max)
BATCH = 1000
"""Drafts a transaction: an import of any size never holds the write lock for long."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading that a story had until it was changed."""

    until: dt.datetime
    title: str
    standfirst: str


@dataclass(frozen=True, slots=True)
class Name:
    """What one source calls a story."""

    source: str
    external_id: str


class Stories:
    """Every story that any source brought."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # In

    def import_drafts(
        self,
        source: str,
        drafts: Iterable[StoryDraft],
        *,
        seen: dt.datetime,
        progress: Callable[[int], object] | None = None,
    ) -> StoryCounts:
        """Stores what `source` hands over at `seen`; again and again without making anything twice.

        A draft is a story already known by its external id or, from another source, by its URL. A changed
        heading is kept as a version. Each batch is one transaction; `progress` is called with its size.
        """
        counts = StoryCounts()
        for batch in batches(drafts, BATCH):
            with self._database.write() as connection:
                counts += take_in(connection, source, batch, seen=seen)
            if progress is not None:
                progress(len(batch))
        return counts

    def withdraw(self, number: int, *, at: dt.datetime, by: str, reason: str = "") -> bool:
        """Marks a story as withdrawn; False when it was already. Only `restore` takes that back: a later
        import does not."""
        return self._mark(number, whole(at), at=at, by=by, reason=reason)

    def restore(self, number: int, *, at: dt.datetime, by: str, reason: str = "") -> bool:
        """Takes a withdrawal back; False when there was none, or an editor hid the story."""
        return self._mark(number, None, at=at, by=by, reason=reason)

    def _mark(
        self, number: int, withdrawn: dt.datetime | None, *, at: dt.datetime, by: str, reason: str
    ) -> bool:
        standing = (
            story.c.withdrawn.is_(None)
            if withdrawn
            else sa.and_(story.c.withdrawn.is_not(None), story.c.hidden.is_(None))
        )
        change = sa.update(story).where(story.c.id == number, standing).values(withdrawn=withdrawn)
        with self._database.write() as connection:
            done = connection.execute(change).rowcount == 1
            if done:
                action = "withdraw" if withdrawn else "restore"
                record(connection, at=at, actor=by, action=action, subject=f"story {number}", reason=reason)
        return done

    def not_listed(
        self, source_name: str, names: AbstractSet[str], *, since: dt.datetime | None = None
    ) -> tuple[list[int], int]:
        """The standing stories of a source, dated `since` or later, whose external id is not in `names`, and
        of how many they are."""
        query = (
            sa.select(story.c.id, story.c.external_id)
            .join(source, source.c.id == story.c.source)
            .where(source.c.name == source_name, story.c.withdrawn.is_(None))
            .order_by(story.c.id)
        )
        if since is not None:
            query = query.where(story.c.date >= since)
        with self._database.read() as connection:
            standing = [(row.id, row.external_id) for row in connection.execute(query)]
        return [number for number, name in standing if name not in names], len(standing)

    def hold_over(self, newsletter: str, number: int, *, since: dt.datetime) -> None:
        """Keeps a story for the next edition: the one whose window starts at `since` or later."""
        with self._database.write() as connection:
            keep_for_next(connection, newsletter, [number], since=since)

    # Out

    def get(self, number: int) -> Story:
        """The story with this id. Raises `UsageError`."""
        found = self.get_many([number])
        if not found:
            raise UsageError(f"there is no story #{number}", hint="See: digest stories list")
        return found[number]

    def get_many(self, numbers: Iterable[int]) -> dict[int, Story]:
        """Id -> story, as they are now; ids that there are not are left out."""
        with self._database.read() as connection:
            rows = connection.execute(STORIES.where(story.c.id.in_(list(numbers)))).all()
        return {row.id: read(row) for row in rows}

    def withdrawn_from(self, edition: int) -> list[Story]:
        """Stories of an edition that their source withdrew, as they are now, in the edition's order."""
        query = (
            STORIES.join(edition_story, edition_story.c.story == story.c.id)
            .where(edition_story.c.edition == edition, story.c.withdrawn.is_not(None))
            .order_by(edition_story.c.position)
        )
        with self._database.read() as connection:
            return [read(row) for row in connection.execute(query)]

    def resolve(self, ref: str, *, part: bool = False) -> Story:
        """The one story that a person means by ``#12``, a source's name for it, ``SOURCE:NAME``, or a URL.

        A bare number may be the id, too. One that was merged into another is that other one, but for `part`.
        Raises `UsageError` when there is none, or more than one: it lists them.
        """
        with self._database.read() as connection:
            numbers = self._meant(connection, ref.strip())
            if not part:
                of = sa.func.coalesce(story.c.merged_into, story.c.id)
                numbers = set(connection.execute(sa.select(of).where(story.c.id.in_(numbers))).scalars())
            rows = connection.execute(STORIES.where(story.c.id.in_(numbers)).order_by(story.c.id)).all()
        if len(rows) == 1:
            return read(rows[0])
        if not rows:
            raise UsageError(
                f"no story is known as {ref!r}",
                hint="Use #ID as in `digest stories list`, the source's own id for it, or its URL.",
            )
        listed = "; ".join(f"#{row.id} ({row.source_name}) {row.title[:60]}" for row in rows[:5])
        raise UsageError(f"{len(rows)} stories are known as {ref!r}: {listed}", hint="Say which with #ID.")

    def _meant(self, connection: sa.Connection, ref: str) -> set[int]:
        by_id = re.fullmatch(r"#(\d{1,18})", ref, re.ASCII)
        if by_id:
            return {int(by_id[1])}
        names = sa.select(story_name.c.story).where(story_name.c.external_id == ref)
        meant = set(connection.execute(names).scalars())
        of_source, _, rest = ref.partition(":")
        if not meant and rest:
            named = (
                sa.select(story_name.c.story)
                .join(source, source.c.id == story_name.c.source)
                .where(source.c.name == of_source, story_name.c.external_id == rest)
            )
            meant = set(connection.execute(named).scalars())
        if not meant:
            meant = set(connection.execute(sa.select(story.c.id).where(story.c.url == ref)).scalars())
        if re.fullmatch(r"\d{1,18}", ref, re.ASCII):
            meant.add(int(ref))
        return meant

    def list_(
        self,
        *,
        since: dt.datetime | None = None,
        before: dt.datetime | None = None,
        source_name: str = "",
        section: str = "",
        search: str = "",
        limit: int | None = 50,
    ) -> list[Story]:
        """Stories dated in [since, before), newest first; `search` looks into titles, in any case. Those that
        were merged into others are left out."""
        conditions = [
            story.c.merged_into.is_(None),
            story.c.date >= since if since is not None else None,
            story.c.date < before if before is not None else None,
            source.c.name == source_name if source_name else None,
            story.c.section == section if section else None,
            story.c.title.icontains(search, autoescape=True) if search else None,
        ]
        query = STORIES.where(*(each for each in conditions if each is not None))
        query = query.order_by(story.c.date.desc(), story.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return [read(row) for row in connection.execute(query)]

    def count(self) -> int:
        with self._database.read() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(story)).scalar_one())

    def dates(self) -> tuple[dt.datetime, dt.datetime] | None:
        """Those of the oldest and the newest story; None without any."""
        with self._database.read() as connection:
            # Two queries: SQLite looks a lone min() or max() up in the index, both of them it counts out.
            ends = [connection.execute(sa.select(each(story.c.date))).scalar_one() for each in _ENDS]
        return None if ends[0] is None else (ends[0], ends[1])

    def headings(self, number: int) -> list[Heading]:
        """The headings that a story had before, oldest first."""
        query = sa.select(story_version).where(story_version.c.story == number).order_by(story_version.c.id)
        with self._database.read() as connection:
            return [Heading(row.until, row.title, row.standfirst) for row in connection.execute(query)]

    def enriched(self, source_name: str, names: Collection[str]) -> set[str]:
        """Those of a source's own names that are of stories whose pages told something."""
        if not names:
            return set()
        with self._database.read() as connection:
            query = (
                sa.select(story_name.c.external_id)
                .join(source, source.c.id == story_name.c.source)
                .join(story, story.c.id == story_name.c.story)
                .where(
                    source.c.name == source_name,
                    among(connection, story_name.c.external_id, names),
                    story.c.from_page.is_not(None),
                )
            )
            return set(connection.execute(query).scalars())

    def names(self, number: int) -> list[Name]:
        """What the sources call a story, its own source first, those of its parts last."""
        query = (
            sa.select(source.c.name, story_name.c.external_id)
            .join(story_name, story_name.c.source == source.c.id)
            .join(story, story.c.id == story_name.c.story)
            .where(sa.or_(story.c.id == number, story.c.merged_into == number))
            .order_by(
                story.c.id != number,
                story_name.c.source != story.c.source,
                source.c.name,
                story_name.c.external_id,
            )
        )
        with self._database.read() as connection:
            return [Name(*row) for row in connection.execute(query)]

    def signals(self, number: int, *, until: dt.datetime) -> dict[str, Series]:
        """Everything that was measured of one story up to `until`, by metric."""
        with self._database.read() as connection:
            found = signals_of(connection, story.c.id == number, since=None, until=until)
        return dict(found.get(number, {}))

    def candidates(
        self,
        window: Window,
        newsletter: str,
        *,
        until: dt.datetime,
        edition: int | None = None,
        also: Iterable[int] = (),
    ) -> tuple[list[Candidate], frozenset[int]]:
        """The stories that may enter an edition for `window`, and the ids that other editions use or reserve.

        Those are the stories dated in the window, those held over to it, and those in `also`, whatever their
        date: an editor pinned them. Withdrawn and sponsored ones too, so that ranking can say why they are
        out. Nothing measured after `until` is looked at. The reservations of `edition`, when it is made anew,
        do not count against it.
        """
        with self._database.read() as connection:
            return (
                candidates(connection, window, newsletter, until=until, also=also),
                used(connection, newsletter, besides=edition),
            )

    # Pictures

    def put_media(self, content: bytes, media_type: str) -> str:
        """Keeps a picture under the hash of its bytes (SHA-256, hex) and returns that."""
        name = hashlib.sha256(content).hexdigest()
        with self._database.write() as connection:
            statement = insert(connection, media).values(hash=name, media_type=media_type, content=content)
            connection.execute(statement.on_conflict_do_nothing())
        return name

    def kept_media(self, names: Iterable[str]) -> set[str]:
        """Those of these hashes under which a picture is kept."""
        query = sa.select(media.c.hash).where(media.c.hash.in_(set(names)))
        with self._database.read() as connection:
            return set(connection.execute(query).scalars())

    def media(self, name: str) -> tuple[bytes, str] | None:
        """The bytes and media type kept under a hash; None where there are none."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(media).where(media.c.hash == name)).first()
        return None if row is None else (bytes(row.content), row.media_type)


def keep_for_next(
    connection: sa.Connection, newsletter: str, numbers: Iterable[int], *, since: dt.datetime
) -> None:
    """Holds stories over within the caller's transaction; one held already is held to the later moment."""
    rows = [{"newsletter": newsletter, "story": number, "at": since} for number in numbers]
    if rows:
        statement = insert(connection, held_over)
        statement = statement.on_conflict_do_update(
            index_elements=[held_over.c.newsletter, held_over.c.story], set_={"at": statement.excluded.at}
        )
        connection.execute(statement, rows)


def batches(items: Iterable[T], size: int) -> Iterator[Sequence[T]]:
    """Lists of up to `size` items; what makes them is asked for no more than one list ahead."""
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch
