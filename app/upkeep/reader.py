"""Read all files in the background, so that damage is noticed while a backup still has what is lost.

At low priority: two seconds of each minute, and each file once a week. What a page, an export or a unit meets is
looked at at once. Damage is recorded in the audit log when it is noticed and when it is healed, not each time it is
met, and administrators see it on every page until then.
"""

import asyncio
from datetime import timedelta
from functools import partial
from threading import Lock
from time import monotonic

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit.service import note_file
from app.background import BackgroundLoop
from app.database import Database
from app.files import Files, Flaw, Kind
from app.models import Act, DamagedFile, FileReading, now
from app.processes import lower_thread_priority
from app.upkeep.needed import Needed, needed

log = structlog.get_logger()

EVERY_SECONDS = 60.0
SLICE_SECONDS = 2.0
ROUND = timedelta(days=7)

Name = tuple[Kind, str]


class FileReader:
    def __init__(self, database: Database, files: Files) -> None:
        self.database = database
        self.files = files
        self.damaged: tuple[str, ...] = ()  # what people know the lost and damaged files as
        self._suspects: set[Name] = set()
        self._lock = Lock()
        files.noticed = self.suspect
        self.background = BackgroundLoop(
            partial(asyncio.to_thread, self.read), "reader", trouble="files could not be checked", seconds=EVERY_SECONDS
        )

    def suspect(self, kind: Kind, sha256: str) -> None:
        """Look at a file soon. Thread-safe."""
        with self._lock:
            known = (kind, sha256) in self._suspects
            self._suspects.add((kind, sha256))
        if not known:
            self.background.wake()

    def read(self, seconds: float = SLICE_SECONDS) -> None:
        """Look at suspects and known damage, then read on for up to `seconds`, and record what is new."""
        lower_thread_priority()
        with self._lock:
            suspects, self._suspects = self._suspects, set()
        with self.database.read() as session:
            rows = needed(session)
            known = {(Kind(row.kind), row.sha256) for row in session.scalars(select(DamagedFile))}
            reading = session.get(FileReading, 1)
        names, ended = self._next(rows, reading)
        looked = {name: self._flaw(rows, name) for name in suspects | known}
        last, ends = reading.last if reading and not reading.ended_at else "", monotonic() + seconds
        for name in names:
            looked[name] = self._flaw(rows, name)
            last = _position(name)
            if self.background.stopping.is_set() or monotonic() > ends:
                break
        else:
            last = ""
        self._store(rows, known, looked, None if ended else (reading, last))

    def _next(self, rows: Needed, reading: FileReading | None) -> tuple[list[Name], bool]:
        """The files still to read in this round; none, and True, if it is over and the next has not begun."""
        if reading and reading.ended_at and now() - reading.begun_at < ROUND:
            return [], True
        after = reading.last if reading and not reading.ended_at else ""
        names = [(kind, sha256) for kind in Kind for sha256 in rows[kind]]
        return sorted((name for name in names if _position(name) > after), key=_position), False

    def _flaw(self, rows: Needed, name: Name) -> Flaw | None:
        """What is wrong with a file; nothing with one that no row needs."""
        kind, sha256 = name
        return self.files.flaw(kind, sha256) if sha256 in rows[kind] else None

    def _store(
        self,
        rows: Needed,
        known: set[Name],
        looked: dict[Name, Flaw | None],
        reading: tuple[FileReading | None, str] | None,
    ) -> None:
        """Record new damage, what was healed, and how far the files were read."""
        new = {name: flaw for name, flaw in looked.items() if flaw and name not in known}
        healed = {name for name in known if looked.get(name, Flaw.DAMAGED) is None}
        if new or healed or reading:
            with self.database.write() as session:
                for (kind, sha256), flaw in new.items():
                    session.add(DamagedFile(kind=kind, sha256=sha256, flaw=flaw))
                    note_file(session, Act.FILE_DAMAGE, file=rows[kind][sha256].name, flaw=flaw, sha256=sha256)
                for kind, sha256 in healed:
                    _heal(session, kind, sha256, rows)
                if reading:
                    _note_reading(session, *reading)
        for (kind, sha256), flaw in new.items():
            log.error("a file is lost or damaged", kind=str(kind), sha256=sha256, flaw=str(flaw))
        left = sorted((known | new.keys()) - healed, key=_position)
        self.damaged = tuple(rows[kind][sha256].name for kind, sha256 in left if sha256 in rows[kind])


def _position(name: Name) -> str:
    return f"{name[0]}/{name[1]}"


def _heal(session: Session, kind: Kind, sha256: str, rows: Needed) -> None:
    row = session.scalar(select(DamagedFile).where(DamagedFile.kind == kind, DamagedFile.sha256 == sha256))
    if row:
        session.delete(row)
        if need := rows[kind].get(sha256):  # otherwise nothing needs it any more
            note_file(session, Act.FILE_HEAL, file=need.name, sha256=sha256)


def _note_reading(session: Session, reading: FileReading | None, last: str) -> None:
    """Move on in the round, begin the first or the next one, or end it with "" after its last file."""
    row = session.get(FileReading, 1) or FileReading(id=1, begun_at=now())
    if reading is None or reading.ended_at:
        row.begun_at = now()
    row.last, row.ended_at = last, None if last else now()
    session.add(row)
