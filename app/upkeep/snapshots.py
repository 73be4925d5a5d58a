"""A backup folder: snapshots of the database and the secrets, and one store of files that they share.

    files/images/ab/ab12...png                      as in the data folder, and stored once for all snapshots
    snapshots/20261128T220501Z/soroe.sqlite3
    snapshots/20261128T220501Z/secrets/keys/...     as in the data folder
    snapshots/20261128T220501Z/manifest.json        the hash of everything, and of itself

A snapshot is made in a folder `.unfinished`, which is renamed when everything in it is on disk.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app import atomic, private
from app.errors import UserError
from app.languages import gettext as _

DATABASE, MANIFEST, SECRETS = "soroe.sqlite3", "manifest.json", "secrets"
OURS = {"files", "snapshots", "lock", "lost+found"}
NAME = re.compile(r"\d{8}T\d{6}Z(-2)*")  # of a finished snapshot; a file manager may put files next to them
FORMAT = 1  # of the manifest


class BackupRefused(UserError):
    """A backup cannot be made or restored; the message is one or two sentences."""


@dataclass(frozen=True)
class Manifest:
    """What a snapshot holds."""

    taken_at: str  # ISO 8601, UTC
    tables: str  # version of the database's tables: the latest migration
    database: str  # SHA-256
    events: int  # of the audit log
    head: str  # its hash
    secrets: dict[str, str]  # SHA-256 by path in the data folder
    files: list[str]  # paths in the folder of files; each has its SHA-256 in its name
    missing: list[str]  # those that it lacks, because the data folder did, or had them damaged
    settings: dict[str, str]  # other than the defaults, without secrets
    format: int = FORMAT

    def to_json(self) -> str:
        values = asdict(self)
        return json.dumps(values | {"sha256": _checksum(values)}, indent=1) + "\n"


@dataclass(frozen=True)
class Backups:
    """A backup folder."""

    folder: Path

    @property
    def files(self) -> Path:
        return self.folder / "files"

    @property
    def snapshots(self) -> Path:
        return self.folder / "snapshots"

    def names(self) -> list[str]:
        """The finished snapshots, oldest first."""
        return sorted(path.name for path in self.snapshots.glob("*") if NAME.fullmatch(path.name) and path.is_dir())

    def manifest(self, name: str) -> Manifest:
        """What a snapshot holds. Raises BackupRefused for one that is damaged, or from a newer version."""
        file = self.snapshots / name / MANIFEST
        try:
            values: dict[str, Any] = json.loads(file.read_text())
            checksum, newer = values.pop("sha256"), values["format"] > FORMAT
        except OSError as error:
            raise BackupRefused(
                _("%(file)s cannot be read: %(strerror)s. Choose another snapshot.", file=file, strerror=error.strerror)
            ) from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BackupRefused(_("%(file)s is damaged. Choose another snapshot.", file=file)) from error
        if checksum != _checksum(values) or any(".." in Path(path).parts for path in values["files"]):
            raise BackupRefused(_("%(file)s is damaged. Choose another snapshot.", file=file))
        if newer:
            raise BackupRefused(
                _("The snapshot %(name)s is from a newer version of Soroe. Install that version first.", name=name)
            )
        return Manifest(**values)

    def create(self) -> None:
        """Create the folder, or close it to other users of the machine.

        Raises BackupRefused for one with other files in it, NotOurs, and OSError.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise BackupRefused(_("%(folder)s is a file. Choose a folder.", folder=self.folder))
        if others := {path.name for path in self.folder.glob("*")} - OURS:
            raise BackupRefused(
                _(
                    "%(folder)s has other files in it, such as %(others)s. Choose an empty folder.",
                    folder=self.folder,
                    others=min(others),
                )
            )
        private.use(self.folder)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Lock the folder: nobody else writes to it or restores from it. Raises BackupRefused."""
        path = self.folder / "lock"
        if not path.exists() and os.access(self.folder, os.W_OK):
            path.touch(0o600)
        if not path.exists():  # a medium that is read-only
            yield
            return
        try:
            lock = path.open()
        except OSError as error:
            raise BackupRefused(
                _(
                    "%(path)s cannot be opened: %(strerror)s. Run this as the user who made the backup.",
                    path=path,
                    strerror=error.strerror,
                )
            ) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BackupRefused(
                    _("Another backup or restore is using %(folder)s. Wait for it to end.", folder=self.folder)
                ) from error
            yield

    @contextmanager
    def building(self) -> Iterator[Path]:
        """A folder for a new snapshot. At the end everything is flushed, and the folder gets its name.

        If the block raises, the folder goes.
        """
        for left in self.snapshots.glob("*" + atomic.UNFINISHED):
            shutil.rmtree(left)
        atomic.sweep(self.files)
        name = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        while (self.snapshots / name).exists():
            name += "-2"
        unfinished = self.snapshots / (name + atomic.UNFINISHED)
        atomic.make_folder(unfinished, mode=0o700)
        try:
            yield unfinished
            os.sync()
            atomic.move(unfinished, self.snapshots / name)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise

    def prune(self, keep: int) -> tuple[int, int]:
        """Remove all but the `keep` newest snapshots, then the files that none names.

        Returns how many of both. Raises BackupRefused, with nothing removed, if a manifest of those cannot be read.
        """
        old, kept = self.names()[:-keep], self.names()[-keep:]
        if not old:
            return 0, 0
        named: set[str] = set()
        for name in kept:
            try:
                named.update(self.manifest(name).files)
            except BackupRefused as error:
                raise BackupRefused(
                    _(
                        "%(name)s is damaged, so its files are unknown. Move it away, then back up again.",
                        name=self.snapshots / name,
                    )
                ) from error
        for name in old:
            going = self.snapshots / (name + atomic.UNFINISHED)
            atomic.move(self.snapshots / name, going)
            shutil.rmtree(going)
        files = [path for path in self.files.rglob("*") if path.is_file()]
        unnamed = [path for path in files if str(path.relative_to(self.files)) not in named]
        for path in unnamed:
            path.unlink()
        return len(old), len(unnamed)


def _checksum(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
