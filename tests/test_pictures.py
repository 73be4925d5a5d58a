"""Uploads: every picture that people have becomes upright and keeps its colours; nothing else gets in."""

import io
import re
import struct
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from app.decoding.pool import WORKERS, pool
from app.errors import Invalid, UserError
from app.pictures import Limits, clean_upload, thumbnails
from app.settings import Settings
from tests.decoding.held import go_on, stopped_workers, wait_for
from tests.factory import encoded, png

SIZE = (96, 64)


def gradient(mode: str = "RGB") -> Image.Image:
    """Left to right from black to red, top to bottom from black to green: any rotation shows."""
    columns, rows = np.meshgrid(np.linspace(0, 255, SIZE[0]), np.linspace(0, 255, SIZE[1]))
    return Image.fromarray(np.stack([columns, rows, 0 * rows], -1).astype(np.uint8)).convert(mode)


def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (256, 384, 3), dtype=np.uint8))


def test_only_so_many_are_decoded_at_a_time() -> None:
    """However many people send one at the same moment; the others wait for their turn."""
    with stopped_workers(pool) as workers, ThreadPoolExecutor(5) as people:
        sent = [people.submit(clean_upload, png()) for _ in range(5)]
        wait_for(lambda: pool.waits == 5 - len(workers))
        assert len(workers) == WORKERS
        assert not any(one.done() for one in sent)
        go_on(workers)
        assert {one.result().width for one in sent} == {opened(png()).width}
    assert pool.waits == 0


