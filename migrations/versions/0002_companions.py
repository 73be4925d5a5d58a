"""Structure maps, subjects, regions, panoramas; a unit may train a subject instead of making images."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "structure_maps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("source_sha256", sa.String(length=64)),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("original_name", sa.String(length=255), nullable=False),
        sa.Column("uploaded_by_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["uploaded_by_id"], ["users.id"], name="fk_structure_maps_uploaded_by_id"),
        sa.PrimaryKeyConstraint("id", name="pk_structure_maps"),
    )
    op.create_index("ix_structure_maps_sha256", "structure_maps", ["sha256"])
    op.create_index("ix_structure_maps_uploaded_by_id", "structure_maps", ["uploaded_by_id"])

    op.create_table(
        "subjects",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("handle", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("phrase", sa.String(length=200), nullable=False),
        sa.Column("class_words", sa.String(length=120), nullable=False),
        sa.Column("model", sa.String(length=255), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64)),
        sa.Column("bytes", sa.Integer()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("archived_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_subjects_owner_id"),
        sa.PrimaryKeyConstraint("id", name="pk_subjects"),
        sa.UniqueConstraint("handle", name="uq_subjects_handle"),
    )
    op.create_index("ix_subjects_owner_id", "subjects", ["owner_id"])
    op.create_table(
        "subject_pictures",
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subject_id"], ["subjects.id"], name="fk_subject_pictures_subject_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subject_id", "position", name="pk_subject_pictures"),
    )
    op.create_table(
        "subject_samples",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["subject_id"], ["subjects.id"], name="fk_subject_samples_subject_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_subject_samples"),
    )
    op.create_index("ix_subject_samples_subject_id", "subject_samples", ["subject_id"])

    # The defaults are for existing sets; new ones bring their own values.
    with op.batch_alter_table("image_sets") as table:
        for name in ("structures", "subjects", "regions"):
            table.add_column(sa.Column(name, sa.JSON(), nullable=False, server_default="[]"))
        table.add_column(sa.Column("seamless", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("image_sets") as table:
        for name in ("structures", "subjects", "regions", "seamless"):
            table.alter_column(name, server_default=None)
    with op.batch_alter_table("units") as table:
        table.alter_column("set_id", existing_type=sa.Integer(), nullable=True)
        table.add_column(sa.Column("subject_id", sa.Integer()))
        table.create_foreign_key("fk_units_subject_id", "subjects", ["subject_id"], ["id"], ondelete="CASCADE")
        table.create_index("ix_units_subject_id", ["subject_id"])
        table.create_check_constraint("one_purpose", "(set_id IS NULL) <> (subject_id IS NULL)")


def downgrade() -> None:
    with op.batch_alter_table("units") as table:
        table.drop_constraint("one_purpose", type_="check")
        table.drop_index("ix_units_subject_id")
        table.drop_constraint("fk_units_subject_id", type_="foreignkey")
        table.drop_column("subject_id")
        table.alter_column("set_id", existing_type=sa.Integer(), nullable=False)
    with op.batch_alter_table("image_sets") as table:
        for name in ("seamless", "regions", "subjects", "structures"):
            table.drop_column(name)
    for name in ("subject_samples", "subject_pictures", "subjects", "structure_maps"):
        op.drop_table(name)
