"""Prepares exports: each picture is converted and signed once, cached on disk, and reused by later exports.

One task of the web process works on one slice of an export at a time (`turns.py` says whose), with its pictures in a
few low-priority threads. The database says what is to do and what is done, so work resumes after a restart. Memory
holds a few pictures, however many an export has, and a single one if it is large (`making.py`).

The pictures are our own, so they are processed here; uploads are not (`app/decoding`).
"""

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from functools import partial
from itertools import chain
from math import inf
from pathlib import Path
from shutil import rmtree
from threading import Lock, get_native_id
from time import monotonic
from zlib import crc32

import structlog
from sqlalchemy import update
from sqlalchemy.orm import Session

from app import atomic
from app.audit.service import record
from app.background import BackgroundLoop
from app.database import Database
from app.days import today
from app.errors import UserError
from app.exports import certificates, contents, endings, manifest, queries, removal, service, set_facts
from app.exports.archive import Archive
from app.exports.certificates import SigningIdentity
from app.exports.contents import FileRow
from app.exports.making import BUDGET, MadeFile, Maker
from app.exports.options import ExportOptions
from app.exports.service import Plan, Selection, Store
from app.exports.set_facts import SetRow
from app.exports.turns import Turns
from app.files import Files
from app.languages import ENGLISH, N_, speaking
from app.models import Act, Export, ExportFile, ExportState, User, now
from app.settings import Settings
from app.storage import CannotSave
from app.text import whole_number

log = structlog.get_logger()

