"""Order the queue by hand, pause what waits in it, and pause all of it."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("units") as units:
        units.add_column(sa.Column("place", sa.Integer()))
        units.add_column(sa.Column("paused_at", sa.DateTime(timezone=True)))
        units.add_column(sa.Column("paused_as", sa.String(length=16)))
    op.create_table(
        "queue_pauses",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("paused_by_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["paused_by_id"], ["users.id"], name="fk_queue_pauses_paused_by_id"),
        sa.PrimaryKeyConstraint("id", name="pk_queue_pauses"),
    )


def downgrade() -> None:
    op.drop_table("queue_pauses")
    with op.batch_alter_table("units") as units:
        units.drop_column("paused_as")
        units.drop_column("paused_at")
        units.drop_column("place")
