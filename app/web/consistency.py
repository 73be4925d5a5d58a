"""What was measured of a set and of a picture: a panel on the set's page, and pages of their own."""

from dataclasses import dataclass, field

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.measures import bounds, plot, queries, words
from app.measures.plot import Plot
from app.measures.queries import MeasuredPicture
from app.models import Image, ImageSet, Style
from app.sets import queries as sets
from app.web.deps import Me, Read
from app.web.pools import Route
from app.web.templating import Page, render

router = APIRouter(route_class=Route)

LISTED = 6  # flagged pictures in the panel


@dataclass(frozen=True)
class MeanRow:
    """A measure of the whole set."""

    measure: str
    label: str
    mean: str
    bound: str  # of the style; "" if it is not flagged by it


@dataclass(frozen=True, kw_only=True)
class PanelPart(Page):
    """What the panel of a set holds."""

    template = "measures/_panel.html"

    set_id: int
    style: Style
    waiting: int  # not measured yet, or not compared with the rest yet
    failed: int  # that cannot be measured
    sampled: int  # with how many pictures each was compared; 0: with all others
    flagged: list[MeasuredPicture]  # the first ones
    flagged_total: int
    means: list[MeanRow]
    plot: Plot | None
    choices: list[tuple[str, str]]  # of measures, for the axes: name and label
    embedders: str
    missing: str  # which models could not be loaded, in a sentence
    alike: float | None  # 0 to 1: how alike the pictures' self-attention is
    alike_of: int  # of how many pictures, the first ones; 0: of all


@dataclass(frozen=True, kw_only=True)
class PanelPage(PanelPart):
    template = "measures/show.html"
    nav = "sets"

    image_set: ImageSet


@dataclass(frozen=True, kw_only=True)
class PicturePage(Page):
    template = "measures/picture.html"
    nav = "sets"

    image: Image
    image_set: ImageSet
    found: MeasuredPicture | None
    embedders: str = field(default="")


@router.get("/sets/{set_id}/measures")
def of_set(request: Request, me: Me, session: Read, set_id: int, x: str = "", y: str = "") -> Response:
    image_set = sets.get(session, me, set_id)
    style = image_set.style_version.style
    pictures = queries.of_set(session, me, set_id)
    whole = queries.whole_set(session, set_id)
    allowed = bounds.bounds_of(session, style.id)
    numbers = whole.numbers if whole else {}
    flagged = [each for each in pictures if each.flags]
    laid = plot.plot(pictures, allowed, x, y)
    shown = PanelPart(
        set_id=set_id,
        style=style,
        waiting=sum(each.due for each in pictures) or (len(pictures) if whole and not whole.compared_at else 0),
        failed=sum(bool(each.problem) for each in pictures),
        sampled=whole.sampled if whole and whole.sampled < whole.total else 0,
        flagged=sorted(flagged, key=lambda each: -len(each.flags))[:LISTED],
        flagged_total=len(flagged),
        means=[
            MeanRow(
                measure,
                words.label(measure),
                words.value(measure, numbers[measure]),
                "" if (bound := allowed.get(measure)) is None else words.bound(measure, bound),
            )
            for measure in plot.known(pictures)
            if measure in numbers
        ],
        plot=laid,
        choices=[(name, words.label(name)) for name in plot.known(pictures)],
        embedders=words.embedders(next((each.embedders for each in pictures if each.embedders), {})),
        missing=next(filter(None, (each.missing_words for each in pictures)), ""),
        alike=queries.alike(session, set_id),
        alike_of=queries.COMPARED if len(pictures) > queries.COMPARED else 0,
    )
    if "hx-request" in request.headers:
        return render(request, shown)
    return render(request, PanelPage(**shown.variables, image_set=image_set))


@router.get("/images/{image_id}/measures")
def of_image(request: Request, me: Me, session: Read, image_id: int) -> Response:
    image = sets.image(session, me, image_id)
    found = queries.of_image(session, me, image_id)
    shown = PicturePage(
        image=image,
        image_set=image.image_set,
        found=found,
        embedders=words.embedders(found.embedders) if found else "",
    )
    return render(request, shown)