WORKERS = max(1, min(4, (os.cpu_count() or 1) // 2))  # the model needs processors too
BATCH = 8 * WORKERS  # files between progress updates
SLICE_SECONDS = 2.0  # per export before the next one has its turn
MOST_GOING = 8  # exports whose position is remembered between turns; others read it again
LOW_PRIORITY = 10  # for the threads that make files: pages and the model come first
LOOK_AGAIN_SECONDS = 30.0
TIDY_SECONDS = 3600.0
CACHE_DAYS = 1  # an unused cache file is kept this long
LOST = N_("The server lost all files of these pictures. Restore them from a backup.")
BROKEN = N_("Something went wrong on the server. The details are in the server’s log.")


@dataclass
class Going:
    """An export in progress."""

    created_at: datetime  # of the export: an id may be reused
    maker: Maker
    rows: Iterator[FileRow]  # not made yet
    done: int
    lost: int

    def batches(self) -> Iterator[list[FileRow]]:
        """The missing files, in batches that fit the memory budget."""
        batch, cost = [], 0
        for row in self.rows:
            batch.append(row)
            cost += self.maker.cost(row)
            if len(batch) == BATCH or cost > BUDGET:
                yield batch
                batch, cost = [], 0
        if batch:
            yield batch


class Preparer:
    def __init__(self, settings: Settings, database: Database, files: Files) -> None:
        self.settings = settings
        self.database = database
        self.files = files
        self.store = Store(settings.data / "exports")
        self._one_at_a_time = Lock()
        self._turns = Turns()
        self._going: dict[int, Going] = {}
        self._tidied = -TIDY_SECONDS
        self._held_on: date | None = None  # the day on which links were last compared with consents
        self.background = BackgroundLoop(
            partial(asyncio.to_thread, self.make_ready),
            "exporter",
            trouble="exports could not be read",
            seconds=LOOK_AGAIN_SECONDS,
        )

    def recover(self) -> None:
        """Remove exports whose list of files a crash left incomplete. Call it before anyone requests one."""
        removal.remove_unlisted(self.database)

    def make_ready(self) -> None:
        """Prepare waiting exports, slice by slice, until none are left or the server stops. Raises CannotSave."""
        with self.database.storage.saving():
            self.hold_lapsed()
            self.tidy()
        while not self.database.storage.pause and self._next():
            pass

    def ask(self, user: User, wanted: Selection, options: ExportOptions) -> Export:
        """Request an export of `wanted` for `user`, queued for preparation. Raises what `service.plan` raises."""
        export = self._asked(user, wanted, options)
        self.background.wake()
        return export

    def ask_now(self, user: User, wanted: Selection, options: ExportOptions, most: int) -> tuple[int, bool]:
        """Request an export, and prepare it immediately if it has at most `most` files and no other is in preparation.

        Returns its id, and False if it is queued instead.
        """
        export = self._asked(user, wanted, options)
        try:
            ready = export.state == ExportState.READY or (export.total <= most and self.prepare(export.id, wait=False))
        except CannotSave:
            ready = False
        if not ready:
            self.background.wake()
        return export.id, ready

    def ask_without_changed(self, user: User, export_id: int) -> Export:
        """Request another export of what is left of one, as `service.planned_without_changed`."""
        with self.database.read() as session:
            planned = service.planned_without_changed(session, user, export_id)
        export = self._list_files(user, planned)
        self.background.wake()
        return export

    def rebuild(self, user: User, export_id: int) -> None:
        """Queue an export again if it failed or files of it are missing. Raises NotFound."""
        with self.database.read() as session:
            whole = service.is_whole(session, user, export_id, self.store)
        if not whole:
            with self.database.write() as session:
                service.rebuild(session, user, export_id)
        self.background.wake()

    def _asked(self, user: User, wanted: Selection, options: ExportOptions) -> Export:
        with self.database.read() as session:
            planned = service.plan(session, user, wanted, options)
        return self._list_files(user, planned)

    def _list_files(self, user: User, planned: Plan) -> Export:
        """Store a planned export, a part of its files at a time, so that others can write in between."""
        with self.database.write() as session:
            if known := queries.same(session, user, planned.content):
                return known
            export = service.create(session, user, planned)
        start = service.ROWS if export.state == ExportState.LISTING else None
        try:
            while start:
                with self.database.write() as session:
                    there = session.get(Export, export.id)  # unless someone cancelled it
                    start = service.add_files(session, there, planned, start) if there else None
        except BaseException:
            removal.remove_unlisted(self.database, export.id)
            raise
        return export

    def delete(self, user: User, export_id: int) -> Export:
        """Remove an export of `user`, and end its links. Its files go at the next clean-up. Raises NotFound."""
        with self.database.read() as session:
            export = queries.get(session, user, export_id)
        removal.remove(self.database, user, export_id, Act.EXPORT_DELETE)
        return export

    def _next(self) -> bool:
        """Work on the next export in turn; False if there is none, or if the server stops."""
        with self.database.read() as session:
            waiting = queries.waiting(session)
        export_id = self._turns.next(waiting)
        if export_id is None or self.background.stopping.is_set():
            return False
        with self._one_at_a_time:
            self._work_on(export_id, SLICE_SECONDS)
        return not self.background.stopping.is_set()

    def prepare(self, export_id: int, *, wait: bool = True) -> bool:
        """Prepare one export, or store why that failed. False if others are at it and `wait` is false.

        Raises CannotSave, and the export waits.
        """
        if not self._one_at_a_time.acquire(blocking=wait):
            return False
        try:
            while not self._work_on(export_id):
                pass
        finally:
            self._one_at_a_time.release()
        return True

    def _work_on(self, export_id: int, seconds: float = inf) -> bool:
        """Make files of an export for up to `seconds`; returns whether it is finished: ready, failed or gone."""
        try:
            with self.database.storage.saving(), speaking(ENGLISH):  # of a fault that is stored
                going = self._going_on(export_id)
                if going and not self._make_files(export_id, going, monotonic() + seconds):
                    if stopping := self.background.stopping.is_set():
                        del self._going[export_id]  # some of what it took is not made
                    return stopping
        except CannotSave:
            self._going.pop(export_id, None)  # some of what it took is not made: it reads again
            raise
        except UserError as error:
            self._fail(export_id, str(error))
        except Exception:
            log.exception("an export failed", export=export_id)
            self._fail(export_id, BROKEN)
        self._going.pop(export_id, None)
        return True

    def _going_on(self, export_id: int) -> "Going | None":
        """The progress of an export; None if there is nothing to do for it."""
        with self.database.write() as session:
            export = session.get(Export, export_id)
            if not export or export.state not in (ExportState.QUEUED, ExportState.PREPARING):
                return None
            known = self._going.pop(export_id, None)
            if known and known.created_at == export.created_at and export.state == ExportState.PREPARING:
                self._going[export_id] = known  # now the most recent turn
                return known
            export.state = ExportState.PREPARING
            done, lost = contents.made(session, export_id)
            options, created_at = service.options_of(export), export.created_at
        identity = certificates.identity(self.settings)
        with self.database.read() as session:
            facts = set_facts.of_sets(session, contents.set_ids(session, export_id))
        maker = Maker(self.files, self.store, options, identity, facts)
        going = self._going[export_id] = Going(created_at, maker, self._unmade(export_id), done, lost)
        if len(self._going) > MOST_GOING:
            del self._going[next(iter(self._going))]
        return going

    def _make_files(self, export_id: int, going: "Going", ends: float) -> bool:
        """Make missing files until `ends` (monotonic), then the other files.

        False if some are still missing; also True if the export was deleted.
        """
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="export", initializer=_in_the_background) as pool:
            for batch in going.batches():
                made = [each for each in pool.map(partial(self._make, going.maker), batch) if each]
                going.done += len(made)
                going.lost += sum(each.lost for each in made)
                if not self._note(export_id, made, going.done, going.lost):
                    return True
                if self.background.stopping.is_set() or monotonic() > ends:
                    return False
        self._finish(export_id, going.maker)
        return True

    def _make(self, maker: Maker, row: FileRow) -> MadeFile | None:
        """Make a file; None if the server stops, which cannot wait for a whole batch of large ones."""
        return None if self.background.stopping.is_set() else maker.make(row)

    def _unmade(self, export_id: int) -> Iterator[FileRow]:
        """The files not made yet; each chunk in its own short transaction, so that writers can continue."""
        after = 0
        while True:
            with self.database.read() as session:
                unmade = (ExportFile.key.is_(None), ExportFile.lost.is_(False))
                rows = contents.files_after(session, export_id, after, *unmade)
            if not rows:
                return
            yield from rows
            after = rows[-1].position

    def _note(self, export_id: int, made: Sequence[MadeFile], done: int, lost: int) -> bool:
        """Store what was made. False if the export no longer exists."""
        with self.database.write() as session:
            export = session.get(Export, export_id)
            if not export:
                return False
            export.done, export.lost = done, lost
            changes = [{"export_id": export_id, **asdict(each), "lost": each.lost} for each in made]
            if changes:
                session.execute(update(ExportFile), changes)
        return True

    def _finish(self, export_id: int, maker: Maker) -> None:
        """Write the files other than pictures, and measure the zip."""
        facts, options, identity = maker.facts, maker.options, maker.identity
        with self.database.read() as session:
            export = session.get(Export, export_id)
            if not export:
                return
            if export.lost == export.total:
                raise UserError(LOST)
            extras = self._write_extras(session, export, facts, options, identity)
            pictures = service.pictures(session, export, self.store)
            members = [*pictures, *service.extras(export_id, extras, self.store)]
        length = Archive(members, export.created_at).length
        told = [(each.name, each.path.stem) for each in pictures]
        etag = hashlib.sha256(json.dumps([str(export.created_at), length, told, extras]).encode()).hexdigest()[:32]
        with self.database.write() as session:
            if ready := session.get(Export, export_id):
                ready.state, ready.bytes, ready.etag, ready.ready_at = ExportState.READY, length, etag, now()
                ready.extras = extras
                facts_told = {"files": ready.total - ready.lost, "lost": ready.lost or None, "bytes": length}
                record(session, None, Act.EXPORT_READY, ready, name=ready.name, **facts_told)

    def _write_extras(
        self,
        session: Session,
        export: Export,
        facts: dict[int, SetRow],
        options: ExportOptions,
        identity: SigningIdentity,
    ) -> list[tuple[str, int, int]]:
        """Write them in order; returns the name, bytes and CRC-32 of each."""
        written = []

        def write(name: str, pieces: Iterable[bytes]) -> None:
            size = checksum = 0
            with atomic.writing(self.store.folder(export.id) / name) as temporary, temporary.open("wb") as file:
                for piece in pieces:
                    size, checksum = size + file.write(piece), crc32(piece, checksum)
            written.append((name, size, checksum))

        rmtree(self.store.folder(export.id), ignore_errors=True)
        if options.manifests:
            write(manifest.CSV, manifest.as_csv(_lines(session, export.id, facts)))
            write(manifest.JSON, manifest.as_json(export, _lines(session, export.id, facts)))
        if export.lost:
            write(manifest.MISSING, [manifest.missing(contents.lost_names(session, export.id, limit=export.lost))])
        if options.certificate:
            write(service.AUTHORITY, [identity.authority.encode()])
        return written

    def _fail(self, export_id: int, sentence: str) -> None:
        with self.database.write() as session:
            if export := session.get(Export, export_id):
                export.state, export.error = ExportState.FAILED, sentence
                record(session, None, Act.EXPORT_FAIL, export, name=export.name, error=sentence)

    def hold_lapsed(self) -> None:
        """Put links on hold whose pictures show people with a consent that ended. Runs once a day, and at start."""
        if self._held_on == (day := today()):
            return
        with self.database.write() as session:
            endings.suspend_lapsed(session)
        self._held_on = day

    def tidy(self) -> None:
        """Remove expired exports, and files that no export uses. Runs once in a while."""
        if monotonic() - self._tidied < TIDY_SECONDS:
            return
        self._tidied = monotonic()
        with self.database.read() as session:
            outdated = queries.outdated(session, now() - timedelta(days=self.settings.export_days))
        for export_id in outdated:
            removal.remove(self.database, None, export_id, Act.EXPORT_EXPIRE)
        for folder in (self.store.root / "made").glob("*"):
            with self.database.read() as session:
                gone = session.get(Export, whole_number(folder.name) or 0) is None
            if gone:
                rmtree(folder, ignore_errors=True)
        kept = (path for path in (self.store.root / "cache").rglob("*") if path.is_file())
        for paths in contents.batched(kept, contents.CHUNK):
            # Separate transactions: a long one keeps SQLite from truncating its log, which then grows with every write.
            with self.database.read() as session:
                used = contents.used_files(session, [path.stem for path in paths])
            for path in paths:
                if path.stem not in used and _is_old(path):
                    path.unlink(missing_ok=True)
                    with suppress(OSError):  # other files of the recipe are in it
                        path.parent.rmdir()


def _lines(session: Session, export_id: int, facts: dict[int, SetRow]) -> Iterator[manifest.Line]:
    """The lines of the manifests, read a few hundred files at a time."""

    def lines(rows: Sequence[FileRow]) -> Iterator[manifest.Line]:
        decisions = contents.decisions(session, rows)
        return ((row, facts[row.set_id], decisions[row.image_id]) for row in rows)

    return chain.from_iterable(map(lines, contents.batched(contents.files(session, export_id), contents.CHUNK)))


def _is_old(path: Path) -> bool:
    try:
        return now().timestamp() - path.stat().st_mtime > CACHE_DAYS * 86400
    except OSError:
        return False


def _in_the_background() -> None:
    """Lower this thread's priority. Only Linux has priorities per thread."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, get_native_id(), LOW_PRIORITY)
