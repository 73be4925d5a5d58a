"""Team review: versions of pictures, pinned conversations, reasons, locks; a gallery of many pictures.

Pictures get the columns that lists need, so that a hundred thousand of them are listed without joins.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

REASONS = ("Off the look", "Wrong thing shown", "Shape or anatomy is wrong", "Colours are off", "Too close to the reference")
INDEXES = {
    "ix_images_shown_id": ["shown", "id"],
    "ix_images_shown_campaign_id_id": ["shown", "campaign_id", "id"],
    "ix_images_shown_style_id_id": ["shown", "style_id", "id"],
    "ix_images_shown_owner_id_id": ["shown", "owner_id", "id"],
    "ix_images_shown_decision_id": ["shown", "decision", "id"],
    "ix_images_shown_set_id_decision": ["shown", "set_id", "decision"],
    "ix_images_facets": ["shown", "decision", "style_id", "campaign_id", "owner_id", "finished_at"],
    "ix_images_owner_id": ["owner_id"],
    "ix_images_campaign_id": ["campaign_id"],
    "ix_images_style_id": ["style_id"],
    "ix_images_seed": ["seed"],
    "ix_images_sha256": ["sha256"],
    "ix_images_finished_at": ["finished_at"],
    "ix_images_deleted_at": ["deleted_at"],
}
SHOWN = "shown = (state = 'finished' AND NOT superseded AND deleted_at IS NULL)"
PARTLY = "approvals > 0 AND decision IS NULL"
FROM_THE_SET = """
UPDATE images SET
  shown = (state = 'finished'),
  approvals = (decision IS 'approved'),
  owner_id = (SELECT owner_id FROM image_sets WHERE image_sets.id = images.set_id),
  campaign_id = (SELECT campaign_id FROM image_sets WHERE image_sets.id = images.set_id),
  style_id = (
    SELECT style_versions.style_id FROM image_sets
    JOIN style_versions ON style_versions.id = image_sets.style_version_id
    WHERE image_sets.id = images.set_id
  )
