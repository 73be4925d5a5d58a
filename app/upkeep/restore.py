"""Restore a data folder from a backup, checked against its hashes before anything is replaced.

Everything is first built in the folder `restore.unfinished` within the data folder, which may be a mounted disk. Then
what was there moves to `replaced-...`, also within it, and the new data take its place. While `restore.unfinished`
exists, no server starts: one that found no database yet would begin an empty one.
"""

import os
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from app import atomic
from app.audit import chain, service
from app.database import Database, migrate, open_copy, versions
from app.languages import N_
from app.languages import gettext as _
from app.settings import Settings
from app.upkeep.backup import copy_database
from app.upkeep.copying import Unreadable, copy, hash_of
from app.upkeep.findings import Progress
from app.upkeep.snapshots import DATABASE, SECRETS, BackupRefused, Backups, Manifest

BUILDING = "restore.unfinished"
KEPT_ASIDE = "replaced-"
NOT_DATA = {BUILDING, "server.lock", "lost+found"}
NAMED = 3  # damaged files in a sentence


@dataclass
class Restored:
    """What a restore did."""

    files: int = 0
    missing: list[str] = field(default_factory=list)  # paths in the folder of files
    aside: Path | None = None  # where the replaced data are


def contents(data: Path) -> list[Path]:
    """What a restore would replace; empty for a folder that is new."""
    return sorted(path for path in data.glob("*") if not _stays(path))


def restore(
    settings: Settings, backups: Backups, name: str, progress: Progress, *, skip_damaged: bool = False
) -> Restored:
    """Put the snapshot `name` into the data folder, which the caller has locked, and keep aside what was there.

    The audit log of the restored data says so. Raises BackupRefused, and OSError for the data folder; the data folder
    is then as before. With `skip_damaged`, files that the backup lacks or has damaged are left out and reported.
    """
    manifest = backups.manifest(name)
    if manifest.tables not in versions():
        raise BackupRefused(
            _(
                "The snapshot %(name)s is from a newer version of Soroe (version %(tables)s of its tables)."
                " Install that version first.",
                name=name,
                tables=manifest.tables,
            )
        )
    lost = _end_of_log(settings.data / DATABASE)
    building = settings.data / BUILDING
    shutil.rmtree(building, ignore_errors=True)
    atomic.make_folder(building, mode=0o700)
    try:
        restored = _build(building, backups, name, manifest, progress)
        if restored.missing and not skip_damaged:
            raise BackupRefused(_damaged(restored.missing))
        _complete(settings.model_copy(update={"data": building}), name, manifest, lost)
        os.sync()
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    restored.aside = _take_place(settings.data, building)
    return restored


def _build(building: Path, backups: Backups, name: str, manifest: Manifest, progress: Progress) -> Restored:
    """Copy everything that belongs to the data folder. Raises BackupRefused for a damaged database or secret."""
    snapshot = backups.snapshots / name
    try:
        if hash_of(snapshot / DATABASE) != manifest.database:
            raise Unreadable(_("%(source)s is damaged", source=snapshot / DATABASE))
        copy_database(snapshot / DATABASE, building / DATABASE, progress)
        for path, sha256 in manifest.secrets.items():
            copy(snapshot / SECRETS / path, building / path, sha256)
    except Unreadable as error:
        raise BackupRefused(_("%(error)s. Nothing was restored; choose another snapshot.", error=error)) from error
    restored = Restored()
    for number, path in enumerate(manifest.files, start=1):
        try:
            copy(backups.files / path, building / "files" / path, Path(path).stem)
            restored.files += 1
        except Unreadable:
            restored.missing.append(path)
        progress(N_("files"), number, len(manifest.files))
    return restored


def _complete(settings: Settings, name: str, manifest: Manifest, lost: chain.Head | None) -> None:
    """Bring the restored database to this version, and say in its audit log where it is from."""
    migrate(settings)
    database = Database(settings)
    try:
        if manifest.head:  # without one there is no audit log to write to
            with database.write() as session:
                service.note_restore(session, name, manifest.taken_at, manifest.events, lost)
    finally:
        database.close()


def _take_place(data: Path, building: Path) -> Path | None:
    """Move what was there aside, and the new data in. The database comes last, and then the folder goes."""
    aside = None
    if old := contents(data):
        aside = data / (KEPT_ASIDE + datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"))
        atomic.make_folder(aside, mode=0o700)
        for path in old:
            atomic.move(path, aside / path.name)
    for path in sorted(building.iterdir(), key=lambda path: path.name == DATABASE):
        atomic.move(path, data / path.name)
    building.rmdir()
    return aside


def _stays(path: Path) -> bool:
    return path.name in NOT_DATA or path.name.startswith(KEPT_ASIDE)


def _end_of_log(database: Path) -> chain.Head | None:
    """The end of the audit log that is about to be replaced; None if it cannot be read."""
    if not database.exists():
        return None
    try:
        with Session(open_copy(database, immutable=False)) as session:
            return chain.head(session)
    except (DatabaseError, chain.BrokenChain):
        return None


def _damaged(paths: list[str]) -> str:
    files = ", ".join(paths[:NAMED])
    if len(paths) > NAMED:
        files = _("%(files)s and %(number)s more", files=files, number=len(paths) - NAMED)
    return _(
        "The backup lacks these files, or has them damaged: %(files)s. Nothing was restored. Choose another"
        " snapshot, or restore the rest with --skip-damaged.",
        files=files,
    )
