"""Checklists before approval: lists and their versions, answers, and what decisions were made on.

Earlier approvals count in the campaign that their picture is in now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

MARKETS = {
    "jp": "Japan",
    "cn": "China",
    "kr": "South Korea",
    "eu": "European Union",
    "us": "United States",
    "gulf": "Gulf states",
}


def upgrade() -> None:
    op.create_table(
        "checklists",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("market", sa.String(8), unique=True),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("items", sa.JSON),
        sa.Column("created_by_id", sa.Integer, sa.ForeignKey("users.id")),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
    )
    for market, name in MARKETS.items():
        op.execute(
            f"INSERT INTO checklists (market, name, created_at) VALUES ('{market}', '{name}', datetime('now'))"
        )
    op.create_table(
        "checklist_versions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("checklist_id", sa.Integer, sa.ForeignKey("checklists.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("items", sa.JSON),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("checklist_id", "number"),
    )
    op.create_table(
        "checklist_answers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("image_id", sa.Integer, sa.ForeignKey("images.id", ondelete="CASCADE"), nullable=False),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False, index=True),
        sa.Column("checklist_id", sa.Integer, sa.ForeignKey("checklists.id"), nullable=False),
        sa.Column("answers", sa.JSON, nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("image_id", "user_id", "checklist_id"),
    )
    op.create_table(
        "checklist_sheets",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False, unique=True),
        sa.Column("lists", sa.JSON, nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    with op.batch_alter_table("campaigns") as campaigns:
        campaigns.add_column(sa.Column("checklists", sa.JSON, nullable=False, server_default="[]"))
    with op.batch_alter_table("campaigns") as campaigns:
        campaigns.alter_column("checklists", server_default=None)
    with op.batch_alter_table("decisions") as decisions:
        decisions.alter_column("reason", type_=sa.String(500), existing_type=sa.String(120), existing_nullable=False)
        decisions.add_column(sa.Column("sheet_id", sa.Integer))
        decisions.add_column(sa.Column("campaign_id", sa.Integer))
        decisions.create_foreign_key("fk_decisions_sheet_id", "checklist_sheets", ["sheet_id"], ["id"])
        decisions.create_foreign_key("fk_decisions_campaign_id", "campaigns", ["campaign_id"], ["id"])
    op.create_table(
        "kept_approvals",
        sa.Column("decision_id", sa.Integer, sa.ForeignKey("decisions.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("campaign_id", sa.Integer, sa.ForeignKey("campaigns.id"), primary_key=True),
    )
    op.execute(
        "UPDATE decisions SET campaign_id = (SELECT campaign_id FROM images WHERE images.id = decisions.image_id)"
    )


def downgrade() -> None:
    op.drop_table("kept_approvals")
    with op.batch_alter_table("decisions") as decisions:
        decisions.drop_constraint("fk_decisions_campaign_id", type_="foreignkey")
        decisions.drop_constraint("fk_decisions_sheet_id", type_="foreignkey")
        decisions.drop_column("campaign_id")
        decisions.drop_column("sheet_id")
        decisions.alter_column("reason", type_=sa.String(120), existing_type=sa.String(500), existing_nullable=False)
    with op.batch_alter_table("campaigns") as campaigns:
        campaigns.drop_column("checklists")
    for table in ("checklist_sheets", "checklist_answers", "checklist_versions", "checklists"):
        op.drop_table(table)
