"""Ask sources that fail later and later; remember what the pages of stories answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("source", sa.Column("failures", sa.Integer(), server_default="0", nullable=False))
    op.add_column("source", sa.Column("not_before", sa.BigInteger(), nullable=True))
    op.add_column("source", sa.Column("address", sa.Text(), server_default="", nullable=False))
    # These began with a mark of their address, which has a column of its own now: asked for once more.
    op.execute("UPDATE source SET etag = '', modified = ''")
    op.create_table(
        "story_page",
        sa.Column(
            "story",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("looked", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("missing", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["story"], ["story.id"], name=op.f("fk_story_page_story"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("story", name=op.f("pk_story_page")),
    )
