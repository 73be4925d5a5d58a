"""Rights of references, and the files that prove them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rights_records",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference_id", sa.Integer(), nullable=False),
        sa.Column("supplied_by", sa.String(length=200), nullable=False),
        sa.Column("owned_by", sa.String(length=200), nullable=False),
        sa.Column("licence", sa.String(length=200), nullable=False),
        sa.Column("allows", sa.Text(), nullable=False),
        sa.Column("territory", sa.String(length=200), nullable=False),
        sa.Column("valid_from", sa.Date()),
        sa.Column("valid_until", sa.Date()),
        sa.Column("source_url", sa.String(length=2000), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["reference_id"], ["references.id"], name="fk_rights_records_reference_id"),
        sa.ForeignKeyConstraint(["made_by_id"], ["users.id"], name="fk_rights_records_made_by_id"),
        sa.PrimaryKeyConstraint("id", name="pk_rights_records"),
    )
    for column in ("reference_id", "made_by_id"):
        op.create_index(f"ix_rights_records_{column}", "rights_records", [column])

    op.create_table(
        "rights_files",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("media_type", sa.String(length=40), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("uploaded_by_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["reference_id"], ["references.id"], name="fk_rights_files_reference_id"),
        sa.ForeignKeyConstraint(["uploaded_by_id"], ["users.id"], name="fk_rights_files_uploaded_by_id"),
        sa.PrimaryKeyConstraint("id", name="pk_rights_files"),
    )
    for column in ("reference_id", "uploaded_by_id"):
        op.create_index(f"ix_rights_files_{column}", "rights_files", [column])


def downgrade() -> None:
    for name in ("rights_files", "rights_records"):
        op.drop_table(name)
