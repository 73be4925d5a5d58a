"""Strips: drafts of one prompt at several strengths, as a kind of work."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

TWO = "(set_id IS NULL) <> (subject_id IS NULL)"
THREE = "(set_id IS NOT NULL) + (subject_id IS NOT NULL) + (strip_id IS NOT NULL) = 1"


def upgrade() -> None:
    op.create_table(
        "strips",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("style_version_id", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(length=255), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("negative_prompt", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("guidance", sa.Double(), nullable=False),
        sa.Column("scheduler", sa.String(length=40), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("structures", sa.JSON(), nullable=False),
        sa.Column("subjects", sa.JSON(), nullable=False),
        sa.Column("regions", sa.JSON(), nullable=False),
        sa.Column("seamless", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_strips_owner_id"),
        sa.ForeignKeyConstraint(["style_version_id"], ["style_versions.id"], name="fk_strips_style_version_id"),
        sa.PrimaryKeyConstraint("id", name="pk_strips"),
    )
    op.create_index("ix_strips_owner_id", "strips", ["owner_id"])
    op.create_table(
        "strip_drafts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("strip_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("strength", sa.Double(), nullable=False),
        sa.Column("webp", sa.LargeBinary()),
        sa.ForeignKeyConstraint(["strip_id"], ["strips.id"], name="fk_strip_drafts_strip_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_strip_drafts"),
        sa.UniqueConstraint("strip_id", "position", name="uq_strip_drafts_strip_id_position"),
    )
    with op.batch_alter_table("units") as units:
        units.add_column(sa.Column("strip_id", sa.Integer()))
        units.create_foreign_key("fk_units_strip_id", "strips", ["strip_id"], ["id"], ondelete="CASCADE")
        units.create_index("ix_units_strip_id", ["strip_id"])
        units.drop_constraint("one_purpose", type_="check")
        units.create_check_constraint("one_purpose", THREE)


def downgrade() -> None:
    op.execute("DELETE FROM units WHERE strip_id IS NOT NULL")
    with op.batch_alter_table("units") as units:
        units.drop_constraint("one_purpose", type_="check")
        units.drop_index("ix_units_strip_id")
        units.drop_constraint("fk_units_strip_id", type_="foreignkey")
        units.drop_column("strip_id")
        units.create_check_constraint("one_purpose", TWO)
    op.drop_table("strip_drafts")
    op.drop_table("strips")
