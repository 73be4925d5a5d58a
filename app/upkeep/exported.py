"""Check the files of exports that are ready: those of their zips, and those that no export has."""

import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Database
from app.exports import contents, service
from app.exports.service import Store
from app.languages import N_, ngettext
from app.languages import gettext as _
from app.models import Export, ExportState
from app.text import whole_number
from app.upkeep.findings import Area, Finding, Progress

DAY = 86400.0
LATE_SECONDS = 2 * DAY  # the server keeps what no export uses for a day, in case another asks for it


def check_exports(database: Database, store: Store, progress: Progress) -> Iterator[Finding]:
    """Findings about files of exports. Looks at what is wrong a second time, as a live server is at work."""
    known: dict[Path, bool] = {}
    with database.read() as session:
        ids = list(session.scalars(select(Export.id).where(Export.state == ExportState.READY).order_by(Export.id)))
    for number, export_id in enumerate(ids, start=1):
        if _broken(database, store, export_id, known):
            known = {}
            if broken := _broken(database, store, export_id, known):
                export, count = broken
                what = ngettext(
                    "Export %(id)s, %(name)s, lacks %(number)s file or has damaged ones.",
                    "Export %(id)s, %(name)s, lacks %(number)s files or has damaged ones.",
                    count,
                    id=export.id,
                    name=export.name,
                )
                yield Finding(
                    Area.EXPORTS, what, _("Queues it, so that the server prepares it again."), True, export.id
                )
        progress(N_("exports"), number, len(ids))
    with database.read() as session:
        for path in unexported(session, store):
            name = path.relative_to(store.root)
            yield Finding(
                Area.ORPHANS, _("exports/%(name)s belongs to no export.", name=name), _("Removes it."), True, path
            )


def _broken(database: Database, store: Store, export_id: int, known: dict[Path, bool]) -> tuple[Export, int] | None:
    """An export and how many of its files are not whole; None if all are, or if it is not ready any more."""
    with database.read() as session:
        export = session.get(Export, export_id)
        if not export or export.state != ExportState.READY:
            return None
        members = [
            *service.pictures(session, export, store),
            *service.extras(export.id, export.extras, store),
        ]
    for member in members:
        if member.path not in known:
            known[member.path] = member.undamaged
    count = sum(not known[member.path] for member in members)
    return (export, count) if count else None


def unexported(session: Session, store: Store) -> Iterator[Path]:
    """Files and folders of exports that are gone, which the server should have removed."""
    for folder in sorted((store.root / "made").glob("*")):
        if session.get(Export, whole_number(folder.name) or 0) is None and _is_late(folder):
            yield folder
    cached = (path for path in sorted((store.root / "cache").rglob("*")) if path.is_file())
    for paths in contents.batched(cached, contents.CHUNK):
        used = contents.used_files(session, [path.stem for path in paths])
        yield from (path for path in paths if path.stem not in used and _is_late(path))


def _is_late(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > LATE_SECONDS
    except OSError:
        return False
