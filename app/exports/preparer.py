"""Makes exports ready: each picture converted and signed once, kept on disk, and found there by the next export.

One task of the web process, one export at a time, its pictures in a few threads. The database says what is to be done
and what is done, so a restart goes on where it was. Memory holds a few pictures, however many an export has.
"""

import asyncio
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import chain
from pathlib import Path
from shutil import rmtree
from threading import Lock
from time import monotonic
from zlib import crc32

import structlog
from PIL import Image
from sqlalchemy import update
from sqlalchemy.orm import Session

from app.audit.service import record
from app.database import Database
from app.errors import UserError
from app.exports import certificates, endings, manifest, provenance, queries, service, shapes
from app.exports.archive import Archive
from app.exports.certificates import Identity
from app.exports.options import ExportOptions, pixels
from app.exports.provenance import Origin, Source
from app.exports.queries import FileRow, SetRow, SourceRow
from app.exports.service import Store
from app.files import Files, Kind, write_whole
from app.models import Act, Export, ExportFile, ExportState, now
from app.settings import Settings
from app.text import whole_number

log = structlog.get_logger()

RECIPE = 2  # raised when the same options make other files
WORKERS = max(1, min(4, (os.cpu_count() or 1) // 2))  # the model needs processors too
BATCH = 8 * WORKERS  # files between two notes of how far it is
LOOK_AGAIN_SECONDS = 30.0
TIDY_SECONDS = 3600.0
CACHE_DAYS = 1  # a file of the cache that no export has is kept so long
BROKEN = "Something went wrong on the server; it was written to the server's log."


@dataclass(frozen=True)
class MadeFile:
    """A file of the cache, or the news that its picture is lost."""

    position: int
    key: str | None
    bytes: int | None
    sha256: str | None
    crc32: int | None

    @property
    def lost(self) -> bool:
        return self.key is None


class Preparer:
    def __init__(self, settings: Settings, database: Database, files: Files) -> None:
        self.settings = settings
        self.database = database
        self.files = files
        self.store = Store(settings.data / "exports")
        self._one_at_a_time = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()
        self._stopping = False
        self._tidied = -TIDY_SECONDS

    def wake(self) -> None:
        """There may be an export to make ready: look now. From any thread, after the commit."""
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)

    async def run(self) -> None:
        """Make ready what waits, until cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                self._woken.clear()
                try:
                    await asyncio.to_thread(self.tidy)
                    while await asyncio.to_thread(self._next):
                        pass
                except Exception:
                    log.exception("exports could not be read")
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), LOOK_AGAIN_SECONDS)
        finally:
            self._stopping = True

    def _next(self) -> bool:
        """Make the next export ready; False when there is none, or when the server stops."""
        with self.database.read() as session:
            export_id = queries.waiting(session)
        if export_id is None or self._stopping:
            return False
        self.prepare(export_id)
        return not self._stopping

    def prepare(self, export_id: int, *, wait: bool = True) -> bool:
        """Make one export ready, or say in it why that failed. False when others come first and `wait` is false."""
        if not self._one_at_a_time.acquire(blocking=wait):
            return False
        try:
            self._prepare(export_id)
        except UserError as error:
            self._fail(export_id, str(error))
        except Exception:
            log.exception("an export failed", export=export_id)
            self._fail(export_id, BROKEN)
        finally:
            self._one_at_a_time.release()
        return True

    def _prepare(self, export_id: int) -> None:
        with self.database.write() as session:
            export = session.get(Export, export_id)
            if not export or export.state not in (ExportState.QUEUED, ExportState.PREPARING):
                return
            export.state = ExportState.PREPARING
            made = queries.made(session, export_id)
            options = service.options_of(export)
        identity = certificates.identity(self.settings)
        with self.database.read() as session:
            facts = queries.sets(session, queries.set_ids(session, export_id))
        maker = Maker(self.files, self.store, options, identity, facts)
        if self._make_files(export_id, maker, made):
            self._finish(export_id, facts, options, identity)

    def _make_files(self, export_id: int, maker: "Maker", before: tuple[int, int]) -> bool:
        """Make the files that are missing; `before` is how many are done and lost already. False when the export was
        deleted meanwhile, or the server stops.
        """
        done, lost = before
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="export") as pool:
            for batch in queries.batched(self._unmade(export_id), BATCH):
                made = list(pool.map(maker.make, batch))
                done, lost = done + len(made), lost + sum(each.lost for each in made)
                if self._stopping or not self._note(export_id, made, done, lost):
                    return False
        return True

    def _unmade(self, export_id: int) -> Iterator[FileRow]:
        """The files that are not made yet; each chunk in a short reading of its own, so that writers go on."""
        after = 0
        while True:
            with self.database.read() as session:
                unmade = (ExportFile.key.is_(None), ExportFile.lost.is_(False))
                rows = queries.files_after(session, export_id, after, *unmade)
            if not rows:
                return
            yield from rows
            after = rows[-1].position

    def _note(self, export_id: int, made: Sequence[MadeFile], done: int, lost: int) -> bool:
        """Write down what was made. False when the export is not there any more."""
        with self.database.write() as session:
            export = session.get(Export, export_id)
            if not export:
                return False
            export.done, export.lost = done, lost
            changes = [{"export_id": export_id, **asdict(each), "lost": each.lost} for each in made]
            session.execute(update(ExportFile), changes)
        return True

    def _finish(self, export_id: int, facts: dict[int, SetRow], options: ExportOptions, identity: Identity) -> None:
        """Write what lies beside the pictures, and measure the zip."""
        with self.database.read() as session:
            export = session.get(Export, export_id)
            if not export:
                return
            if export.lost == export.total:
                raise UserError("All files of these pictures are lost from the server; restore them from a backup.")
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
        self, session: Session, export: Export, facts: dict[int, SetRow], options: ExportOptions, identity: Identity
    ) -> list[tuple[str, int, int]]:
        """Write them in their order; the name, bytes and CRC-32 of each."""
        written = []

        def write(name: str, pieces: Iterable[bytes]) -> None:
            path = self.store.folder(export.id) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            size = checksum = 0
            with path.open("wb") as file:
                for piece in pieces:
                    size, checksum = size + file.write(piece), crc32(piece, checksum)
            written.append((name, size, checksum))

        rmtree(self.store.folder(export.id), ignore_errors=True)
        if options.manifests:
            write(manifest.CSV, manifest.as_csv(_lines(session, export.id, facts)))
            write(manifest.JSON, manifest.as_json(export, _lines(session, export.id, facts)))
        if export.lost:
            write(manifest.MISSING, [manifest.missing(queries.lost_names(session, export.id, limit=export.lost))])
        if options.certificate:
            write(service.AUTHORITY, [identity.authority.encode()])
        return written

    def _fail(self, export_id: int, sentence: str) -> None:
        with self.database.write() as session:
            if export := session.get(Export, export_id):
                export.state, export.error = ExportState.FAILED, sentence
                record(session, None, Act.EXPORT_FAIL, export, name=export.name, error=sentence)

    def tidy(self) -> None:
        """Forget exports whose time is over, and remove files that no export has. Once in a while, whoever asks."""
        if monotonic() - self._tidied < TIDY_SECONDS:
            return
        self._tidied = monotonic()
        with self.database.write() as session:
            for export in queries.outdated(session, now() - timedelta(days=self.settings.export_days)):
                endings.end(session, None, export, Act.EXPORT_EXPIRE)
        with self.database.read() as session:
            for folder in (self.store.root / "made").glob("*"):
                if session.get(Export, whole_number(folder.name) or 0) is None:
                    rmtree(folder, ignore_errors=True)
            kept = (path for path in (self.store.root / "cache").rglob("*") if path.is_file())
            for paths in queries.batched(kept, queries.CHUNK):
                used = queries.used_files(session, [path.stem for path in paths])
                for path in paths:
                    if path.stem not in used and _is_old(path):
                        path.unlink(missing_ok=True)
                        with suppress(OSError):  # others of the recipe are in it
                            path.parent.rmdir()


@dataclass(frozen=True)
class Maker:
    """Makes the files of one export."""

    files: Files
    store: Store
    options: ExportOptions
    identity: Identity
    facts: dict[int, SetRow]

    def make(self, row: FileRow) -> MadeFile:
        """The file of `row`: from the cache, or converted, signed and put there."""
        key = self._key(row)
        data, name = _kept(self.store.pictures(key))
        if not data:
            picture = self._picture(row)
            if not picture:
                return MadeFile(row.position, None, None, None, None)
            data = self._signed(row, picture)
            name = hashlib.sha256(data).hexdigest()
            write_whole(self.store.picture(key, name, self.options.file_format.suffix), data)
        return MadeFile(row.position, key, len(data), name, crc32(data))

    def _picture(self, row: FileRow) -> Image.Image | None:
        """The finished picture; None when its file is gone or is not what it was."""
        try:
            png = self.files.path(Kind.IMAGES, row.image_sha256).read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(png).hexdigest() != row.image_sha256:
            return None
        with Image.open(io.BytesIO(png), formats=["PNG"]) as opened:
            return opened.convert("RGB")

    def _signed(self, row: FileRow, picture: Image.Image) -> bytes:
        form, origin = self.options.file_format, self._origin(row)
        picture.info.clear()
        if size := pixels(row.size):
            picture = shapes.fitted(picture, size, self.options.fit)
        data = provenance.encoded(picture, form, self.options.quality, origin)
        return provenance.signed(data, form, origin, self.identity)

    def _origin(self, row: FileRow) -> Origin:
        image_set, size = self.facts[row.set_id], pixels(row.size)
        return Origin(
            prompt=row.prompt if self.options.prompts else "",
            model=image_set.model,
            made_at=row.made_at,
            style=f"{image_set.style} ({image_set.code}, version {image_set.version})",
            sources=tuple(map(_source, image_set.sources)),
            inputs=image_set.inputs(row.place),
            steps=shapes.steps((image_set.width, image_set.height), size, self.options.fit) if size else (),
        )

    def _key(self, row: FileRow) -> str:
        """All that shapes the file, as one hash."""
        form = self.options.file_format
        told = {
            "recipe": RECIPE,
            "software": provenance.software(),
            "picture": row.image_sha256,
            "format": form.kind,
            "quality": self.options.quality if form.lossy else None,
            "size": row.size,
            "fit": self.options.fit if pixels(row.size) else None,
            "origin": asdict(self._origin(row)),
            "signer": self.identity.fingerprint,
        }
        return hashlib.sha256(json.dumps(told, default=str, sort_keys=True).encode()).hexdigest()


def _source(row: SourceRow) -> Source:
    """What somebody stated of a right outweighs what the file says."""
    record = row.held.record
    if record and record.owned_by:
        return Source(row.name, row.sha256, record.owned_by, record.licence)
    return Source(row.name, row.sha256, row.rights.get("creator", ""), row.rights.get("copyright", ""))


def _lines(session: Session, export_id: int, facts: dict[int, SetRow]) -> Iterator[manifest.Line]:
    """What the manifests say, read a few hundred files at a time."""

    def lines(rows: Sequence[FileRow]) -> Iterator[manifest.Line]:
        decisions = queries.decisions(session, rows)
        return ((row, facts[row.set_id], decisions[row.image_id]) for row in rows)

    return chain.from_iterable(map(lines, queries.batched(queries.files(session, export_id), queries.CHUNK)))


def _kept(folder: Path) -> tuple[bytes, str]:
    """What was made by a recipe before, if it is what its name says, and that name; nothing otherwise."""
    for path in sorted(folder.glob("*.*")):
        with suppress(OSError):
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() == path.stem:
                return data, path.stem
    return b"", ""


def _is_old(path: Path) -> bool:
    try:
        return now().timestamp() - path.stat().st_mtime > CACHE_DAYS * 86400
    except OSError:
        return False
