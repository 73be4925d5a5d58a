"""Sets: the list, the form for a new one, and the page where it appears."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.engine.base import ModelFacts
from app.errors import Conflict, Invalid, Later
from app.models import ImageSet, State, Subject, User, What
from app.quotas import queries as quotas
from app.rights import queries as rights
from app.rights.standing import Held
from app.sets import queries, service
from app.sets.ingredients import INGREDIENTS, regions
from app.sets.spec import MIN_SIDE, MOST_PICTURES, MOST_PROMPTS, MOST_REGIONS, PROMPT_LENGTH, SetSpec
from app.structures import queries as structures
from app.styles import queries as styles
from app.subjects import queries as subjects
from app.text import plural, whole_number
from app.web.deps import Me, Read, ResourcesDep, count_try, resources_of, tried
from app.web.errors import answered
from app.web.forms.form import Sent
from app.web.forms.sets import SetForm
from app.web.live import PlacePart, ProgressPart, place_parts, place_url, view
from app.web.pools import Route
from app.web.stream import May
from app.web.structures import named_facts
from app.web.subjects import offered
from app.web.templating import Page, page, render, see_other

router = APIRouter(route_class=Route)

PAGE = 24
SHOWN = (State.FINISHED, State.FAILED)  # states that a set's page can show alone
LIMITS = {
    "prompts": MOST_PROMPTS,
    "pictures": MOST_PICTURES,
    "letters": PROMPT_LENGTH,
    "count": 16,
    "regions": MOST_REGIONS,
}

# SDXL's training sizes, and common formats; other models get the same shapes.
SHAPES = (
    ("Square", 1024, 1024),
    ("Portrait", 896, 1152),
    ("Tall", 832, 1216),
    ("Landscape", 1216, 832),
    ("Wide", 1344, 768),
)
FORMATS = (
    ("Social 4:5", 1080, 1352),
    ("Story", 1080, 1920),
    ("Full HD", 1920, 1088),
    ("Banner", 2560, 720),
    ("Leaderboard", 2912, 360),
)


@dataclass(frozen=True)
class PartQuery:
    """Which positions of a set a page asks for, as in its address."""

    after: str = ""
    before: str = ""
    at: str = ""  # a position: the part that shows it
    first: str = ""  # the other end of what the page has loaded, if it adds to it
    last: str = ""
    show: str = ""  # a state
    whole: str = ""  # everything at once, to print it or to search it for words

    @property
    def adds(self) -> bool:
        """Whether it asks for more of the same page."""
        return whole_number(self.after) is not None or whole_number(self.before) is not None

    @property
    def state(self) -> State | None:
        return State(self.show) if self.show in SHOWN else None

    @property
    def wanted(self) -> queries.WantedPlaces:
        at = max(whole_number(self.at) or 1, 1)
        after = whole_number(self.after)
        return queries.WantedPlaces(
            after=(at - 1) // queries.PAGE * queries.PAGE if after is None else after,
            before=whole_number(self.before),
            show=self.state,
            limit=None if self.whole else queries.PAGE,
        )

    def loaded(self, span: queries.Span) -> queries.Span:
        """What the page has loaded once `span` is added."""
        first, last = whole_number(self.first), whole_number(self.last)
        if self.before:
            return queries.Span(span.first, max(span.last, last or 0))
        return queries.Span(min(span.first, first or span.first), span.last)


@dataclass(frozen=True, kw_only=True)
class MorePlaces(Page):
    """More positions of a set, for a page that has others."""

    template = "sets/_more.html"

    set_id: int
    places: list[PlacePart]
    span: queries.Span  # what the page has loaded with them
    total: int  # positions
    show: str
    cursor: str  # of the bus, where the page starts to listen


@dataclass(frozen=True, kw_only=True)
class SetPage(ProgressPart, MorePlaces):
    template = "sets/show.html"
    nav = "sets"

    image_set: ImageSet
    may: May
    structures: list[structures.Used]
    subjects: list[tuple[Subject, float]]  # with their weights
    regions: list[regions.ShownRegion]
    helds: list[Held]


@dataclass(frozen=True, kw_only=True)
class NewSetPage(Page):
    template = "sets/new.html"
    nav = "sets"

    form: Mapping[str, Any]
    errors: dict[str, str]
    styles: list[styles.StyleCard]
    helds: dict[int, Held]  # by style
    refused: list[int]  # styles with a reference that lacks valid rights
    campaigns: list[str]
    sizes: list[dict[str, Any]]
    formats: list[dict[str, Any]]
    least_side: int  # px
    schedulers: Sequence[str]
    model: ModelFacts
    subjects: list[dict[str, Any]]
    structure_maps: list[dict[str, Any]]
    suggestions: Sequence[str]
    limits: dict[str, int]
    quota: quotas.QuotaUse | None


@router.get("/sets")
def index(
    request: Request,
    me: Me,
    session: Read,
    owner: str = "",
    campaign: str = "",
    style: str = "",
    after: int | None = None,
) -> Response:
    campaign_id = whole_number(campaign)
    shown = queries.cards(
        session,
        me,
        owner_id=me.id if owner == "me" else None,
        campaign_id=campaign_id,
        style_code=style or None,
        after=after,
        limit=PAGE + 1,
    )
    return page(
        request,
        "sets/index.html",
        nav="sets",
        sets=shown[:PAGE],
        after=str(shown[PAGE - 1].id) if len(shown) > PAGE else None,
        filters={"owner": owner, "campaign": campaign_id, "style": style},
        options={"campaigns": queries.campaigns(session, me), "styles": styles.cards(session, me)},
    )


@router.get("/sets/new")
def new(
    request: Request,
    resources: ResourcesDep,
    me: Me,
    session: Read,
    style: str = "",
    source: Annotated[int | None, Query(alias="from")] = None,
) -> Response:
    form = empty_form(resources.engine.model) | {"style": styles.normal_code(style) if style else ""}
    if source is not None:
        form |= form_of(session, queries.get(session, me, source))
    return form_page(request, session, me, form, {})


@router.post("/sets")
def create(request: Request, resources: ResourcesDep, me: Me, form: Sent[SetForm]) -> Response:
    model = resources.engine.model
    values = form.model_dump()
    try:
        count_try(request, "set", me.id)
        spec = SetSpec.from_form(values, model)
        with resources.database.write() as session:
            image_set = service.create(session, me, spec, model, resources.settings.unit_size, resources.files)
    except (Invalid, Later) as error:
        errors = error.errors if isinstance(error, Invalid) else {"form": str(error)}
        with resources.database.read() as session:
            return answered(form_page(request, session, me, values, errors), error)
    return see_other(f"/sets/{image_set.id}")


@router.get("/sets/{set_id}")
def show(
    request: Request,
    resources: ResourcesDep,
    me: Me,
    session: Read,
    set_id: int,
    asked: Annotated[PartQuery, Depends()],
) -> Response:
    # Taken before the rows are read: events cover every change from here on.
    cursor = resources.bus.cursor()
    part = queries.part(session, me, set_id, asked.wanted)
    seen = view(session, resources, me, set_id, part.positions)
    adds = asked.adds and "hx-request" in request.headers
    more = MorePlaces(
        set_id=set_id,
        places=place_parts(range(part.span.first, part.span.last + 1), seen.tiles),
        span=asked.loaded(part.span) if adds else part.span,
        total=part.total,
        show=asked.state or "",
        cursor=cursor,
    )
    if adds:
        return render(request, more)
    shown = SetPage(
        **seen.now.variables | more.variables,
        image_set=seen.image_set,
        may=seen.may,
        structures=structures.of_set(session, seen.image_set),
        subjects=subjects.of_set(session, seen.image_set),
        regions=regions.shown(session, seen.image_set),
        helds=rights.of_set(session, seen.image_set),
    )
    return render(request, shown)


@router.post("/sets/{set_id}/cancel")
def cancel(resources: ResourcesDep, me: Me, set_id: int) -> Response:
    try:
        with resources.database.write() as session:
            service.cancel(session, me, set_id)
    except Conflict as error:
        return as_it_is_now(set_id, error)
    return see_other(f"/sets/{set_id}")


@router.post("/sets/{set_id}/retry", dependencies=[tried("set")])
def retry(resources: ResourcesDep, me: Me, set_id: int) -> Response:
    try:
        with resources.database.write() as session:
            service.retry_set(session, me, set_id, resources.settings.unit_size)
    except Conflict as error:
        return as_it_is_now(set_id, error)
    return see_other(f"/sets/{set_id}")


@router.post("/sets/{set_id}/held/retry", dependencies=[tried("set")])
def retry_held(resources: ResourcesDep, me: Me, set_id: int) -> Response:
    try:
        with resources.database.write() as session:
            service.retry_held(session, me, set_id, resources.settings.unit_size)
    except Conflict as error:
        return as_it_is_now(set_id, error)
    return see_other(f"/sets/{set_id}")


@router.post("/sets/{set_id}/held/remove")
def remove_held(resources: ResourcesDep, me: Me, set_id: int) -> Response:
    try:
        with resources.database.write() as session:
            removed = service.remove_held(session, me, set_id)
    except Conflict as error:
        return as_it_is_now(set_id, error)
    return see_other(f"/sets/{set_id}", f"Removed {plural(removed, 'picture')}.")


@router.post("/images/{image_id}/retry", dependencies=[tried("set")])
def retry_image(resources: ResourcesDep, me: Me, image_id: int) -> Response:
    with resources.database.write() as session:
        image = service.retry_image(session, me, image_id)
    return see_other(place_url(image.set_id, image.position))


def as_it_is_now(set_id: int, error: Conflict) -> Response:
    """Show the current state, and the refusal, on a page that was outdated, such as in a second tab."""
    return see_other(f"/sets/{set_id}", str(error), refused=True)


def empty_form(model: ModelFacts) -> dict[str, Any]:
    return {
        "name": "",
        "campaign": "",
        "style": "",
        "prompts": "",
        "count": "1",
        "size": size_value(*model.default_size),
        "seed": "",
        "strength": "",  # the style's
        "steps": str(model.default_steps),
        "guidance": f"{model.default_guidance:g}",
        "scheduler": model.schedulers[0],
        "negative_prompt": "",
        "width": "",  # for a custom size
        "height": "",
        "seamless": "",
        "regions": "",
        "structures": "",
        "subjects": "",
    }


def form_of(session: Session, image_set: ImageSet) -> dict[str, Any]:
    """A form for a set like this one, with new seeds."""
    return {
        "name": image_set.name,
        "campaign": image_set.campaign.name,
        "style": image_set.style_version.style.code,
        "prompts": "\n".join(image_set.prompts),
        "count": str(image_set.count),
        "size": size_value(image_set.width, image_set.height),
        "strength": f"{image_set.strength:g}",
        "steps": str(image_set.steps),
        "guidance": f"{image_set.guidance:g}",
        "scheduler": image_set.scheduler,
        "negative_prompt": image_set.negative_prompt,
        "seamless": "on" if image_set.seamless else "",
        **{each.name: json.dumps(each.asked(session, image_set)) for each in INGREDIENTS},
    }


def form_page(
    request: Request, session: Session, me: User, form: Mapping[str, Any], errors: dict[str, str]
) -> Response:
    model = resources_of(request).engine.model
    choices = styles.choices(session, me)
    helds = rights.of_styles(session, me, [card.id for card in choices])
    shown = NewSetPage(
        form=form,
        errors=errors,
        styles=choices,
        helds=helds,
        refused=[style_id for style_id, held in helds.items() if held.refusal],
        campaigns=[row.name for row in queries.campaigns(session, me)],
        sizes=sizes(model, SHAPES),
        formats=sizes(model, FORMATS),
        least_side=least_side(model),
        schedulers=model.schedulers,
        model=model,
        subjects=offered(session, resources_of(request), me, form),
        structure_maps=named_facts(session, form["structures"]),
        suggestions=model.words,
        limits=LIMITS,
        quota=quotas.scarcest(session, me, What.SETS, What.PICTURES),
    )
    return render(request, shown, 422 if errors else 200)


def sizes(model: ModelFacts, shapes: Sequence[tuple[str, int, int]]) -> list[dict[str, Any]]:
    """These shapes in pixels that this model can make, each once."""
    area = model.default_size[0] * model.default_size[1]
    found: dict[str, dict[str, Any]] = {}
    for name, wide, high in shapes:
        scale = max(area**0.5 / 1024, least_side(model) / min(wide, high))
        if max(wide, high) * scale > model.max_side or wide * high * scale**2 > model.max_pixels:
            continue
        width, height = nearest_size(wide * scale, high * scale, model)
        value = size_value(width, height)
        found.setdefault(value, {"value": value, "name": name, "width": width, "height": height})
    return list(found.values())


def least_side(model: ModelFacts) -> int:
    """The minimum side of a picture, px."""
    return ceil(MIN_SIDE / model.size_multiple) * model.size_multiple


def nearest_size(width: float, height: float, model: ModelFacts) -> tuple[int, int]:
    """The nearest shape among sizes whose sides are the allowed multiples just below and above."""
    multiple = model.size_multiple

    def around(side: float) -> set[int]:
        steps = floor(side / multiple), ceil(side / multiple)
        return {min(step * multiple, model.max_side // multiple * multiple) for step in steps}

    shapes = ((wide, high) for wide in sorted(around(width)) for high in sorted(around(height)))
    return min(shapes, key=lambda size: abs(log(size[0] / size[1] * height / width)))


def size_value(width: int, height: int) -> str:
    return f"{width}x{height}"
