"""Exports that are prepared and kept, their files, and links that share them outside."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "exports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=160), nullable=False),
        sa.Column("made_by_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer()),
        sa.Column("set_id", sa.Integer()),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("pictures", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("lost", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger()),
        sa.Column("etag", sa.String(length=64)),
        sa.Column("error", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["made_by_id"], ["users.id"], name="fk_exports_made_by_id"),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_exports_campaign_id"),
        sa.ForeignKeyConstraint(["set_id"], ["image_sets.id"], name="fk_exports_set_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_exports"),
    )
    for column in ("made_by_id", "campaign_id", "set_id", "content", "state"):
        op.create_index(f"ix_exports_{column}", "exports", [column])

    op.create_table(
        "export_files",
        sa.Column("export_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("size", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=1024), nullable=False),
        sa.Column("key", sa.String(length=64)),
        sa.Column("bytes", sa.BigInteger()),
        sa.Column("sha256", sa.String(length=64)),
        sa.Column("crc32", sa.BigInteger()),
        sa.Column("lost", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["export_id"], ["exports.id"], name="fk_export_files_export_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name="fk_export_files_image_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decisions.id"], name="fk_export_files_decision_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("export_id", "position", name="pk_export_files"),
    )
    for column in ("image_id", "decision_id"):
        op.create_index(f"ix_export_files_{column}", "export_files", [column])

    op.create_table(
        "shares",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("export_id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("password_hash", sa.String(length=255)),
        sa.Column("note", sa.String(length=120), nullable=False),
        sa.Column("made_by_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.Column("downloads", sa.Integer(), nullable=False),
        sa.Column("last_download_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["export_id"], ["exports.id"], name="fk_shares_export_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["made_by_id"], ["users.id"], name="fk_shares_made_by_id"),
        sa.PrimaryKeyConstraint("id", name="pk_shares"),
        sa.UniqueConstraint("token_hash", name="uq_shares_token_hash"),
    )
    for column in ("export_id", "made_by_id"):
        op.create_index(f"ix_shares_{column}", "shares", [column])


def downgrade() -> None:
    for name in ("shares", "export_files", "exports"):
        op.drop_table(name)
