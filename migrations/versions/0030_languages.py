"""A person's language; empty for that of their browser."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("language", sa.String(16), nullable=False, server_default=""))
    with op.batch_alter_table("users") as users:
        users.alter_column("language", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.drop_column("language")