def opened(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


def cleaned(data: bytes, ground: str = "#ffffff") -> Image.Image:
    clean = clean_upload(data, ground=ground)
    picture = opened(clean.png)
    assert picture.format == "PNG"
    assert picture.mode == "RGB"
    assert picture.info == {}
    assert picture.size == (clean.width, clean.height)
    return picture


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean over pixels, in 255ths."""
    return float(np.abs(np.asarray(one, float) - np.asarray(other.convert("RGB"), float)).mean())


def refused(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(Invalid) as raised:
        clean_upload(data, limits)
    assert raised.value.field == "picture"
    sentence = str(raised.value)
    assert sentence.endswith(".")
    return sentence


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def handmade_png(width: int, height: int, depth: int, colour: int, rows: bytes, *before: bytes) -> bytes:
    """A PNG of a kind that Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = chunk(b"IHDR", header), *before, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


# Accepted uploads


@pytest.mark.parametrize(
    ("kind", "options", "most"),
    [
        ("PNG", {}, 0),
        ("JPEG", {"quality": 95}, 2),
        ("JPEG", {"quality": 95, "progressive": True}, 2),
        ("WEBP", {"quality": 95}, 3),
        ("WEBP", {"lossless": True}, 0),
    ],
)
def test_kinds(kind: str, options: dict[str, object], most: float) -> None:
    assert difference(cleaned(encoded(gradient(), kind, **options)), gradient()) <= most


def test_same_picture_gives_same_bytes() -> None:
    data = encoded(gradient(), "JPEG")
    assert clean_upload(data) == clean_upload(data)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_orientation(kind: str, orientation: int) -> None:
    """A camera held any way: rotated back, the picture is the gradient again."""
    turn_away: dict[int, Callable[[Image.Image], Image.Image]] = {
        1: lambda picture: picture,
        2: lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: lambda picture: picture.rotate(180),
        4: lambda picture: picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: lambda picture: picture.transpose(Image.Transpose.TRANSPOSE),
        6: lambda picture: picture.rotate(90, expand=True),
        7: lambda picture: picture.transpose(Image.Transpose.TRANSVERSE),
        8: lambda picture: picture.rotate(-90, expand=True),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    held = turn_away[orientation](gradient())
    assert difference(cleaned(encoded(held, kind, exif=exif)), gradient()) < 4


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns about what it skips
def test_broken_exif_does_not_cost_the_picture() -> None:
    data = encoded(gradient(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\xff" * 40)
    assert cleaned(data).size == SIZE


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpeg_modes(mode: str) -> None:
    picture = gradient(mode)
    assert difference(cleaned(encoded(picture, "JPEG", quality=95)), picture) < 3


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_png_modes(mode: str) -> None:
    picture = gradient(mode)
    assert difference(cleaned(encoded(picture)), picture) == 0


@pytest.mark.parametrize(("colour", "samples"), [(0, 1), (2, 3)])
def test_sixteen_bits_are_scaled_not_clipped(colour: int, samples: int) -> None:
    line = np.linspace(0, 65535, 96).astype(">u2").repeat(samples).tobytes()
    picture = cleaned(handmade_png(96, 64, 16, colour, (b"\0" + line) * 64))
    wanted = np.linspace(0, 255, 96)
    assert np.abs(np.asarray(picture, float)[10, :, 0] - wanted).max() <= 1


@pytest.mark.parametrize(("colour", "samples"), [(4, 1), (6, 3)])
def test_sixteen_bits_with_alpha(colour: int, samples: int) -> None:
    """Black at half opacity, on white."""
    line = struct.pack(">" + "H" * (samples + 1), *([0] * samples), 32768) * 96
    picture = cleaned(handmade_png(96, 64, 16, colour, (b"\0" + line) * 64))
    assert np.abs(np.asarray(picture, float) - 127).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_transparent_picture_is_put_on_its_ground(kind: str) -> None:
    clear, half = Image.new("RGBA", SIZE, (255, 0, 0, 0)), Image.new("RGBA", SIZE, (255, 0, 0, 128))
    assert cleaned(encoded(clear, kind, lossless=True)).getpixel((5, 5)) == (255, 255, 255)
    assert cleaned(encoded(half, kind, lossless=True)).getpixel((5, 5)) == (255, 127, 127)
    assert cleaned(encoded(half, kind, lossless=True), "#0000ff").getpixel((5, 5)) == (128, 0, 127)


def test_grey_alpha_is_put_on_its_ground() -> None:
    assert cleaned(encoded(Image.new("LA", SIZE, (0, 0)))).getpixel((5, 5)) == (255, 255, 255)


def test_transparent_colours_lie_on_their_ground() -> None:
    palette = gradient("P")
    assert cleaned(encoded(palette, transparency=palette.getpixel((0, 0)))).getpixel((0, 0)) == (255, 255, 255)
    assert cleaned(encoded(Image.new("RGB", SIZE, "red"), transparency=(255, 0, 0))).getpixel((5, 5)) == (255, 255, 255)
    assert cleaned(encoded(Image.new("L", SIZE, 7), transparency=7)).getpixel((5, 5)) == (255, 255, 255)


def test_without_a_ground_transparency_stays_and_only_if_it_shows() -> None:
    opaque, nearly = Image.new("RGBA", SIZE, "teal"), Image.new("RGBA", SIZE, "teal")
    nearly.putpixel((3, 3), (0, 128, 128, 254))
    assert [clean_upload(encoded(each)).clear for each in (opaque, nearly)] == [False, True]
    assert clean_upload(encoded(opaque), ground="#ff0000") == clean_upload(encoded(opaque)), "no ground, no question"


def test_a_ground_can_be_chosen_later() -> None:
    """What is stored until then gives the same pixels as the file itself, on each ground its own."""
    picture = gradient().convert("RGBA")
    picture.putalpha(gradient("L").rotate(90).resize(picture.size))
    data = encoded(picture, icc_profile=swapped_profile())
    kept = clean_upload(data, small=True)
    with Image.open(io.BytesIO(kept.small[320])) as thumbnail:
        assert thumbnail.mode == "RGBA"
    later = [clean_upload(kept.png, ground=ground).png for ground in ("#ffffff", "#808080")]
    assert later == [clean_upload(data, ground=ground).png for ground in ("#ffffff", "#808080")]
    assert later[0] != later[1]


# Colour profiles


def swapped_profile() -> bytes:
    """sRGB with its red and green primaries exchanged, so that a converted red is green."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for entry in range(132, 132 + 12 * struct.unpack(">I", profile[128:132])[0], 12):
        name = bytes(profile[entry : entry + 4])
        profile[entry : entry + 4] = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}.get(name, name)
    return bytes(profile)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_profile_becomes_srgb(kind: str) -> None:
    picture = cleaned(encoded(Image.new("RGB", SIZE, "red"), kind, icc_profile=swapped_profile()))
    red, green, blue = picture.getpixel((5, 5))  # type: ignore[misc]
    assert green > 240
    assert max(red, blue) < 15


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_profile_counts_with_alpha_and_palette(mode: str) -> None:
    picture = Image.new("RGB", SIZE, "red").convert(mode)
    red, green, _ = cleaned(encoded(picture, icc_profile=swapped_profile())).getpixel((5, 5))  # type: ignore[misc]
    assert green > 240
    assert red < 15


def test_srgb_profile_changes_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert difference(cleaned(encoded(gradient(), icc_profile=profile)), gradient()) < 0.5


@pytest.mark.parametrize("profile", [b"nonsense", swapped_profile()[:200], b"\0" * 4000])
def test_broken_profile_is_ignored(profile: bytes) -> None:
    assert difference(cleaned(encoded(gradient(), icc_profile=profile)), gradient()) == 0


def test_profile_of_another_kind_is_ignored() -> None:
    assert difference(cleaned(encoded(gradient("L"), icc_profile=swapped_profile())), gradient("L")) == 0


def test_large_picture_is_made_smaller() -> None:
    clean = clean_upload(encoded(Image.new("RGB", (6000, 4000), "teal"), "JPEG"))
    assert (clean.width, clean.height) == (4096, 2731)
    assert difference(opened(clean.png), Image.new("RGB", (4096, 2731), "teal")) <= 1


# Frames


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_first_frame_only(kind: str) -> None:
    frames = [Image.new("RGB", SIZE, colour) for colour in ("red", "lime", "blue")]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100, lossless=True)
    assert cleaned(data).getpixel((5, 5)) == (255, 0, 0)


# Rights

XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"
  xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" {attribute}>
<dc:creator><rdf:Seq><rdf:li>森 遥</rdf:li><rdf:li>Ito Kenji</rdf:li></rdf:Seq></dc:creator>
<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">© 2024 Mori Design Studio</rdf:li></rdf:Alt></dc:rights>
{element}</rdf:Description></rdf:RDF></x:xmpmeta>"""
RIGHTS = {"creator": "森 遥, Ito Kenji", "copyright": "© 2024 Mori Design Studio", "credit": "Mori Archive"}


@pytest.mark.parametrize("credit", ["attribute", "element"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_xmp_rights(kind: str, credit: str) -> None:
    parts = {"attribute": "", "element": ""}
    parts[credit] = {
        "attribute": 'photoshop:Credit="Mori Archive"',
        "element": "<photoshop:Credit>Mori Archive</photoshop:Credit>",
    }[credit]
    xmp = XMP.format(**parts)
    if kind == "PNG":
        texts = PngImagePlugin.PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", xmp)
        data = encoded(gradient(), kind, pnginfo=texts)
    else:
        data = encoded(gradient(), kind, xmp=xmp.encode())
    clean = clean_upload(data)
    assert clean.rights == RIGHTS
    assert b"Mori" not in clean.png


def iptc(*fields: tuple[int, bytes]) -> bytes:
    """A JPEG's APP13 segment with these IPTC fields of record 2."""
    records = b"".join(b"\x1c\x02" + struct.pack(">BH", number, len(value)) + value for number, value in fields)
    block = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(records)) + records + b"\0" * (len(records) % 2)
    body = b"Photoshop 3.0\0" + block
    return b"\xff\xed" + struct.pack(">H", len(body) + 2) + body


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_iptc_rights(encoding: str) -> None:
    data = encoded(gradient(), "JPEG")
    fields = [(80, "Zoë"), (80, "Ito"), (116, "© Mori"), (110, "Archive")]
    data = data[:2] + iptc(*((number, value.encode(encoding)) for number, value in fields)) + data[2:]
    assert clean_upload(data).rights == {"creator": "Zoë, Ito", "copyright": "© Mori", "credit": "Archive"}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_exif_rights(kind: str) -> None:
    exif = Image.Exif()
    exif[0x013B], exif[0x8298] = "Mori Haruka", "Mori\0Studio"
    assert (
        clean_upload(encoded(gradient(), kind, exif=exif)).rights
        == {
            "creator": "Mori Haruka",
            "copyright": "Mori Studio",
        }
        or kind
    )  # Pillow ends an EXIF text at its first zero


def test_png_text_rights() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "Mori\x07 Haruka")
    texts.add_itxt("Copyright", "森" * 600)
    assert clean_upload(encoded(gradient(), pnginfo=texts)).rights == {
        "creator": "Mori Haruka",
        "copyright": "森" * 499 + "…",
    }


def test_rights_after_the_pixels() -> None:
    data = encoded(gradient())
    data = data[:-12] + chunk(b"tEXt", b"Author\0Mori Haruka") + data[-12:]
    assert clean_upload(data).rights == {"creator": "Mori Haruka"}


def test_no_rights_is_empty() -> None:
    assert clean_upload(png()).rights == {}


@pytest.mark.parametrize(
    "xmp",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>',
        "<unclosed>",
        "\0\0\0",
        "<x/>" + " " * 2**20,
    ],
)
def test_hostile_xmp_is_ignored(xmp: str) -> None:
    assert clean_upload(encoded(gradient(), "WEBP", xmp=xmp.encode())).rights == {}


# Other formats


def tiff(mode: str = "RGB", **options: object) -> bytes:
    return encoded(gradient(mode), "TIFF", **options)


HEIC = (Path(__file__).parent / "data" / "gradient.heic").read_bytes()


@pytest.mark.parametrize(
    ("data", "most"),
    [
        (encoded(gradient(), "AVIF", quality=95), 3),
        (HEIC, 3),
        (encoded(gradient(), "GIF"), 12),
        (encoded(gradient(), "GIF", save_all=True, append_images=[Image.new("RGB", SIZE, "blue")] * 3), 12),
        (encoded(gradient(), "BMP"), 0),
        (tiff(), 0),
        (tiff(compression="tiff_lzw"), 0),
        (tiff(compression="jpeg", quality=95), 4),
        (tiff(save_all=True, append_images=[Image.new("RGB", SIZE, "blue")]), 0),
        (tiff("CMYK"), 3),
        (encoded(gradient("L").convert("F"), "TIFF"), 256),
    ],
)
def test_the_first_frame_of_every_format_is_read(data: bytes, most: float) -> None:
    picture = cleaned(data)
    assert picture.size == SIZE
    assert difference(picture, gradient()) <= most


@pytest.mark.parametrize("kind", ["AVIF", "TIFF", "GIF", "BMP", "HEIF"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_file_cut_short_422(kind: str, part: float) -> None:
    data = HEIC if kind == "HEIF" else encoded(noise(), kind)
    assert re.search(r"damaged or incomplete|cannot be read|too much memory", refused(data[: int(len(data) * part)]))


def test_the_size_is_looked_at_before_the_pixels() -> None:
    header = b"GIF89a" + struct.pack("<2H", 65_535, 65_535) + b"\x80\0\0" + bytes(6)
    frame = b"," + struct.pack("<4H", 0, 0, 65_535, 65_535) + b"\0\2\2\x44\1\0;"
    bitmap = b"BM" + struct.pack("<IIIIiiHHIIiiII", 100, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(46)
    for data in (header + frame, bitmap):
        assert "at most 64 million pixels" in refused(data)


def test_a_raw_file_that_looks_like_a_tiff_422() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[50706] = b"\1\4\0\0"
    assert refused(tiff(tiffinfo=tags)).startswith("The file is a camera raw file.")


def test_a_gif_of_many_frames_costs_as_its_first() -> None:
    frames = [Image.new("P", SIZE, number % 250) for number in range(400)]
    began = time.monotonic()
    assert cleaned(encoded(gradient(), "GIF", save_all=True, append_images=frames)).size == SIZE
    assert time.monotonic() - began < 20


# Colours stated by numbers


def stated(*chunks: bytes) -> bytes:
    data = encoded(Image.new("RGB", SIZE, (200, 100, 50)))
    return data[:33] + b"".join(chunks) + data[33:]


@pytest.mark.parametrize(
    ("chunks", "colour"),
    [
        ([chunk(b"gAMA", struct.pack(">I", 45455))], (200, 100, 50)),
        ([chunk(b"gAMA", struct.pack(">I", 100_000))], (229, 168, 122)),  # linear light
        ([chunk(b"gAMA", struct.pack(">I", 55556))], (210, 119, 65)),  # of an old Macintosh
        ([chunk(b"cICP", bytes([1, 13, 0, 1]))], (200, 100, 50)),
        ([chunk(b"cICP", bytes([12, 13, 0, 1]))], (214, 95, 32)),  # Display P3
        ([chunk(b"cICP", bytes([1, 13, 0, 1])), chunk(b"gAMA", struct.pack(">I", 100_000))], (200, 100, 50)),
        ([chunk(b"sRGB", b"\0"), chunk(b"gAMA", struct.pack(">I", 45455))], (200, 100, 50)),
        ([chunk(b"cICP", bytes([77, 99, 0, 1]))], (200, 100, 50)),  # unknown numbers say nothing
        ([chunk(b"gAMA", bytes(4))], (200, 100, 50)),
        ([chunk(b"gAMA", struct.pack(">I", 45455)), chunk(b"cHRM", bytes(32))], (200, 100, 50)),
    ],
)
def test_colours_stated_by_numbers_become_srgb(chunks: list[bytes], colour: tuple[int, int, int]) -> None:
    found = cleaned(stated(*chunks)).getpixel((10, 10))
    assert np.abs(np.subtract(found, colour)).max() <= 2, found


# Refused uploads


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "an SVG drawing"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<svg/>', "an SVG drawing"),
        (b"II*\0\x10\0\0\0CR\2\0", "a camera raw file"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "a camera raw file"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
        (b"8BPS\0\1", "a Photoshop file"),
        (b"%PDF-1.7", "a PDF"),
        (b"RIFF\0\0\0\0WAVEfmt ", "not a supported picture"),
        (b"hello", "not a supported picture"),
    ],
)
def test_other_kinds_422(data: bytes, name: str) -> None:
    assert f"The file is {name}" in refused(data)
    assert "Save it as PNG, JPEG, WebP, HEIC, AVIF, TIFF, GIF or BMP" in refused(data)


def test_empty_422() -> None:
    assert refused(b"") == "The file is empty. Choose another picture."


def test_too_many_bytes_422() -> None:
    sentence = refused(png() + b"\0" * 2**20, Limits(bytes=2**20))
    assert sentence == "The file has 1.1 MB; at most 1 MB can be uploaded. Choose another picture."


def test_limits_are_those_of_the_settings() -> None:
    settings = Settings()
    assert Limits.of(settings) == Limits() == Limits(settings.upload_bytes, settings.upload_pixels)


@pytest.mark.parametrize(("width", "height"), [(65_000, 65_000), (2**31 - 1, 2**31 - 1), (8_001, 8_000)])
def test_bomb_422(width: int, height: int) -> None:
    """Refused by its header: no row of it is ever decompressed."""
    data = handmade_png(width, height, 8, 2, b"\0" * 100)
    assert f"The picture is {width} × {height} px; at most 64 million pixels" in refused(data)


def test_webp_bomb_422() -> None:
    canvas = struct.pack("<I", 16_382)[:3] * 2
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + canvas
    body += b"ANIM" + struct.pack("<IIH", 6, 0, 0)
    frame = encoded(gradient(), "WEBP")[12:]
    frame = b"\0" * 6 + struct.pack("<I", 95)[:3] + struct.pack("<I", 63)[:3] + b"\0\0\0\0" + frame
    body += b"ANMF" + struct.pack("<I", len(frame)) + frame
    assert "16383 × 16383 px" in refused(b"RIFF" + struct.pack("<I", len(body)) + body)


def test_png_with_a_text_bomb_is_quick() -> None:
    bomb = b"Comment\0\0" + zlib.compress(b"\0" * 300_000_000, 9)
    rows = (b"\0" + b"\x80" * 96) * 64
    started = time.process_time()
    with suppress(Invalid):
        clean_upload(handmade_png(96, 64, 8, 0, rows, chunk(b"zTXt", bomb)))
    assert time.process_time() - started < 2


def test_jpeg_of_a_thousand_scans_422() -> None:
    data = encoded(gradient(), "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")
    assert "unsafe to decode" in refused(data[:start] + data[start:-2] * 1000 + data[-2:])


@pytest.mark.parametrize(
    ("size", "sentence"),
    [
        ((1, 1), "The picture is 1 × 1 px; each side needs at least 64 px. Choose another picture."),
        ((63, 640), "The picture is 63 × 640 px; each side needs at least 64 px. Choose another picture."),
        (
            (64, 5000),
            "The picture is 64 × 5000 px; one side may be at most 8 times the other. "
            "Crop it closer to a square and try again.",
        ),
    ],
)
def test_shapes_422(size: tuple[int, int], sentence: str) -> None:
    assert refused(png(size=size)) == sentence


def test_turned_picture_is_measured_as_it_is_shown() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    clean = clean_upload(encoded(gradient(), "JPEG", exif=exif))
    assert (clean.width, clean.height) == (64, 96)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("JPEG", {}), ("JPEG", {"progressive": True}), ("WEBP", {}), ("WEBP", {"lossless": True})],
)
@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9, 0.99])
def test_truncated_422(kind: str, options: dict[str, object], share: float) -> None:
    data = encoded(noise(), kind, **options)
    assert "damaged or incomplete" in refused(data[: int(len(data) * share)])


def test_header_alone_422() -> None:
    for data in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP"):
        assert "damaged or incomplete" in refused(data)


SEEDS = [
    encoded(gradient()),
    encoded(gradient(), "JPEG"),
    encoded(gradient(), "JPEG", progressive=True),
    encoded(gradient(), "WEBP"),
    encoded(gradient(), "WEBP", xmp=XMP.encode(), icc_profile=swapped_profile()),
    encoded(gradient("P"), transparency=3, icc_profile=swapped_profile()),
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF    WEBP", b"RIFF    WEBPVP8X"]), st.binary())
def test_random_bytes_raise_only_what_people_can_read(start: bytes, rest: bytes) -> None:
    with pytest.raises(UserError):
        clean_upload(start + rest)


@pytest.mark.filterwarnings("ignore::UserWarning")
@hypothesis_settings(max_examples=300)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=8)), max_size=6),
    st.floats(0, 1),
)
def test_damaged_bytes_raise_only_readable_errors(
    data: bytes, wounds: list[tuple[float, bytes]], length: float
) -> None:
    hurt = bytearray(data)
    for share, wound in wounds:
        start = int(share * len(hurt))
        hurt[start : start + len(wound)] = wound
    try:
        clean = clean_upload(bytes(hurt[: max(int(length * len(hurt)), 1)]))
    except UserError:
        return
    assert opened(clean.png).size == (clean.width, clean.height)


# Thumbnails


@pytest.mark.parametrize(
    ("size", "small", "large"),
    [((2000, 1000), (320, 160), (960, 480)), ((500, 700), (229, 320), (500, 700)), ((100, 64), (100, 64), (100, 64))],
)
def test_thumbnails(size: tuple[int, int], small: tuple[int, int], large: tuple[int, int]) -> None:
    made = {side: opened(webp) for side, webp in thumbnails(png(size=size)).items()}
    assert {side: picture.size for side, picture in made.items()} == {320: small, 960: large}
    assert {picture.format for picture in made.values()} == {"WEBP"}
    assert difference(made[320].convert("RGB"), Image.new("RGB", small, "teal")) < 2


def test_thumbnails_carry_no_metadata() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "Mori Haruka")
    made = thumbnails(encoded(gradient(), pnginfo=texts, icc_profile=swapped_profile()))
    assert all(b"Mori" not in webp and not opened(webp).info.get("icc_profile") for webp in made.values())
