"""Uploaded pictures made safe and alike: whatever comes in, an upright 8-bit sRGB PNG without metadata comes out.

What is refused is refused with one sentence, and before it costs anything: first the size in bytes, then the kind by
its first bytes, then the size in pixels from its header. Only then is it decoded.
"""

import io
import math
import re
import threading
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import numpy as np
from PIL import Image, ImageCms, ImageFile, IptcImagePlugin

from app.errors import Invalid, UserError
from app.settings import Settings
from app.text import clean_line, shorten

KINDS = {"PNG": b"\x89PNG\r\n\x1a\n", "JPEG": b"\xff\xd8\xff", "WEBP": b"RIFF"}
MIN_SIDE = 64  # px; less has no look to speak of
MAX_ASPECT = 8  # long side over short side
KEPT_SIDE = 4096  # px; a larger picture is made smaller: no model sees more, even of a quarter of it
MAX_JPEG_SCANS = 100  # a progressive JPEG has about ten; thousands are an attack on the decoder's time
THUMBNAILS = (320, 960)  # px, the longer side
RIGHTS_LENGTH = 500  # characters of a rights field that are kept
XMP_BYTES = 2**20

# How many uploads are decoded at a time, whoever sends them: one of 64 megapixels takes 400 MiB meanwhile.
DECODERS = 2
decoding = threading.BoundedSemaphore(DECODERS)

# Pillow warns by a number of its own; ours come from the settings and are checked before anything is decoded.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class Limits:
    """What an upload may be at most."""

    bytes: int = Settings.model_fields["upload_bytes"].default
    pixels: int = Settings.model_fields["upload_pixels"].default

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        return cls(settings.upload_bytes, settings.upload_pixels)


@dataclass(frozen=True)
class CleanPicture:
    png: bytes
    width: int  # px, upright
    height: int
    rights: dict[str, str]  # those found of creator, copyright, credit


def clean_upload(data: bytes, limits: Limits | None = None, *, keep_clear: bool = False) -> CleanPicture:
    """An uploaded PNG, JPEG or WebP as a clean PNG: its first frame, upright, in sRGB, on white where it was clear
    (or still clear there, with `keep_clear`), its longer side at most KEPT_SIDE.

    Raises Invalid("picture", ...) for everything else, and nothing but that, whatever the bytes.
    """
    limits = limits or Limits()
    if len(data) > limits.bytes:
        raise _refusal(f"The file has {_megabytes(len(data))}; at most {_megabytes(limits.bytes)} can be uploaded")
    kind = _kind(data)
    try:
        with decoding, Image.open(io.BytesIO(data), formats=[kind]) as opened:
            _check_size(opened.width, opened.height, limits)
            opened.load()
            rights = _rights(opened)  # now: a PNG may say them after its pixels
            picture = _in_srgb(_upright(opened), keep_clear)
            picture.thumbnail((KEPT_SIDE, KEPT_SIDE), Image.Resampling.LANCZOS)
    except UserError:
        raise
    except Exception as error:  # decoders meet hostile bytes with errors of every class
        raise _refusal(f"This {_NAMES[kind]} file is damaged or not complete") from error
    return CleanPicture(_png(picture), picture.width, picture.height, rights)


def thumbnails(png: bytes) -> dict[int, bytes]:
    """WebP copies of a picture, by the longest side they may have; a smaller picture is not enlarged."""
    made = {}
    with Image.open(io.BytesIO(png)) as opened:
        picture = opened.convert("RGB")
    for side in sorted(THUMBNAILS, reverse=True):
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        copy = io.BytesIO()
        picture.save(copy, "WEBP", quality=85, method=4)
        made[side] = copy.getvalue()
    return made


# What is refused

_NAMES = {"PNG": "PNG", "JPEG": "JPEG", "WEBP": "WebP"}

# Kinds that people try, by their first bytes, so that the sentence can name them.
_OTHERS = (
    (rb"\s*(<\?xml|<!--|<!DOCTYPE svg|<svg)", "an SVG drawing"),
    (rb"GIF8[79]a", "a GIF"),
    (rb"....ftyp(avif|avis)", "an AVIF picture"),
    (rb"....ftyp(heic|heix|hevc|mif1|msf1)", "a HEIC photo"),
    (rb"II\*\0|MM\0\*", "a TIFF or camera raw file"),
    (rb"8BPS", "a Photoshop file"),
    (rb"%PDF", "a PDF"),
    (rb"BM", "a BMP"),
)


def _refusal(reason: str, remedy: str = "Choose another picture.") -> Invalid:
    return Invalid("picture", f"{reason}. {remedy}")


def _kind(data: bytes) -> str:
    for kind, start in KINDS.items():
        if data.startswith(start) and (kind != "WEBP" or data[8:12] == b"WEBP"):
            if kind == "JPEG" and data.count(b"\xff\xda") > MAX_JPEG_SCANS:
                raise _refusal("This JPEG file is made to keep a computer busy")
            return kind
    if not data:
        raise _refusal("The file is empty")
    head = data[:512].removeprefix(b"\xef\xbb\xbf")
    what = next((name for start, name in _OTHERS if re.match(start, head, re.DOTALL)), "not a picture that we know")
    raise _refusal(f"The file is {what}", "Save it as PNG, JPEG or WebP and upload that.")


def _check_size(width: int, height: int, limits: Limits) -> None:
    size = f"The picture is {width} × {height} px"
    if width * height > limits.pixels:
        most = limits.pixels / 1e6
        raise _refusal(f"{size}; at most {most:g} million pixels can be uploaded", "Make it smaller and try again.")
    if min(width, height) < MIN_SIDE:
        raise _refusal(f"{size}; each side needs at least {MIN_SIDE} px")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise _refusal(
            f"{size}; one side may be at most {MAX_ASPECT} times the other", "Crop it nearer to a square and try again."
        )


