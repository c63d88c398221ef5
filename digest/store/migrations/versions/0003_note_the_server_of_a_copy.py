"""Note the server that a copy was offered to; of copies offered before nobody knows it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("delivery", sa.Column("server", sa.Text(), server_default="", nullable=False))
