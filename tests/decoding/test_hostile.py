"""Files made to be expensive: each is read for what it shows, or refused in a sentence, at a bounded cost."""

import io
import struct
import time
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from app.decoding import clean
from app.decoding.pool import DecodingJob, pool
from app.errors import Invalid
from app.pictures import ANSWER, THUMBNAILS, Limits, clean_upload
from tests import clock
from tests.decoding.test_answers import chunk
from tests.factory import encoded, png

SIZE = (96, 64)
CHEAPLY: dict[str, dict[str, object]] = {"WEBP": {"method": 0}, "PNG": {"compress_level": 1}}
TEAL = Image.new("RGB", SIZE, "teal")


def outcome(data: bytes) -> str:
    """Why it was refused, or "" if it was not."""
    try:
        clean_upload(data)
    except Invalid as refused:
        return str(refused)
    return ""


def with_chunk(*chunks: bytes) -> bytes:
    data = encoded(TEAL)
    return data[:33] + b"".join(chunks) + data[33:]


def exif_bomb(size: int) -> bytes:
    """As many entries as fit, each of which claims all the rest."""
    entries = (size - 10) // 12
    count = min(entries, 65_000)
    body = b"II*\0\x08\0\0\0" + struct.pack("<H", count)
    body += b"".join(struct.pack("<HHII", 0x9000 + n % 4000, 7, size - 100, 64) for n in range(count))
    return body.ljust(size, b"\0")


BOMBS: dict[str, Callable[[], bytes]] = {
    "a colour profile": lambda: with_chunk(chunk(b"iCCP", b"x\0\0" + zlib.compress(b"\0" * 200_000_000))),
    "a compressed text": lambda: with_chunk(chunk(b"zTXt", b"x\0\0" + zlib.compress(b"\0" * 200_000_000))),
    "an XMP": lambda: with_chunk(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"<x>" * 30_000_000))),
    "nested XMP": lambda: with_chunk(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"<x>" * 300_000)),
    "texts without end": lambda: with_chunk(*[chunk(b"tEXt", b"Author\0" + b"x" * 1000)] * 5000),
    "combining marks": lambda: with_chunk(chunk(b"iTXt", b"Author\0\0\0\0\0" + "a\u0300\u0316".encode() * 180_000)),
    "EXIF of a JPEG": lambda: encoded(TEAL, "JPEG", exif=b"Exif\0\0" + exif_bomb(64_000)),
    "EXIF of a PNG": lambda: with_chunk(chunk(b"eXIf", exif_bomb(8_000_000))),
    "pixels after the last row": lambda: with_chunk(*[chunk(b"fdAT", b"\0" * 4000)] * 2000),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("what", BOMBS)
