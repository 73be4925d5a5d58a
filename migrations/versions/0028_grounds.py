"""A reference says which colour is behind it, if its file was transparent, and a draft how long it is."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("references") as references:
        references.add_column(sa.Column("ground", sa.String(7)))
    with op.batch_alter_table("drafts") as drafts:
        drafts.add_column(sa.Column("length", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("drafts") as drafts:
        drafts.alter_column("length", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("drafts") as drafts:
        drafts.drop_column("length")
    with op.batch_alter_table("references") as references:
        references.drop_column("ground")
