"""Pictures, LoRAs and documents on disk, named by the SHA-256 of their content: the same file is stored once.

references/ab/ab12...png   images/ab/ab12...png   maps/ab/ab12...png         thumbs/ab/ab12...-320.webp
subjects/ab/ab12...png     subjects/ab/ab12...safetensors                    rights/ab/ab12...

Thumbnails have the name of their picture's PNG. Nothing is believed to be whole because it is there: what is read is
checked against its name, and storing a file again replaces a damaged one.
"""

import hashlib
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from threading import Lock
from time import monotonic

from app import atomic, slow
from app.errors import NotFound
from app.languages import N_, formats, translated
from app.pictures import THUMBNAILS, own_thumbnails, thumbnails
from app.storage import Storage

_THUMBNAIL = re.compile(r"([0-9a-f]{64})-(\d+)\.webp")
SHORT_BYTES = 512 * 2**10  # of a PNG that is kept in memory, and sent from there
UPLOAD_SECONDS = 3600.0  # within this time after a file was stored, its row is committed, or never will be


Room = Callable[[int], None]
"""Called with a number of bytes just before a new file is written; may raise to refuse it."""


class Kind(StrEnum):
    """What a file is. The name of its folder, except for LoRAs, which are with their subjects' pictures."""

    REFERENCES = "references"
    IMAGES = "images"
    MAPS = "maps"
    SUBJECTS = "subjects"  # pictures of products, and samples of their training
    LORAS = "loras"
    RIGHTS = "rights"  # licences and consents, as uploaded

    @property
    def folder(self) -> str:
        return "subjects" if self is Kind.LORAS else self.value

    @property
    def suffix(self) -> str:
        """Documents have none, so that nothing opens them by name."""
        return {Kind.LORAS: ".safetensors", Kind.RIGHTS: ""}.get(self, ".png")


PICTURES = (Kind.REFERENCES, Kind.IMAGES, Kind.MAPS, Kind.SUBJECTS)  # those with thumbnails


class Flaw(StrEnum):
    """What can be wrong with a stored file."""

    MISSING = "missing"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"  # the disk or its permissions refuse
    NO_FILE = "no file"  # a folder or a fifo, for example, has its name


class Flawed(NotFound):
    """A stored file is missing or damaged; the message names it and says what to do."""

    def __init__(self, kind: Kind, sha256: str, flaw: Flaw, what: str = "this") -> None:
        super().__init__(formats.sentences((told(flaw, what), translated(REMEDIES[kind]))))
        self.kind, self.sha256, self.flaw = kind, sha256, flaw


def told(flaw: Flaw, what: str) -> str:
    """What is wrong with the file of `what`, in a sentence."""
    return translated(TOLD[flaw]) % {"what": translated(what)}


TOLD = {
    Flaw.MISSING: N_("The server lost the file of %(what)s."),
    Flaw.DAMAGED: N_("The file of %(what)s is damaged on the server."),
    Flaw.UNREADABLE: N_("The server cannot read the file of %(what)s."),
    Flaw.NO_FILE: N_("On the server, something that is not a file is in the place of %(what)s."),
}


REMEDIES = {
    Kind.REFERENCES: N_("Upload the same picture again, or ask an administrator to restore it from a backup."),
    Kind.IMAGES: N_("Redo the picture, or ask an administrator to restore it from a backup."),
    Kind.MAPS: N_("Upload the same map again, or ask an administrator to restore it from a backup."),
    Kind.SUBJECTS: N_("Upload the same picture again, or ask an administrator to restore it from a backup."),
    Kind.LORAS: N_("Upload the same LoRA again, or ask an administrator to restore it from a backup."),
    Kind.RIGHTS: N_("Upload the same file again, or ask an administrator to restore it from a backup."),
}


@dataclass(frozen=True)
class Found:
    """A file in the folder. Neither kind nor thumbnail: not one of ours."""

    path: Path
    kind: Kind | None
    sha256: str  # as its name says; "" if it says none
    thumbnail: bool
    bytes: int
    age: float  # s since it was stored, by the clock of the file system


