"""Keep how far access logs were read, and the readers that they show."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "log_day",
        sa.Column("id", identifier, autoincrement=True, nullable=False),
        sa.Column("source", identifier, nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("closes", sa.BigInteger(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["source"], ["source.id"], name=op.f("fk_log_day_source")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_day")),
        sa.UniqueConstraint("source", "start", name=op.f("uq_log_day_source_start")),
    )
    op.create_index("ix_log_day_closes", "log_day", ["closes"])
    op.create_table(
        "log_file",
        sa.Column("id", identifier, autoincrement=True, nullable=False),
        sa.Column("source", identifier, nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("latest", sa.BigInteger(), nullable=True),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["source"], ["source.id"], name=op.f("fk_log_file_source")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_file")),
    )
    op.create_index("ix_log_file_source", "log_file", ["source"])
    op.create_index("ix_log_file_digest", "log_file", ["digest"])
    op.create_table(
        "log_page",
        sa.Column("day", identifier, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("readers", sa.Integer(), nullable=False),
        sa.Column("recorded", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["day"], ["log_day.id"], name=op.f("fk_log_page_day"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("day", "number", name=op.f("pk_log_page")),
    )
    op.create_table(
        "log_visits",
        sa.Column("day", identifier, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("records", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["day"], ["log_day.id"], name=op.f("fk_log_visits_day"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("day", "number", name=op.f("pk_log_visits")),
    )
