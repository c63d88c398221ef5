"""Every table of the product, in one MetaData with those of `subscribers`.

Times are whole Unix seconds in UTC (`Instant`); local dates are ISO text. What the schema promises is written
as constraints with names, so that an error can say which promise was about to be broken.

After a change here: `python -m digest.store.migrations "what changed"` drafts the migration.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Table, UniqueConstraint

import subscribers

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True)  # None is NULL, not the JSON word for it


class Instant(sa.TypeDecorator[dt.datetime]):
    """An aware datetime kept as whole Unix seconds: the same on both databases, and cheap to compare."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: sa.Dialect) -> int | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return math.floor(value.timestamp())

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> dt.datetime | None:  # noqa: ARG002
        return None if value is None else dt.datetime.fromtimestamp(value, dt.UTC)


def _id() -> Column[int]:
    return Column("id", ID, primary_key=True, autoincrement=True)


def _one_of(column: str, values: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} IN ({', '.join(repr(v) for v in values.split())})", name=column)


# --- this installation ----------------------------------------------------------------------------

installation = Table(
    "installation",
    metadata,
    Column("one", sa.Integer, primary_key=True),
    Column("id", sa.Text, nullable=False),  # answered at the public URL
    Column("created", Instant, nullable=False),
    # Rises with every sending step; a copy beside the keys shows when the store went back in time.
    Column("generation", sa.BigInteger, nullable=False, server_default="0"),
    sa.CheckConstraint("one = 1", name="one"),
)

lease = Table(
    "lease",
    metadata,
    Column("name", sa.Text, primary_key=True),
    Column("owner", sa.Text, nullable=False),
    Column("epoch", sa.BigInteger, nullable=False),
    Column("until", Instant, nullable=False),
)

event = Table(  # who did what: the audit trail
    "event",
    metadata,
    _id(),
    Column("at", Instant, nullable=False),
    Column("actor", sa.Text, nullable=False),
    Column("action", sa.Text, nullable=False),
    Column("subject", sa.Text, nullable=False, server_default="", index=True),
    Column("detail", JSON, nullable=False),
)

alert = Table(
    "alert",
    metadata,
    _id(),
    Column("key", sa.Text, nullable=False),
    Column("message", sa.Text, nullable=False),
    Column("raised", Instant, nullable=False),
    Column("told", Instant),
    Column("settled", Instant),
)
Index(
    "uq_alert_open",
    alert.c.key,
    unique=True,
    sqlite_where=alert.c.settled.is_(None),
    postgresql_where=alert.c.settled.is_(None),
)

# --- stories and signals --------------------------------------------------------------------------

source = Table(
    "source",
    metadata,
    _id(),
    Column("name", sa.Text, nullable=False, unique=True),
    Column("last_poll", Instant),
    Column("last_success", Instant),
    Column("last_error", sa.Text, nullable=False, server_default=""),
    Column("etag", sa.Text, nullable=False, server_default=""),
    Column("modified", sa.Text, nullable=False, server_default=""),
    Column("failures", sa.Integer, nullable=False, server_default="0"),  # in a row
    Column("not_before", Instant),  # asked again then, after a failure
    Column(
        "address", sa.Text, nullable=False, server_default=""
    ),  # a mark of the address that all this is of
)

