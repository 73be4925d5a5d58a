"""Style maps of pictures and tunings of styles, as kinds of work; the self-attention of measured pictures."""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

THREE = "(set_id IS NOT NULL) + (subject_id IS NOT NULL) + (strip_id IS NOT NULL) = 1"
FIVE = (
    "(set_id IS NOT NULL) + (subject_id IS NOT NULL) + (strip_id IS NOT NULL) + (tuning_id IS NOT NULL)"
    " + (map_id IS NOT NULL) = 1"
)
ADDED = {"tuning_id": "tunings", "map_id": "style_maps"}


def upgrade() -> None:
    create_maps()
    create_tunings()
    op.add_column("picture_features", sa.Column("layout", sa.LargeBinary()))
    with op.batch_alter_table("units") as units:
        for column, table in ADDED.items():
            units.add_column(sa.Column(column, sa.Integer()))
            units.create_foreign_key(f"fk_units_{column}", table, [column], ["id"], ondelete="CASCADE")
            units.create_index(f"ix_units_{column}", [column])
        units.drop_constraint("one_purpose", type_="check")
        units.create_check_constraint("one_purpose", FIVE)


def create_maps() -> None:
    op.create_table(
        "style_maps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("set_id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("png", sa.LargeBinary()),
        sa.Column("groups", sa.JSON(), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["set_id"], ["image_sets.id"], name="fk_style_maps_set_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_style_maps_owner_id"),
        sa.PrimaryKeyConstraint("id", name="pk_style_maps"),
        sa.UniqueConstraint("image_id", name="uq_style_maps_image_id"),
    )
    op.create_index("ix_style_maps_set_id", "style_maps", ["set_id"])


def create_tunings() -> None:
    op.create_table(
        "tunings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("style_version_id", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(length=255), nullable=False),
        sa.Column("prompts", sa.JSON(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("guidance", sa.Double(), nullable=False),
        sa.Column("scheduler", sa.String(length=40), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("drawn_as", sa.JSON()),
        sa.Column("looks", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_tunings_owner_id"),
        sa.ForeignKeyConstraint(["style_version_id"], ["style_versions.id"], name="fk_tunings_style_version_id"),
        sa.PrimaryKeyConstraint("id", name="pk_tunings"),
    )
    op.create_index("ix_tunings_owner_id", "tunings", ["owner_id"])
    op.create_index("ix_tunings_style_version_id", "tunings", ["style_version_id"])
    op.create_table(
        "tuning_drafts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tuning_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("prompt", sa.Integer(), nullable=False),
        sa.Column("strength", sa.Double(), nullable=False),
        sa.Column("webp", sa.LargeBinary()),
        sa.Column("features", sa.JSON()),
        sa.ForeignKeyConstraint(
            ["tuning_id"], ["tunings.id"], name="fk_tuning_drafts_tuning_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_tuning_drafts"),
        sa.UniqueConstraint("tuning_id", "position", name="uq_tuning_drafts_tuning_id_position"),
    )


def downgrade() -> None:
    op.execute("DELETE FROM units WHERE tuning_id IS NOT NULL OR map_id IS NOT NULL")
    with op.batch_alter_table("units") as units:
        units.drop_constraint("one_purpose", type_="check")
        for column in ADDED:
            units.drop_index(f"ix_units_{column}")
            units.drop_constraint(f"fk_units_{column}", type_="foreignkey")
            units.drop_column(column)
        units.create_check_constraint("one_purpose", THREE)
    op.drop_column("picture_features", "layout")
    op.drop_table("tuning_drafts")
    op.drop_table("tunings")
    op.drop_table("style_maps")
