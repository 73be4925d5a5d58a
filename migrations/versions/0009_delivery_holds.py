"""Links that are on hold; what lies beside the pictures of an export, measured once; files found by their content."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("exports") as table:
        table.add_column(sa.Column("extras", sa.JSON()))
    with op.batch_alter_table("shares") as table:
        table.add_column(sa.Column("suspended_at", sa.DateTime(timezone=True)))
    op.create_index("ix_export_files_sha256", "export_files", ["sha256"])


def downgrade() -> None:
    op.drop_index("ix_export_files_sha256", "export_files")
    with op.batch_alter_table("shares") as table:
        table.drop_column("suspended_at")
    with op.batch_alter_table("exports") as table:
        table.drop_column("extras")