class Files:
    """The folder of pictures; `root` is created on first write. One per process, which shares it among its threads."""

    def __init__(self, root: Path, storage: Storage | None = None) -> None:
        self.root = root
        self.storage = storage or Storage(root)
        self.noticed: Callable[[Kind, str], None] = lambda kind, sha256: None  # called with each flawed file
        self._removing = Lock()  # nobody removes a file while another stores or needs it
        self._reused: dict[Path, float] = {}  # when somebody last stored what was already there, monotonic
        self._making = Lock()  # one missing thumbnail is made at a time
        self._small = _Small()

    # Storing

    def put(self, kind: Kind, png: bytes, small: Mapping[int, bytes] | None = None, room: Room | None = None) -> str:
        """Store a PNG and its thumbnails, safe against power loss, and return the PNG's SHA-256.

        Without `small`, makes the thumbnails: here for pictures from the model, in a separate process for all others.
        Storing the same picture again replaces what is damaged or missing of it, and nothing else. Raises what `room`
        raises, and CannotSave when the disk refuses, leaving nothing half-written.
        """
        sha256 = hashlib.sha256(png).hexdigest()
        path = self._claimed(kind, sha256)
        if (flaw := self.flaw(kind, sha256)) is Flaw.MISSING and room:
            room(len(png))
        # The picture comes last: if it exists, so do its thumbnails.
        if flaw or self.flawed_thumbnails(sha256):
            self._write_thumbnails(kind, sha256, png, small)
        if flaw:
            self._write(path, png)
        else:
            self._keep(path)
        return sha256

    def put_lora(self, safetensors: bytes, room: Room | None = None) -> str:
        """Store a LoRA file and return its SHA-256. Raises as `put`."""
        return self._put(Kind.LORAS, safetensors, room)

    def put_document(self, data: bytes, room: Room | None = None) -> str:
        """Store a licence or consent unchanged and return its SHA-256. Raises as `put`."""
        return self._put(Kind.RIGHTS, data, room)

    def _put(self, kind: Kind, data: bytes, room: Room | None) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        path = self._claimed(kind, sha256)
        if flaw := self.flaw(kind, sha256):
            if flaw is Flaw.MISSING and room:
                room(len(data))
            self._write(path, data)
        else:
            self._keep(path)
        return sha256

    def _claimed(self, kind: Kind, sha256: str) -> Path:
        """The path of a file that is about to be stored. If it is there already, nobody removes it from now on."""
        path = self.path(kind, sha256)
        with self._removing:
            if path.exists():
                self._reused[path] = monotonic()
                with suppress(OSError):  # a file on a disk that is read-only is still there
                    os.utime(path)
        return path

    # Reading

    def path(self, kind: Kind, sha256: str) -> Path:
        """The path of a file, whole or not: for what reads a part of it, or checks it itself."""
        return self.root / kind.folder / sha256[:2] / f"{sha256}{kind.suffix}"

    def lora(self, sha256: str) -> Path:
        """The path of a LoRA file."""
        return self.path(Kind.LORAS, sha256)

    def document(self, sha256: str) -> Path:
        """The path of a licence or consent."""
        return self.path(Kind.RIGHTS, sha256)

    def has(self, kind: Kind, sha256: str) -> bool:
        """Whether a file of that name is stored; False for an invalid name."""
        return re.fullmatch("[0-9a-f]{64}", sha256) is not None and self.path(kind, sha256).is_file()

    def read(self, kind: Kind, sha256: str, what: str = "this") -> bytes:
        """The content of a file, which is what its name says. Raises Flawed, in which `what` names it."""
        try:
            with atomic.opened(self.path(kind, sha256)) as file:
                data = file.read()
        except OSError as error:
            raise self._flawed(kind, sha256, _flaw_of(error), what) from error
        if hashlib.sha256(data).hexdigest() == sha256:
            return data
        raise self._flawed(kind, sha256, Flaw.DAMAGED, what)

    def png_in_memory(self, kind: Kind, sha256: str) -> bytes | None:
        """The content of a short PNG that is in memory, and on disk as it was when it was checked. Reads no file."""
        return self._small.get(self.path(kind, sha256))

    @slow.outside
    def short_png(self, kind: Kind, sha256: str, what: str = "this") -> bytes | None:
        """`read`, which is kept in memory; None for a PNG longer than that. Raises Flawed."""
        path = self.path(kind, sha256)
        facts = _facts(path)
        if facts and facts[0] > SHORT_BYTES:
            return None
        content = self.read(kind, sha256, what)
        self._small.keep(path, facts, content)
        return content

    @slow.outside
    def whole(self, kind: Kind, sha256: str, what: str = "this") -> Path:
        """The path of a file, after all of it was read and checked. Raises Flawed, in which `what` names it."""
        if flaw := self.flaw(kind, sha256):
            raise self._flawed(kind, sha256, flaw, what)
        return self.path(kind, sha256)

    def _flawed(self, kind: Kind, sha256: str, flaw: Flaw, what: str) -> Flawed:
        self.noticed(kind, sha256)
        return Flawed(kind, sha256, flaw, what)

    def flaw(self, kind: Kind, sha256: str) -> Flaw | None:
        """What is wrong with a file, after reading all of it; None if nothing is."""
        try:
            with atomic.opened(self.path(kind, sha256)) as file:
                same = hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except OSError as error:
            return _flaw_of(error)
        return None if same else Flaw.DAMAGED

    # Thumbnails

    def thumbnail(self, sha256: str, side: int) -> Path:
        """The path of the WebP copy with a longer side of at most `side` px; `side` is one of THUMBNAILS."""
        return self.root / "thumbs" / sha256[:2] / f"{sha256}-{side}.webp"

    @slow.outside
    def whole_thumbnail(self, sha256: str, side: int) -> Path:
        """The path of a thumbnail, which is made from its picture if it is missing or damaged.

        Raises Flawed if that is impossible, and as `put`.
        """
        path = self.thumbnail(sha256, side)
        if not _is_webp(path):
            with self._making:  # requests that waited find it made
                if not _is_webp(path):
                    self.make_thumbnails(sha256)
        return path

    def small(self, sha256: str, side: int) -> bytes:
        """The content of a thumbnail, which is kept in memory. Raises as `whole_thumbnail`."""
        path = self.whole_thumbnail(sha256, side)
        facts, content = _facts(path), path.read_bytes()
        self._small.keep(path, facts, content)
        return content

    def small_in_memory(self, sha256: str, side: int) -> bytes | None:
        """The content of a thumbnail that is in memory, and on disk as it was. Reads no file."""
        return self._small.get(self.thumbnail(sha256, side))

    def flawed_thumbnails(self, sha256: str) -> list[int]:
        """The sides of the thumbnails of a picture that are missing or not whole."""
        return [side for side in THUMBNAILS if not _is_webp(self.thumbnail(sha256, side))]

    def make_thumbnails(self, sha256: str) -> None:
        """Make the thumbnails of a stored picture again. Raises Flawed, and as `put`."""
        kinds = [kind for kind in PICTURES if self.has(kind, sha256)]
        kind = next((kind for kind in kinds if self.flaw(kind, sha256) is None), None)
        if kind is None:
            kind = kinds[0] if kinds else Kind.IMAGES
            raise self._flawed(kind, sha256, Flaw.DAMAGED if kinds else Flaw.MISSING, "this picture")
        self._write_thumbnails(kind, sha256, self.read(kind, sha256), None)

    def _write_thumbnails(self, kind: Kind, sha256: str, png: bytes, small: Mapping[int, bytes] | None) -> None:
        made = small or (own_thumbnails if kind is Kind.IMAGES else thumbnails)(png)
        for side, webp in made.items():
            self._write(self.thumbnail(sha256, side), webp)

    # Removing

    @slow.outside
    def remove(self, kind: Kind, sha256: str) -> bool:
        """Remove a file, and its thumbnails unless a picture of another kind shares them; False if it stays.

        It stays if the same content was stored again within the last hour, since the row for that may not be
        committed yet. Call it after the commit that removed the row: a file without a row is found and removed later,
        a row without its file is a loss. Raises CannotSave.
        """
        pictures = [self.path(other, sha256) for other in PICTURES]
        with self._removing, self.storage.saving():
            if self._is_reused(self.path(kind, sha256)):
                return False
            self.path(kind, sha256).unlink(missing_ok=True)
            if not any(path.exists() for path in pictures):
                for side in THUMBNAILS:
                    self.thumbnail(sha256, side).unlink(missing_ok=True)
        return True

    def _is_reused(self, path: Path) -> bool:
        at = self._reused.get(path)
        if at is not None and monotonic() - at > UPLOAD_SECONDS:
            del self._reused[path]
            return False
        return at is not None

    def _write(self, path: Path, data: bytes) -> None:
        with self.storage.saving():
            write_whole(path, data)

    def _keep(self, path: Path) -> None:
        with self.storage.saving():
            atomic.keep(path)

    def sweep(self) -> None:
        """Remove half-written files that a crash left. Call it at server start, before anyone writes."""
        atomic.sweep(self.root, "*/*/*")

    def found(self, now: float) -> Iterator[Found]:
        """Every file in the folder, in the order of their names; `now` is the time, in seconds since 1970."""
        for folder, inner, names in os.walk(self.root):
            inner.sort()
            for name in sorted(names):
                with suppress(FileNotFoundError):
                    yield self._found(Path(folder, name), now)

    def linked_folders(self) -> Iterator[Path]:
        """Links to folders within the folder. What is behind them is used, but `found` does not go there."""
        for folder, inner, _ in os.walk(self.root):
            yield from (path for name in sorted(inner) if (path := Path(folder, name)).is_symlink())

    def _found(self, path: Path, now: float) -> Found:
        facts, sha256 = path.lstat(), path.name[:64]
        kind = next((kind for kind in Kind if path == self.path(kind, sha256) and _is_name(sha256)), None)
        small = _THUMBNAIL.fullmatch(path.name)
        ours = small is not None and int(small[2]) in THUMBNAILS and path == self.thumbnail(small[1], int(small[2]))
        named = sha256 if kind or ours else ""
        return Found(path, kind, named, ours, facts.st_size, now - facts.st_mtime)


