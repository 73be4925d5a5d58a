"""Clean an upload, in the child of one job: an upright 8-bit sRGB PNG without metadata, for any input.

Hostile files mainly target memory, so it is used in one place only, the decoded picture, and as little as the libraries
allow. JPEGs are scaled down while they are decoded (draft mode); large WebPs are decoded by OpenCV, which needs a third
of the memory Pillow does; everything after that works on strips of a large picture, which is gone before its copy of at
most KEPT_SIDE px is converted, and each step lets go of the picture before it.
"""

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
from PIL import (
    AvifImagePlugin,
    Image,
    ImageCms,
    ImageColor,
    ImageFile,
    IptcImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
)

from app.decoding import colours, heic, webp
from app.decoding.limits import KEPT_SIDE, MAX_ASPECT, MIN_SIDE, NAMES, RIGHTS_LENGTH, refusal
from app.decoding.thumbnails import small
from app.languages import gettext as _
from app.text import clean_line, shorten

ENOUGH = KEPT_SIDE * 15 // 16  # px: a JPEG is decoded at half its size if at least this much remains
SCANS = 100  # a progressive JPEG has about ten; thousands are an attack on decoding time
SCAN_PIXELS = 20 * 64_000_000  # scans times pixels: 2.5 seconds of decoding
WEBP_PIXEL = 20  # bytes that Pillow uses per pixel of a WebP
STRIP = 256  # rows of a large picture to scale down at a time
PROFILE_BYTES = 8 * 2**20  # of an ICC profile; printers' profiles have three or four MB
EXIF_BYTES = 2**16  # the most a JPEG can hold
XMP_BYTES = 2**20
DNG_VERSION, PHOTOMETRIC, KIND_OF_PICTURE = 50706, 262, 254  # tags of a TIFF
RAW_COLOURS = {32803, 34892}  # values of a sensor: a colour filter array, and linear
OPAQUE = 255  # in the alpha channel
ENCODED = {"compress_level": 3}  # a fifth larger than the smallest, in a quarter of the time

# Pillow warns at its own limit; ours come from the settings and are checked before decoding.
Image.MAX_IMAGE_PIXELS = None

cv2.setNumThreads(0)
AvifImagePlugin.DEFAULT_MAX_THREADS = 1


def cleaned(
    data: bytes,
    kind: str,
    pixels: int,
    memory: int,
    ground: str = "",
    grey: bool = False,
    sides: Sequence[int] = (),
) -> tuple[Mapping[str, Any], list[bytes]]:
    """Return the clean PNG of an upload of `kind`, then its thumbnails of `sides`; with `grey`, in greyscale.

    A picture with transparent pixels is put on `ground`, such as "#ffffff"; without one, it stays transparent.

    Raises Invalid for faults to report to people, anything else for damage.
    """
    decoded = _of_webp if kind == "WEBP" else _of_others
    picture, turn, rights = decoded(data, kind, pixels, memory)
    picture = _upright(picture, turn)
    picture = _in_srgb(picture)
    clear = picture.mode == "RGBA"
    if clear and ground:
        picture = on_ground(picture, ground)
    if grey:
        picture = picture.convert("L")
    picture.info.clear()  # or the old profile would be written with the new colours
    facts = {"width": picture.width, "height": picture.height, "rights": rights, "lightest": _lightest(picture, grey)}
    options = {} if grey else ENCODED
    shown = picture if picture.mode == "RGBA" else in_rgb(picture)
    return facts | {"clear": clear}, [png(picture, **options), *small(shown, sides)]


def png(picture: Image.Image, **options: Any) -> bytes:
    written = io.BytesIO()
    picture.save(written, "PNG", **options)
    return written.getvalue()


def _lightest(picture: Image.Image, grey: bool) -> int:
    most = picture.getextrema()[1] if grey else 255
    return int(most)  # type: ignore[arg-type]  # a number, of one band


# Decoding


