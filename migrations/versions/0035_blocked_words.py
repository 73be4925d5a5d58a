"""Words and names that the team does not allow in prompts."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "blocked_words",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("folded", sa.String(200), nullable=False, unique=True),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("whole", sa.Boolean, nullable=False),
        sa.Column("managers_may", sa.Boolean, nullable=False),
        sa.Column("added_by_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("blocked_words")
