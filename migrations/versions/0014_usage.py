"""What each person uses of the quotas, per day and in storage; initialised with the files of known size."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "usage",
        sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("what", sa.String(20), primary_key=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
    )
    op.execute(
        """
        INSERT INTO usage (user_id, day, what, amount)
        SELECT owner, '1970-01-01', 'storage', sum(bytes) FROM (
            SELECT uploaded_by_id AS owner, bytes FROM "references"
            UNION ALL SELECT owner_id, bytes FROM subjects WHERE kind = 'file' AND bytes IS NOT NULL
            UNION ALL SELECT uploaded_by_id, bytes FROM rights_files
        ) GROUP BY owner
        """
    )


def downgrade() -> None:
    op.drop_table("usage")
