"""Names and sizes of the files that were uploaded to drafts."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("draft_files") as files:
        files.add_column(sa.Column("name", sa.String(255), nullable=False, server_default=""))
        files.add_column(sa.Column("bytes", sa.Integer, nullable=True))
    with op.batch_alter_table("draft_files") as files:
        files.alter_column("name", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("draft_files") as files:
        files.drop_column("bytes")
        files.drop_column("name")
