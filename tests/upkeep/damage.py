"""Kinds of damage, each done to a data folder: what is hurt, and the area in which it is found."""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

from app.files import Kind
from app.upkeep.findings import Area
from app.upkeep.needed import needed
from tests.upkeep.conftest import Data

OLD = 30 * 86400.0  # s


@dataclass(frozen=True)
class Damage:
    name: str
    area: Area
    repaired: bool  # by `soroe check --repair`
    do: Callable[[Data, Random], object]


def sql(*statements: str) -> Callable[[Data, Random], object]:
    """Change rows behind the app's back, as an old error or a hand would."""

    def do(data: Data, chance: Random) -> None:
        with closing(sqlite3.connect(data.settings.data / "soroe.sqlite3")) as connection, connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            for statement in statements:
                connection.execute(statement)

    return do


def some_file(data: Data, chance: Random, kind: Kind) -> Path:
    """A file that some row needs."""
    with data.database.read() as session:
        return data.files.path(kind, chance.choice(sorted(needed(session)[kind])))


def flipped(kind: Kind) -> Callable[[Data, Random], object]:
    """Change one bit of a file."""

    def do(data: Data, chance: Random) -> None:
        path = some_file(data, chance, kind)
        content = bytearray(path.read_bytes())
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)

    return do


def removed(kind: Kind) -> Callable[[Data, Random], object]:
    return lambda data, chance: some_file(data, chance, kind).unlink()


def thumbnail(content: bytes | None) -> Callable[[Data, Random], object]:
    """Remove a thumbnail, or give it other content."""

    def do(data: Data, chance: Random) -> None:
        kind = chance.choice([Kind.REFERENCES, Kind.IMAGES, Kind.MAPS, Kind.SUBJECTS])
        path = data.files.thumbnail(some_file(data, chance, kind).stem, chance.choice((320, 960)))
        path.unlink() if content is None else path.write_bytes(content)

    return do


def orphan(*parts: str) -> Callable[[Data, Random], object]:
    """An old file that no row needs."""

    def do(data: Data, chance: Random) -> None:
        path = data.settings.data.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"left behind")
        os.utime(path, (time.time() - OLD,) * 2)
        os.utime(path.parent, (time.time() - OLD,) * 2)

    return do


def cached(content: bytes | None) -> Callable[[Data, Random], object]:
    """Hurt a picture of an export."""

    def do(data: Data, chance: Random) -> None:
        path = chance.choice(sorted((data.settings.data / "exports" / "cache").rglob("*.png")))
        path.unlink() if content is None else path.write_bytes(path.read_bytes()[: -len(content)] + content)

    return do


def broken_link(data: Data, _: Random) -> None:
    path = data.files.root / "images" / "link"
    path.symlink_to("nowhere")
    os.utime(path, (0, 0), follow_symlinks=False)


def replaced(make: Callable[[Path], object]) -> Callable[[Data, Random], object]:
    """Put something that is not a file in the place of a picture."""

    def do(data: Data, chance: Random) -> None:
        path = some_file(data, chance, Kind.IMAGES)
        path.unlink()
        make(path)

    return do


def linked_folder(data: Data, _: Random) -> None:
    elsewhere = data.settings.data / "elsewhere"
    elsewhere.mkdir()
    (data.files.root / "images" / "more").symlink_to(elsewhere)


NAME = "ab" * 32
STRIP = """INSERT INTO strips (owner_id, style_version_id, model, width, height, steps, guidance, scheduler, seed,
    state, created_at, prompt, negative_prompt, structures, subjects, regions, seamless)
    VALUES (1, 1, 'demo', 64, 64, 4, 2, 'ddim', 1, 'queued', '2026-11-01', 'a fox', '', '[]', '[]', '[]', 0)"""
TUNING = """INSERT INTO tunings (owner_id, style_version_id, model, width, height, steps, guidance, scheduler, seed,
    state, created_at, prompts, looks)
    VALUES (1, 1, 'demo', 64, 64, 4, 2, 'ddim', 1, 'queued', '2026-11-01', '[]', '{}')"""
MAP = """INSERT INTO style_maps (set_id, image_id, owner_id, groups, steps, state, created_at)
    VALUES (1, 1, 1, '[]', 0, 'generating', '2026-11-01')"""
MAP_OF_NOTHING = MAP.replace("(1, 1, 1", "(1, 999, 1").replace("generating", "finished")

