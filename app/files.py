"""Pictures, LoRAs and documents on disk, named by the SHA-256 of their content: the same file is stored once.

references/ab/ab12...png   images/ab/ab12...png   maps/ab/ab12...png         thumbs/ab/ab12...-320.webp
subjects/ab/ab12...png     subjects/ab/ab12...safetensors                    rights/ab/ab12...

Thumbnails have the name of their picture's PNG.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path

from app import atomic, slow
from app.pictures import THUMBNAILS, own_thumbnails, thumbnails
from app.storage import Storage

Room = Callable[[int], None]
"""Called with a number of bytes just before a new file is written; may raise to refuse it."""


class Kind(StrEnum):
    REFERENCES = "references"
    IMAGES = "images"
    MAPS = "maps"
    SUBJECTS = "subjects"  # pictures of products, and samples of their training
    RIGHTS = "rights"  # licences and consents, as uploaded


class Files:
    """The folder of pictures; `root` is created on first write."""

    def __init__(self, root: Path, storage: Storage | None = None) -> None:
        self.root = root
        self.storage = storage or Storage(root)

    def put(self, kind: Kind, png: bytes, small: Mapping[int, bytes] | None = None, room: Room | None = None) -> str:
        """Store a PNG and its thumbnails, safe against power loss, and return the PNG's SHA-256.

        Without `small`, makes the thumbnails: here for pictures from the model, in a separate process for all others.
        Storing the same picture again does nothing. Raises what `room` raises, and CannotSave when the disk refuses,
        leaving nothing half-written.
        """
        sha256 = hashlib.sha256(png).hexdigest()
        path = self.path(kind, sha256)
        if not path.exists():
            if room:
                room(len(png))
            # The picture comes last: if it exists, so do its thumbnails.
            made = small or (own_thumbnails if kind is Kind.IMAGES else thumbnails)(png)
            for side, webp in made.items():
                self._write(self.thumbnail(sha256, side), webp)
            self._write(path, png)
        return sha256

    def put_lora(self, safetensors: bytes, room: Room | None = None) -> str:
        """Store a LoRA file and return its SHA-256. Raises as `put`."""
        sha256 = hashlib.sha256(safetensors).hexdigest()
        if not self.lora(sha256).exists():
            if room:
                room(len(safetensors))
            self._write(self.lora(sha256), safetensors)
        return sha256

    def lora(self, sha256: str) -> Path:
        """The path of a LoRA file."""
        return self.root / Kind.SUBJECTS / sha256[:2] / f"{sha256}.safetensors"

    def put_document(self, data: bytes, room: Room | None = None) -> str:
        """Store a licence or consent unchanged and return its SHA-256. Raises as `put`."""
        sha256 = hashlib.sha256(data).hexdigest()
        if not self.document(sha256).exists():
            if room:
                room(len(data))
            self._write(self.document(sha256), data)
        return sha256

    def document(self, sha256: str) -> Path:
        """The path of a licence or consent: without an extension, so that nothing opens it by name."""
        return self.root / Kind.RIGHTS / sha256[:2] / sha256

    @slow.outside
    def remove(self, kind: Kind, sha256: str) -> None:
        """Remove a PNG, and its thumbnails unless a picture of another kind shares them. Does nothing if it is gone.

        Raises CannotSave.
        """
        with self.storage.saving():
            self.path(kind, sha256).unlink(missing_ok=True)
            if not any(self.has(other, sha256) for other in Kind):
                for side in THUMBNAILS:
                    self.thumbnail(sha256, side).unlink(missing_ok=True)

    def path(self, kind: Kind, sha256: str) -> Path:
        """The path of a PNG."""
        return self.root / kind / sha256[:2] / f"{sha256}.png"

    def has(self, kind: Kind, sha256: str) -> bool:
        """Whether a PNG of that name is stored; False for an invalid name."""
        return re.fullmatch("[0-9a-f]{64}", sha256) is not None and self.path(kind, sha256).is_file()

    def thumbnail(self, sha256: str, side: int) -> Path:
        """The path of the WebP copy with a longer side of at most `side` px; `side` is one of THUMBNAILS."""
        return self.root / "thumbs" / sha256[:2] / f"{sha256}-{side}.webp"

    def _write(self, path: Path, data: bytes) -> None:
        with self.storage.saving():
            write_whole(path, data)

    def sweep(self) -> None:
        """Remove half-written files that a crash left. Call it at server start, before anyone writes."""
        atomic.sweep(self.root, "*/*/*")


@slow.outside
def write_whole(path: Path, data: bytes) -> None:
    """Write a file that only this user reads, whole or not at all. Raises OSError."""
    atomic.write(path, data, mode=0o600)