def _megabytes(size: int) -> str:
    """Rounded up, so that what is too much never reads as what is allowed."""
    return f"{math.ceil(size * 10 / 2**20) / 10:g} MB"


# What is made of the rest

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _upright(picture: Image.Image) -> Image.Image:
    turn = _TURNS.get(_exif(picture).get(0x0112, 1))
    return picture if turn is None else picture.transpose(turn)


def _in_srgb(picture: Image.Image, keep_clear: bool) -> Image.Image:
    """The picture in 8-bit sRGB, on white where it was clear unless that is kept; its colours by its ICC profile where
    that can be read.
    """
    profile = picture.info.get("icc_profile")
    picture = _in_8_bits(picture)
    clear = picture.has_transparency_data
    if picture.mode in ("P", "PA") or clear:
        picture = picture.convert("RGBA" if clear else "RGB")
    alpha = picture.getchannel("A") if clear else None
    colours = _by_profile(picture.convert("RGB") if clear else picture, profile).convert("RGB")
    if not alpha:
        return colours
    if keep_clear:
        colours.putalpha(alpha)
        return colours
    white = Image.new("RGB", colours.size, "white")
    white.paste(colours, mask=alpha)
    return white


def _in_8_bits(picture: Image.Image) -> Image.Image:
    if picture.mode == "I" or picture.mode.startswith("I;16"):
        # Pillow would clip to 255 instead of scaling.
        return Image.fromarray((np.asarray(picture).astype(np.uint32) >> 8).astype(np.uint8))
    return picture.convert("L") if picture.mode == "1" else picture


def _by_profile(picture: Image.Image, icc: bytes | None) -> Image.Image:
    if not icc:
        return picture
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        space = profile.profile.xcolor_space.strip()
        if space == "GRAY" and picture.mode == "RGB":
            picture = picture.convert("L")  # grey kept as RGB, in a palette or beside an alpha channel
        if {"L": "GRAY"}.get(picture.mode, picture.mode) != space:
            return picture
        converted = ImageCms.profileToProfile(
            picture,
            profile,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return picture  # a broken profile says nothing of the colours
    return converted or picture


def _png(picture: Image.Image) -> bytes:
    picture.info.clear()  # or the old profile would be written beside the new colours
    written = io.BytesIO()
    picture.save(written, "PNG", compress_level=3)  # a fifth larger than the tightest, in a quarter of the time
    return written.getvalue()


# Whose it is

_DC, _PS = "{http://purl.org/dc/elements/1.1/}", "{http://ns.adobe.com/photoshop/1.0/}"


def _rights(picture: ImageFile.ImageFile) -> dict[str, str]:
    """Creator, copyright and credit as the file states them: from XMP, else IPTC, else EXIF, else PNG text."""
    exif, text = _exif(picture), picture.info
    sources: list[dict[str, Any]] = [
        _xmp_rights(picture),
        _iptc_rights(picture),
        {"creator": exif.get(0x013B), "copyright": exif.get(0x8298)},
        {"creator": text.get("Author"), "copyright": text.get("Copyright"), "credit": text.get("Source")},
    ]
    found: dict[str, str] = {}
    for source in sources:
        for field in ("creator", "copyright", "credit"):
            value = source.get(field)
            if isinstance(value, str) and (value := clean_line(value.replace("\0", " "))):
                found.setdefault(field, shorten(value, RIGHTS_LENGTH))
    return found


def _exif(picture: Image.Image) -> dict[int, Any]:
    try:
        return dict(picture.getexif())
    except Exception:  # a camera's slip in its metadata must not cost the picture
        return {}


def _iptc_rights(picture: ImageFile.ImageFile) -> dict[str, Any]:
    try:
        records: dict[Any, Any] = IptcImagePlugin.getiptcinfo(picture) or {}
    except Exception:  # as above
        return {}
    fields = {"creator": (2, 80), "copyright": (2, 116), "credit": (2, 110)}
    return {name: _iptc_text(records.get(number)) for name, number in fields.items()}


def _iptc_text(value: bytes | list[bytes] | None) -> str:
    values = value if isinstance(value, list) else [value] if value else []
    texts = []
    for raw in values:
        try:
            texts.append(raw.decode())
        except UnicodeDecodeError:
            texts.append(raw.decode("latin-1"))
    return ", ".join(texts)


def _xmp_rights(picture: Image.Image) -> dict[str, Any]:
    raw = picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp") or b""
    data = raw.encode(errors="replace") if isinstance(raw, str) else raw
    if not data or len(data) > XMP_BYTES or b"<!" in data.replace(b"<!--", b""):
        return {}  # no declarations: entities are how XML is made to explode
    try:
        tree = ElementTree.fromstring(data.rstrip(b"\0"))  # noqa: S314  (see above)
    except (ElementTree.ParseError, ValueError, LookupError):
        return {}
    found = {"creator": _xmp_text(tree, f"{_DC}creator"), "copyright": _xmp_text(tree, f"{_DC}rights")}
    attributes = (element.get(f"{_PS}Credit") for element in tree.iter())
    return found | {"credit": _xmp_text(tree, f"{_PS}Credit") or next(filter(None, attributes), "")}


def _xmp_text(tree: ElementTree.Element, tag: str) -> str:
    """The text of the first `tag` at any depth; of a list, its items."""
    element = next(tree.iter(tag), None)
    if element is None:
        return ""
    return ", ".join(text.strip() for text in element.itertext() if text.strip())
