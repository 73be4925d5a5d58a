"""Sets and campaigns can be archived; sets, campaigns, styles, subjects and references can be in the bin."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

ARCHIVABLE = ("campaigns", "image_sets")
DELETABLE = ("campaigns", "image_sets", "styles", "subjects", "references")
TIME = sa.DateTime(timezone=True)
ROLE = sa.String(length=16)


def upgrade() -> None:
    for table in ARCHIVABLE:
        op.add_column(table, sa.Column("archived_at", TIME))
        op.add_column(table, sa.Column("archived_as", ROLE))
    for table in DELETABLE:
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column("deleted_at", TIME))
            batch.add_column(sa.Column("deleted_by_id", sa.Integer()))
            batch.add_column(sa.Column("deleted_as", ROLE))
            batch.add_column(sa.Column("purged_at", TIME))
            batch.create_foreign_key(f"fk_{table}_deleted_by_id", "users", ["deleted_by_id"], ["id"])


def downgrade() -> None:
    for table in DELETABLE:
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(f"fk_{table}_deleted_by_id", type_="foreignkey")
            for column in ("deleted_at", "deleted_by_id", "deleted_as", "purged_at"):
                batch.drop_column(column)
    for table in ARCHIVABLE:
        with op.batch_alter_table(table) as batch:
            batch.drop_column("archived_at")
            batch.drop_column("archived_as")