def test_a_bomb_in_the_metadata_is_refused(what: str) -> None:
    bomb = BOMBS[what]()
    with clock.at_most(0.3, time.process_time):  # nothing of it is read in this process
        assert "unsafe to decode" not in outcome(bomb), "it came to the limits of time"


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_only_the_first_of_a_thousand_frames_is_used(kind: str) -> None:
    frames = [Image.new("RGB", SIZE, (n % 256, n // 256, 9)) for n in range(300)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=20, lossless=True)
    made = Image.open(io.BytesIO(clean_upload(data).png))
    assert made.getpixel((5, 5)) == (0, 0, 9)


def test_interlaced() -> None:
    """Pillow does not write these; this one has a seventh of its pixels in the first pass, all of one colour."""
    passes = [(8, 8, 0, 0), (8, 8, 4, 0), (4, 8, 0, 4), (4, 4, 2, 0), (2, 4, 0, 2), (2, 2, 1, 0), (1, 2, 0, 1)]
    rows = b""
    for across, down, left, top in passes:
        width, height = (-(-(SIZE[0] - left) // across), -(-(SIZE[1] - top) // down))
        rows += (b"\0" + b"\x20\x80\xf0" * width) * height
    header = struct.pack(">IIBBBBB", *SIZE, 8, 2, 0, 0, 1)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    made = np.asarray(Image.open(io.BytesIO(clean_upload(data).png)))
    assert (made == (0x20, 0x80, 0xF0)).all()


def progressive(scans: int, side: int) -> bytes:
    """A progressive JPEG whose header claims `side` px and this many scans."""
    data = encoded(TEAL, "JPEG", progressive=True)
    frame = data.index(b"\xff\xc2")
    data = data[: frame + 5] + struct.pack(">HH", side, side) + data[frame + 9 :]
    start = data.rindex(b"\xff\xda")
    there = data.count(b"\xff\xda")
    return data[:start] + data[start:-2] * (scans - there + 1) + data[-2:]


@pytest.mark.parametrize(
    ("scans", "side", "busy"), [(25, 8000, True), (10, 8000, False), (90, 3000, False), (101, 64, True)]
)
def test_scans_are_bounded_by_their_work(scans: int, side: int, busy: bool) -> None:
    data = progressive(scans, side)
    if busy:
        with pytest.raises(Invalid, match="unsafe to decode"):
            clean_upload(data)
    else:
        assert clean_upload(data).width >= 3000, "libjpeg fills what is missing"


def test_an_animated_webp_of_the_largest_still_size_is_refused() -> None:
    """Its decoder keeps two canvases in addition to the picture."""
    canvas = struct.pack("<I", 7_999)[:3] * 2
    frame = encoded(TEAL, "WEBP")[12:]
    frame = b"\0" * 6 + struct.pack("<I", 95)[:3] + struct.pack("<I", 63)[:3] + b"\0\0\0\0" + frame
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + canvas + b"ANIM" + struct.pack("<IIH", 6, 0, 0)
    body += b"ANMF" + struct.pack("<I", len(frame)) + frame
    with pytest.raises(Invalid, match=r"takes too much memory to decode. Save it smaller and try again"):
        clean_upload(b"RIFF" + struct.pack("<I", len(body)) + body)


# Large pictures


def large(mode: str = "RGB", size: tuple[int, int] = (5000, 700)) -> Image.Image:
    """Dark to light from left to right."""
    line = Image.fromarray(np.linspace(0, 255, size[0]).astype(np.uint8)[None, :]).resize(size)
    return line.convert(mode)


@pytest.mark.parametrize(
    ("mode", "kind", "options"),
    [
        ("RGB", "WEBP", {"quality": 90, "method": 0}),
        ("RGBA", "PNG", {"compress_level": 1}),
        ("L", "PNG", {"compress_level": 1}),
        ("P", "PNG", {"compress_level": 1}),
        ("CMYK", "JPEG", {"quality": 90}),
    ],
)
def test_a_large_picture_is_made_smaller_in_strips(mode: str, kind: str, options: dict[str, object]) -> None:
    """No seam between strips: the result equals a whole picture scaled down."""
    given = large(mode)
    made = Image.open(io.BytesIO(clean_upload(encoded(given, kind, **options)).png))
    assert made.size == (4096, 573)
    wanted = given.convert("RGB").resize(made.size, Image.Resampling.LANCZOS)
    apart = np.abs(np.asarray(made, float) - np.asarray(wanted, float))
    assert apart.mean() < 1.5
    assert apart.mean(axis=(1, 2)).max() < 2.5, "every row"


def test_a_large_jpeg_is_decoded_at_half_its_size() -> None:
    made = clean_upload(encoded(large("L", (8000, 4000)), "JPEG"))
    assert (made.width, made.height) == (4000, 2000)


def test_a_large_webp_keeps_its_turn_profile_and_rights() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x013B] = 6, "Mori Haruka"
    made = clean_upload(encoded(large(), "WEBP", exif=exif, method=0))
    assert (made.width, made.height) == (573, 4096)
    assert made.rights == {"creator": "Mori Haruka"}


@pytest.mark.parametrize(
    ("mode", "kind", "most"),
    [("RGBA", "PNG", 400), ("RGB", "JPEG", 170), ("RGB", "WEBP", 400)],
)
def test_the_largest_picture_takes_no_more_memory_than_stated(mode: str, kind: str, most: int) -> None:
    """As the child says itself, in MB above one with nothing to do: one whole picture, and a small copy of it."""
    data = encoded(Image.new(mode, (8000, 8000), "teal"), kind, **CHEAPLY.get(kind, {}))
    limits = Limits()
    upload = {"kind": kind, "pixels": limits.pixels, "memory": limits.memory, "sides": THUMBNAILS}
    idle = pool.run(DecodingJob("thumbnails", png(), {"sides": ()}, limits.memory, ANSWER)).peak
    peak = pool.run(DecodingJob("clean", data, upload, limits.memory, ANSWER)).peak
    assert (peak - idle - len(data)) / 2**20 < most
    assert peak - idle - len(data) < limits.memory


def test_small_memory_for_large_pictures() -> None:
    """As stated in `docs/how-it-works.md`: a child has at most this in addition to its file."""
    assert Limits().memory <= 640 * 2**20
    assert Limits().memory > clean.WEBP_PIXEL * 4096 * 4096, "what is not made smaller is decoded by Pillow"
    assert clean_upload(png()).lightest == 255
