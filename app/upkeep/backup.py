"""Back up a data folder while its server runs: first the database, then all files that it names.

Stored files are only ever added, or removed after their row, so that what an earlier state of the database names is
there when its files are copied. Left out is what Soroe makes again: thumbnails, the files of exports, and caches.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.audit import chain, service
from app.database import Database, open_copy, versions
from app.errors import UserError
from app.exports import certificates
from app.files import Files
from app.languages import N_
from app.languages import gettext as _
from app.settings import Settings
from app.upkeep.copying import Unreadable, copy, hash_of
from app.upkeep.findings import Progress
from app.upkeep.needed import Needed, needed, still_needed
from app.upkeep.snapshots import DATABASE, MANIFEST, SECRETS, BackupRefused, Backups, Manifest

PAGES = 4096  # of the database, copied at a time
SECRET_FOLDERS = ("keys", "certificates")


@dataclass(frozen=True)
class Way:
    """How files are copied."""

    quick: bool = False  # a file that the backup has is trusted by its size, without reading it
    link: bool = False  # hard links instead of copies


@dataclass
class Report:
    """What a backup did."""

    name: str = ""
    files: int = 0
    copied: int = 0
    bytes: int = 0  # copied
    missing: list[str] = field(default_factory=list)  # paths in the folder of files
    unrecorded: str = ""  # why the audit log does not have it


def back_up(database: Database, settings: Settings, backups: Backups, way: Way, progress: Progress) -> Report:
    """Make a snapshot, and record it in the audit log.

    Copies only files that the backup lacks, or has damaged. Files that the data folder lacks are reported, and do not
    stop the rest. Raises BackupRefused, and OSError for the backup folder.
    """
    report = Report()
    files = Files(settings.data / "files")
    with backups.building() as folder:
        copy_database(settings.data / DATABASE, folder / DATABASE, progress)
        secrets = dict(_copy_secrets(settings, folder / SECRETS))
        with Session(open_copy(folder / DATABASE)) as session:
            tables = _tables(session)
            rows, head = needed(session), _head(session)
        held = _copy_files(database, files, backups, rows, way, report, progress)
        manifest = Manifest(
            taken_at=datetime.now(UTC).isoformat(timespec="seconds"),
            tables=tables,
            database=hash_of(folder / DATABASE),
            events=head.count if head else 0,
            head=head.hash if head else "",
            secrets=secrets,
            files=held,
            missing=report.missing,
            settings=_settings(settings),
        )
        (folder / MANIFEST).write_text(manifest.to_json())
        report.name = folder.stem
    try:
        with database.write() as session:
            service.note_backup(session, name=report.name, files=report.files)
    except UserError as error:
        report.unrecorded = str(error)
    return report


def _tables(session: Session) -> str:
    """The version of the tables. Raises BackupRefused for another than this Soroe's."""
    found = str(session.scalar(text("SELECT version_num FROM alembic_version")))
    if found != versions()[0]:
        raise BackupRefused(
            _(
                "The database is of another version of Soroe (version %(found)s of its tables). Back it up with"
                " that one, or start this one on it once.",
                found=found,
            )
        )
    return found


def _head(session: Session) -> chain.Head | None:
    try:
        return chain.head(session)
    except chain.BrokenChain:  # even such data are worth a backup
        return None


def copy_database(source: Path, target: Path, progress: Progress) -> None:
    """Copy a database in use, as it is at one moment, into one file, and check the copy. Raises BackupRefused."""
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copied:
        try:
            live.execute("BEGIN")
            live.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the moment: later changes are not seen
            live.backup(
                copied,
                pages=PAGES,
                progress=lambda _status, left, total: progress(N_("the database"), total - left, total),
            )
            copied.execute("PRAGMA journal_mode = DELETE").close()  # a single file, without a log next to it
            (fault,) = copied.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.OperationalError as error:
            raise BackupRefused(
                _("The database cannot be copied to %(parent)s: %(error)s.", parent=target.parent, error=error)
            ) from error
        except sqlite3.DatabaseError as error:
            raise BackupRefused(_("The database is damaged (%(error)s). Run `soroe check`.", error=error)) from error
    if fault != "ok":
        raise BackupRefused(_("The database is damaged (%(fault)s). Run `soroe check`.", fault=fault))


def _copy_secrets(settings: Settings, folder: Path) -> Iterator[tuple[str, str]]:
    """Copy keys and certificates; gives each path in the data folder, and its SHA-256."""
    folder_of_pair = certificates.folder_of(settings)  # a key and its certificate belong together
    with certificates.alone(folder_of_pair) if folder_of_pair.exists() else nullcontext():
        for inner in SECRET_FOLDERS:
            for path in sorted((settings.data / inner).rglob("*")):
                if path.is_file() and path.suffix in (".key", ".pem"):
                    name = str(path.relative_to(settings.data))
                    try:
                        yield name, copy(path, folder / name)
                    except Unreadable as error:
                        raise BackupRefused(
                            _("%(error)s. Run the backup as the user of the server.", error=error)
                        ) from error


def _copy_files(
    database: Database, files: Files, backups: Backups, rows: Needed, way: Way, report: Report, progress: Progress
) -> list[str]:
    """Copy what the rows need, and return the paths that the backup now has."""
    listed = [(kind, sha256) for kind, found in rows.items() for sha256 in sorted(found)]
    held: list[str] = []
    for number, (kind, sha256) in enumerate(listed, start=1):
        source = files.path(kind, sha256)
        name = str(source.relative_to(files.root))
        try:
            if not _has(backups.files / name, source, sha256, way):
                copy(source, backups.files / name, sha256, link=way.link)
                report.copied += 1
                report.bytes += (backups.files / name).stat().st_size
            held.append(name)
        except Unreadable:
            # Perhaps it was deleted for good after the database was copied.
            with database.read() as session:
                if still_needed(session, kind, [sha256]):
                    report.missing.append(name)
        progress(N_("files"), number, len(listed))
    report.files = len(held)
    return held


def _has(stored: Path, source: Path, sha256: str, way: Way) -> bool:
    """Whether the backup has a file already, whole."""
    if not stored.is_file():
        return False
    if way.quick:
        return not source.exists() or stored.stat().st_size == source.stat().st_size
    try:
        return hash_of(stored) == sha256
    except Unreadable:
        return False


def _settings(settings: Settings) -> dict[str, str]:
    """The settings that are not the default, without secrets."""
    changed = settings.model_dump(exclude_defaults=True, exclude={"oidc_client_secret"})
    return {f"SOROE_{name.upper()}": str(value) for name, value in sorted(changed.items())}
