"""Count the uses of each tag: every page of the gallery suggests the most used ones."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TRIGGERS = (
    """CREATE TRIGGER tag_uses_add AFTER INSERT ON image_tags BEGIN
         INSERT INTO tag_uses (tag, pictures) VALUES (new.tag, 1)
           ON CONFLICT (tag) DO UPDATE SET pictures = pictures + 1; END""",
    """CREATE TRIGGER tag_uses_remove AFTER DELETE ON image_tags BEGIN
         UPDATE tag_uses SET pictures = pictures - 1 WHERE tag = old.tag;
         DELETE FROM tag_uses WHERE tag = old.tag AND pictures = 0; END""",
)


def upgrade() -> None:
    op.create_table(
        "tag_uses",
        sa.Column("tag", sa.String(length=40), nullable=False),
        sa.Column("pictures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tag", name="pk_tag_uses"),
    )
    op.execute("INSERT INTO tag_uses (tag, pictures) SELECT tag, count(*) FROM image_tags GROUP BY tag")
    for statement in TRIGGERS:
        op.execute(statement)


def downgrade() -> None:
    for trigger in ("add", "remove"):
        op.execute(f"DROP TRIGGER tag_uses_{trigger}")
    op.drop_table("tag_uses")
