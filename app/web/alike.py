"""Which pictures of a set look alike to people with another colour vision: a note on the set's page, and a page."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.languages import N_, translated
from app.languages import gettext as _
from app.quality.vision import Vision
from app.sets import alike, queries
from app.sets.alike import ComparedPicture, Pair
from app.text import thin
from app.web.deps import Me, Read, ResourcesDep
from app.web.pools import Route
from app.web.templating import Page, render

router = APIRouter(route_class=Route)

TOLD = 3  # pairs in the note
LISTED = 60  # pairs on the page
NAMES = {
    Vision.PROTANOPIA: N_("protanopia"),
    Vision.DEUTERANOPIA: N_("deuteranopia"),
    Vision.TRITANOPIA: N_("tritanopia"),
}


@dataclass(frozen=True)
class ShownPair:
    """A pair on a page."""

    words: str
    first: ComparedPicture
    second: ComparedPicture
    vision: Vision  # in which it is shown
    url: str  # the two in the compare room, seen so


@dataclass(frozen=True, kw_only=True)
class AlikeNote(Page):
    """The note; empty if nothing was found."""

    template = "sets/_alike.html"

    set_id: int
    pairs: list[ShownPair]
    more: int  # pairs besides those


@dataclass(frozen=True, kw_only=True)
class AlikePage(AlikeNote):
    template = "sets/alike.html"
    nav = "sets"

    name: str
    compared: int
    total: int


@router.get("/sets/{set_id}/alike")
def lookalikes(request: Request, resources: ResourcesDep, me: Me, session: Read, set_id: int) -> Response:
    name = queries.name(session, me, set_id)
    found = resources.alike.of(alike.pictures(session, me, set_id))
    part = "hx-request" in request.headers
    shown = [shown_pair(pair, set_id) for pair in found.pairs[: TOLD if part else LISTED]]
    more = len(found.pairs) - len(shown)
    if part:
        return render(request, AlikeNote(set_id=set_id, pairs=shown, more=more))
    page = AlikePage(set_id=set_id, pairs=shown, more=more, name=name, compared=found.compared, total=found.total)
    return render(request, page)


def shown_pair(pair: Pair, set_id: int) -> ShownPair:
    vision = pair.visions[0]
    ids = f"{pair.first.id},{pair.second.id}"
    url = f"/compare?ids={ids}&from=/sets/{set_id}/alike&see={vision}"
    return ShownPair(in_words(pair), pair.first, pair.second, vision, url)


def in_words(pair: Pair) -> str:
    """One sentence for the pair and all its visions."""
    people = _(" or ").join(translated(NAMES[each]) for each in pair.visions if each in NAMES)
    if pair.series:
        named = {"first": pair.first.prompt, "second": pair.second.prompt, "visions": people}
        if Vision.GREY not in pair.visions:
            return _("For people with %(visions)s, all pictures of “%(first)s” and “%(second)s” look alike.", **named)
        if not people:
            return _("In greyscale, all pictures of “%(first)s” and “%(second)s” look alike.", **named)
        return _(
            "For people with %(visions)s and in greyscale, all pictures of “%(first)s” and “%(second)s” look alike.",
            **named,
        )
    named = {"first": thin(pair.first.position), "second": thin(pair.second.position), "visions": people}
    if Vision.GREY not in pair.visions:
        return _("For people with %(visions)s, pictures %(first)s and %(second)s look alike.", **named)
    if not people:
        return _("In greyscale, pictures %(first)s and %(second)s look alike.", **named)
    return _("For people with %(visions)s and in greyscale, pictures %(first)s and %(second)s look alike.", **named)
