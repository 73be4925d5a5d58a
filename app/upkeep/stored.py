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
from app.languages import N_, translated
from app.languages import gettext as _
from app.upkeep.findings import Area, Finding, Progress
from app.upkeep.needed import Needed, NeededFile, needed, pictured

HOUR = 3600.0
# A file without a row may belong to an upload in progress, or to a form that somebody is filling in, which keeps the
# painted masks and the training pictures. After this the server removes it (see `app.upkeep.sweeper`).
ORPHAN_SECONDS = dict.fromkeys(Kind, HOUR) | {Kind.MAPS: 24 * HOUR, Kind.SUBJECTS: 24 * HOUR}
LATE_SECONDS = HOUR  # until the server's sweeper comes by

REMEDIES = {
    Kind.REFERENCES: N_("Upload the same picture again, or restore it from a backup."),
    Kind.IMAGES: N_("Restore it from a backup, or redo the picture."),
    Kind.MAPS: N_("Upload the same map again, or restore it from a backup."),
    Kind.SUBJECTS: N_("Restore it from a backup."),
    Kind.LORAS: N_("Upload the same LoRA again, or restore it from a backup."),
    Kind.RIGHTS: N_("Upload the same file again, or restore it from a backup."),
}
READABLE = N_("Give it to the server's user with chown, or look for errors of the disk in the system's log (dmesg).")
AWAY = N_("Move that away and restore the file from a backup.")
PLAIN = N_("Mount the other disk there instead, or put the folder itself there.")
MOVED = N_("Moves it to the folder lost+found.")
MADE = N_("Makes it from its picture.")


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
    yield from _links(files)
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
                progress(N_("files"), done, total)
    thumbnails = pictured(rows)
    for found in files.found(time.time()):
        if is_orphan(found, rows, thumbnails, LATE_SECONDS):
            yield Suspect(found.kind, found.sha256, found=found)


def _links(files: Files) -> Iterator[Finding]:
    for path in files.linked_folders():
        what = _(
            "%(folder)s is a link to a folder, in which files without a row are not looked for.",
            folder=path.relative_to(files.root),
        )
        yield Finding(Area.ORPHANS, what, PLAIN)


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
            yield Finding(Area.ORPHANS, _("%(name)s belongs to nothing.", name=name), MOVED, True, suspect)
        return
    need = rows[kind].get(sha256) if kind else None
    if not kind or not need:
        return
    if suspect.flaw and (flaw := files.flaw(kind, sha256)):
        what = _("%(what)s (%(file)s)", what=told(flaw, need.name), file=_where(files, kind, sha256))
        remedy = {Flaw.UNREADABLE: READABLE, Flaw.NO_FILE: AWAY}.get(flaw, REMEDIES[kind])
        yield Finding(Area.FILES, what, remedy, about=suspect)
    elif suspect.flaw and _flaw(files, kind, sha256, need):
        size = files.path(kind, sha256).stat().st_size
        yield Finding(
            Area.FILES,
            _(
                "The file of %(name)s has %(size)s bytes and its row says %(bytes)s.",
                name=translated(need.name),
                size=size,
                bytes=need.bytes,
            ),
            _("Corrects the row."),
            True,
            suspect,
        )
    sides = files.flawed_thumbnails(sha256) if suspect.sides else []
    if sides and not files.flaw(kind, sha256):
        what = _(
            "A thumbnail of %(name)s is missing or damaged (%(file)s).",
            name=translated(need.name),
            file=_where(files, kind, sha256),
        )
        yield Finding(Area.THUMBNAILS, what, MADE, True, suspect)


def _where(files: Files, kind: Kind, sha256: str) -> str:
    return str(files.path(kind, sha256).relative_to(files.root))
