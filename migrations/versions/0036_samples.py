"""Samples, what a person has done at all, and whether they hid the first steps: those who are at work already did."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "samples",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("campaign_id", sa.Integer, nullable=False),
        sa.Column("set_id", sa.Integer, nullable=False),
        sa.Column("style_id", sa.Integer, nullable=False),
        sa.Column("reference_id", sa.Integer, nullable=False),
        sa.Column("export_id", sa.Integer, nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_samples"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_samples_user_id"),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_samples_campaign_id"),
        sa.ForeignKeyConstraint(["set_id"], ["image_sets.id"], name="fk_samples_set_id"),
        sa.ForeignKeyConstraint(["style_id"], ["styles.id"], name="fk_samples_style_id"),
        sa.ForeignKeyConstraint(["reference_id"], ["references.id"], name="fk_samples_reference_id"),
        sa.ForeignKeyConstraint(
            ["export_id"], ["exports.id"], name="fk_samples_export_id", ondelete="SET NULL"
        ),
        sa.UniqueConstraint("set_id", name="uq_samples_set_id"),
    )
    op.create_index("ix_samples_open", "samples", ["user_id"], unique=True, sqlite_where=sa.text("removed_at IS NULL"))
    op.create_index("ix_audit_events_act_user_id", "audit_events", ["act", "user_id"])
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("checklist_hidden", sa.Boolean, nullable=False, server_default="0"))
    with op.batch_alter_table("users") as users:
        users.alter_column("checklist_hidden", server_default=None)
    op.execute("UPDATE users SET checklist_hidden = 1 WHERE EXISTS (SELECT 1 FROM styles)")


def downgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.drop_column("checklist_hidden")
    op.drop_index("ix_audit_events_act_user_id", "audit_events")
    op.drop_table("samples")
