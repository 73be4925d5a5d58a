"""The form of an export: format, sizes, names, and the other files in the zip."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, field_validator

from app.exports import names
from app.languages import N_, ngettext
from app.languages import gettext as _
from app.specs import Line, Spec

ORIGINAL = "original"
MIN_SIDE, MAX_SIDE = 16, 8192  # px
MAX_SIZES = 12
NAME_LENGTH = 100


@dataclass(frozen=True)
class PictureFormat:
    """A file format: its name for people and Pillow, extension and media type, and whether it has a quality."""

    title: str
    kind: str
    suffix: str
    media_type: str
    lossy: bool


FORMATS = {
    "png": PictureFormat("PNG", "PNG", ".png", "image/png", lossy=False),
    "jpeg": PictureFormat("JPEG", "JPEG", ".jpg", "image/jpeg", lossy=True),
    "webp": PictureFormat("WebP", "WEBP", ".webp", "image/webp", lossy=True),
    "avif": PictureFormat("AVIF", "AVIF", ".avif", "image/avif", lossy=True),
}

# The sizes that social networks and web pages ask for, in their own terms.
PRESETS = {
    "1080x1350": N_("Portrait 4:5"),
    "1080x1080": N_("Square"),
    "1080x1920": N_("Story 9:16"),
    "1200x628": N_("Link 1.91:1"),
    "1920x1080": N_("Wide 16:9"),
}


class ExportOptions(Spec):
    """The options of an export. The defaults are sensible: the originals as PNG, with both manifests."""

    format: Literal["png", "jpeg", "webp", "avif"] = Field(default="png", title=N_("The format"))
    quality: int = Field(default=90, ge=1, le=100, title=N_("The quality"))  # for lossy formats
    sizes: tuple[str, ...] = Field(default=(ORIGINAL,), title=N_("The sizes"))
    fit: Literal["crop", "pad"] = Field(default="crop", title=N_("The fit"))
    template: Line = Field(default=names.DEFAULT, title=N_("The name template"))
    manifests: bool = True  # manifest.csv and manifest.json
    certificate: bool = True  # of the signing authority, for verification
    prompts: bool = True  # written into the pictures too

    @field_validator("sizes")
    @classmethod
    def _sizes_are_known(cls, sizes: tuple[str, ...]) -> tuple[str, ...]:
        kept = tuple(dict.fromkeys(normal_size(size) for size in sizes))
        if not kept:
            raise ValueError(_("Choose at least one size."))
        if len(kept) > MAX_SIZES:
            raise ValueError(
                _("These are %(number)s sizes; an export has at most %(most)s.", number=len(kept), most=MAX_SIZES)
            )
        return kept

    @field_validator("template")
    @classmethod
    def _template_is_understood(cls, template: str) -> str:
        return names.checked(template)

    @property
    def told(self) -> str:
        """A summary: "JPEG, 6 sizes"."""
        form, only = self.file_format.title, self.sizes[0]
        if len(self.sizes) > 1:
            return ngettext("%(format)s, %(number)s size", "%(format)s, %(number)s sizes", len(self.sizes), format=form)
        if only == ORIGINAL:
            return _("%(format)s, original size", format=form)
        return _("%(format)s, %(size)s", format=form, size=only.replace("x", " × "))

    @property
    def file_format(self) -> PictureFormat:
        return FORMATS[self.format]


def normal_size(text: str) -> str:
    """ "1080 × 1350" -> "1080x1350"; "original" stays. Raises ValueError with a sentence."""
    written = "".join(text.lower().split()).replace("×", "x")
    if written == ORIGINAL:
        return ORIGINAL
    width, _sign, height = written.partition("x")
    if not all(side.isascii() and side.isdecimal() and len(side) < 6 for side in (width, height)):
        raise ValueError(
            _("Write a size as width x height, such as 1080 x 1350; %(given)s was given.", given=repr(text[:40]))
        )
    if not all(MIN_SIDE <= int(side) <= MAX_SIDE for side in (width, height)):
        raise ValueError(
            _(
                "Each side of a size has %(least)s to %(most)s px; %(given)s was given.",
                least=MIN_SIDE,
                most=MAX_SIDE,
                given=repr(text[:40]),
            )
        )
    return f"{int(width)}x{int(height)}"


def pixels(size: str) -> tuple[int, int] | None:
    """Width and height in px of a normal size; None for the original's."""
    if size == ORIGINAL:
        return None
    width, _, height = size.partition("x")
    return int(width), int(height)


def custom(sizes: Sequence[str]) -> list[str]:
    """Those of `sizes` that are not presets."""
    return [size for size in sizes if size != ORIGINAL and size not in PRESETS]
