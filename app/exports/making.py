"""Makes one file of an export from its picture: resized, encoded, signed, stored under everything that shaped it.

A picture of 8192 x 8192 px takes 268 MB as pixels, and its encoder as much again or more. So all makers share a memory
budget: several small pictures are made at a time, and one that needs more than the budget is made alone.
"""

import hashlib
import io
import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Condition
from zlib import crc32

from PIL import Image

from app.exports import provenance, shapes
from app.exports.certificates import SigningIdentity
from app.exports.contents import FileRow
from app.exports.options import ExportOptions, pixels
from app.exports.provenance import Origin, Source
from app.exports.service import Store
from app.exports.set_facts import SetRow, SourceRow
from app.files import Files, Flawed, Kind, write_whole

RECIPE = 2  # increment it when the same options make other files
BUDGET = 256 * 2**20  # bytes for all files being made, unless a single one needs more
# Bytes per pixel while encoding, including the picture itself; measured in `docs/delivery.md`.
PIXEL = {"PNG": 5, "JPEG": 11, "WEBP": 11, "AVIF": 27}
PIXEL_BASELINE = 5  # of a JPEG that is not progressive


@dataclass(frozen=True)
class MadeFile:
    """A cached file, or the news that its picture is lost."""

    position: int
    key: str | None
    bytes: int | None
    sha256: str | None
    crc32: int | None

    @property
    def lost(self) -> bool:
        return self.key is None


class Budget:
    """Shared memory, first come, first served; a request above the total waits to be alone."""

    def __init__(self, most: int = BUDGET) -> None:
        self.most, self._taken = most, 0
        self._changed = Condition()
        self._queue: deque[object] = deque()

    @contextmanager
    def taken(self, wanted: int) -> Iterator[None]:
        """Hold `wanted` bytes for the duration."""
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            self._changed.wait_for(
                lambda: self._queue[0] is ticket and (not self._taken or self._taken + wanted <= self.most)
            )
            self._queue.popleft()
            self._taken += wanted
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._taken -= wanted
                self._changed.notify_all()


budget = Budget()


@dataclass(frozen=True)
class Maker:
    """Makes the files of one export."""

    files: Files
    store: Store
    options: ExportOptions
    identity: SigningIdentity
    facts: dict[int, SetRow]

    def cost(self, row: FileRow) -> int:
        """About how many bytes making the file of `row` takes."""
        size, form = pixels(row.size), self.options.file_format
        image_set = self.facts[row.set_id]
        area = image_set.width * image_set.height
        made = size[0] * size[1] if size else area
        return 5 * area + made * (PIXEL_BASELINE if self._baseline(row) else PIXEL[form.kind])

    def _baseline(self, row: FileRow) -> bool:
        """Whether it is a JPEG too large to be progressive."""
        size, image_set = pixels(row.size), self.facts[row.set_id]
        width, height = size or (image_set.width, image_set.height)
        return self.options.file_format.kind == "JPEG" and width * height > provenance.PROGRESSIVE_PIXELS

    def make(self, row: FileRow) -> MadeFile:
        """The file of `row`: from the cache, or converted, signed and cached."""
        key = self._key(row)
        data, name = _kept(self.store.pictures(key))
        if not data:
            with budget.taken(self.cost(row)):
                picture = self._picture(row)
                if not picture:
                    return MadeFile(row.position, None, None, None, None)
                data = self._signed(row, picture)
            name = hashlib.sha256(data).hexdigest()
            write_whole(self.store.picture(key, name, self.options.file_format.suffix), data)
        return MadeFile(row.position, key, len(data), name, crc32(data))

    def _picture(self, row: FileRow) -> Image.Image | None:
        """The finished picture; None if its file is gone or altered."""
        try:
            png = self.files.read(Kind.IMAGES, row.image_sha256)
        except Flawed:
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
            prompt=_told(row) if self.options.prompts else "",
            model=image_set.model,
            made_at=row.made_at,
            style=f"{image_set.style} ({image_set.code}, version {image_set.version})",
            sources=tuple(map(_source, image_set.sources)),
            inputs=image_set.inputs(row.place),
            steps=shapes.steps((image_set.width, image_set.height), size, self.options.fit) if size else (),
        )

    def _key(self, row: FileRow) -> str:
        """Hash everything that shapes the file."""
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
        if self._baseline(row):
            told["progressive"] = False
        return hashlib.sha256(json.dumps(told, default=str, sort_keys=True).encode()).hexdigest()


def _told(row: FileRow) -> str:
    """The prompt, as it was written and as it was drawn."""
    return f"{row.prompt} (drawn as: {row.drawn_as})" if row.drawn_as else row.prompt


def _source(row: SourceRow) -> Source:
    """Recorded rights take precedence over what the file says."""
    record = row.held.record
    if record and record.owned_by:
        return Source(row.name, row.sha256, record.owned_by, record.licence)
    return Source(row.name, row.sha256, row.rights.get("creator", ""), row.rights.get("copyright", ""))


def _kept(folder: Path) -> tuple[bytes, str]:
    """An earlier file of a recipe and its name, if its content matches the name; otherwise empty."""
    for path in sorted(folder.glob("*.*")):
        with suppress(OSError):
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() == path.stem:
                return data, path.stem
    return b"", ""
