"""Index pictures by position for each scope of a review, without locked ones."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_images_shown_set_id_position": ["shown", "set_id", "position"],
    "ix_images_shown_decision_set_id_position": ["shown", "decision", "set_id", "position"],
    "ix_images_shown_campaign_id_set_id_position": ["shown", "campaign_id", "set_id", "position"],
    "ix_images_shown_style_id_set_id_position": ["shown", "style_id", "set_id", "position"],
    "ix_images_shown_owner_id_set_id_position": ["shown", "owner_id", "set_id", "position"],
}
PARTLY = "approvals > 0 AND decision IS NULL"


def upgrade() -> None:
    partly_approved(["shown", "decision", "approvals", "set_id"])
    for name, columns in INDEXES.items():
        op.create_index(name, "images", columns)
    op.create_index("ix_image_sets_locked_at", "image_sets", ["locked_at"])


def partly_approved(columns: list[str]) -> None:
    op.drop_index("ix_images_partly_approved", "images")
    op.create_index("ix_images_partly_approved", "images", columns, sqlite_where=sa.text(PARTLY))


def downgrade() -> None:
    partly_approved(["shown", "decision", "id"])
    op.drop_index("ix_image_sets_locked_at", "image_sets")
    for name in INDEXES:
        op.drop_index(name, "images")
