"""Blind tests."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "blind_tests",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("maker_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("question", sa.String(16), nullable=False),
        sa.Column("own_question", sa.String(200), nullable=False),
        sa.Column("reference_id", sa.Integer, sa.ForeignKey("references.id"), nullable=True),
        sa.Column("a_key", sa.String(40), nullable=False),
        sa.Column("a_name", sa.String(120), nullable=False),
        sa.Column("a_number", sa.Integer, nullable=True),
        sa.Column("b_key", sa.String(40), nullable=False),
        sa.Column("b_name", sa.String(120), nullable=False),
        sa.Column("b_number", sa.Integer, nullable=True),
        sa.Column("by_prompt", sa.Boolean, nullable=False),
        sa.Column("a_alone", sa.Integer, nullable=False),
        sa.Column("b_alone", sa.Integer, nullable=False),
        sa.Column("planned", sa.Integer, nullable=False),
        sa.Column("seed", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_as", sa.String(16), nullable=True),
        sa.Column("ended_by_id", sa.Integer, sa.ForeignKey("users.id"), nullable=True),
        sa.Column("ended_why", sa.Text, nullable=False),
    )
    op.create_index("ix_blind_tests_ended", "blind_tests", ["ended_at", "id"])
    op.create_table(
        "blind_pairs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("test_id", sa.Integer, sa.ForeignKey("blind_tests.id"), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("a_image_id", sa.Integer, sa.ForeignKey("images.id"), nullable=False),
        sa.Column("b_image_id", sa.Integer, sa.ForeignKey("images.id"), nullable=False),
        sa.Column("left_out", sa.String(16), nullable=True),
        sa.UniqueConstraint("test_id", "position"),
    )
    op.create_table(
        "blind_judges",
        sa.Column("test_id", sa.Integer, sa.ForeignKey("blind_tests.id"), primary_key=True),
        sa.Column("person_id", sa.Integer, sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("invited_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.create_index("ix_blind_judges_person_id", "blind_judges", ["person_id"])
    op.create_table(
        "blind_judgements",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("test_id", sa.Integer, sa.ForeignKey("blind_tests.id"), nullable=False),
        sa.Column("pair_id", sa.Integer, sa.ForeignKey("blind_pairs.id"), nullable=False),
        sa.Column("person_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("choice", sa.String(8), nullable=False),
        sa.Column("a_left", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("pair_id", "person_id"),
    )
    op.create_index("ix_blind_judgements_test_id", "blind_judgements", ["test_id"])
    op.create_index("ix_blind_judgements_person_id", "blind_judgements", ["person_id"])


def downgrade() -> None:
    for table in ("blind_judgements", "blind_judges", "blind_pairs", "blind_tests"):
        op.drop_table(table)
