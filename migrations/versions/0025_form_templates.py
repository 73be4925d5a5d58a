"""Templates of the form of a new set, and recent prompts."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "form_templates",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_form_templates_owner_id"),
        sa.PrimaryKeyConstraint("id", name="pk_form_templates"),
    )
    op.create_index(
        "uq_form_templates_owner_id_kind_name",
        "form_templates",
        ["owner_id", "kind", "name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "recent_prompts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_recent_prompts_owner_id"),
        sa.PrimaryKeyConstraint("id", name="pk_recent_prompts"),
        sa.UniqueConstraint("owner_id", "prompt", name="uq_recent_prompts_owner_id_prompt"),
    )


def downgrade() -> None:
    op.drop_table("recent_prompts")
    op.drop_table("form_templates")
