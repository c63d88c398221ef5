"""Let editors hide, edit and merge stories, and keep what pages told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("story", sa.Column("hidden", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("story", sa.Column("merged_into", identifier, nullable=True))
    op.add_column("story", sa.Column("edited", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("story", sa.Column("from_page", sa.JSON(none_as_null=True), nullable=True))
    op.create_index(
        "ix_story_merged_into",
        "story",
        ["merged_into"],
        sqlite_where=sa.text("merged_into IS NOT NULL"),
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    )
