"""Common formats of a picture: which part of it they show, and where their own controls or a trim cover it.

All numbers are in `FORMATS`, each with where it is from and when it was checked. Where a platform publishes no number,
the zone is a caution of ours and says so (`published=False`): apps move their buttons, and phones differ.
"""

from dataclasses import dataclass
from typing import NamedTuple

from app.languages import N_
from app.quality.places import Rect

NONE = "none"  # no format
CHECKED = "2026-11"  # the numbers of all formats, year and month


class Zone(NamedTuple):
    """A part of a format that something covers, or that is cut off."""

    box: Rect  # in fractions of the format
    words: str  # what is there; a message
    published: bool = True  # False: our own caution


@dataclass(frozen=True)
class PublishedFormat:
    """A size that pictures are published in."""

    key: str
    group: str  # a message
    name: str  # a message
    width: float
    height: float
    source: str  # who says so; a message
    zones: tuple[Zone, ...] = ()
    unit: str = "px"  # or mm
    note: str = ""  # a message
    checked: str = CHECKED

    @property
    def size(self) -> str:
        """Such as "1080 × 1920 px"."""
        return f"{self.width:g} × {self.height:g} {self.unit}"

    def crop(self, width: int, height: int, shift: float = 0.5) -> Rect:
        """The largest part of a picture of `width` and `height` px in this shape, in fractions of the picture.

        `shift` says which part: 0 at its left or top, 1 at its right or bottom.
        """
        ratio = self.width / self.height * height / width
        if ratio < 1:
            return Rect(shift * (1 - ratio), 0, ratio, 1)
        return Rect(0, shift * (1 - 1 / ratio), 1, 1 / ratio)


def _edges(top: float, bottom: float, side: float, words: tuple[str, str, str]) -> tuple[Zone, ...]:
    """Zones along the top, the bottom and both sides, in fractions; `words` for each."""
    middle = 1 - top - bottom
    boxes = (
        (Rect(0, 0, 1, top), words[0]),
        (Rect(0, 1 - bottom, 1, bottom), words[1]),
        (Rect(0, top, side, middle), words[2]),
        (Rect(1 - side, top, side, middle), words[2]),
    )
    return tuple(Zone(box, said) for box, said in boxes if box.width and box.height)


BLEED = 3.0  # mm that are cut off along each edge
_TRIMMED = N_("Cut off")
_KEEP_OFF = N_("Keep text out")


def _printed(key: str, name: str, width: float, height: float) -> PublishedFormat:
    """A sheet of `width` and `height` mm: the picture fills it with its bleed."""
    full, tall = width + 2 * BLEED, height + 2 * BLEED
    across, down = BLEED / full, BLEED / tall
    inner = Rect(across, down, 1 - 2 * across, 1 - 2 * down)
    margins = _edges(BLEED / height, BLEED / height, BLEED / width, (_KEEP_OFF,) * 3)
    return PublishedFormat(
        key,
        _PRINT,
        name,
        full,
        tall,
        N_("Usual in offset printing: 3 mm of bleed. The other 3 mm, free of text, are an estimate. Ask your printer."),
        (
            *_edges(down, down, across, (_TRIMMED,) * 3),
            *(Zone(zone.box.within(inner), zone.words, published=False) for zone in margins),
        ),
        unit="mm",
    )


_SOCIAL, _WEB, _PRINT = N_("Social media"), N_("Web"), N_("Print, with 3 mm bleed")
_META = N_("Parts that Meta advises to keep free of text and logos in ads. In other posts they vary.")
_META_SIZE = N_("Size recommended by Meta.")
_COVERED = (N_("Account and progress"), N_("Buttons and reply field"), N_("Edge"))
_REEL = (N_("Account and camera"), N_("Caption, account and buttons"), N_("Edge and buttons"))
_VARIES = N_("The zone is an estimate: nobody publishes it, and it varies by device.")
_IAB = N_("Size of the IAB New Ad Portfolio, 2017.")
_LINE = N_("Size of rich menus in the LINE Messaging API.")