"""
# Words of three letters and more are found by their parts, in any script.
WORDS = (
    "CREATE VIRTUAL TABLE image_words USING fts5(prompt, content='images', content_rowid='id', tokenize='trigram')",
    "INSERT INTO image_words(image_words) VALUES ('rebuild')",
    """CREATE TRIGGER image_words_add AFTER INSERT ON images BEGIN
         INSERT INTO image_words(rowid, prompt) VALUES (new.id, new.prompt); END""",
    """CREATE TRIGGER image_words_remove AFTER DELETE ON images BEGIN
         INSERT INTO image_words(image_words, rowid, prompt) VALUES ('delete', old.id, old.prompt); END""",
    """CREATE TRIGGER image_words_change AFTER UPDATE OF prompt ON images BEGIN
         INSERT INTO image_words(image_words, rowid, prompt) VALUES ('delete', old.id, old.prompt);
         INSERT INTO image_words(rowid, prompt) VALUES (new.id, new.prompt); END""",
)


def upgrade() -> None:
    with op.batch_alter_table("campaigns") as table:
        table.add_column(sa.Column("approvals_needed", sa.Integer(), nullable=False, server_default="1"))
    with op.batch_alter_table("image_sets") as table:
        table.add_column(sa.Column("locked_at", sa.DateTime(timezone=True)))
        table.add_column(sa.Column("locked_by_id", sa.Integer()))
        table.create_foreign_key("fk_image_sets_locked_by_id", "users", ["locked_by_id"], ["id"])
    with op.batch_alter_table("decisions") as table:
        table.add_column(sa.Column("reason", sa.String(length=120), nullable=False, server_default=""))
        table.add_column(sa.Column("withdraws_id", sa.Integer()))
        table.create_foreign_key(
            "fk_decisions_withdraws_id", "decisions", ["withdraws_id"], ["id"], ondelete="CASCADE"
        )
    images()
    conversations()
    findings()
    with op.batch_alter_table("campaigns") as table:
        table.alter_column("approvals_needed", server_default=None)
    with op.batch_alter_table("decisions") as table:
        table.alter_column("reason", server_default=None)


def images() -> None:
    # The defaults are for existing pictures, until they are filled in; new ones bring their own values.
    with op.batch_alter_table("images") as table:
        table.drop_constraint("uq_images_set_id_position", type_="unique")
        table.drop_index("ix_images_decision_id")
        for name in ("owner_id", "campaign_id", "style_id"):
            table.add_column(sa.Column(name, sa.Integer()))
        table.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
        table.add_column(sa.Column("strength", sa.Double()))
        table.add_column(sa.Column("approvals", sa.Integer(), nullable=False, server_default="0"))
        for name in ("superseded", "shown"):
            table.add_column(sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
        for name in ("deleted_at", "purged_at"):
            table.add_column(sa.Column(name, sa.DateTime(timezone=True)))
        table.add_column(sa.Column("deleted_by_id", sa.Integer()))
        table.create_unique_constraint("uq_images_set_id_position_version", ["set_id", "position", "version"])
    op.execute(FROM_THE_SET)
    with op.batch_alter_table("images") as table:
        for name, target in (("owner_id", "users"), ("campaign_id", "campaigns"), ("style_id", "styles")):
            table.alter_column(name, nullable=False)
            table.create_foreign_key(f"fk_images_{name}", target, [name], ["id"])
        table.create_foreign_key("fk_images_deleted_by_id", "users", ["deleted_by_id"], ["id"])
        for name in ("version", "approvals", "superseded", "shown"):
            table.alter_column(name, server_default=None)
        table.create_check_constraint("shown_is_what_it_says", SHOWN)
        for name, columns in INDEXES.items():
            table.create_index(name, columns)
        table.create_index("ix_images_partly_approved", ["shown", "decision", "id"], sqlite_where=sa.text(PARTLY))
    for statement in WORDS:
        op.execute(statement)


def conversations() -> None:
    op.create_table(
        "threads",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("x", sa.Double()),
        sa.Column("y", sa.Double()),
        sa.Column("resolved_at", sa.DateTime(timezone=True)),
        sa.Column("resolved_by_id", sa.Integer()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(x IS NULL) = (y IS NULL)", name="whole_point"),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name="fk_threads_image_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["resolved_by_id"], ["users.id"], name="fk_threads_resolved_by_id"),
        sa.PrimaryKeyConstraint("id", name="pk_threads"),
    )
    op.create_index("ix_threads_image_id", "threads", ["image_id"])
    # Each existing comment becomes its own conversation, under its own number.
    op.execute("INSERT INTO threads (id, image_id, created_at) SELECT id, image_id, created_at FROM comments")
    with op.batch_alter_table("comments") as table:
        table.add_column(sa.Column("thread_id", sa.Integer()))
    op.execute("UPDATE comments SET thread_id = id")
    with op.batch_alter_table("comments") as table:
        table.alter_column("thread_id", nullable=False)
        table.create_foreign_key("fk_comments_thread_id", "threads", ["thread_id"], ["id"], ondelete="CASCADE")
        table.create_index("ix_comments_thread_id", ["thread_id"])
    op.create_table(
        "mentions",
        sa.Column("comment_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["comment_id"], ["comments.id"], name="fk_mentions_comment_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_mentions_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("comment_id", "user_id", name="pk_mentions"),
    )
    op.create_index("ix_mentions_user_id_seen_at", "mentions", ["user_id", "seen_at"])
    reasons = op.create_table(
        "reject_reasons",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("words", sa.String(length=120), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reject_reasons"),
        sa.UniqueConstraint("words", name="uq_reject_reasons_words"),
    )
    op.bulk_insert(reasons, [{"words": words, "position": place} for place, words in enumerate(REASONS, start=1)])


def findings() -> None:
    """Tables for searching pictures."""
    op.create_table(
        "stars",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_stars_user_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name="fk_stars_image_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "image_id", name="pk_stars"),
    )
    op.create_index("ix_stars_image_id", "stars", ["image_id"])
    op.create_table(
        "image_tags",
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("tag", sa.String(length=40), nullable=False),
        sa.Column("added_by_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name="fk_image_tags_image_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["added_by_id"], ["users.id"], name="fk_image_tags_added_by_id"),
        sa.PrimaryKeyConstraint("image_id", "tag", name="pk_image_tags"),
    )
    op.create_index("ix_image_tags_tag_image_id", "image_tags", ["tag", "image_id"])
    op.create_table(
        "saved_searches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("query", sa.String(length=2000), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_saved_searches_owner_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_saved_searches"),
        sa.UniqueConstraint("owner_id", "name", name="uq_saved_searches_owner_id_name"),
    )


def downgrade() -> None:
    """Loses newer versions of pictures, and everything added here."""
    for table in ("saved_searches", "image_tags", "stars", "reject_reasons", "mentions"):
        op.drop_table(table)
    with op.batch_alter_table("comments") as table:
        table.drop_index("ix_comments_thread_id")
        table.drop_column("thread_id")
    op.drop_table("threads")
    for trigger in ("add", "remove", "change"):
        op.execute(f"DROP TRIGGER image_words_{trigger}")
    op.drop_table("image_words")
    op.execute("DELETE FROM images WHERE version > 1")
    with op.batch_alter_table("images") as table:
        for name in (*INDEXES, "ix_images_partly_approved"):
            table.drop_index(name)
        table.drop_constraint("shown_is_what_it_says", type_="check")
        table.drop_constraint("uq_images_set_id_position_version", type_="unique")
        for name in ("owner_id", "campaign_id", "style_id", "deleted_by_id"):
            table.drop_constraint(f"fk_images_{name}", type_="foreignkey")
            table.drop_column(name)
        for name in ("version", "strength", "approvals", "superseded", "shown", "deleted_at", "purged_at"):
            table.drop_column(name)
        table.create_unique_constraint("uq_images_set_id_position", ["set_id", "position"])
        table.create_index("ix_images_decision_id", ["decision", "id"])
    with op.batch_alter_table("decisions") as table:
        table.drop_constraint("fk_decisions_withdraws_id", type_="foreignkey")
        table.drop_column("withdraws_id")
        table.drop_column("reason")
    with op.batch_alter_table("image_sets") as table:
        table.drop_constraint("fk_image_sets_locked_by_id", type_="foreignkey")
        table.drop_column("locked_by_id")
        table.drop_column("locked_at")
    with op.batch_alter_table("campaigns") as table:
        table.drop_column("approvals_needed")