Decoded = tuple[Image.Image, Image.Transpose | None, dict[str, str]]
"""At most KEPT_SIDE px, the turn that makes it upright, and the rights that the file states."""


def _of_webp(data: bytes, kind: str, pixels: int, memory: int) -> Decoded:
    said = webp.header(data)
    check_size(said.width, said.height, pixels)
    if max(said.width, said.height) > KEPT_SIDE and not said.animated:
        return _large_webp(data, said)
    _check_memory(said.width, said.height, WEBP_PIXEL, memory)
    return _of_others(data, kind, pixels, memory)


def _of_others(data: bytes, kind: str, pixels: int, memory: int) -> Decoded:
    with Image.open(io.BytesIO(data), formats=[kind]) as opened:
        width, height = opened.size
        check_size(width, height, pixels)
        if isinstance(opened, JpegImagePlugin.JpegImageFile):
            _check_scans(data, width * height)
            _draft(opened)
        if isinstance(opened, TiffImagePlugin.TiffImageFile):
            _check_no_raw(opened)
        opened.load()
        opened.info["icc_profile"] = _profile(data, kind, opened.info)
        rights = _rights(opened)  # after the pixels: a PNG may state them there
        turn = _turn(_exif(opened))
        return _at_most(opened, KEPT_SIDE), turn, rights


def _large_webp(data: bytes, said: webp.Header) -> Decoded:
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.shape[:2] != (said.height, said.width):
        raise ValueError("it cannot be decoded")
    order = [2, 1, 0, 3][: values.shape[2]]

    def strip(begin: int, end: int) -> Image.Image:
        return Image.fromarray(np.ascontiguousarray(values[begin:end, :, order]))

    picture = _reduced(strip, (said.width, said.height), KEPT_SIDE)
    picture.info["icc_profile"] = said.chunks.get(b"ICCP")
    picture.info["xmp"] = said.chunks.get(b"XMP ")
    exif = _exif_of(said.chunks.get(b"EXIF", b""))
    rights = _found([_xmp_rights(picture), _exif_rights(exif)])
    return picture, _turn(exif), rights


