"""Count how often the engine stopped during a unit, apart from the unit's own failures."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("units") as units:
        units.add_column(sa.Column("crashes", sa.Integer, nullable=False, server_default="0"))
    with op.batch_alter_table("units") as units:
        units.alter_column("crashes", server_default=None)


def downgrade() -> None:
    for table in ("units", "images", "subjects"):
        op.execute(f"UPDATE {table} SET state = 'failed' WHERE state = 'held'")  # noqa: S608  (our own names)
    with op.batch_alter_table("units") as units:
        units.drop_column("crashes")
