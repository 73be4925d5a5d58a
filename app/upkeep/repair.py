"""Mend what a check has found, as far as that loses nothing. Nobody else may use the data.

Rows are never removed, and files without a row are moved aside rather than deleted.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from shutil import move, rmtree

from sqlalchemy import update

from app import days
from app.database import Database
from app.errors import UserError
from app.files import Files, Kind
from app.languages import gettext as _
from app.languages import ngettext
from app.models import Export, ExportFile, ExportState, Image, Reference, RightsFile, Subject
from app.upkeep.findings import Area, Finding
from app.upkeep.outcomes import mend_outcomes
from app.upkeep.reader import FileReader
from app.upkeep.rules import mend_rules
from app.upkeep.stored import Suspect
from app.upkeep.tables import mend_tables

SIZED: dict[Kind, type[Reference | Image | Subject | RightsFile]] = {
    Kind.REFERENCES: Reference,
    Kind.IMAGES: Image,
    Kind.LORAS: Subject,
    Kind.RIGHTS: RightsFile,
}


def repair(database: Database, files: Files, findings: Sequence[Finding]) -> Iterator[str]:
    """Mend the repairable ones of `findings`, and say what was done, a sentence each.

    A damaged index is mended before, by `app.upkeep.rebuild`, while the database is closed.
    """
    by_area: dict[Area, list[Finding]] = {}
    for finding in findings:
        if finding.repairable:
            by_area.setdefault(finding.area, []).append(finding)
    if Area.DATABASE in by_area:
        with database.engine.execution_options(writes=True).begin() as connection:
            mend_tables(connection)
        yield _("Made the indices of the database again.")
    with database.write() as session:
        mend_rules(session)
        mend_outcomes(session)
    wrong = len(by_area.get(Area.COUNTS, ())) + len(by_area.get(Area.STATES, ()))
    if wrong:
        yield ngettext("Corrected %(number)s count or state.", "Corrected %(number)s counts and states.", wrong)
    for area, mend in (
        (Area.FILES, _sizes),
        (Area.EXPORTS, _exports),
        (Area.THUMBNAILS, _thumbnails),
        (Area.ORPHANS, _orphans),
    ):
        if area in by_area:
            yield mend(database, files, [each.about for each in by_area[area]])
    if lost := [each.about for each in findings if each.area is Area.FILES and not each.repairable]:
        yield _mark(database, files, lost)


def _mark(database: Database, files: Files, suspects: Sequence[Suspect]) -> str:
    """Record lost and damaged files, as the server does when it meets them."""
    reader = FileReader(database, files)
    for suspect in suspects:
        if suspect.kind:
            reader.suspect(suspect.kind, suspect.sha256)
    try:
        reader.read(seconds=0.0)
    except UserError as error:  # the audit log itself may be damaged
        return _("Lost and damaged files could not be recorded. %(error)s", error=error)
    return ngettext(
        "Recorded %(number)s lost or damaged file; administrators see them on every page.",
        "Recorded %(number)s lost or damaged files; administrators see them on every page.",
        len(suspects),
    )


def _sizes(database: Database, files: Files, suspects: Sequence[Suspect]) -> str:
    with database.write() as session:
        for suspect in suspects:
            if suspect.kind in SIZED:
                table = SIZED[suspect.kind]
                size = files.path(suspect.kind, suspect.sha256).stat().st_size
                session.execute(update(table).where(table.sha256 == suspect.sha256).values(bytes=size))
    return ngettext("Corrected the size in %(number)s row.", "Corrected the size in %(number)s rows.", len(suspects))


def _exports(database: Database, files: Files, ids: Sequence[int]) -> str:
    with database.write() as session:
        theirs = ExportFile.export_id.in_(ids)
        session.execute(update(ExportFile).where(theirs).values(key=None, lost=False))
        again = {"state": ExportState.QUEUED, "done": 0, "lost": 0, "error": None}
        session.execute(update(Export).where(Export.id.in_(ids)).values(**again))
    return ngettext(
        "Queued %(number)s export; the server prepares them again.",
        "Queued %(number)s exports; the server prepares them again.",
        len(ids),
    )


def _thumbnails(database: Database, files: Files, suspects: Sequence[Suspect]) -> str:
    made = 0
    for suspect in suspects:
        with suppress(UserError):  # the next check reports it
            files.make_thumbnails(suspect.sha256)
            made += 1
    return ngettext("Made the thumbnails of %(number)s picture.", "Made the thumbnails of %(number)s pictures.", made)


def _orphans(database: Database, files: Files, orphans: Sequence[Suspect | Path]) -> str:
    """Move files without a row aside; remove those of exports, which are made from others."""
    folder = files.root.parent / "lost+found" / days.in_names(datetime.now(UTC))
    moved = 0
    for orphan in orphans:
        if isinstance(orphan, Suspect) and orphan.found:
            target = folder / orphan.found.path.relative_to(files.root)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            move(orphan.found.path, target)
            moved += 1
        elif isinstance(orphan, Path):
            rmtree(orphan) if orphan.is_dir() else orphan.unlink(missing_ok=True)
    removed = len(orphans) - moved
    if not moved:
        return ngettext(
            "Removed %(number)s file of exports that are gone.",
            "Removed %(number)s files of exports that are gone.",
            removed,
        )
    if not removed:
        return ngettext(
            "Moved %(number)s file without a row to %(folder)s.",
            "Moved %(number)s files without a row to %(folder)s.",
            moved,
            folder=folder,
        )
    return _(
        "Moved %(moved)s without a row to %(folder)s, and removed %(removed)s of exports that are gone.",
        moved=ngettext("%(number)s file", "%(number)s files", moved),
        folder=folder,
        removed=ngettext("%(number)s file", "%(number)s files", removed),
    )
