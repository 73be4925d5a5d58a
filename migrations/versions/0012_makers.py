"""Index who redid pictures and which campaigns require other approvers: every page queries them."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_images_made_by_id", "images", ["made_by_id"])
    op.create_index("ix_campaigns_four_eyes", "campaigns", ["four_eyes"])


def downgrade() -> None:
    op.drop_index("ix_images_made_by_id", "images")
    op.drop_index("ix_campaigns_four_eyes", "campaigns")
