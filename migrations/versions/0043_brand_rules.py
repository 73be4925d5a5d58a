"""Brand rules, and the score of each picture."""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "brand_versions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("style_id", sa.Integer, sa.ForeignKey("styles.id", ondelete="CASCADE"), nullable=True),
        sa.Column("campaign_id", sa.Integer, sa.ForeignKey("campaigns.id", ondelete="CASCADE"), nullable=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("rules", sa.JSON, nullable=False),
        sa.Column("pictures", sa.Integer, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(style_id IS NULL) <> (campaign_id IS NULL)", name="of_one_thing"),
        sa.UniqueConstraint("style_id", "number"),
        sa.UniqueConstraint("campaign_id", "number"),
    )
    op.create_table(
        "brand_scores",
        sa.Column(
            "image_id", sa.Integer, sa.ForeignKey("images.id", ondelete="CASCADE"), primary_key=True, nullable=False
        ),
        sa.Column("stamp", sa.String(120), nullable=False),
        sa.Column("score", sa.Double, nullable=True),
        sa.Column("parts", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("brand_scores")
    op.drop_table("brand_versions")
