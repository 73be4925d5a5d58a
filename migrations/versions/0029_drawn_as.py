"""Prompts in Japanese are kept with the English that is drawn. Without it, a text is drawn as it is written."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

WITH_TEXTS = ("image_sets", "style_versions", "strips")


def upgrade() -> None:
    op.add_column("images", sa.Column("drawn_as", sa.Text()))
    for table in WITH_TEXTS:
        op.add_column(table, sa.Column("drawn_as", sa.JSON()))


def downgrade() -> None:
    op.drop_column("images", "drawn_as")
    for table in WITH_TEXTS:
        op.drop_column(table, "drawn_as")
