"""Which layers share in a draft of a tuning. Earlier drafts shared in those of their style's version."""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

OF_VERSION = """
    UPDATE tuning_drafts SET layers = (
        SELECT style_versions.layers FROM tunings JOIN style_versions ON style_versions.id = tunings.style_version_id
        WHERE tunings.id = tuning_drafts.tuning_id)
"""


def upgrade() -> None:
    with op.batch_alter_table("tuning_drafts") as table:
        table.add_column(sa.Column("layers", sa.JSON, nullable=False, server_default="[]"))
    op.execute(OF_VERSION)
    with op.batch_alter_table("tuning_drafts") as table:
        table.alter_column("layers", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("tuning_drafts") as table:
        table.drop_column("layers")