DAMAGES = (
    *(Damage(f"flipped {kind}", Area.FILES, False, flipped(kind)) for kind in Kind),
    *(Damage(f"removed {kind}", Area.FILES, False, removed(kind)) for kind in Kind),
    Damage("fifo", Area.FILES, False, replaced(os.mkfifo)),
    Damage("folder", Area.FILES, False, replaced(Path.mkdir)),
    Damage("device", Area.FILES, False, replaced(lambda path: path.symlink_to("/dev/zero"))),
    Damage("linked folder", Area.ORPHANS, False, linked_folder),
    Damage("size", Area.FILES, True, sql("UPDATE images SET bytes = bytes + 1 WHERE id = 2")),
    Damage("removed thumbnail", Area.THUMBNAILS, True, thumbnail(None)),
    Damage("empty thumbnail", Area.THUMBNAILS, True, thumbnail(b"")),
    Damage("other thumbnail", Area.THUMBNAILS, True, thumbnail(b"RIFF\xff\0\0\0WEBP")),
    *(
        Damage(f"orphan of {kind}", Area.ORPHANS, True, orphan("files", kind.folder, "ab", NAME + kind.suffix))
        for kind in Kind
    ),
    Damage("orphan thumbnail", Area.ORPHANS, True, orphan("files", "thumbs", "ab", f"{NAME}-320.webp")),
    Damage("foreign file", Area.ORPHANS, True, orphan("files", "images", "notes.txt")),
    Damage("broken link", Area.ORPHANS, True, broken_link),
    Damage("misplaced file", Area.ORPHANS, True, orphan("files", "images", "cd", f"{NAME}.png")),
    Damage("orphan of an export", Area.ORPHANS, True, orphan("exports", "made", "99", "manifest.csv")),
    Damage("orphan of a recipe", Area.ORPHANS, True, orphan("exports", "cache", "ab", NAME, f"{NAME}.png")),
    Damage("removed exported file", Area.EXPORTS, True, cached(None)),
    Damage("damaged exported file", Area.EXPORTS, True, cached(b"....")),
    Damage(
        "removed manifest", Area.EXPORTS, True, lambda data, _: shutil.rmtree(data.settings.data / "exports" / "made")
    ),
    Damage("shown", Area.COUNTS, True, sql("UPDATE images SET shown = 0 WHERE id = 1")),
    Damage("superseded", Area.COUNTS, True, sql("UPDATE images SET superseded = 1, shown = 0 WHERE id = 1")),
    Damage("approvals", Area.COUNTS, True, sql("UPDATE images SET approvals = 3 WHERE id = 1")),
    Damage("outcome", Area.COUNTS, True, sql("UPDATE images SET decision = 'rejected' WHERE id = 2")),
    Damage("outcome of nobody", Area.COUNTS, True, sql("UPDATE images SET decision = 'approved' WHERE id = 6")),
    Damage("owner of a picture", Area.COUNTS, True, sql("UPDATE images SET owner_id = 1 WHERE id = 1")),
    Damage("owner of a unit", Area.COUNTS, True, sql("UPDATE units SET owner_id = 1 WHERE id = 1")),
    Damage("picture gone", Area.COUNTS, False, sql("DELETE FROM images WHERE id = 8")),
    Damage("tag count", Area.COUNTS, True, sql("UPDATE tag_uses SET pictures = 7")),
    Damage("tag uncounted", Area.COUNTS, True, sql("DELETE FROM tag_uses")),
    Damage("tag of nothing", Area.COUNTS, True, sql("INSERT INTO tag_uses VALUES ('autumn', 2)")),
    Damage("files of an export", Area.COUNTS, True, sql("UPDATE exports SET total = total + 1")),
    Damage("storage", Area.COUNTS, True, sql("UPDATE usage SET amount = 5 WHERE what = 'storage'")),
    Damage("no storage", Area.COUNTS, True, sql("DELETE FROM usage WHERE what = 'storage'")),
    Damage("use of today", Area.COUNTS, True, sql("UPDATE usage SET amount = 0 WHERE what = 'pictures'")),
    Damage("no use of today", Area.COUNTS, True, sql("DELETE FROM usage WHERE what = 'sets'")),
    Damage("negative use", Area.COUNTS, True, sql("UPDATE usage SET amount = -1 WHERE what = 'sets'")),
    Damage("no unit", Area.STATES, True, sql("UPDATE images SET unit_id = NULL WHERE state = 'queued'")),
    Damage("ended unit", Area.STATES, True, sql("UPDATE units SET state = 'finished' WHERE set_id IS NOT NULL")),
    Damage("no training", Area.STATES, True, sql("DELETE FROM units WHERE state = 'queued' AND set_id IS NULL")),
    Damage("no strip", Area.STATES, True, sql(STRIP)),
    Damage("no tuning", Area.STATES, True, sql(TUNING)),
    Damage("no map", Area.STATES, True, sql(MAP)),
    Damage("map of nothing", Area.STATES, True, sql(MAP_OF_NOTHING)),
    Damage("never measured", Area.STATES, True, sql("DELETE FROM picture_measures WHERE image_id = 1")),
    Damage("never compared", Area.STATES, True, sql("DELETE FROM set_measures WHERE set_id = 1")),
    Damage("finished without a file", Area.STATES, False, sql("UPDATE images SET sha256 = NULL WHERE id = 1")),
    Damage("untrained", Area.STATES, False, sql("UPDATE subjects SET sha256 = NULL WHERE state = 'finished'")),
    Damage("export unmeasured", Area.STATES, True, sql("UPDATE exports SET etag = NULL")),
    Damage("event", Area.AUDIT, False, sql("UPDATE audit_events SET details = '{}' WHERE id = 3")),
    Damage(
        "last event", Area.AUDIT, False, sql("DELETE FROM audit_events WHERE id = (SELECT max(id) FROM audit_events)")
    ),
    Damage("index gone", Area.DATABASE, True, sql("DROP INDEX ix_images_shown_id")),
    Damage("trigger gone", Area.DATABASE, True, sql("DROP TRIGGER tag_uses_add")),
    Damage(
        "words",
        Area.DATABASE,
        True,
        sql("INSERT INTO image_words (image_words, rowid, prompt) VALUES ('delete', 1, 'a fox')"),
    ),
    Damage("words gone", Area.DATABASE, True, sql("DELETE FROM image_words_data WHERE id > 10")),
    Damage(
        "points nowhere",
        Area.DATABASE,
        False,
        sql("UPDATE image_tags SET added_by_id = 999"),
    ),
)