story = Table(
    "story",
    metadata,
    _id(),
    # Whose text this is: the source that brought it first. Others that know its URL are in story_name only.
    Column("source", ID, ForeignKey("source.id"), nullable=False),
    Column("external_id", sa.Text, nullable=False),
    Column("url", sa.Text, nullable=False),
    Column("title", sa.Text, nullable=False),
    Column("standfirst", sa.Text, nullable=False, server_default=""),
    Column("body", sa.Text, nullable=False, server_default=""),
    Column("author", sa.Text, nullable=False, server_default=""),
    Column("section", sa.Text, nullable=False, server_default=""),
    Column("language", sa.Text, nullable=False, server_default=""),
    Column("picture", JSON),
    Column("related", JSON, nullable=False),
    Column("kind", sa.Text, nullable=False),
    Column("full_text", sa.Boolean, nullable=False),
    Column("published", Instant),
    Column("updated", Instant),
    Column("first_seen", Instant, nullable=False),
    Column("withdrawn", Instant),
    Column("hidden", JSON),  # by an editor: reason, by whom, when
    # Kept, with its names and readings, as a part of another story, until it is split from it again. It
    # refers to no table: to add that, SQLite would have to write every story anew.
    Column("merged_into", ID),
    Column("edited", JSON),  # column -> what the source says, where an editor wrote something else
    Column("from_page", JSON),  # columns that the source left out and the page told
    Column("date", Instant, nullable=False, index=True),  # published, else first seen: decides its window
    UniqueConstraint("source", "external_id"),
    _one_of("kind", "article live gallery video sponsored"),
)
Index("ix_story_url", story.c.url)
Index(
    "ix_story_merged_into",
    story.c.merged_into,
    sqlite_where=story.c.merged_into.is_not(None),
    postgresql_where=story.c.merged_into.is_not(None),
)

story_name = Table(  # under which names sources know a story, the first one among them
    "story_name",
    metadata,
    Column("source", ID, ForeignKey("source.id"), primary_key=True),
    Column("external_id", sa.Text, primary_key=True),
    Column("story", ID, ForeignKey("story.id", ondelete="CASCADE"), nullable=False, index=True),
)
Index("ix_story_name_external_id", story_name.c.external_id)

