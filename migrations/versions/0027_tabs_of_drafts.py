"""A draft knows which tab saved it last, so that a tab does not conflict with itself."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("drafts") as drafts:
        drafts.add_column(sa.Column("tab", sa.String(32), nullable=False, server_default=""))
    with op.batch_alter_table("drafts") as drafts:
        drafts.alter_column("tab", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("drafts") as drafts:
        drafts.drop_column("tab")
