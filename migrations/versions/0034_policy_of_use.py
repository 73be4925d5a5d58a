"""The policy of use: its versions, and who accepted which."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "policy_versions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False, unique=True),
        sa.Column("english", sa.Text, nullable=False),
        sa.Column("japanese", sa.Text, nullable=False),
        sa.Column("note", sa.String(300), nullable=False),
        sa.Column("asks", sa.Boolean, nullable=False),
        sa.Column("ended", sa.Boolean, nullable=False),
        sa.Column("published_by_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "policy_acceptances",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("version_id", sa.Integer, sa.ForeignKey("policy_versions.id"), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("user_id", "version_id"),
    )
    op.create_index("ix_policy_acceptances_version_id", "policy_acceptances", ["version_id"])


def downgrade() -> None:
    op.drop_table("policy_acceptances")
    op.drop_table("policy_versions")
