"""How a style version shares other than the paper. Existing versions share as before."""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

NUMBERS = {
    "calibration": 0.0,
    "calibration_start": 0.0,
    "calibration_end": 1.0,
    "reference_queries": 0.0,
    "subject_attention": 1.0,
}


def upgrade() -> None:
    with op.batch_alter_table("style_versions") as table:
        table.add_column(sa.Column("layers", sa.JSON, nullable=False, server_default="[]"))
        for name, value in NUMBERS.items():
            table.add_column(sa.Column(name, sa.Double(), nullable=False, server_default=str(value)))
        table.add_column(sa.Column("blend", sa.String(16), nullable=False, server_default="weight"))
    with op.batch_alter_table("style_versions") as table:
        for name in ("layers", *NUMBERS, "blend"):
            table.alter_column(name, server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("style_versions") as table:
        for name in ("blend", *reversed(NUMBERS), "layers"):
            table.drop_column(name)
