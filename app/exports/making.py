"""Makes one file of an export from its picture: resized, encoded, signed, kept under all that shaped it.

A picture of 8192 x 8192 px takes 268 MB as pixels, and its encoder as much again or more. So all who make files share a
budget of memory: small pictures are made several at a time, and one that needs more than the budget is made alone.
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
from app.exports.options import ExportOptions, pixels
from app.exports.provenance import Origin, Source
from app.exports.queries import FileRow, SetRow, SourceRow
from app.exports.service import Store
from app.files import Files, Kind, write_whole

RECIPE = 2  # raised when the same options make other files
BUDGET = 256 * 2**20  # bytes that all files that are being made take together, unless one alone needs more
# What a pixel takes while it is encoded, the picture itself with it; `docs/delivery.md` has what was measured.
PIXEL = {"PNG": 5, "JPEG": 11, "WEBP": 11, "AVIF": 27}
PIXEL_BASELINE = 5  # of a JPEG that is not progressive


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


class Budget:
    """Memory that is shared by those who ask for it, first come, first served; one who needs more waits to be alone."""

    def __init__(self, most: int = BUDGET) -> None:
        self.most, self._taken = most, 0
        self._changed = Condition()
        self._queue: deque[object] = deque()

    @contextmanager
    def taken(self, wanted: int) -> Iterator[None]:
        """Inside of it, `wanted` bytes are one's own."""
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
        """About how many bytes it takes to make the file of `row`."""
        size, form = pixels(row.size), self.options.file_format
        image_set = self.facts[row.set_id]
        area = image_set.width * image_set.height
        made = size[0] * size[1] if size else area
        return 5 * area + made * (PIXEL_BASELINE if self._baseline(row) else PIXEL[form.kind])

    def _baseline(self, row: FileRow) -> bool:
        """Whether it is a JPEG so large that it is not made progressive."""
        size, image_set = pixels(row.size), self.facts[row.set_id]
        width, height = size or (image_set.width, image_set.height)
        return self.options.file_format.kind == "JPEG" and width * height > provenance.PROGRESSIVE_PIXELS

    def make(self, row: FileRow) -> MadeFile:
        """The file of `row`: from the cache, or converted, signed and put there."""
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
        if self._baseline(row):
            told["progressive"] = False
        return hashlib.sha256(json.dumps(told, default=str, sort_keys=True).encode()).hexdigest()


def _source(row: SourceRow) -> Source:
    """What somebody stated of a right outweighs what the file says."""
    record = row.held.record
    if record and record.owned_by:
        return Source(row.name, row.sha256, record.owned_by, record.licence)
    return Source(row.name, row.sha256, row.rights.get("creator", ""), row.rights.get("copyright", ""))


def _kept(folder: Path) -> tuple[bytes, str]:
    """What was made by a recipe before, if it is what its name says, and that name; nothing otherwise."""
    for path in sorted(folder.glob("*.*")):
        with suppress(OSError):
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() == path.stem:
                return data, path.stem
    return b"", ""
