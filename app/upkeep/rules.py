"""Rules that the rows keep: what is stored twice agrees, and states fit together. Each is one query for what breaks it.

SQL in its own words, because these are statements about the database and not about the app: a column that the app
computes is recomputed here in another way, and compared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from app import days
from app.languages import N_, translated
from app.languages import gettext as _
from app.upkeep.findings import Area, Finding


@dataclass(frozen=True)
class Invariant:
    """`wrong` selects an id and further values for each row that breaks it, and `sentence` names them."""

    area: Area
    sentence: str
    wrong: str
    remedy: str
    mend: Sequence[str] = ()  # statements that make it hold; none where only people can


COUNTED = N_("Counts again.")
COPIED = N_("Copies it again.")
FAILS = N_("Marks it as failed, so that people can retry it.")
BY_HAND = N_("Restore the database from a backup, or report this as an error in Soroe.")

# A finished picture that is not in the bin, of which the newest version counts.
_STANDS = "{0}.state = 'finished' AND {0}.deleted_at IS NULL"
_SUPERSEDED = f"""EXISTS (
    SELECT 1 FROM images AS later
    WHERE later.set_id = images.set_id AND later.position = images.position AND later.version > images.version
      AND {_STANDS.format("later")}
)"""
_SHOWN = f"({_STANDS.format('images')} AND NOT {_SUPERSEDED})"
_TAG_COUNTS = "SELECT tag, count(*) AS pictures FROM image_tags GROUP BY tag"
_HELD = """
    SELECT person, sum(bytes) AS bytes FROM (
        SELECT uploaded_by_id AS person, bytes FROM "references"
          WHERE purged_at IS NULL AND id NOT IN (SELECT reference_id FROM samples)
        UNION ALL SELECT owner_id, bytes FROM subjects WHERE kind = 'file' AND bytes IS NOT NULL AND purged_at IS NULL
        UNION ALL SELECT uploaded_by_id, bytes FROM rights_files
    ) GROUP BY person
"""
_MADE_TODAY = "created_at >= :begin AND created_at < :end"
# What the rows prove that a person used today, which is at least this: what is removed gives nothing back. Samples are
# not counted.
_USED_TODAY = f"""
    SELECT owner_id AS person, 'sets' AS what, count(*) AS amount FROM image_sets
      WHERE {_MADE_TODAY} AND id NOT IN (SELECT set_id FROM samples) GROUP BY person
    UNION ALL SELECT coalesce(made_by_id, owner_id) AS person, 'pictures', count(*) FROM images
      WHERE {_MADE_TODAY} AND (version > 1 OR set_id NOT IN (SELECT set_id FROM samples)) GROUP BY person
    UNION ALL SELECT owner_id AS person, 'trainings', count(*) FROM subjects
      WHERE kind = 'trained' AND {_MADE_TODAY} GROUP BY person
    UNION ALL SELECT made_by_id AS person, 'exports', count(*) FROM exports
      WHERE {_MADE_TODAY} AND id NOT IN (SELECT export_id FROM samples WHERE export_id IS NOT NULL)
      GROUP BY person
    UNION ALL SELECT made_by_id AS person, 'export_pictures', sum(pictures) FROM exports
      WHERE {_MADE_TODAY} AND id NOT IN (SELECT export_id FROM samples WHERE export_id IS NOT NULL)
      GROUP BY person
    UNION ALL SELECT person, 'uploads', count(*) FROM (
        SELECT uploaded_by_id AS person, created_at FROM "references"
          WHERE id NOT IN (SELECT reference_id FROM samples)
        UNION ALL SELECT uploaded_by_id, created_at FROM rights_files
        UNION ALL SELECT owner_id, created_at FROM subjects WHERE kind = 'file'
      ) WHERE {_MADE_TODAY} GROUP BY person
"""
_HELD_NOW = "usage.what = 'storage' AND usage.day = '1970-01-01'"
_UNDECIDED = """NOT EXISTS (SELECT 1 FROM decisions WHERE decisions.image_id = images.id)
    AND (images.decision IS NOT NULL OR images.approvals <> 0)"""
_EXPORT_COUNTS = """
    SELECT export_id, count(*) AS total, count(DISTINCT image_id) AS pictures, coalesce(sum(lost), 0) AS lost,
      coalesce(sum(lost OR key IS NOT NULL), 0) AS done
    FROM export_files GROUP BY export_id