class _Small:
    """Recent thumbnails and short PNGs in memory, as long as their files are there and unchanged. For any thread."""

    def __init__(self, most: int = 32 * 2**20) -> None:
        self.most = most  # bytes
        self._kept: OrderedDict[Path, tuple[tuple[int, ...], bytes]] = OrderedDict()  # latest used last
        self._bytes = 0
        self._lock = Lock()

    def get(self, path: Path) -> bytes | None:
        facts = _facts(path)
        with self._lock:
            known, content = self._kept.get(path, (None, b""))
            if known is None or known != facts:
                return None
            self._kept.move_to_end(path)
        return content

    def keep(self, path: Path, facts: tuple[int, ...] | None, content: bytes) -> None:
        """`facts`: of the file, from before it was read."""
        if facts is None or facts[0] != len(content):
            return
        with self._lock:
            self._drop(path)
            self._kept[path] = facts, content
            self._bytes += len(content)
            while self._bytes > self.most:
                self._drop(next(iter(self._kept)))

    def _drop(self, path: Path) -> None:
        _, content = self._kept.pop(path, (None, b""))
        self._bytes -= len(content)


def _facts(path: Path) -> tuple[int, ...] | None:
    """What differs once a file was written again: its size, its time and its number on the disk."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


def _flaw_of(error: OSError) -> Flaw:
    if isinstance(error, atomic.NoFile):
        return Flaw.NO_FILE
    return Flaw.MISSING if isinstance(error, FileNotFoundError) else Flaw.UNREADABLE


def _is_name(text: str) -> bool:
    return re.fullmatch("[0-9a-f]{64}", text) is not None


def _is_webp(path: Path) -> bool:
    """Whether a file begins as a WebP and has the length that it says: cut off, empty or foreign ones do not."""
    try:
        with atomic.opened(path) as file:
            head = file.read(12)
            size = os.fstat(file.fileno()).st_size
    except OSError:
        return False
    return head[:4] == b"RIFF" and head[8:] == b"WEBP" and int.from_bytes(head[4:8], "little") + 8 == size


@slow.outside
def write_whole(path: Path, data: bytes) -> None:
    """Write a file that only this user reads, whole or not at all. Raises OSError."""
    atomic.write(path, data, mode=0o600)
