"""Comments can be edited and deleted by their writers."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("comments") as comments:
        comments.add_column(sa.Column("edited_at", sa.DateTime(timezone=True)))
        comments.add_column(sa.Column("deleted_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.execute("UPDATE comments SET body = 'Comment deleted' WHERE deleted_at IS NOT NULL")
    with op.batch_alter_table("comments") as comments:
        comments.drop_column("deleted_at")
        comments.drop_column("edited_at")
