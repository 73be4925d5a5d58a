"""Remember what people can still undo, and mark withdrawals that undo a decision."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "undos",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=22), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_undos_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_undos"),
    )
    op.create_index("ix_undos_token", "undos", ["token"])
    op.create_index("ix_undos_created_at", "undos", ["created_at"])
    with op.batch_alter_table("decisions") as table:
        table.add_column(sa.Column("undoes", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("decisions") as table:
        table.alter_column("undoes", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("decisions") as table:
        table.drop_column("undoes")
    op.drop_table("undos")
