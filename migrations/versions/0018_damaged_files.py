"""Remember damaged files and how far the files were read, and mark the database as Soroe's."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

APPLICATION = 0x536F726F  # as `app.upkeep.opening` expects it


def upgrade() -> None:
    op.create_table(
        "damaged_files",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("flaw", sa.String(length=16), nullable=False),
        sa.Column("noticed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_damaged_files"),
        sa.UniqueConstraint("kind", "sha256", name="uq_damaged_files_kind_sha256"),
    )
    op.create_table(
        "file_reading",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last", sa.String(length=80), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("id = 1", name="ck_file_reading_only_one"),
        sa.PrimaryKeyConstraint("id", name="pk_file_reading"),
    )
    op.execute(f"PRAGMA application_id = {APPLICATION}")


def downgrade() -> None:
    op.drop_table("file_reading")
    op.drop_table("damaged_files")
    op.execute("PRAGMA application_id = 0")
