"""Clean uploaded pictures: any accepted upload becomes an upright 8-bit sRGB PNG without metadata.

Refusals are one sentence and come before any cost: first by the size in bytes, then by the first bytes. The rest runs
in a separate process with its own limits (`app/decoding`), starting with the size in pixels from the header. The result
is stored and served; this process never decodes it.
"""

import io
import math
import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from app import slow
from app.decoding.limits import FORMATS, KEPT_SIDE, MIN_SIDE, NAMES, RIGHTS_LENGTH, refusal
from app.decoding.pool import Answer, DecodingFailed, DecodingJob, pool
from app.decoding.thumbnails import small as small_copies
from app.errors import Invalid
from app.languages import N_, translated
from app.languages import gettext as _
from app.settings import Settings
from app.text import clean_line

__all__ = ["MIN_SIDE", "CleanPicture", "Limits", "Map", "clean_upload", "cropped_map", "drawn_map", "thumbnails"]

PNG = b"\x89PNG\r\n\x1a\n"
# By the first bytes. A camera's raw files begin like a TIFF; they are refused when their header is read.
KINDS = {
    "PNG": re.compile(re.escape(PNG)),
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "WEBP": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "HEIF": re.compile(rb"....ftyp(hei[cxms]|hev[cxms]|mif1|msf1)", re.DOTALL),
    "AVIF": re.compile(rb"....ftyp(avif|avis)", re.DOTALL),
    "TIFF": re.compile(rb"II\*\0(?!....CR)|MM\0\*", re.DOTALL),
    "GIF": re.compile(rb"GIF8[79]a"),
    "BMP": re.compile(rb"BM....\0\0\0\0", re.DOTALL),
}
THUMBNAILS = (320, 960)  # px, the longer side

# Memory for a child in addition to its file: a base, plus an amount per pixel of the largest upload. Measured by
# `benchmarks/decoding.py`, with figures in `docs/how-it-works.md`.
MEMORY = 192 * 2**20
MEMORY_PIXEL = 7
ANSWER = 2 * KEPT_SIDE**2 * 4  # bytes: more than any PNG of ours with its thumbnails


@dataclass(frozen=True)
class Limits:
    """Upload limits."""

    bytes: int = Settings.model_fields["upload_bytes"].default
    pixels: int = Settings.model_fields["upload_pixels"].default

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        return cls(settings.upload_bytes, settings.upload_pixels)

    @property
    def memory(self) -> int:
        """Bytes that decoding an upload may take in addition to the file."""
        return MEMORY + MEMORY_PIXEL * self.pixels


@dataclass(frozen=True)
class CleanPicture:
    png: bytes
    width: int  # px, upright
    height: int
    rights: dict[str, str]  # those found of creator, copyright, credit
    small: dict[int, bytes] = field(default_factory=dict)  # thumbnails, if requested
    lightest: int = 255  # its lightest grey, if requested in grey
    ground: str = ""  # the colour behind it, such as "#ffffff", if its file is transparent

    @property
    def clear(self) -> bool:
        """Whether it has transparency, by the colour type in the PNG's header."""
        return self.png[25] == 6


@dataclass(frozen=True)
class Map:
    """A structure map drawn from an upload."""

    png: bytes
    width: int  # px
    height: int
    small: dict[int, bytes]
    source: str = ""  # SHA-256 of the clean picture that it was drawn from
    remark: str = ""  # a message about it


@slow.outside
def clean_upload(
    data: bytes,
    limits: Limits | None = None,
    *,
    ground: str = "",
    grey: bool = False,
    small: bool = False,
) -> CleanPicture:
    """Clean an uploaded picture in one of `NAMES`: first frame, upright, in sRGB, longer side at most KEPT_SIDE.

    A transparent picture is put on `ground`, a colour such as "#ffffff", or stays transparent without one; `grey`
    converts to greyscale; `small` adds thumbnails. Raises only Invalid("picture", ...), Busy and Gone, for any bytes.
    """
    limits = limits or Limits()
    sides = THUMBNAILS if small else ()
    asked = _upload(data, limits) | {"ground": ground, "grey": grey, "sides": sides}
    return _clean(_asked("clean", data, asked, limits.memory), sides, ground)


@slow.outside
def thumbnails(png: bytes) -> dict[int, bytes]:
    """WebP copies of a stored picture, by their longest side; a smaller picture is not enlarged."""
    answer = _asked("thumbnails", png, {"sides": THUMBNAILS}, Limits().memory, patient=True)
    return _small(answer.blobs, THUMBNAILS)


