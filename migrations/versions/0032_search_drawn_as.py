"""Pictures are found by what was drawn too: the index of words has both texts. Indexes the words of all pictures again."""

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

TRIGGERS = ("image_words_add", "image_words_remove", "image_words_change")


def upgrade() -> None:
    index("prompt", "drawn_as")


def downgrade() -> None:
    index("prompt")


def index(*columns: str) -> None:
    """Make the index again, of these columns."""
    for trigger in TRIGGERS:
        op.execute(f"DROP TRIGGER IF EXISTS {trigger}")
    op.execute("DROP TABLE image_words")
    listed, new, old = (", ".join(f"{prefix}{column}" for column in columns) for prefix in ("", "new.", "old."))
    add = f"INSERT INTO image_words(rowid, {listed}) VALUES (new.id, {new});"
    remove = f"INSERT INTO image_words(image_words, rowid, {listed}) VALUES ('delete', old.id, {old});"
    op.execute(
        f"CREATE VIRTUAL TABLE image_words USING fts5({listed}, content='images', content_rowid='id',"
        " tokenize='trigram')"
    )
    op.execute("INSERT INTO image_words(image_words) VALUES ('rebuild')")
    op.execute(f"CREATE TRIGGER image_words_add AFTER INSERT ON images BEGIN {add} END")
    op.execute(f"CREATE TRIGGER image_words_remove AFTER DELETE ON images BEGIN {remove} END")
    op.execute(f"CREATE TRIGGER image_words_change AFTER UPDATE OF {listed} ON images BEGIN {remove} {add} END")
