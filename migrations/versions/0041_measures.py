"""What was measured of pictures, references and sets, and the bounds of styles. Existing pictures are measured later."""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

EXPECT = """BEGIN
         INSERT INTO picture_measures (image_id, due, tries, made_with, numbers, flags, flagged, embedders)
           SELECT new.id, 1, 0, '', '{}', '{}', 0, '{}' WHERE new.shown ON CONFLICT (image_id) DO NOTHING;
         INSERT INTO set_measures (set_id, changes, compared_changes, numbers, total, sampled)
           VALUES (new.set_id, 1, 0, '{}', 0, 0) ON CONFLICT (set_id) DO UPDATE SET changes = changes + 1; END"""
ADD = "CREATE TRIGGER picture_measures_add AFTER INSERT ON images WHEN new.shown"
CHANGE = """CREATE TRIGGER picture_measures_change AFTER UPDATE OF shown ON images
         WHEN new.shown != old.shown"""


def upgrade() -> None:
    create_measures()
    create_bounds()
    op.execute(
        "INSERT INTO picture_measures (image_id, due, tries, made_with, numbers, flags, flagged, embedders)"
        " SELECT id, 1, 0, '', '{}', '{}', 0, '{}' FROM images WHERE shown"
    )
    op.execute(
        "INSERT INTO set_measures (set_id, changes, compared_changes, numbers, total, sampled)"
        " SELECT DISTINCT set_id, 1, 0, '{}', 0, 0 FROM images WHERE shown"
    )
    op.execute(f"{ADD} {EXPECT}")
    op.execute(f"{CHANGE} {EXPECT}")


def create_measures() -> None:
    op.create_table(
        "picture_measures",
        sa.Column("image_id", sa.Integer, sa.ForeignKey("images.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("due", sa.Boolean, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("problem", sa.String(16), nullable=True),
        sa.Column("made_with", sa.String(64), nullable=False),
        sa.Column("numbers", sa.JSON, nullable=False),
        sa.Column("flags", sa.JSON, nullable=False),
        sa.Column("flagged", sa.Boolean, nullable=False),
        sa.Column("embedders", sa.JSON, nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.create_index("ix_picture_measures_due", "picture_measures", ["image_id"], sqlite_where=sa.text("due = 1"))
    op.create_index("ix_picture_measures_flagged", "picture_measures", ["image_id"], sqlite_where=sa.text("flagged = 1"))
    op.create_table(
        "picture_features",
        sa.Column("image_id", sa.Integer, sa.ForeignKey("images.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=True),
        sa.Column("subject", sa.LargeBinary, nullable=True),
    )
    op.create_table(
        "reference_features",
        sa.Column("version_id", sa.Integer, primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("made_with", sa.String(64), nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=True),
        sa.Column("problem", sa.String(16), nullable=True),
        sa.ForeignKeyConstraint(
            ["version_id", "position"], ["style_references.version_id", "style_references.position"], ondelete="CASCADE"
        ),
    )
    op.create_table(
        "set_measures",
        sa.Column("set_id", sa.Integer, sa.ForeignKey("image_sets.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("changes", sa.Integer, nullable=False),
        sa.Column("compared_changes", sa.Integer, nullable=False),
        sa.Column("numbers", sa.JSON, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("sampled", sa.Integer, nullable=False),
        sa.Column("compared_at", sa.DateTime(timezone=True), nullable=True),
    )
    due = sa.text("changes > compared_changes")
    op.create_index("ix_set_measures_due", "set_measures", ["set_id"], sqlite_where=due)


def create_bounds() -> None:
    op.create_table(
        "style_bounds",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("style_id", sa.Integer, sa.ForeignKey("styles.id", ondelete="CASCADE"), nullable=False),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("bounds", sa.JSON, nullable=False),
        sa.Column("fitted", sa.JSON, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_style_bounds_style_id", "style_bounds", ["style_id"])
    op.create_table(
        "flags_due",
        sa.Column("style_id", sa.Integer, sa.ForeignKey("styles.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("after", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER picture_measures_add")
    op.execute("DROP TRIGGER picture_measures_change")
    for table in (
        "flags_due",
        "style_bounds",
        "set_measures",
        "reference_features",
        "picture_features",
        "picture_measures",
    ):
        op.drop_table(table)