@slow.outside
def own_thumbnails(png: bytes) -> dict[int, bytes]:
    """Make thumbnails of a picture from this server's model, in this process."""
    return dict(zip(THUMBNAILS, small_copies(_in_rgb(png), THUMBNAILS), strict=True))


def _in_rgb(png: bytes) -> Image.Image:
    with Image.open(io.BytesIO(png)) as picture:
        return picture.convert("RGB")


def opened(path: Path, mode: str) -> Image.Image:
    """The pixels of a stored PNG that was uploaded, in `mode` (RGB or L). Raises OSError and ValueError."""
    return decoded(path.read_bytes(), mode)


@slow.outside
def decoded(png: bytes, mode: str) -> Image.Image:
    """The pixels of a clean PNG, in `mode` (RGB, RGBA or L). Raises ValueError if it is damaged."""
    try:
        answer = pool.run(DecodingJob("pixels", png, {"mode": mode}, Limits().memory, ANSWER), patient=True)
        return Image.frombytes(mode, _size(answer.facts), answer.blobs[0])
    except (DecodingFailed, Invalid, IndexError) as error:
        raise ValueError("a kept picture cannot be read") from error


@slow.outside
def drawn_map(
    data: bytes, kind: str, size: tuple[int, int], *, ready: bool, ground: str = "", limits: Limits | None = None
) -> Map | tuple[Image.Image, str] | CleanPicture:
    """Draw the structure map of an upload for pictures of `size` px, or accept it as a `ready` map.

    See `structures.maps`. For depth, returns the picture for the depth model, in RGB, and its SHA-256; for a
    transparent picture whose map needs a `ground`, the clean picture. Raises as `clean_upload`.
    """
    limits = limits or Limits()
    upload = _upload(data, limits) | {"ground": ground}
    asked = {"upload": upload, "kind": kind, "size": size, "ready": ready, "sides": THUMBNAILS}
    answer = _asked("map", data, asked, limits.memory)
    if answer.facts.get("clear") is True:
        return _clean(answer, THUMBNAILS)
    source = str(answer.facts.get("source"))[:64]
    if kind == "depth" and not ready:
        try:
            return Image.frombytes("RGB", _size(answer.facts), answer.blobs[0]), source
        except (ValueError, IndexError) as error:
            raise _failure("PNG", "crash") from error
    return _map(answer, "" if ready else source)


@slow.outside
def cropped_map(png: bytes, size: tuple[int, int]) -> Map:
    """Crop a stored map to the largest centred part with the shape of `size`. Raises Invalid and Busy."""
    return _map(_asked("crop", png, {"size": size, "sides": THUMBNAILS}, Limits().memory), "")


def png_size(path: Path) -> tuple[int, int]:
    """Width and height in px of a stored PNG, from its header."""
    with path.open("rb") as file:
        width, height = struct.unpack(">II", file.read(24)[16:])
    return width, height


# Input


def _upload(data: bytes, limits: Limits) -> dict[str, Any]:
    if len(data) > limits.bytes:
        size, most = _megabytes(len(data)), _megabytes(limits.bytes)
        raise refusal(
            _("The file has %(size)s; at most %(most)s can be uploaded. Choose another picture.", size=size, most=most)
        )
    return {"kind": _kind(data), "pixels": limits.pixels, "memory": limits.memory}


# Kinds that people try, by their first bytes, so that the message can name them.
_OTHERS = (
    (rb"\s*(<\?xml|<!--|<!DOCTYPE svg|<svg)", N_("an SVG drawing")),
    (rb"II\*\0|IIU\0|IIR|FUJIFILMCCD-RAW|....ftypcrx", N_("a camera raw file")),
    (rb"8BPS", N_("a Photoshop file")),
    (rb"%PDF", N_("a PDF")),
    (rb"\0\0\0\x0cJXL |\xff\x0a", N_("a JPEG XL picture")),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", N_("a JPEG 2000 picture")),
)


def _kind(data: bytes) -> str:
    for kind, start in KINDS.items():
        if start.match(data):
            return _heif_kind(data) if kind == "HEIF" else kind
    if not data:
        raise refusal(_("The file is empty. Choose another picture."))
    head = data[:512].removeprefix(b"\xef\xbb\xbf")
    what = next((name for start, name in _OTHERS if re.match(start, head, re.DOTALL)), N_("not a supported picture"))
    raise refusal(
        _("The file is %(what)s. Save it as %(formats)s, then upload that.", what=translated(what), formats=FORMATS)
    )


def _heif_kind(data: bytes) -> str:
    """HEIC and AVIF share their container; one that starts with the brand of both says more in the next ones."""
    brands = data[8 : min(int.from_bytes(data[:4]), 256)]
    return "AVIF" if b"avif" in brands and b"hei" not in brands and b"hev" not in brands else "HEIF"


