"""Text and formats: whether text can be read on a place of a picture, and what common formats show of the picture.

The address holds everything, so that a link shows another person the same:
`/images/7/layout?place=10,62,80,26&words=Hello&text=ffffff&size=32&weight=bold&format=instagram-story&shift=50&from=/sets/4`.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from PIL import Image as Picture

from app import safe_areas
from app.errors import NotFound
from app.files import Kind
from app.languages import gettext as _
from app.models import Image, ImageSet, State
from app.quality import contrast
from app.quality.contrast import Cover, Legibility, Needed
from app.quality.places import CANDIDATES, Better, Rect, better_places
from app.safe_areas import Laid, PublishedFormat
from app.sets import queries as sets
from app.text import clean_line
from app.web.deps import Me, Read, ResourcesDep
from app.web.pools import Route
from app.web.templating import Page, inner_path, preference, render

router = APIRouter(route_class=Route)

DEFAULT = Rect(0.1, 0.62, 0.8, 0.26)
LEAST = 0.02  # of a side of the picture
SIDES = ("x", "y", "w", "h")  # the fields of a place, in per cent
SMALLEST, LARGEST = 4, 999  # px of text
DEFAULT_SIZE = 32  # or less, for two lines in the usual place of a small picture
SUGGESTED = 3  # other places
MUCH = 1.2  # times the contrast: another place is worth telling
TINTS = {"white": contrast.WHITE, "black": contrast.BLACK}


@dataclass(frozen=True)
class Wanted:
    """The contents of an address."""

    image_id: int
    place: Rect
    words: str  # what the text says; "" for an example
    text: str  # a colour, such as "#ffffff"
    size: int  # px of the text
    bold: bool
    format: str  # a key of `safe_areas`
    shift: int  # per cent: which part the format shows
    back: str

    @property
    def url(self) -> str:
        pairs = {
            "place": ",".join(f"{100 * side:.4g}" for side in self.place),
            "words": self.words,
            "text": self.text.removeprefix("#"),
            "size": self.size,
            "weight": "bold" if self.bold else "",
            "format": self.format,
            "shift": self.shift if self.shift != 50 else "",
            "from": self.back,
        }
        query = urlencode({name: value for name, value in pairs.items() if value != ""}, safe=",/")
        return f"/images/{self.image_id}/layout?{query}"

    def at(self, place: Rect) -> str:
        """The address for another place."""
        return replace(self, place=place).url

    def coloured(self, text: str) -> str:
        """The address for another colour of the text."""
        return replace(self, text=text).url


@dataclass(frozen=True)
class Readability:
    """How well the text of an address reads in its place."""

    legibility: Legibility
    needed: Needed
    best: str  # black or white
    cover: Cover | None  # what would make it readable; None if nothing would, or nothing has to
    better: list[Better]

    @property
    def meets_ratio(self) -> bool:
        return self.legibility.ratio >= self.needed.ratio

    @property
    def meets_lc(self) -> bool:
        return self.needed.lc is not None and self.legibility.lc >= self.needed.lc


@dataclass(frozen=True, kw_only=True)
class LayoutPage(Page):
    template = "layout/show.html"
    nav = "pictures"

    image: Image
    image_set: ImageSet
    wanted: Wanted
    found: Readability
    groups: dict[str, list[PublishedFormat]]
    laid: Laid | None
    hits: list[str]  # what of the format covers the text; messages
    remark: str  # about the address
    worst: int  # per cent of the pixels that are left out
    sides: Mapping[str, float]  # of the place, in per cent


@router.get("/images/{image_id}/layout")
def layout(request: Request, resources: ResourcesDep, me: Me, session: Read, image_id: int) -> Response:
    """Show the picture with the text and the format of the address. Number fields lead to an address with `place`."""
    image = sets.image(session, me, image_id)
    if image.state != State.FINISHED or image.sha256 is None:
        raise NotFound(_("This picture is not finished yet."))
    if image.purged_at:
        raise NotFound(_("This picture was permanently deleted."))
    wanted, remark = asked_for(request, image)
    if any(side in request.query_params for side in SIDES) and not remark:
        return RedirectResponse(wanted.url, 303)
    png = resources.files.read(Kind.IMAGES, image.sha256, _("picture %(number)s", number=image_id))
    laid = safe_areas.laid(wanted.format, image.image_set.width, image.image_set.height, wanted.shift / 100)
    with Picture.open(io.BytesIO(png)) as opened:
        found = measured(opened.convert("RGB"), wanted, laid)
    shown = LayoutPage(
        image=image,
        image_set=image.image_set,
        wanted=wanted,
        found=found,
        groups=safe_areas.GROUPS,
        laid=laid,
        hits=laid.hit(wanted.place) if laid else [],
        remark=remark,
        worst=round(100 * contrast.WORST),
        sides=dict(zip(SIDES, (round(100 * side, 1) for side in wanted.place), strict=True)),
    )
    return render(request, shown)


def measured(picture: Picture.Image, wanted: Wanted, laid: Laid | None) -> Readability:
    """How the text reads, and what would help; other places only where the format does not cover them."""
    place = wanted.place.of(picture)
    legibility = contrast.legibility(place, wanted.text)
    needed = contrast.needed(wanted.size, wanted.bold)
    met = legibility.ratio >= needed.ratio
    worth = max(needed.ratio, legibility.ratio * MUCH)  # telling
    better = better_places(picture, wanted.place, wanted.text, CANDIDATES)
    return Readability(
        legibility,
        needed,
        contrast.best_text(place),
        None if met else contrast.cover(place, wanted.text, needed.ratio),
        [each for each in better if each.ratio >= worth and not (laid and laid.hit(each.place))][:SUGGESTED],
    )


def asked_for(request: Request, image: Image) -> tuple[Wanted, str]:
    """The contents of the address, and a sentence about what of it could not be used."""
    query = request.query_params
    given = [query.get(side, "") for side in SIDES]
    sides = ",".join(given) if any(side in query for side in SIDES) else query.get("place", "")
    place, remark = place_of(sides) if sides else (DEFAULT, "")
    text = text_of(query.get("text", ""), query.get("own", ""))
    usual = min(DEFAULT_SIZE, image.image_set.width // 16, image.image_set.height // 16)
    size = number_of(query.get("size", ""), usual)
    shift = number_of(query.get("shift", ""), 50)
    key = query.get("format", preference(request, "format"))
    wanted = Wanted(
        image_id=image.id,
        place=place,
        words=clean_line(query.get("words", "")),
        text=text or contrast.WHITE,
        size=int(min(max(size, SMALLEST), LARGEST)),
        bold=query.get("weight") == "bold",
        format=key if key in safe_areas.KEYS else safe_areas.NONE,
        shift=int(min(shift, 100)),
        back=inner_path(query.get("from", f"/review?image={image.id}")),
    )
    return wanted, remark


def place_of(words: str) -> tuple[Rect, str]:
    """A place from four numbers in per cent, moved into the picture; and why it was not taken, in a sentence."""
    numbers = [number_of(word, -1) for word in words.split(",")]
    if len(numbers) != len(SIDES) or min(numbers) < 0:
        return DEFAULT, _("The place must be four numbers from 0 to 100. The usual place is shown instead.")
    x, y, width, height = (min(number / 100, 1) for number in numbers)
    width, height = max(width, LEAST), max(height, LEAST)
    return Rect(min(x, 1 - width), min(y, 1 - height), width, height), ""


def number_of(words: str, otherwise: float) -> float:
    """A number of at most four digits and decimals, not below 0; `otherwise` for anything else."""
    return float(words) if re.fullmatch(r"[0-9]{1,4}(\.[0-9]{0,4})?", words.strip()) else otherwise


def text_of(words: str, own: str) -> str:
    """A colour by its name in TINTS or its six digits; `own` stands for the colour of a field of that name."""
    chosen = own if words == "own" else TINTS.get(words, words)
    return f"#{chosen.strip('#').lower()}" if re.fullmatch("#?[0-9A-Fa-f]{6}", chosen) else ""
