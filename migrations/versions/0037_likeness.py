"""Real people whom references show, their consent, and subjects that show the same people."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

TEXTS = {"person": sa.String(200), "consent": sa.String(200), "consent_scope": sa.Text}
MORE = {"person_for": sa.String(16), "person_users": sa.Text}


def upgrade() -> None:
    with op.batch_alter_table("rights_records") as rights:
        for name, kind in TEXTS.items():
            rights.add_column(sa.Column(name, kind, nullable=False, server_default=""))
        rights.add_column(sa.Column("consent_from", sa.Date, nullable=True))
        rights.add_column(sa.Column("consent_until", sa.Date, nullable=True))
        for name, kind in MORE.items():
            rights.add_column(sa.Column(name, kind, nullable=False, server_default=""))
    with op.batch_alter_table("rights_records") as rights:
        for name in (*TEXTS, *MORE):
            rights.alter_column(name, server_default=None)
    op.create_table(
        "subject_likenesses",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("subject_id", sa.Integer, sa.ForeignKey("subjects.id"), nullable=False),
        sa.Column("reference_id", sa.Integer, sa.ForeignKey("references.id"), nullable=False),
        sa.Column("added_by_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("subject_id", "reference_id"),
    )
    op.create_index("ix_subject_likenesses_reference_id", "subject_likenesses", ["reference_id"])


def downgrade() -> None:
    op.drop_table("subject_likenesses")
    with op.batch_alter_table("rights_records") as rights:
        for name in (*TEXTS, "consent_from", "consent_until", *MORE):
            rights.drop_column(name)