def _megabytes(size: int) -> str:
    """Rounded up, so that an excessive size never reads as allowed."""
    return f"{math.ceil(size * 10 / 2**20) / 10:g} MB"


def _asked(name: str, data: bytes, asked: Mapping[str, Any], memory: int, *, patient: bool = False) -> Answer:
    threads = asked.get("upload", asked).get("kind") == "HEIF"
    try:
        return pool.run(DecodingJob(name, data, asked, memory, ANSWER, threads), patient=patient)
    except DecodingFailed as failed:
        if name == "map" and failed.how == "memory":
            raise refusal(
                _(
                    "A map of this picture takes too much memory. Crop the picture closer to the shape of the set’s"
                    " pictures and try again."
                )
            ) from failed
        upload = asked.get("upload", asked)
        raise _failure(upload.get("kind", "PNG"), failed.how) from failed


def _failure(kind: str, how: str) -> Invalid:
    name = NAMES[kind]
    return {
        "memory": refusal(_("This picture takes too much memory to decode. Save it smaller and try again.")),
        "time": refusal(_("This %(kind)s file is unsafe to decode. Choose another picture.", kind=name)),
        "damaged": refusal(_("This %(kind)s file is damaged or incomplete. Choose another picture.", kind=name)),
        "crash": refusal(
            _("This %(kind)s file cannot be read. Open it in another program, save it and try again.", kind=name)
        ),
    }[how]


# Output, from a process that its input may have taken over


def _clean(answer: Answer, sides: Sequence[int], ground: str = "") -> CleanPicture:
    width, height = _png_size(answer.blobs[:1])
    rights, lightest = answer.facts.get("rights"), answer.facts.get("lightest")
    return CleanPicture(
        answer.blobs[0],
        width,
        height,
        _rights(rights if isinstance(rights, dict) else {}),
        _small(answer.blobs[1:], sides),
        lightest if isinstance(lightest, int) else 255,
        ground if answer.facts.get("clear") is True else "",
    )


def _map(answer: Answer, source: str) -> Map:
    width, height = _png_size(answer.blobs[:1])
    remark = clean_line(str(answer.facts.get("remark", ""))[:RIGHTS_LENGTH])
    return Map(answer.blobs[0], width, height, _small(answer.blobs[1:], THUMBNAILS), source, remark)


def _rights(said: Mapping[Any, Any]) -> dict[str, str]:
    found = {name: said.get(name) for name in ("creator", "copyright", "credit")}
    return {name: clean_line(text[:RIGHTS_LENGTH]) for name, text in found.items() if isinstance(text, str) and text}


def _small(blobs: Sequence[bytes], sides: Sequence[int]) -> dict[int, bytes]:
    if len(blobs) != len(sides) or not all(blob[:4] == b"RIFF" and blob[8:12] == b"WEBP" for blob in blobs):
        raise _failure("PNG", "crash")
    return dict(zip(sides, blobs, strict=True))


def _size(facts: Mapping[str, Any]) -> tuple[int, int]:
    width, height = facts.get("width"), facts.get("height")
    if not (isinstance(width, int) and isinstance(height, int) and 0 < width * height * 3 <= ANSWER):
        raise ValueError(f"a picture of {width!r} by {height!r} px")
    return width, height


def _png_size(blobs: Sequence[bytes]) -> tuple[int, int]:
    """Width and height in px of a PNG with nothing but pixels in it, each chunk whole: browsers will read it."""
    try:
        (png,) = blobs
        names = [name for name, _ in _chunks(png)]
        width, height = struct.unpack(">II", png[16:24])
        pixels_alone = names[0] == b"IHDR" and set(names[1:-1]) == {b"IDAT"} and names[-1] == b"IEND"
    except (ValueError, IndexError, struct.error) as error:
        raise _failure("PNG", "crash") from error
    if not pixels_alone or not 0 < width * height <= ANSWER // 4:
        raise _failure("PNG", "crash")
    return width, height


def _chunks(png: bytes) -> list[tuple[bytes, int]]:
    """Names and lengths of the chunks. Raises ValueError."""
    view, place, found = memoryview(png), 8, []
    if png[:8] != PNG:
        raise ValueError("no PNG")
    while place < len(png):
        size, name = struct.unpack(">I4s", view[place : place + 8])
        end = place + 12 + size
        if end > len(png) or zlib.crc32(view[place + 4 : end - 4]) != struct.unpack(">I", view[end - 4 : end])[0]:
            raise ValueError("a chunk is damaged")
        found.append((name, size))
        place = end
    return found
