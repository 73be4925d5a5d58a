"""Rules that the rows keep: what is stored twice agrees, and states fit together. Each is one query for what breaks it.

SQL in its own words, because these are statements about the database and not about the app: a column that the app
computes is recomputed here in another way, and compared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from app.upkeep.findings import Area, Finding


@dataclass(frozen=True)
class Invariant:
    """`wrong` selects an id and further values for each row that breaks it, `sentence` is filled with them."""

    area: Area
    sentence: str
    wrong: str
    remedy: str
    mend: Sequence[str] = ()  # statements that make it hold; none where only people can


COUNTED = "Counts again."
COPIED = "Copies it again."
FAILS = "Marks it as failed, so that people can retry it."
BY_HAND = "Restore the database from a backup, or report this as an error in Soroe."

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
        UNION ALL SELECT owner_id, bytes FROM subjects WHERE kind = 'file' AND bytes IS NOT NULL
        UNION ALL SELECT uploaded_by_id, bytes FROM rights_files
    ) GROUP BY person
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
_STRANDED = "This was left behind by an error. Retry it."

RULES = (
    Invariant(
        Area.COUNTS,
        "Picture {} is said to be shown: {}, replaced: {}; by its versions it is {} and {}.",
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
        "Picture {} has the outcome {} with {} approvals, and nobody decided.",
        f"SELECT id, decision, approvals FROM images WHERE {_UNDECIDED}",
        COUNTED,
        (f"UPDATE images SET decision = NULL, approvals = 0 WHERE {_UNDECIDED}",),
    ),
    Invariant(
        Area.COUNTS,
        "Picture {} has the owner {} and its set has {}.",
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
        "Picture {} has the style {} and its set has {}.",
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
        "Set {} has {} pictures and asked for {}.",
        """SELECT image_sets.id, count(images.id) AS made,
             json_array_length(image_sets.prompts) * image_sets.count AS asked
           FROM image_sets LEFT JOIN images ON images.set_id = image_sets.id AND images.version = 1
           GROUP BY image_sets.id
           HAVING made <> asked OR (made > 0 AND (min(images.position) <> 1 OR max(images.position) <> made))""",
        BY_HAND,
    ),
    Invariant(
        Area.COUNTS,
        "Unit {} has the owner {} and its set or subject has {}.",
        """SELECT units.id, units.owner_id, coalesce(image_sets.owner_id, subjects.owner_id) AS wanted FROM units
           LEFT JOIN image_sets ON image_sets.id = units.set_id LEFT JOIN subjects ON subjects.id = units.subject_id
           WHERE units.owner_id <> wanted""",
        COPIED,
        (
            """UPDATE units SET owner_id = coalesce(
                 (SELECT owner_id FROM image_sets WHERE image_sets.id = units.set_id),
                 (SELECT owner_id FROM subjects WHERE subjects.id = units.subject_id))""",
        ),
    ),
    Invariant(
        Area.COUNTS,
        "The tag {} counts {} pictures and has {}.",
        """SELECT tag, pictures, (SELECT count(*) FROM image_tags WHERE image_tags.tag = tag_uses.tag) AS has
           FROM tag_uses WHERE pictures <> has
           UNION ALL SELECT tag, 0, count(*) FROM image_tags
           WHERE tag NOT IN (SELECT tag FROM tag_uses) GROUP BY tag""",
        COUNTED,
        ("DELETE FROM tag_uses", f"INSERT INTO tag_uses (tag, pictures) {_TAG_COUNTS}"),
    ),
    Invariant(
        Area.COUNTS,
        "Comment {} is on picture {} and its conversation on {}.",
        """SELECT comments.id, comments.image_id, threads.image_id AS wanted FROM comments
           JOIN threads ON threads.id = comments.thread_id WHERE comments.image_id <> threads.image_id""",
        COPIED,
        ("""UPDATE comments SET image_id = (SELECT image_id FROM threads WHERE threads.id = comments.thread_id)""",),
    ),
    Invariant(
        Area.COUNTS,
        "Export {} counts {} files of {} pictures, {} done, {} lost; it has {}, {}, {} and {}.",
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
        "Person {} is said to store {} bytes, less than the {} of their uploads.",
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
        "Person {} has used {} {} on {}.",
        "SELECT user_id, amount, what, day FROM usage WHERE amount < 0",
        "Sets it to 0.",
        ("UPDATE usage SET amount = 0 WHERE amount < 0",),
    ),
    Invariant(
        Area.STATES,
        "Picture {} is {}, and no unit makes it.",
        f"SELECT id, state FROM images WHERE {_STRANDED_IMAGE}",
        FAILS,
        (f"UPDATE images SET state = 'failed', error = '{_STRANDED}' WHERE {_STRANDED_IMAGE}",),
    ),
    Invariant(
        Area.STATES,
        "Subject {} is {}, and no unit trains it.",
        f"SELECT id, state FROM subjects WHERE {_STRANDED_SUBJECT}",
        FAILS,
        (f"UPDATE subjects SET state = 'failed', error = '{_STRANDED}' WHERE {_STRANDED_SUBJECT}",),
    ),
    Invariant(
        Area.STATES,
        "Picture {} is {} and has the file {}.",
        """SELECT id, state, coalesce(sha256, 'none') AS file FROM images
           WHERE (state = 'finished') <> (sha256 IS NOT NULL)""",
        BY_HAND,
    ),
    Invariant(
        Area.STATES,
        "Picture {} was removed for good, and is not in the bin.",
        "SELECT id FROM images WHERE purged_at IS NOT NULL AND deleted_at IS NULL",
        BY_HAND,
    ),
    Invariant(
        Area.STATES,
        "Subject {} is {} and has the file {}.",
        """SELECT id, state, coalesce(sha256, 'none') AS file FROM subjects
           WHERE (state = 'finished') <> (sha256 IS NOT NULL)""",
        BY_HAND,
    ),
    Invariant(
        Area.STATES,
        "Export {} is ready, and its row says too little of its files.",
        f"SELECT id FROM exports WHERE {_EXPORT_UNKNOWN}",
        "Queues it, so that the server prepares it again.",
        (
            f"""UPDATE export_files SET key = NULL, lost = 0
                WHERE export_id IN (SELECT id FROM exports WHERE {_EXPORT_UNKNOWN})""",
            f"UPDATE exports SET state = 'queued', done = 0, lost = 0 WHERE {_EXPORT_UNKNOWN}",
        ),
    ),
    Invariant(
        Area.STATES,
        "Decision {} is on picture {} and withdraws one on picture {}.",
        """SELECT decisions.id, decisions.image_id, earlier.image_id AS other FROM decisions
           JOIN decisions AS earlier ON earlier.id = decisions.withdraws_id
           WHERE decisions.image_id <> earlier.image_id""",
        BY_HAND,
    ),
)


def check_rules(session: Session) -> Iterator[Finding]:
    """What breaks each rule."""
    for rule in RULES:
        try:
            rows: Sequence[Any] = session.execute(text(rule.wrong)).all()
        except DatabaseError as error:  # a damaged table
            yield Finding(rule.area, f"A rule could not be checked: {error.orig}.", BY_HAND)
            continue
        for row in rows:
            yield Finding(rule.area, rule.sentence.format(*row), rule.remedy, bool(rule.mend))


def mend_rules(session: Session) -> None:
    """Make all rules hold that can be mended without loss. Needs a writing session."""
    for rule in RULES:
        if rule.mend and session.execute(text(rule.wrong)).first() is not None:
            for statement in rule.mend:
                session.execute(text(statement))