def _draft(opened: JpegImagePlugin.JpegImageFile) -> None:
    """Decode a large JPEG at a half, a quarter or an eighth of its size, if that is enough."""
    longer = max(opened.size)
    if longer > KEPT_SIDE:
        scale = next((scale for scale in (8, 4, 2) if longer / scale >= ENOUGH), 1)
        opened.draft(None, (opened.width // scale, opened.height // scale))


def _profile(data: bytes, kind: str, info: Mapping[Any, Any]) -> bytes | None:
    """The colour profile, stated as such or by numbers, of which cICP is the strongest."""
    points = colours.stated(data, kind)
    if kind == "PNG" and points:
        return colours.of_code_points(*points)
    if info.get("icc_profile"):
        return bytes(info["icc_profile"])
    return colours.of_code_points(*points) if points else colours.of_png(info) if kind == "PNG" else None


def _check_no_raw(opened: TiffImagePlugin.TiffImageFile) -> None:
    """Refuse a camera raw file, which is a TIFF whose first picture is a preview or the sensor's own values."""
    tags = opened.tag_v2
    if DNG_VERSION in tags or tags.get(PHOTOMETRIC) in RAW_COLOURS or (tags.get(KIND_OF_PICTURE, 0) & 1):
        raise refusal(_("The file is a camera raw file. Develop it in a photo editor, then upload that."))


def _check_scans(data: bytes, pixels: int) -> None:
    """Limit the scans of a progressive JPEG: each covers the whole picture, even if it changes nothing."""
    scans = data.count(b"\xff\xda")
    if scans > SCANS or scans * pixels > SCAN_PIXELS:
        raise refusal(_("This %(kind)s file is unsafe to decode. Choose another picture.", kind="JPEG"))


def _check_memory(width: int, height: int, each: int, memory: int) -> None:
    """Refuse in advance a picture whose decoder is known to take `each` bytes per pixel."""
    if width * height * each > memory:
        raise refusal(_("This picture takes too much memory to decode. Save it smaller and try again."))


def _at_most(picture: Image.Image, side: int) -> Image.Image:
    """A copy whose longer side is at most `side` px, without the file."""
    if max(picture.size) <= side:
        return picture.copy()

    def strip(begin: int, end: int) -> Image.Image:
        return _plain(picture.crop((0, begin, picture.width, end)))

    made = _reduced(strip, picture.size, side)
    made.info["icc_profile"] = picture.info.get("icc_profile")
    return made


def _reduced(strip: Any, size: tuple[int, int], side: int) -> Image.Image:
    """Scale a picture of `size`, read in rows from `strip(begin, end)`, to a longer side of `side` px (Lanczos)."""
    scale = max(size) / side
    width, height = (max(1, round(each / scale)) for each in size)
    tall = size[1] / height  # source rows per output row
    margin = math.ceil(3 * tall) + 1  # the reach of Lanczos
    made = None
    for top in range(0, height, STRIP):
        bottom = min(top + STRIP, height)
        begin, end = max(0, int(top * tall) - margin), min(size[1], math.ceil(bottom * tall) + margin)
        box = (0, top * tall - begin, size[0], min(bottom * tall, size[1]) - begin)
        part = strip(begin, end).resize((width, bottom - top), Image.Resampling.LANCZOS, box=box)
        made = made or Image.new(part.mode, (width, height))
        made.paste(part, (0, top))
    if made is None:
        raise ValueError("a picture without rows")
    return made


def check_size(width: int, height: int, pixels: int) -> None:
    size = f"{width} × {height} px"
    if width * height > pixels:
        message = _(
            "The picture is %(size)s; at most %(most)s million pixels can be uploaded. Make it smaller and try again.",
            size=size,
            most=f"{pixels / 1e6:g}",
        )
        raise refusal(message)
    if min(width, height) < MIN_SIDE:
        raise refusal(
            _(
                "The picture is %(size)s; each side needs at least %(least)s px. Choose another picture.",
                size=size,
                least=MIN_SIDE,
            )
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        message = _(
            "The picture is %(size)s; one side may be at most %(most)s times the other. Crop it closer to a square and"
            " try again.",
            size=size,
            most=MAX_ASPECT,
        )
        raise refusal(message)


# Converting

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _turn(exif: Mapping[int, Any]) -> Image.Transpose | None:
    return _TURNS.get(exif.get(0x0112, 1))


def _upright(picture: Image.Image, turn: Image.Transpose | None) -> Image.Image:
    return picture if turn is None else picture.transpose(turn)


def _in_srgb(picture: Image.Image) -> Image.Image:
    """Convert to 8-bit sRGB by the ICC profile, if it is readable; RGBA if any pixel is transparent, even a little."""
    profile = picture.info.get("icc_profile")
    picture = _plain(picture)
    alpha = picture.getchannel("A") if picture.mode == "RGBA" else None
    if alpha:
        picture = picture.convert("RGB")
    colours = in_rgb(_by_profile(picture, profile))
    if alpha and alpha.getextrema()[0] != OPAQUE:
        colours.putalpha(alpha)
    return colours


def on_ground(picture: Image.Image, ground: str) -> Image.Image:
    """A transparent picture in RGB, on a ground of one colour, such as "#ffffff"."""
    colour = ImageColor.getrgb(ground)
    made = Image.new("RGB", picture.size, colour)
    made.paste(picture.convert("RGB"), mask=picture.getchannel("A"))
    return made


def in_rgb(picture: Image.Image) -> Image.Image:
    """The picture in RGB; itself if it is."""
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _plain(picture: Image.Image) -> Image.Image:
    """Convert to 8 bits without a palette; RGBA if anything may be transparent."""
    picture = _in_8_bits(picture)
    clear = picture.has_transparency_data
    if picture.mode in ("P", "PA") or clear:
        return picture.convert("RGBA" if clear else "RGB")
    return picture


def _in_8_bits(picture: Image.Image) -> Image.Image:
    if picture.mode == "I" or picture.mode.startswith("I;16"):
        # Pillow would clip to 255 instead of scaling.
        return Image.fromarray((np.asarray(picture).astype(np.uint32) >> 8).astype(np.uint8))
    if picture.mode == "F":  # of a TIFF: light from 0 to 1, or any range
        values = np.nan_to_num(np.asarray(picture))
        return Image.fromarray((values / max(1.0, float(values.max())) * 255).clip(0, 255).astype(np.uint8))
    return picture.convert("L") if picture.mode == "1" else picture


def _by_profile(picture: Image.Image, icc: bytes | None) -> Image.Image:
    if not icc or len(icc) > PROFILE_BYTES:
        return picture
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        space = profile.profile.xcolor_space.strip()
        if space == "GRAY" and picture.mode == "RGB":
            picture = picture.convert("L")  # grey stored as RGB, in a palette or with an alpha channel
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
        return picture  # a broken profile says nothing about the colours
    return converted or picture


# Rights

_DC, _PS = "{http://purl.org/dc/elements/1.1/}", "{http://ns.adobe.com/photoshop/1.0/}"


def _rights(picture: ImageFile.ImageFile) -> dict[str, str]:
    """Creator, copyright and credit as the file states them: from XMP, else IPTC, else EXIF, else PNG text."""
    text = picture.info
    return _found(
        [
            _xmp_rights(picture),
            _iptc_rights(picture),
            _exif_rights(_exif(picture)),
            {"creator": text.get("Author"), "copyright": text.get("Copyright"), "credit": text.get("Source")},
        ]
    )


def _found(sources: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for source in sources:
        for field in ("creator", "copyright", "credit"):
            value = source.get(field)
            if isinstance(value, str) and (value := clean_line(value[:XMP_BYTES].replace("\0", " "))):
                found.setdefault(field, shorten(value, RIGHTS_LENGTH))
    return found


def _exif_rights(exif: Mapping[int, Any]) -> dict[str, Any]:
    return {"creator": exif.get(0x013B), "copyright": exif.get(0x8298)}


def _exif(picture: Image.Image) -> dict[int, Any]:
    try:
        return {} if len(picture.info.get("exif", b"")) > EXIF_BYTES else dict(picture.getexif())
    except Exception:  # bad camera metadata must not cost the picture
        return {}


def _exif_of(data: bytes) -> dict[int, Any]:
    """The EXIF of a file that Pillow has not opened."""
    try:
        exif = Image.Exif()
        exif.load(data if len(data) <= EXIF_BYTES else b"")
        return dict(exif)
    except Exception:  # as above
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
        return {}  # no declarations: entities are how XML bombs work
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


# Warming up


def warm() -> None:
    """Decode one picture of each kind with everything a file may carry, so that Pillow imports what it needs."""
    Image.init()
    exif = Image.Exif()
    exif[0x0112], exif[0x013B] = 6, "Soroe"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", "<x/>")
    TiffImagePlugin.ImageFileDirectory_v2()
    for kind in NAMES:
        written = io.BytesIO()
        more: dict[str, Any] = {"pnginfo": texts} if kind == "PNG" else {"xmp": b"<x/>"}
        if kind in ("GIF", "BMP"):
            Image.new("P", (MIN_SIDE, MIN_SIDE)).save(written, kind)
        elif kind == "TIFF":
            Image.new("RGB", (MIN_SIDE, MIN_SIDE)).save(written, kind, compression="tiff_lzw", icc_profile=profile)
        elif kind != "HEIF":
            Image.new("RGB", (MIN_SIDE, MIN_SIDE)).save(written, kind, exif=exif, icc_profile=profile, **more)
        cleaned(written.getvalue() or heic.SAMPLE, kind, 2**20, 2**30, sides=(16,))
