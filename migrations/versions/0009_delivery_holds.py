"""Links on hold; the other files of an export, measured once; files looked up by content."""

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
    make_ready_again()


def make_ready_again() -> None:
    """The files of exports have new names; the server remakes them at start, and links open again then."""
    ready = "SELECT id FROM exports WHERE state = 'ready'"
    op.execute(f"UPDATE export_files SET key = NULL, lost = 0 WHERE export_id IN ({ready})")
    op.execute("UPDATE exports SET state = 'queued', done = 0, lost = 0 WHERE state = 'ready'")


def downgrade() -> None:
    make_ready_again()
    op.drop_index("ix_export_files_sha256", "export_files")
    with op.batch_alter_table("shares") as table:
        table.drop_column("suspended_at")
    with op.batch_alter_table("exports") as table:
        table.drop_column("extras")
