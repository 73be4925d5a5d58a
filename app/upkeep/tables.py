"""Check the database file itself: its pages, indices, references between rows, and the index of the prompts' words."""

from collections.abc import Iterator

from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError

from app.database import Database
from app.languages import N_
from app.languages import gettext as _
from app.models import Base
from app.upkeep.findings import Area, Finding
from app.upkeep.opening import tables_are_whole

MOST = 20  # faults that SQLite lists

REBUILT = N_("Rebuilds the database from its tables; the old file is kept.")
RESTORE = N_("Restore the database from a backup with `soroe restore`.")
INDEXED = N_("Indexes the words again.")
MADE = N_("Makes it again.")

# As the migrations make them; a table that is made again loses its triggers.
TRIGGERS = {
    "image_words_add": """CREATE TRIGGER image_words_add AFTER INSERT ON images BEGIN
         INSERT INTO image_words(rowid, prompt, drawn_as) VALUES (new.id, new.prompt, new.drawn_as); END""",
    "image_words_remove": """CREATE TRIGGER image_words_remove AFTER DELETE ON images BEGIN
         INSERT INTO image_words(image_words, rowid, prompt, drawn_as)
           VALUES ('delete', old.id, old.prompt, old.drawn_as); END""",
    "image_words_change": """CREATE TRIGGER image_words_change AFTER UPDATE OF prompt, drawn_as ON images BEGIN
         INSERT INTO image_words(image_words, rowid, prompt, drawn_as)
           VALUES ('delete', old.id, old.prompt, old.drawn_as);
         INSERT INTO image_words(rowid, prompt, drawn_as) VALUES (new.id, new.prompt, new.drawn_as); END""",
    "tag_uses_add": """CREATE TRIGGER tag_uses_add AFTER INSERT ON image_tags BEGIN
         INSERT INTO tag_uses (tag, pictures) VALUES (new.tag, 1)
           ON CONFLICT (tag) DO UPDATE SET pictures = pictures + 1; END""",
    "tag_uses_remove": """CREATE TRIGGER tag_uses_remove AFTER DELETE ON image_tags BEGIN
         UPDATE tag_uses SET pictures = pictures - 1 WHERE tag = old.tag;
         DELETE FROM tag_uses WHERE tag = old.tag AND pictures = 0; END""",
    "picture_measures_add": """CREATE TRIGGER picture_measures_add AFTER INSERT ON images WHEN new.shown BEGIN
         INSERT INTO picture_measures (image_id, due, tries, made_with, numbers, flags, flagged, embedders)
           SELECT new.id, 1, 0, '', '{}', '{}', 0, '{}' WHERE new.shown ON CONFLICT (image_id) DO NOTHING;
         INSERT INTO set_measures (set_id, changes, compared_changes, numbers, total, sampled)
           VALUES (new.set_id, 1, 0, '{}', 0, 0) ON CONFLICT (set_id) DO UPDATE SET changes = changes + 1; END""",
    "picture_measures_change": """CREATE TRIGGER picture_measures_change AFTER UPDATE OF shown ON images
         WHEN new.shown != old.shown BEGIN
         INSERT INTO picture_measures (image_id, due, tries, made_with, numbers, flags, flagged, embedders)
           SELECT new.id, 1, 0, '', '{}', '{}', 0, '{}' WHERE new.shown ON CONFLICT (image_id) DO NOTHING;
         INSERT INTO set_measures (set_id, changes, compared_changes, numbers, total, sampled)
           VALUES (new.set_id, 1, 0, '{}', 0, 0) ON CONFLICT (set_id) DO UPDATE SET changes = changes + 1; END""",
}
_INDEX_CHECK = "INSERT INTO image_words (image_words, rank) VALUES ('integrity-check', 1)"


def check_tables(database: Database) -> Iterator[Finding]:
    """Findings about the database file. Reads all of it."""
    with database.engine.connect() as connection:
        faults = _rows(connection, f"PRAGMA integrity_check({MOST})")
        if faults != ["ok"]:
            driver = connection.connection.driver_connection
            whole = driver is not None and tables_are_whole(driver)
            for fault in faults:
                yield _of_fault(fault, whole)
        for table, row, other, _key in connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall():
            yield Finding(
                Area.DATABASE,
                _(
                    "Row %(row)s of %(table)s points to a row of %(other)s that is gone.",
                    row=row,
                    table=table,
                    other=other,
                ),
                RESTORE,
            )
        yield from _missing(connection)
    if wrong := words_fault(database):
        yield Finding(
            Area.DATABASE, _("The index of the prompts' words is wrong: %(wrong)s.", wrong=wrong), INDEXED, True
        )


def _of_fault(fault: str, whole: bool) -> Finding:
    """What a line of SQLite's check says, where all tables can be read, or not."""
    if fault == "CHECK constraint failed in images":
        return Finding(
            Area.DATABASE,
            _("%(fault)s: a picture is shown that must not be, or not.", fault=fault),
            _("Counts again."),
            True,
        )
    if not whole or fault.startswith(("CHECK constraint", "NULL value", "non-unique")):
        return Finding(Area.DATABASE, f"{fault}.", RESTORE)
    return Finding(
        Area.DATABASE, _("An index is damaged (%(fault)s); the tables are whole.", fault=fault), REBUILT, True
    )


def mend_tables(connection: Connection) -> None:
    """Make missing indices and triggers, and the index of the prompts' words, again. Needs a writing connection."""
    for table in Base.metadata.sorted_tables:
        for index in table.indexes:
            index.create(connection, checkfirst=True)
    there = {name for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    for name, statement in TRIGGERS.items():
        if name not in there:
            connection.exec_driver_sql(statement)
    connection.exec_driver_sql("INSERT INTO image_words (image_words) VALUES ('rebuild')")


def _missing(connection: Connection) -> Iterator[Finding]:
    """Tables, indices and triggers that a migration made and somebody removed."""
    there = {
        (kind, name) for kind, name in connection.exec_driver_sql("SELECT type, name FROM sqlite_master").fetchall()
    }
    for table in Base.metadata.sorted_tables:
        if ("table", table.name) not in there:
            yield Finding(Area.DATABASE, _("The table %(name)s is missing.", name=table.name), RESTORE)
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            if ("index", index.name) not in there:
                yield Finding(Area.DATABASE, _("The index %(name)s is missing.", name=index.name), MADE, True)
    for name in TRIGGERS:
        if ("trigger", name) not in there:
            yield Finding(Area.DATABASE, _("The trigger %(name)s is missing.", name=name), MADE, True)


def words_fault(database: Database) -> str | None:
    """What is wrong with the full-text index, in SQLite's words; None if nothing is.

    SQLite checks it by a statement that writes nothing and needs the write lock nevertheless, for a moment.
    """
    try:
        with database.engine.execution_options(writes=True).connect() as connection:
            connection.execute(text(_INDEX_CHECK))
            connection.rollback()
    except DatabaseError as error:
        return str(error.orig)
    return None


def _rows(connection: Connection, pragma: str) -> list[str]:
    try:
        return [str(row[0]) for row in connection.exec_driver_sql(pragma).fetchall()]
    except DatabaseError as error:
        return [str(error.orig)]
