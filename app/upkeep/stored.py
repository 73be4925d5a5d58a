"""Check the stored files: every row has its file, every file its row, and each is what its name says.

Reads everything, so it takes as long as the disk does. On a live server files come and go: whatever seems wrong is
looked at again, with the rows as they are by then, before it is reported.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from app.database import Database
from app.files import PICTURES, Files, Flaw, Found, Kind, told
from app.upkeep.findings import Area, Finding, Progress
from app.upkeep.needed import Needed, NeededFile, needed, pictured

HOUR = 3600.0
# A file without a row may belong to an upload in progress, or to a form that somebody is filling in, which keeps the
# painted masks and the training pictures. After this the server removes it (see `app.upkeep.sweeper`).
ORPHAN_SECONDS = dict.fromkeys(Kind, HOUR) | {Kind.MAPS: 24 * HOUR, Kind.SUBJECTS: 24 * HOUR}
LATE_SECONDS = HOUR  # until the server's sweeper comes by

REMEDIES = {
    Kind.REFERENCES: "Upload the same picture again, or restore it from a backup.",
    Kind.IMAGES: "Restore it from a backup, or redo the picture.",
    Kind.MAPS: "Upload the same map again, or restore it from a backup.",
    Kind.SUBJECTS: "Restore it from a backup.",
    Kind.LORAS: "Upload the same LoRA again, or restore it from a backup.",
    Kind.RIGHTS: "Upload the same file again, or restore it from a backup.",
}
MOVED = "Moves it to the folder lost+found."
MADE = "Makes it from its picture."


@dataclass(frozen=True)
class Suspect:
    """A file that seems wrong at the first look."""

    kind: Kind | None
    sha256: str
    flaw: Flaw | None = None
    sides: tuple[int, ...] = ()  # of thumbnails
    found: Found | None = None  # a file that nothing needs


def check_files(database: Database, files: Files, progress: Progress) -> Iterator[Finding]:
    """Findings about stored files and thumbnails."""
    suspects = [*_first_look(database, files, progress)]
    if suspects:
        with database.read() as session:
            rows = needed(session)
        for suspect in suspects:
            yield from _second_look(files, rows, suspect)


def is_orphan(found: Found, rows: Needed, thumbnails: dict[str, Kind], late: float = 0.0) -> bool:
    """Whether nothing needs a file, and nobody can be about to: it is older than an upload takes, by `late` seconds."""
    if found.kind:
        return found.sha256 not in rows[found.kind] and found.age > ORPHAN_SECONDS[found.kind] + late
    longest = max(ORPHAN_SECONDS.values()) if found.thumbnail else HOUR
    return found.sha256 not in thumbnails and found.age > longest + late


def _first_look(database: Database, files: Files, progress: Progress) -> Iterator[Suspect]:
    with database.read() as session:
        rows = needed(session)
    total, done = sum(map(len, rows.values())), 0
    for kind, needs in rows.items():
        for sha256, need in sorted(needs.items()):
            if flaw := _flaw(files, kind, sha256, need):
                yield Suspect(kind, sha256, flaw)
            if kind in PICTURES and (sides := files.flawed_thumbnails(sha256)):
                yield Suspect(kind, sha256, sides=tuple(sides))
            done += 1
            if done % 100 == 0 or done == total:
                progress("files", done, total)
    thumbnails = pictured(rows)
    for found in files.found(time.time()):
        if is_orphan(found, rows, thumbnails, LATE_SECONDS):
            yield Suspect(found.kind, found.sha256, found=found)


def _flaw(files: Files, kind: Kind, sha256: str, need: NeededFile) -> Flaw | None:
    if flaw := files.flaw(kind, sha256):
        return flaw
    size = files.path(kind, sha256).stat().st_size
    return Flaw.DAMAGED if need.bytes not in (None, size) else None


def _second_look(files: Files, rows: Needed, suspect: Suspect) -> Iterator[Finding]:
    kind, sha256 = suspect.kind, suspect.sha256
    if suspect.found:
        name = suspect.found.path.relative_to(files.root)
        if os.path.lexists(suspect.found.path) and is_orphan(suspect.found, rows, pictured(rows)):
            yield Finding(Area.ORPHANS, f"{name} belongs to nothing.", MOVED, True, suspect)
        return
    need = rows[kind].get(sha256) if kind else None
    if not kind or not need:
        return
    if suspect.flaw and (flaw := files.flaw(kind, sha256)):
        yield Finding(
            Area.FILES, f"{told(flaw, need.name)} ({_where(files, kind, sha256)})", REMEDIES[kind], about=suspect
        )
    elif suspect.flaw and _flaw(files, kind, sha256, need):
        size = files.path(kind, sha256).stat().st_size
        yield Finding(
            Area.FILES,
            f"The file of {need.name} has {size} bytes and its row says {need.bytes}.",
            "Corrects the row.",
            True,
            suspect,
        )
    sides = files.flawed_thumbnails(sha256) if suspect.sides else []
    if sides and not files.flaw(kind, sha256):
        what = f"A thumbnail of {need.name} is missing or damaged ({_where(files, kind, sha256)})."
        yield Finding(Area.THUMBNAILS, what, MADE, True, suspect)


def _where(files: Files, kind: Kind, sha256: str) -> str:
    return str(files.path(kind, sha256).relative_to(files.root))