FORMATS = (
    PublishedFormat(
        "instagram-story",
        _SOCIAL,
        N_("Instagram story, 9:16"),
        1080,
        1920,
        _META,
        _edges(0.14, 0.20, 0, _COVERED),
    ),
    PublishedFormat(
        "instagram-reel", _SOCIAL, N_("Instagram reel, 9:16"), 1080, 1920, _META, _edges(0.14, 0.35, 0.06, _REEL)
    ),
    PublishedFormat("instagram-portrait", _SOCIAL, N_("Instagram feed, 4:5"), 1080, 1350, _META_SIZE),
    PublishedFormat("instagram-square", _SOCIAL, N_("Instagram feed, 1:1"), 1080, 1080, _META_SIZE),
    PublishedFormat(
        "youtube",
        _SOCIAL,
        N_("YouTube thumbnail, 16:9"),
        1280,
        720,
        N_("Size recommended by YouTube Help."),
        (Zone(Rect(0.84, 0.84, 0.16, 0.16), N_("Duration"), published=False),),
        note=_VARIES,
    ),
    PublishedFormat(
        "x-header",
        _SOCIAL,
        N_("X header, 3:1"),
        1500,
        500,
        N_("Size recommended by the X Help Center."),
        (Zone(Rect(0, 0.6, 0.3, 0.4), N_("Profile photo"), published=False),),
        note=_VARIES,
    ),
    PublishedFormat("line-rich-large", _SOCIAL, N_("LINE rich menu, large"), 2500, 1686, _LINE),
    PublishedFormat("line-rich-small", _SOCIAL, N_("LINE rich menu, small"), 2500, 843, _LINE),
    PublishedFormat(
        "link-preview",
        _WEB,
        N_("Link preview (Open Graph), 1.91:1"),
        1200,
        630,
        N_("Size recommended by Meta for Developers."),
        note=N_("Other services crop link previews in their own way."),
    ),
    PublishedFormat("iab-rectangle", _WEB, N_("Medium rectangle"), 300, 250, _IAB),
    PublishedFormat("iab-leaderboard", _WEB, N_("Leaderboard"), 728, 90, _IAB),
    PublishedFormat("iab-billboard", _WEB, N_("Billboard"), 970, 250, _IAB),
    PublishedFormat("iab-skyscraper", _WEB, N_("Skyscraper"), 160, 600, _IAB),
    PublishedFormat("iab-phone", _WEB, N_("Smartphone banner"), 320, 50, _IAB),
    _printed("a4", N_("A4, portrait"), 210, 297),
    _printed("a4-landscape", N_("A4, landscape"), 297, 210),
    _printed("postcard", N_("Japanese postcard"), 100, 148),
    _printed("business-card", N_("Japanese business card"), 91, 55),
)
BY_KEY = {each.key: each for each in FORMATS}
GROUPS = {group: [each for each in FORMATS if each.group == group] for group in (_SOCIAL, _WEB, _PRINT)}
KEYS = (NONE, *BY_KEY)


OUTSIDE = N_("Outside the crop")


class Laid(NamedTuple):
    """A format laid over a picture."""

    format: PublishedFormat
    crop: Rect  # in fractions of the picture, as the zones
    zones: tuple[Zone, ...]
    given: float  # px of the picture across the crop

    @property
    def enlarged(self) -> float:
        """How many px of the format come from one px of the picture; 0 for paper."""
        return 0 if self.format.unit == "mm" else self.format.width / self.given

    @property
    def dpi(self) -> float:
        """How many px of the picture come on an inch of paper; 0 for a screen."""
        return self.given * 25.4 / self.format.width if self.format.unit == "mm" else 0

    def hit(self, place: Rect) -> list[str]:
        """What covers `place`, in messages: zones, and OUTSIDE if the crop cuts into it."""
        outside = place.shared(self.crop) < 1 - 1e-6
        met = [zone.words for zone in self.zones if place.shared(zone.box) > 1e-6]
        return list(dict.fromkeys([*([OUTSIDE] if outside else []), *met]))


def laid(key: str, width: int, height: int, shift: float = 0.5) -> Laid | None:
    """A format over a picture of `width` and `height` px; None for NONE or an unknown one."""
    chosen = BY_KEY.get(key)
    if chosen is None:
        return None
    crop = chosen.crop(width, height, shift)
    zones = tuple(zone._replace(box=zone.box.within(crop)) for zone in chosen.zones)
    return Laid(chosen, crop, zones, width * crop.width)
