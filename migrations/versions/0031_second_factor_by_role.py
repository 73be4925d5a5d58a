"""Roles that demand a second factor, and sessions that began at the sign-in provider.

What people can undo at the time of the upgrade is forgotten: a restored set no longer needs what was stored for it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "factor_demands",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("role", sa.String(16), nullable=False, unique=True),
        sa.Column("demanded_by_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    with op.batch_alter_table("login_sessions") as sessions:
        sessions.add_column(sa.Column("by_provider", sa.Boolean, nullable=False, server_default=sa.false()))
    with op.batch_alter_table("login_sessions") as sessions:
        sessions.alter_column("by_provider", server_default=None)
    op.execute("DELETE FROM undos")


def downgrade() -> None:
    with op.batch_alter_table("login_sessions") as sessions:
        sessions.drop_column("by_provider")
    op.drop_table("factor_demands")
