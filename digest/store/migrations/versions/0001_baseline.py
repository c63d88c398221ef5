"""The tables of the first version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("raised", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.BigInteger(), nullable=True),
        sa.Column("settled", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
    )
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.create_index(
            "uq_alert_open",
            ["key"],
            unique=True,
            sqlite_where=sa.text("settled IS NULL"),
            postgresql_where=sa.text("settled IS NULL"),
        )

    op.create_table(
        "event",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_event_subject"), ["subject"], unique=False)

    op.create_table(
        "installation",
        sa.Column("one", sa.Integer(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck_installation_one")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_installation")),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "media",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_media")),
    )
    op.create_table(
        "metric",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("distinct", sa.Boolean(), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=True),
        sa.CheckConstraint("kind IN ('count', 'total')", name=op.f("ck_metric_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_metric")),
        sa.UniqueConstraint("name", name=op.f("uq_metric_name")),
    )
    op.create_table(
        "newsletter",
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("last_number", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_newsletter")),
    )
    op.create_table(
        "source",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("last_poll", sa.BigInteger(), nullable=True),
        sa.Column("last_success", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("etag", sa.Text(), server_default="", nullable=False),
        sa.Column("modified", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source")),
        sa.UniqueConstraint("name", name=op.f("uq_source_name")),
    )
    op.create_table(
        "subscriber",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("domain", sa.Text(), server_default="", nullable=False),
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("language", sa.Text(), server_default="", nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("erased", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriber")),
        sa.UniqueConstraint("address", name=op.f("uq_subscriber_address")),
    )
    with op.batch_alter_table("subscriber", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_subscriber_address_key"), ["address_key"], unique=False)

    op.create_table(
        "suppression",
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "reason IN ('hard_bounce', 'soft_bounce', 'complaint', 'manual', 'imported')",
            name=op.f("ck_suppression_reason"),
        ),
        sa.PrimaryKeyConstraint("address_key", name=op.f("pk_suppression")),
    )
    op.create_table(
        "edition",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("newsletter", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("start_date", sa.Text(), nullable=False),
        sa.Column("window_start", sa.BigInteger(), nullable=False),
        sa.Column("window_end", sa.BigInteger(), nullable=False),
        sa.Column("build_at", sa.BigInteger(), nullable=False),
        sa.Column("lock_at", sa.BigInteger(), nullable=False),
        sa.Column("send_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("held", sa.Text(), server_default="", nullable=False),
        sa.Column("paused", sa.Text(), server_default="", nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("date", sa.BigInteger(), nullable=True),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("preheader", sa.Text(), server_default="", nullable=False),
        sa.Column("intro", sa.Text(), server_default="", nullable=False),
        sa.Column("sender", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("policy", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("metric", sa.Text(), server_default="", nullable=False),
        sa.Column("key_id", sa.Integer(), server_default="0", nullable=False),
        sa.Column("choices", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("hash", sa.Text(), server_default="", nullable=False),
        sa.Column("approved_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("approved_by", sa.Text(), server_default="", nullable=False),
        sa.Column("approved", sa.BigInteger(), nullable=True),
        sa.Column("told", sa.BigInteger(), nullable=True),
        sa.Column("released", sa.BigInteger(), nullable=True),
        sa.Column("fanned_to", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("departed", sa.BigInteger(), nullable=True),
        sa.Column("started", sa.BigInteger(), nullable=True),
        sa.Column("finished", sa.BigInteger(), nullable=True),
        sa.Column("left_out", sa.JSON(none_as_null=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('draft', 'approved', 'fanning', 'sending', 'finished', 'skipped', 'cancelled', 'failed')",
            name=op.f("ck_edition_state"),
        ),
        sa.CheckConstraint("window_start < window_end", name=op.f("ck_edition_window")),
        sa.ForeignKeyConstraint(["newsletter"], ["newsletter.slug"], name=op.f("fk_edition_newsletter")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_edition")),
    )
    with op.batch_alter_table("edition", schema=None) as batch_op:
        batch_op.create_index("ix_edition_state", ["state"], unique=False)
        batch_op.create_index(
            "uq_edition_number",
            ["newsletter", "number"],
            unique=True,
            sqlite_where=sa.text("(state NOT IN ('cancelled', 'skipped'))"),
            postgresql_where=sa.text("(state NOT IN ('cancelled', 'skipped'))"),
        )
        batch_op.create_index(
            "uq_edition_period",
            ["newsletter", "start_date"],
            unique=True,
            sqlite_where=sa.text("state != 'cancelled'"),
            postgresql_where=sa.text("state != 'cancelled'"),
        )

    op.create_table(
        "story",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("source", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("standfirst", sa.Text(), server_default="", nullable=False),
        sa.Column("body", sa.Text(), server_default="", nullable=False),
        sa.Column("author", sa.Text(), server_default="", nullable=False),
        sa.Column("section", sa.Text(), server_default="", nullable=False),
        sa.Column("language", sa.Text(), server_default="", nullable=False),
        sa.Column("picture", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("related", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("full_text", sa.Boolean(), nullable=False),
        sa.Column("published", sa.BigInteger(), nullable=True),
        sa.Column("updated", sa.BigInteger(), nullable=True),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn", sa.BigInteger(), nullable=True),
        sa.Column("date", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('article', 'live', 'gallery', 'video', 'sponsored')", name=op.f("ck_story_kind")
        ),
        sa.ForeignKeyConstraint(["source"], ["source.id"], name=op.f("fk_story_source")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_story")),
        sa.UniqueConstraint("source", "external_id", name=op.f("uq_story_source_external_id")),
    )
    with op.batch_alter_table("story", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_story_date"), ["date"], unique=False)
        batch_op.create_index("ix_story_url", ["url"], unique=False)

    op.create_table(
        "subscription",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("subscriber", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("newsletter", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('pending', 'confirmed', 'unsubscribed')", name=op.f("ck_subscription_state")
        ),
        sa.ForeignKeyConstraint(["newsletter"], ["newsletter.slug"], name=op.f("fk_subscription_newsletter")),
        sa.ForeignKeyConstraint(["subscriber"], ["subscriber.id"], name=op.f("fk_subscription_subscriber")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
        sa.UniqueConstraint("subscriber", "newsletter", name=op.f("uq_subscription_subscriber_newsletter")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("subscription", schema=None) as batch_op:
        batch_op.create_index("ix_subscription_audience", ["newsletter", "state", "id"], unique=False)

    op.create_table(
        "consent",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("subscription", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), server_default="", nullable=False),
        sa.Column("wording", sa.Text(), server_default="", nullable=False),
        sa.Column("ip_key", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["subscription"], ["subscription.id"], name=op.f("fk_consent_subscription")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
    )
    with op.batch_alter_table("consent", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_consent_subscription"), ["subscription"], unique=False)

    op.create_table(
        "delivery",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("edition", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subscription", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("address_key", sa.Text(), nullable=True),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("variant", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("skip_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt", sa.BigInteger(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=True),
        sa.Column("resends", sa.Integer(), server_default="0", nullable=False),
        sa.Column("offered", sa.BigInteger(), nullable=True),
        sa.Column("settled", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.Integer(), server_default="0", nullable=False),
        sa.Column("enhanced", sa.Text(), server_default="", nullable=False),
        sa.Column("reply", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "state IN ('queued', 'claimed', 'offered', 'accepted', 'deferred', 'rejected', 'expired', 'uncertain', 'skipped', 'cancelled')",
            name=op.f("ck_delivery_state"),
        ),
        sa.ForeignKeyConstraint(["edition"], ["edition.id"], name=op.f("fk_delivery_edition")),
        sa.ForeignKeyConstraint(["subscription"], ["subscription.id"], name=op.f("fk_delivery_subscription")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("edition", "address_key", name=op.f("uq_delivery_edition_address_key")),
        sa.UniqueConstraint("edition", "subscription", name=op.f("uq_delivery_edition_subscription")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index("ix_delivery_work", ["edition", "state", "next_attempt", "id"], unique=False)

    op.create_table(
        "edition_media",
        sa.Column("edition", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["edition"], ["edition.id"], name=op.f("fk_edition_media_edition"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["hash"], ["media.hash"], name=op.f("fk_edition_media_hash")),
        sa.PrimaryKeyConstraint("edition", "hash", name=op.f("pk_edition_media")),
    )
    op.create_table(
        "edition_story",
        sa.Column("edition", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("story", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("content", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["edition"], ["edition.id"], name=op.f("fk_edition_story_edition"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["story"], ["story.id"], name=op.f("fk_edition_story_story")),
        sa.PrimaryKeyConstraint("edition", "position", name=op.f("pk_edition_story")),
        sa.UniqueConstraint("edition", "story", name=op.f("uq_edition_story_edition_story")),
    )
    with op.batch_alter_table("edition_story", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_edition_story_story"), ["story"], unique=False)

    op.create_table(
        "held_over",
        sa.Column("newsletter", sa.Text(), nullable=False),
        sa.Column("story", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["newsletter"], ["newsletter.slug"], name=op.f("fk_held_over_newsletter")),
        sa.ForeignKeyConstraint(["story"], ["story.id"], name=op.f("fk_held_over_story"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("newsletter", "story", name=op.f("pk_held_over")),
    )
    op.create_table(
        "observation",
        sa.Column("story", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("metric", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["metric"], ["metric.id"], name=op.f("fk_observation_metric")),
        sa.ForeignKeyConstraint(["source"], ["source.id"], name=op.f("fk_observation_source")),
        sa.ForeignKeyConstraint(
            ["story"], ["story.id"], name=op.f("fk_observation_story"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("story", "metric", "source", "at", name=op.f("pk_observation")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "story_name",
        sa.Column("source", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("story", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["source"], ["source.id"], name=op.f("fk_story_name_source")),
        sa.ForeignKeyConstraint(
            ["story"], ["story.id"], name=op.f("fk_story_name_story"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("source", "external_id", name=op.f("pk_story_name")),
    )
    with op.batch_alter_table("story_name", schema=None) as batch_op:
        batch_op.create_index("ix_story_name_external_id", ["external_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_story_name_story"), ["story"], unique=False)

    op.create_table(
        "story_use",
        sa.Column("newsletter", sa.Text(), nullable=False),
        sa.Column("story", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("edition", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("used", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["edition"], ["edition.id"], name=op.f("fk_story_use_edition"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["newsletter"], ["newsletter.slug"], name=op.f("fk_story_use_newsletter")),
        sa.ForeignKeyConstraint(["story"], ["story.id"], name=op.f("fk_story_use_story"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("newsletter", "story", name=op.f("pk_story_use")),
    )
    with op.batch_alter_table("story_use", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_story_use_edition"), ["edition"], unique=False)

    op.create_table(
        "story_version",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("story", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("standfirst", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["story"], ["story.id"], name=op.f("fk_story_version_story"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_story_version")),
    )
    with op.batch_alter_table("story_version", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_story_version_story"), ["story"], unique=False)

    op.create_table(
        "template_copy",
        sa.Column("edition", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["edition"], ["edition.id"], name=op.f("fk_template_copy_edition"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("edition", "name", name=op.f("pk_template_copy")),
    )
    op.create_table(
        "variant",
        sa.Column("edition", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["edition"], ["edition.id"], name=op.f("fk_variant_edition"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("edition", "key", name=op.f("pk_variant")),
    )
    op.create_table(
        "bounce",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("delivery", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("edition", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("enhanced", sa.Text(), server_default="", nullable=False),
        sa.Column("reply", sa.Text(), server_default="", nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('hard', 'soft')", name=op.f("ck_bounce_kind")),
        sa.ForeignKeyConstraint(["delivery"], ["delivery.id"], name=op.f("fk_bounce_delivery")),
        sa.ForeignKeyConstraint(["edition"], ["edition.id"], name=op.f("fk_bounce_edition")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bounce")),
        sa.UniqueConstraint("digest", name=op.f("uq_bounce_digest")),
    )
    with op.batch_alter_table("bounce", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bounce_address_key"), ["address_key"], unique=False)
        batch_op.create_index(batch_op.f("ix_bounce_delivery"), ["delivery"], unique=False)
        batch_op.create_index(batch_op.f("ix_bounce_edition"), ["edition"], unique=False)

    op.create_table(
        "complaint",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("delivery", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("edition", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["delivery"], ["delivery.id"], name=op.f("fk_complaint_delivery")),
        sa.ForeignKeyConstraint(["edition"], ["edition.id"], name=op.f("fk_complaint_edition")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint")),
        sa.UniqueConstraint("digest", name=op.f("uq_complaint_digest")),
    )
    with op.batch_alter_table("complaint", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_complaint_address_key"), ["address_key"], unique=False)
        batch_op.create_index(batch_op.f("ix_complaint_delivery"), ["delivery"], unique=False)
        batch_op.create_index(batch_op.f("ix_complaint_edition"), ["edition"], unique=False)