story_version = Table(  # headings that were changed after publication
    "story_version",
    metadata,
    _id(),
    Column("story", ID, ForeignKey("story.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("until", Instant, nullable=False),
    Column("title", sa.Text, nullable=False),
    Column("standfirst", sa.Text, nullable=False, server_default=""),
)

story_page = Table(  # what the pages of stories answered when they were looked at
    "story_page",
    metadata,
    Column("story", ID, ForeignKey("story.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("looked", Instant, nullable=False),
    Column("status", sa.Integer, nullable=False),  # 0: no answer
    Column("missing", Instant),  # since when each look found nothing there (404)
)

metric = Table(
    "metric",
    metadata,
    _id(),
    Column("name", sa.Text, nullable=False, unique=True),
    Column("kind", sa.Text, nullable=False),
    Column("distinct", sa.Boolean, nullable=False),
    Column("bucket", sa.Integer),  # seconds
    _one_of("kind", "count total"),
)

observation = Table(
    "observation",
    metadata,
    Column("story", ID, ForeignKey("story.id", ondelete="CASCADE"), primary_key=True),
    Column("metric", ID, ForeignKey("metric.id"), primary_key=True),
    Column("source", ID, ForeignKey("source.id"), primary_key=True),
    Column("at", Instant, primary_key=True),
    Column("value", sa.Float, nullable=False),
    sqlite_with_rowid=False,
)

# --- access logs: who reads, as long as a day is open; then only how many -------------------------

log_file = Table(  # how far each log was read, known by its beginning and not by its name
    "log_file",
    metadata,
    _id(),
    Column("source", ID, ForeignKey("source.id"), nullable=False, index=True),
    Column("length", sa.Integer, nullable=False),  # of the beginning, in bytes without gzip
    Column("digest", sa.Text, nullable=False, index=True),  # of the beginning: SHA-256
    Column("name", sa.Text, nullable=False),
    Column("mark", sa.Text, nullable=False),  # time and size of the file when it was read to its end
    Column("offset", sa.BigInteger, nullable=False),  # behind the last whole line, without gzip
    Column("lines", sa.BigInteger, nullable=False),
    Column("latest", Instant),  # the latest line of it
    Column("seen", Instant, nullable=False),
)

log_day = Table(
    "log_day",
    metadata,
    _id(),
    Column("source", ID, ForeignKey("source.id"), nullable=False),
    Column("start", Instant, nullable=False),  # midnight in the zone of the site
    Column("closes", Instant, nullable=False, index=True),
    Column("salt", sa.LargeBinary),  # NULL: closed, and what was hashed with it is gone
    Column("version", sa.Integer, nullable=False, server_default="0"),
    UniqueConstraint("source", "start"),
)

log_visits = Table(  # hashed visitors with the pages that they read; deleted when the day is closed
    "log_visits",
    metadata,
    Column("day", ID, ForeignKey("log_day.id", ondelete="CASCADE"), primary_key=True),
    Column("number", sa.Integer, primary_key=True),
    Column("records", sa.LargeBinary, nullable=False),
)

log_page = Table(
    "log_page",
    metadata,
    Column("day", ID, ForeignKey("log_day.id", ondelete="CASCADE"), primary_key=True),
    Column("number", sa.Integer, primary_key=True),
    Column("url", sa.Text, nullable=False),
    Column("readers", sa.Integer, nullable=False),
    Column("recorded", sa.Integer, nullable=False, server_default="0"),  # what the story's observation says
)

# --- editions -------------------------------------------------------------------------------------

newsletter = Table(
    "newsletter",
    metadata,
    Column("slug", sa.Text, primary_key=True),
    Column("since", Instant, nullable=False),  # periods built before this are nobody's promise
    # The highest number that a reader has seen: never given out again, even when that edition is cancelled.
    Column("last_number", sa.Integer, nullable=False, server_default="0"),
)

edition = Table(
    "edition",
    metadata,
    _id(),
    Column("newsletter", sa.Text, ForeignKey("newsletter.slug"), nullable=False),
    Column("number", sa.Integer, nullable=False),
    Column("start_date", sa.Text, nullable=False),  # local date of the window's start
    Column("window_start", Instant, nullable=False),
    Column("window_end", Instant, nullable=False),
    Column("build_at", Instant, nullable=False),
    Column("lock_at", Instant, nullable=False),
    Column("send_at", Instant, nullable=False),
    Column("state", sa.Text, nullable=False),
    Column("held", sa.Text, nullable=False, server_default=""),
    Column("paused", sa.Text, nullable=False, server_default=""),
    Column("created", Instant, nullable=False),
    Column("date", Instant),
    Column("subject", sa.Text, nullable=False, server_default=""),
    Column("preheader", sa.Text, nullable=False, server_default=""),
    Column("intro", sa.Text, nullable=False, server_default=""),
    Column("sender", JSON),
    Column("policy", JSON),  # approval, lateness and uncertain policy as they were at the build
    Column("metric", sa.Text, nullable=False, server_default=""),
    Column("key_id", sa.Integer, nullable=False, server_default="0"),
    Column("choices", JSON),  # the editor's pins and exclusions
    Column("hash", sa.Text, nullable=False, server_default=""),
    Column("approved_hash", sa.Text, nullable=False, server_default=""),
    Column("approved_by", sa.Text, nullable=False, server_default=""),
    Column("approved", Instant),
    Column("told", Instant),  # when editors were told that the draft is ready
    Column("released", Instant),  # when a person last let it go on after a hold
    Column("fanned_to", sa.BigInteger, nullable=False, server_default="0"),  # last subscription in the ledger
    Column("departed", Instant),  # when it began to leave: no copy has a later Date
    Column("started", Instant),
    Column("finished", Instant),
    Column("left_out", JSON),
    _one_of("state", "draft approved fanning sending finished skipped cancelled failed"),
    sa.CheckConstraint("window_start < window_end", name="window"),
)
Index(
    "uq_edition_period",
    edition.c.newsletter,
    edition.c.start_date,
    unique=True,
    sqlite_where=edition.c.state != "cancelled",
    postgresql_where=edition.c.state != "cancelled",
)
Index(
    "uq_edition_number",
    edition.c.newsletter,
    edition.c.number,
    unique=True,
    sqlite_where=edition.c.state.not_in(["cancelled", "skipped"]),
    postgresql_where=edition.c.state.not_in(["cancelled", "skipped"]),
)
Index("ix_edition_state", edition.c.state)

edition_story = Table(
    "edition_story",
    metadata,
    Column("edition", ID, ForeignKey("edition.id", ondelete="CASCADE"), primary_key=True),
    Column("position", sa.Integer, primary_key=True),
    Column("story", ID, ForeignKey("story.id"), nullable=False, index=True),
    Column("content", JSON, nullable=False),  # the story as frozen, its reasons, score and folded ones
    UniqueConstraint("edition", "story"),
)

variant = Table(
    "variant",
    metadata,
    Column("edition", ID, ForeignKey("edition.id", ondelete="CASCADE"), primary_key=True),
    Column("key", sa.Text, primary_key=True),
    Column("subject", sa.Text, nullable=False),
    Column("html", sa.Text, nullable=False),
    Column("text", sa.Text, nullable=False),
    Column("nonce", sa.Text, nullable=False),
)

template_copy = Table(  # template bytes, frozen by content
    "template_copy",
    metadata,
    Column("edition", ID, ForeignKey("edition.id", ondelete="CASCADE"), primary_key=True),
    Column("name", sa.Text, primary_key=True),
    Column("content", sa.Text, nullable=False),
)

media = Table(  # pictures, frozen by content
    "media",
    metadata,
    Column("hash", sa.Text, primary_key=True),
    Column("media_type", sa.Text, nullable=False),
    Column("content", sa.LargeBinary, nullable=False),
)

edition_media = Table(
    "edition_media",
    metadata,
    Column("edition", ID, ForeignKey("edition.id", ondelete="CASCADE"), primary_key=True),
    Column("hash", sa.Text, ForeignKey("media.hash"), primary_key=True),
)

story_use = Table(  # a newsletter never shows a story twice
    "story_use",
    metadata,
    Column("newsletter", sa.Text, ForeignKey("newsletter.slug"), primary_key=True),
    Column("story", ID, ForeignKey("story.id", ondelete="CASCADE"), primary_key=True),
    Column("edition", ID, ForeignKey("edition.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("used", sa.Boolean, nullable=False),  # false: reserved
)

held_over = Table(  # stories kept for the next edition by an editor, or because they were too young
    "held_over",
    metadata,
    Column("newsletter", sa.Text, ForeignKey("newsletter.slug"), primary_key=True),
    Column("story", ID, ForeignKey("story.id", ondelete="CASCADE"), primary_key=True),
    Column("at", Instant, nullable=False),  # may enter editions whose window starts then or later
)

# --- subscribers: their own package defines theirs ------------------------------------------------

people = subscribers.define_tables(metadata, identifier=ID, instant=Instant)

# --- the ledger -----------------------------------------------------------------------------------

STATES = (
    "accepted", "offered", "claimed", "queued", "deferred", "rejected", "expired", "uncertain", "skipped",
    "cancelled",
)  # fmt: skip
"""Those that rows are written in most often come first: the check stops at the one that is met."""
PASSING = ("accepted", "offered", "claimed")
"""What nearly every row passes through: these states are in no index."""

# Words with OR: for IN with more than two values SQLite builds a table of them at each write.
_PASSES = " OR ".join(f"state = '{state}'" for state in PASSING)

delivery = Table(
    "delivery",
    metadata,
    _id(),
    # Neither refers to its table: to look for what each of a million rows refers to costs PostgreSQL many
    # seconds. The row in `sending` refers to the edition, for all of them; a subscription is never deleted
    # (erasure empties it), and rows are made by one statement that reads it.
    Column("edition", ID, nullable=False),
    Column("subscription", ID, nullable=False),
    Column("address", sa.Text, nullable=False),
    Column("address_key", sa.Text),
    # The lowest subscriber with this address key: unique like the key, but in the order of the rows, where an
    # index of a million keys would be written all over for every thousand rows. NULL, as is the key: skipped,
    # another row has this mailbox.
    Column("mailbox", ID),
    Column("domain", sa.Text, nullable=False),
    Column("name", sa.Text, nullable=False, server_default=""),
    Column("variant", sa.Text, nullable=False),
    Column("state", sa.Text, nullable=False),
    # The state again, where rows are looked for by it; NULL in those that nearly every row passes through.
    # So a copy that goes well costs its index one entry made and one taken out, and PostgreSQL can keep the
    # other changes within the row's page.
    Column("pile", sa.Text),
    Column("skip_reason", sa.Text, nullable=False, server_default=""),
    Column("attempts", sa.Integer, nullable=False, server_default="0"),
    Column("next_attempt", Instant),
    Column("owner", sa.Text),
    Column("epoch", sa.BigInteger),
    Column("resends", sa.Integer, nullable=False, server_default="0"),  # of an uncertain copy
    # That it was offered to last, as host:port. No other one may be given a copy that is sent again.
    Column("server", sa.Text, nullable=False, server_default=""),
    Column("offered", Instant),
    Column("settled", Instant),
    Column("code", sa.Integer, nullable=False, server_default="0"),
    Column("enhanced", sa.Text, nullable=False, server_default=""),
    Column("reply", sa.Text, nullable=False, server_default=""),
    UniqueConstraint("edition", "mailbox"),
    UniqueConstraint("edition", "subscription"),
    sa.CheckConstraint(" OR ".join(f"state = '{state}'" for state in STATES), name="state"),
    sa.CheckConstraint(f"(pile IS NULL) = ({_PASSES}) AND (pile IS NULL OR pile = state)", name="pile"),
    sqlite_autoincrement=True,  # an id in a return path is never given out twice
    postgresql_with={"fillfactor": 80},  # room for a row's next versions on its page
)
Index(
    "ix_delivery_pile",
    delivery.c.edition,
    delivery.c.pile,
    delivery.c.id,
    sqlite_where=delivery.c.pile.is_not(None),
    postgresql_where=delivery.c.pile.is_not(None),
)
Index(
    "ix_delivery_next_attempt",
    delivery.c.edition,
    delivery.c.next_attempt,
    sqlite_where=delivery.c.next_attempt.is_not(None),
    postgresql_where=delivery.c.next_attempt.is_not(None),
)

sending = Table(  # how far an edition is: one row, changed in each transaction that moves copies
    "sending",
    metadata,
    Column("edition", ID, ForeignKey("edition.id"), primary_key=True, autoincrement=False),
    *(Column(state, sa.Integer, nullable=False, server_default="0") for state in STATES),
    Column("started", Instant),  # of the latest run
    Column("updated", Instant),
    Column("rate", sa.Float, nullable=False, server_default="0"),  # results a second
    Column("seconds_left", sa.Float),
    # Copies offered within the present minute (Unix time / 60); earlier ones are in sending_minute.
    Column("minute", sa.BigInteger, nullable=False, server_default="0"),
    Column("minute_offered", sa.Integer, nullable=False, server_default="0"),
)

sending_minute = Table(  # what a relay's limits of an hour and a day are counted by
    "sending_minute",
    metadata,
    Column("minute", sa.BigInteger, primary_key=True, autoincrement=False),
    Column(
        "edition", ID, ForeignKey("edition.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    Column("offered", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)

bounce = Table(
    "bounce",
    metadata,
    _id(),
    Column("delivery", ID, ForeignKey("delivery.id"), index=True),
    Column("edition", ID, ForeignKey("edition.id"), index=True),
    Column("address_key", sa.Text, nullable=False, index=True),
    Column("kind", sa.Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("enhanced", sa.Text, nullable=False, server_default=""),
    Column("reply", sa.Text, nullable=False, server_default=""),
    Column("digest", sa.Text, nullable=False, unique=True),  # of the report: read twice, counted once
    _one_of("kind", "hard soft"),
)

complaint = Table(
    "complaint",
    metadata,
    _id(),
    Column("delivery", ID, ForeignKey("delivery.id"), index=True),
    Column("edition", ID, ForeignKey("edition.id"), index=True),
    Column("address_key", sa.Text, nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("digest", sa.Text, nullable=False, unique=True),
)
