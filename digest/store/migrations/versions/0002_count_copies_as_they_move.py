"""Count copies as they move; index only what is still to do or went wrong."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_STATES = (
    "accepted", "offered", "claimed", "queued", "deferred", "rejected", "expired", "uncertain", "skipped",
    "cancelled",
)  # fmt: skip
_STATE = " OR ".join(f"state = '{state}'" for state in _STATES)
_PASSES = "state = 'accepted' OR state = 'offered' OR state = 'claimed'"
_PILE = f"(pile IS NULL) = ({_PASSES}) AND (pile IS NULL OR pile = state)"


def upgrade() -> None:
    _make_tables()
    op.drop_index("ix_delivery_work", table_name="delivery")
    op.add_column("delivery", sa.Column("pile", sa.Text(), nullable=True))
    identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("delivery", sa.Column("mailbox", identifier, nullable=True))
    op.execute(f"UPDATE delivery SET pile = state WHERE NOT ({_PASSES})")  # noqa: S608 - a constant
    op.execute(
        "UPDATE delivery SET mailbox ="
        " (SELECT min(s.id) FROM subscriber s WHERE s.address_key = delivery.address_key)"
    )
    # On SQLite this rebuilds the table.
    with op.batch_alter_table("delivery", table_kwargs={"sqlite_autoincrement": True}) as batch_op:
        batch_op.drop_constraint(op.f("fk_delivery_edition"), type_="foreignkey")
        batch_op.drop_constraint(op.f("fk_delivery_subscription"), type_="foreignkey")
        batch_op.drop_constraint(op.f("uq_delivery_edition_address_key"), type_="unique")
        batch_op.create_unique_constraint(op.f("uq_delivery_edition_mailbox"), ["edition", "mailbox"])
        batch_op.drop_constraint(op.f("ck_delivery_state"), type_="check")
        batch_op.create_check_constraint(op.f("ck_delivery_state"), _STATE)
        batch_op.create_check_constraint(op.f("ck_delivery_pile"), _PILE)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE delivery SET (fillfactor = 80)")
    op.create_index(
        "ix_delivery_pile",
        "delivery",
        ["edition", "pile", "id"],
        sqlite_where=sa.text("pile IS NOT NULL"),
        postgresql_where=sa.text("pile IS NOT NULL"),
    )
    op.create_index(
        "ix_delivery_next_attempt",
        "delivery",
        ["edition", "next_attempt"],
        sqlite_where=sa.text("next_attempt IS NOT NULL"),
        postgresql_where=sa.text("next_attempt IS NOT NULL"),
    )
    op.drop_index("ix_subscriber_address_key", table_name="subscriber")
    op.create_index("ix_subscriber_address_key", "subscriber", ["address_key", "id"])
    counted = ", ".join(f"sum(CASE WHEN state = '{state}' THEN 1 ELSE 0 END)" for state in _STATES)
    op.execute(
        f"INSERT INTO sending (edition, {', '.join(_STATES)})"  # noqa: S608 - constants
        f" SELECT edition, {counted} FROM delivery GROUP BY edition"
    )


def _make_tables() -> None:
    identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "sending",
        sa.Column("edition", identifier, autoincrement=False, nullable=False),
        *(sa.Column(state, sa.Integer(), server_default="0", nullable=False) for state in _STATES),
        sa.Column("started", sa.BigInteger(), nullable=True),
        sa.Column("updated", sa.BigInteger(), nullable=True),
        sa.Column("rate", sa.Float(), server_default="0", nullable=False),
        sa.Column("seconds_left", sa.Float(), nullable=True),
        sa.Column("minute", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("minute_offered", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["edition"], ["edition.id"], name=op.f("fk_sending_edition")),
        sa.PrimaryKeyConstraint("edition", name=op.f("pk_sending")),
    )
    op.create_table(
        "sending_minute",
        sa.Column("minute", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("edition", identifier, autoincrement=False, nullable=False),
        sa.Column("offered", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["edition"], ["edition.id"], name=op.f("fk_sending_minute_edition"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("minute", "edition", name=op.f("pk_sending_minute")),
        sqlite_with_rowid=False,
    )