"""
_EXPORT_MISCOUNTED = """exports.state <> 'listing'
    AND (exports.total, exports.pictures, exports.done, exports.lost)
      <> (files.total, files.pictures, files.done, files.lost)"""
_EXPORT_UNKNOWN = """exports.state = 'ready' AND (bytes IS NULL OR etag IS NULL OR coalesce(extras, 'null') = 'null'
    OR EXISTS (SELECT 1 FROM export_files WHERE export_id = exports.id AND NOT lost
               AND (key IS NULL OR sha256 IS NULL OR bytes IS NULL OR crc32 IS NULL)))"""
_WAITING = "('queued', 'generating')"
_STRANDED_IMAGE = f"""images.state IN {_WAITING} AND NOT EXISTS (
    SELECT 1 FROM units WHERE units.id = images.unit_id AND units.state = images.state
)"""
_STRANDED_SUBJECT = f"""subjects.state IN {_WAITING} AND NOT EXISTS (
    SELECT 1 FROM units WHERE units.subject_id = subjects.id AND units.state = subjects.state
)"""


def _stranded(table: str, column: str) -> str:
    """Work of a table that waits, and that no unit does."""
    return f"""{table}.state IN {_WAITING} AND NOT EXISTS (
        SELECT 1 FROM units WHERE ({column}, units.state) = ({table}.id, {table}.state)
    )"""


# Shown pictures, and sets with one, that nothing would ever measure.
_UNMEASURED = "images.shown AND NOT EXISTS (SELECT 1 FROM picture_measures WHERE image_id = images.id)"
_UNCOMPARED = """EXISTS (SELECT 1 FROM images WHERE images.set_id = image_sets.id AND images.shown)
    AND NOT EXISTS (SELECT 1 FROM set_measures WHERE set_measures.set_id = image_sets.id)"""
_MAP_OF_NOTHING = "NOT EXISTS (SELECT 1 FROM images WHERE images.id = style_maps.image_id AND purged_at IS NULL)"
_STRANDED = N_("This was left behind by an error. Retry it.")

RULES = (
    Invariant(
        Area.COUNTS,
        N_(
            "Picture %(id)s is said to be shown: %(shown)s, replaced: %(superseded)s; by its versions it is"
            " %(s)s and %(r)s."
        ),
        f"""SELECT id, shown, superseded, {_SHOWN} AS s, {_SUPERSEDED} AS r FROM images
            WHERE shown <> {_SHOWN} OR superseded <> {_SUPERSEDED}""",
        COUNTED,
        (
            # `shown` follows from `superseded` in the same statement, or a constraint of the table refuses.
            f"UPDATE images SET shown = {_SHOWN}, superseded = {_SUPERSEDED} "
            f"WHERE shown <> {_SHOWN} OR superseded <> {_SUPERSEDED}",
        ),
    ),
    Invariant(
        Area.COUNTS,
        N_("Picture %(id)s has the outcome %(decision)s with %(approvals)s approvals, and nobody decided."),
        f"SELECT id, decision, approvals FROM images WHERE {_UNDECIDED}",
        COUNTED,
        (f"UPDATE images SET decision = NULL, approvals = 0 WHERE {_UNDECIDED}",),
    ),
    Invariant(
        Area.COUNTS,
        N_("Picture %(id)s has the owner %(owner_id)s and its set has %(wanted)s."),
        """SELECT images.id, images.owner_id, image_sets.owner_id AS wanted FROM images
           JOIN image_sets ON image_sets.id = images.set_id WHERE images.owner_id <> image_sets.owner_id""",
        COPIED,
        (
            """UPDATE images SET owner_id = (SELECT owner_id FROM image_sets WHERE image_sets.id = images.set_id)
               WHERE owner_id <> (SELECT owner_id FROM image_sets WHERE image_sets.id = images.set_id)""",
        ),
    ),
    Invariant(
        Area.COUNTS,
        N_("Picture %(id)s has the style %(style_id)s and its set has %(wanted)s."),
        """SELECT images.id, images.style_id, style_versions.style_id AS wanted FROM images
           JOIN image_sets ON image_sets.id = images.set_id
           JOIN style_versions ON style_versions.id = image_sets.style_version_id
           WHERE images.style_id <> style_versions.style_id""",
        COPIED,
        (
            """UPDATE images SET style_id = (
                 SELECT style_versions.style_id FROM image_sets
                 JOIN style_versions ON style_versions.id = image_sets.style_version_id
                 WHERE image_sets.id = images.set_id)""",
        ),
    ),
    Invariant(
        Area.COUNTS,
        N_("Set %(id)s has %(made)s pictures and asked for %(asked)s."),
        """SELECT image_sets.id, count(images.id) AS made,
             json_array_length(image_sets.prompts) * image_sets.count AS asked
           FROM image_sets LEFT JOIN images ON images.set_id = image_sets.id AND images.version = 1
           GROUP BY image_sets.id
           HAVING made <> asked OR (made > 0 AND (min(images.position) <> 1 OR max(images.position) <> made))""",
        BY_HAND,
    ),
    Invariant(
        Area.COUNTS,
        N_("Unit %(id)s has the owner %(owner_id)s and what it is for has %(wanted)s."),
        """SELECT units.id, units.owner_id, coalesce(image_sets.owner_id, subjects.owner_id, strips.owner_id,
             tunings.owner_id, style_maps.owner_id) AS wanted
           FROM units LEFT JOIN image_sets ON image_sets.id = units.set_id
           LEFT JOIN subjects ON subjects.id = units.subject_id LEFT JOIN strips ON strips.id = units.strip_id
           LEFT JOIN tunings ON tunings.id = units.tuning_id LEFT JOIN style_maps ON style_maps.id = units.map_id
           WHERE units.owner_id <> wanted""",
        COPIED,
        (
            """UPDATE units SET owner_id = coalesce(
                 (SELECT owner_id FROM image_sets WHERE image_sets.id = units.set_id),
                 (SELECT owner_id FROM subjects WHERE subjects.id = units.subject_id),
                 (SELECT owner_id FROM strips WHERE strips.id = units.strip_id),
                 (SELECT owner_id FROM tunings WHERE tunings.id = units.tuning_id),
                 (SELECT owner_id FROM style_maps WHERE style_maps.id = units.map_id))""",
        ),
    ),
    Invariant(
        Area.COUNTS,
        N_("The tag %(tag)s counts %(pictures)s pictures and has %(has)s."),
        """SELECT tag, pictures, (SELECT count(*) FROM image_tags WHERE image_tags.tag = tag_uses.tag) AS has
           FROM tag_uses WHERE pictures <> has
           UNION ALL SELECT tag, 0, count(*) FROM image_tags
           WHERE tag NOT IN (SELECT tag FROM tag_uses) GROUP BY tag""",
        COUNTED,
        ("DELETE FROM tag_uses", f"INSERT INTO tag_uses (tag, pictures) {_TAG_COUNTS}"),
    ),
    Invariant(
        Area.COUNTS,
        N_("Comment %(id)s is on picture %(image_id)s and its conversation on %(wanted)s."),
        """SELECT comments.id, comments.image_id, threads.image_id AS wanted FROM comments
           JOIN threads ON threads.id = comments.thread_id WHERE comments.image_id <> threads.image_id""",
        COPIED,
        ("""UPDATE comments SET image_id = (SELECT image_id FROM threads WHERE threads.id = comments.thread_id)""",),
    ),
    Invariant(
        Area.COUNTS,
        N_(
            "Export %(id)s counts %(total)s files of %(pictures)s pictures, %(done)s done, %(lost)s lost; it has"
            " %(t)s, %(p)s, %(d)s and %(l)s."
        ),
        f"""SELECT exports.id, exports.total, exports.pictures, exports.done, exports.lost,
              files.total AS t, files.pictures AS p, files.done AS d, files.lost AS l
            FROM exports JOIN ({_EXPORT_COUNTS}) AS files ON files.export_id = exports.id
            WHERE {_EXPORT_MISCOUNTED}""",
        COUNTED,
        (
            f"""UPDATE exports SET total = files.total, pictures = files.pictures, done = files.done, lost = files.lost
                FROM ({_EXPORT_COUNTS}) AS files WHERE files.export_id = exports.id AND {_EXPORT_MISCOUNTED}""",
        ),
    ),
    Invariant(
        Area.COUNTS,
        N_("Person %(person)s is said to store %(amount)s bytes, less than the %(bytes)s of their uploads."),
        f"""SELECT held.person, coalesce(usage.amount, 0) AS amount, held.bytes FROM ({_HELD}) AS held
            LEFT JOIN usage ON usage.user_id = held.person AND {_HELD_NOW}
            WHERE coalesce(usage.amount, 0) < held.bytes""",
        COUNTED,
        (
            f"""INSERT INTO usage (user_id, day, what, amount)
                SELECT held.person, '1970-01-01', 'storage', held.bytes FROM ({_HELD}) AS held WHERE held.bytes > 0
                ON CONFLICT (user_id, day, what) DO UPDATE SET amount = max(amount, excluded.amount)""",
        ),
    ),
    Invariant(
        Area.COUNTS,
        N_(
            "Person %(person)s is said to have used %(amount)s of the quota for %(what)s today, less than the"
            " %(shown)s that the rows show."
        ),
        f"""SELECT used.person, coalesce(usage.amount, 0) AS amount, used.what, used.amount AS shown
            FROM ({_USED_TODAY}) AS used
            LEFT JOIN usage ON usage.user_id = used.person AND usage.what = used.what AND usage.day = :today
            WHERE coalesce(usage.amount, 0) < used.amount""",
        COUNTED,
        (
            f"""INSERT INTO usage (user_id, day, what, amount)
                SELECT used.person, :today, used.what, used.amount FROM ({_USED_TODAY}) AS used WHERE used.amount > 0
                ON CONFLICT (user_id, day, what) DO UPDATE SET amount = max(amount, excluded.amount)""",
        ),
    ),
    Invariant(
        Area.COUNTS,
        N_("Person %(user_id)s has used %(amount)s %(what)s on %(day)s."),
        "SELECT user_id, amount, what, day FROM usage WHERE amount < 0",
        N_("Sets it to 0."),
        ("UPDATE usage SET amount = 0 WHERE amount < 0",),
    ),
    Invariant(
        Area.STATES,
        N_("Picture %(id)s is %(state)s, and no unit makes it."),
        f"SELECT id, state FROM images WHERE {_STRANDED_IMAGE}",
        FAILS,
        (f"UPDATE images SET state = 'failed', error = '{_STRANDED}' WHERE {_STRANDED_IMAGE}",),
    ),
    Invariant(
        Area.STATES,
        N_("Subject %(id)s is %(state)s, and no unit trains it."),
        f"SELECT id, state FROM subjects WHERE {_STRANDED_SUBJECT}",
        FAILS,
        (f"UPDATE subjects SET state = 'failed', error = '{_STRANDED}' WHERE {_STRANDED_SUBJECT}",),
    ),
    *(
        Invariant(
            Area.STATES,
            N_("The row %(id)s of %(source)s is %(state)s, and no unit makes it."),
            f"SELECT id, '{table}' AS source, state FROM {table} WHERE {_stranded(table, column)}",
            FAILS,
            (f"UPDATE {table} SET state = 'failed', error = '{_STRANDED}' WHERE {_stranded(table, column)}",),
        )
        for table, column in (("strips", "strip_id"), ("tunings", "tuning_id"), ("style_maps", "map_id"))
    ),
    Invariant(
        Area.STATES,
        N_("Picture %(id)s is shown, and nothing measures it."),
        f"SELECT id FROM images WHERE {_UNMEASURED}",
        N_("Measures it."),
        (
            f"""INSERT INTO picture_measures (image_id, due, tries, made_with, numbers, flags, flagged, embedders)
                SELECT id, 1, 0, '', '{{}}', '{{}}', 0, '{{}}' FROM images WHERE {_UNMEASURED}""",
        ),
    ),
    Invariant(
        Area.STATES,
        N_("Set %(id)s has pictures, and nothing compares them."),
        f"SELECT id FROM image_sets WHERE {_UNCOMPARED}",
        N_("Compares them."),
        (
            f"""INSERT INTO set_measures (set_id, changes, compared_changes, numbers, total, sampled)
                SELECT id, 1, 0, '{{}}', 0, 0 FROM image_sets WHERE {_UNCOMPARED}""",
        ),
    ),
    Invariant(
        Area.STATES,
        N_("Map %(id)s is of picture %(image_id)s, which does not exist."),
        f"SELECT id, image_id FROM style_maps WHERE {_MAP_OF_NOTHING}",
        N_("Removes it."),
        (
            f"DELETE FROM units WHERE map_id IN (SELECT id FROM style_maps WHERE {_MAP_OF_NOTHING})",
            f"DELETE FROM style_maps WHERE {_MAP_OF_NOTHING}",
        ),
    ),
    Invariant(
        Area.STATES,
        N_("Picture %(id)s is %(state)s and has the file %(file)s."),
        """SELECT id, state, coalesce(sha256, 'none') AS file FROM images
           WHERE (state = 'finished') <> (sha256 IS NOT NULL)""",
        BY_HAND,
    ),
    Invariant(
        Area.STATES,
        N_("Picture %(id)s was removed for good, and is not in the bin."),
        "SELECT id FROM images WHERE purged_at IS NOT NULL AND deleted_at IS NULL",
        BY_HAND,
    ),
    *(
        Invariant(
            Area.STATES,
            N_("The row %(id)s of %(source)s was removed for good, and is not in the bin."),
            f"""SELECT id, '{table}' AS source FROM "{table}" WHERE purged_at IS NOT NULL AND deleted_at IS NULL""",
            BY_HAND,
        )
        for table in ("campaigns", "image_sets", "styles", "subjects", "references")
    ),
    Invariant(
        Area.STATES,
        N_("Picture %(id)s is not in the bin, and its set %(set_id)s is."),
        """SELECT images.id, images.set_id FROM images JOIN image_sets ON image_sets.id = images.set_id
           WHERE image_sets.deleted_at IS NOT NULL AND images.deleted_at IS NULL""",
        BY_HAND,
    ),
    Invariant(
        Area.STATES,
        N_("Subject %(id)s is %(state)s and has the file %(file)s."),
        """SELECT id, state, coalesce(sha256, 'none') AS file FROM subjects
           WHERE (state = 'finished') <> (sha256 IS NOT NULL)""",
        BY_HAND,
    ),
    Invariant(
        Area.STATES,
        N_("Export %(id)s is ready, and its row says too little of its files."),
        f"SELECT id FROM exports WHERE {_EXPORT_UNKNOWN}",
        N_("Queues it, so that the server prepares it again."),
        (
            f"""UPDATE export_files SET key = NULL, lost = 0
                WHERE export_id IN (SELECT id FROM exports WHERE {_EXPORT_UNKNOWN})""",
            f"UPDATE exports SET state = 'queued', done = 0, lost = 0 WHERE {_EXPORT_UNKNOWN}",
        ),
    ),
    Invariant(
        Area.STATES,
        N_("Decision %(id)s is on picture %(image_id)s and withdraws one on picture %(other)s."),
        """SELECT decisions.id, decisions.image_id, earlier.image_id AS other FROM decisions
           JOIN decisions AS earlier ON earlier.id = decisions.withdraws_id
           WHERE decisions.image_id <> earlier.image_id""",
        BY_HAND,
    ),
)


def _today() -> dict[str, str]:
    """The day, its first moment and that of the next, as the database writes them.

    What a clock that was ahead has dated tomorrow was counted for tomorrow.
    """
    today = days.today()
    begin, end = (f"{days.begin(day):%Y-%m-%d %H:%M:%S.%f}" for day in (today, today + timedelta(days=1)))
    return {"today": str(today), "begin": begin, "end": end}


def check_rules(session: Session) -> Iterator[Finding]:
    """What breaks each rule."""
    for rule in RULES:
        try:
            rows = session.execute(text(rule.wrong), _today()).mappings().all()
        except DatabaseError as error:  # a damaged table
            yield Finding(
                rule.area, _("A rule could not be checked: %(error)s.", error=error.orig), translated(BY_HAND)
            )
            continue
        for row in rows:
            said = translated(rule.sentence) % row
            yield Finding(rule.area, said, translated(rule.remedy), bool(rule.mend))


def mend_rules(session: Session) -> None:
    """Make all rules hold that can be mended without loss. Needs a writing session."""
    for rule in RULES:
        if rule.mend and session.execute(text(rule.wrong), _today()).first() is not None:
            for statement in rule.mend:
                session.execute(text(statement), _today())
