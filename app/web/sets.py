"""Sets: the list, the form for a new one, and the page where it appears."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app import search
from app.brand import queries as brand
from app.brand.queries import SetOnBrand
from app.campaign_names import folder
from app.engine.base import ModelFacts
from app.errors import Conflict, Invalid, Later, NotFound
from app.languages import gettext as _
from app.languages import ngettext
from app.models import FormTemplate, ImageSet, RecentPrompt, State, Subject, User, What
from app.quotas import queries as quotas
from app.rights import queries as rights
from app.rights.standing import Held
from app.samples import queries as samples
from app.samples.queries import OpenSample
from app.sets import campaigns, queries, readings, service, templates, tunings
from app.sets.ingredients import INGREDIENTS, regions
from app.sets.spec import MOST_PICTURES, MOST_PROMPTS, MOST_REGIONS, PROMPT_LENGTH, SetSpec
from app.specs import corrections
from app.structures import queries as structures
from app.styles import queries as styles
from app.subjects import queries as subjects
from app.text import whole_number, with_article
from app.web import drafts, estimates
from app.web.deps import Me, Read, Resources, ResourcesDep, count_try, resources_of, tried
from app.web.drafts import Drafted, FormDraft
from app.web.drawn import drawn_of, texts_of_set
from app.web.errors import answered
from app.web.filled import FilledSet
from app.web.formats import FormatChoice, formats, least_side, size_value
from app.web.forms.form import Sent
from app.web.forms.sets import SetForm
from app.web.live import PlacePart, ProgressPart, place_parts, place_url, view
from app.web.offered import offered
from app.web.parts import part
from app.web.pools import Route
from app.web.stream import May
from app.web.structures import named_facts
from app.web.templating import Page, page, render, see_other

router = APIRouter(route_class=Route)

PAGE = 24
SAMPLE_MAPS = ("teapot",)  # pictures to make a map of, for the guide
SHOWN = (State.FINISHED, State.FAILED)  # states that a set's page can show alone
LIMITS = {
    "prompts": MOST_PROMPTS,
    "pictures": MOST_PICTURES,
    "letters": PROMPT_LENGTH,
    "count": 16,
    "regions": MOST_REGIONS,
}


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
    remarks: list[str]  # what the model does not read of the set's texts
    sample: OpenSample | None  # this set, if the person opened it as one
    on_brand: SetOnBrand | None  # by the rules of its style and campaign


@dataclass(frozen=True)
class TakenStrength:
    """A strength that someone chose by drafts, in the form in place of another."""

    strength: str
    before: str  # "": that of the style
    name: str  # of the style that was drafted; "" if its drafts are gone
    drafts: str  # the address of their page
    undo: str  # that of the form without it


@dataclass(frozen=True, kw_only=True)
class NewSetPage(Page):
    template = "sets/new.html"
    nav = "sets"

    form: Mapping[str, Any]
    draft: FormDraft
    errors: dict[str, str]
    styles: list[styles.StyleCard]
    helds: dict[int, Held]  # by style
    refused: list[int]  # styles with a reference that lacks valid rights
    campaigns: list[str]
    without_campaign: str  # the name of the one that takes sets without one
    formats: list[FormatChoice]
    least_side: int  # px
    schedulers: Sequence[str]
    model: ModelFacts
    subjects: list[dict[str, Any]]
    structure_maps: list[dict[str, Any]]
    suggestions: Sequence[str]
    limits: dict[str, int]
    quota: quotas.QuotaUse | None
    estimate: str  # of the time that the set will take
    templates: Sequence[FormTemplate]
    recent: Sequence[RecentPrompt]
    said: str  # what was just done with the form
    taken: TakenStrength | None
    sample_map: str  # a picture below static/ for a structure
    drawn: Mapping[str, str]  # in English, of a refused form's texts in Japanese


@router.get("/sets")
def index(
    request: Request,
    me: Me,
    session: Read,
    owner: str = "",
    campaign: str = "",
    style: str = "",
    archived: str = "",
    q: str = "",
    after: int | None = None,
) -> Response:
    campaign_id, words = whole_number(campaign), search.query_of(q)
    found = queries.cards(
        session,
        me,
        owner_id=me.id if owner == "me" else None,
        campaign_id=campaign_id,
        style_code=style or None,
        archived=bool(archived),
        words=words,
        after=after,
        limit=PAGE + 1,
    )
    shown, after = part(found, PAGE)
    return page(
        request,
        "sets/index.html",
        nav="sets",
        sets=shown,
        after=after,
        filters={
            "owner": owner,
            "campaign": campaign_id,
            "style": style,
            "archived": "1" if archived else "",
            "q": words,
        },
        options={"campaigns": campaigns.choices(session, me), "styles": styles.names(session, me)},
    )


@router.get("/sets/new")
def new(
    request: Request,
    resources: ResourcesDep,
    me: Me,
    session: Read,
    draft: Drafted,
    filled: Annotated[FilledSet, Depends()],
    style: str = "",
    source: Annotated[int | None, Query(alias="from")] = None,
    sample_map: str = "",
    taken: str = "",
    trial: int | None = None,
) -> Response:
    """The form; `taken` is the strength that a person chose by drafts, also over that of the form's own draft.

    `trial`: the tuning that drafted it.
    """
    form = empty_form(resources.engine.model) | {"style": styles.normal_code(style) if style else ""}
    if source is not None:
        form |= form_of(session, queries.get(session, me, source))
    sample = f"samples/map-{sample_map}.webp" if sample_map in SAMPLE_MAPS else ""
    form |= filled.values
    values = draft.over(form, ("seamless",))
    chosen = taken_strength(request, session, me, taken, str(values["strength"]), trial) if taken else None
    shown = values | ({"strength": taken} if taken else {})
    return form_page(request, session, me, shown, {}, draft, sample_map=sample, taken=chosen)


def taken_strength(
    request: Request, session: Session, me: User, strength: str, before: str, trial: int | None
) -> TakenStrength:
    """What the form says of a strength that was taken over."""
    others = [(name, value) for name, value in request.query_params.multi_items() if name not in ("taken", "trial")]
    undo = request.url.path + (f"?{urlencode(others)}" if others else "")
    try:
        name = tunings.get(session, me, trial).style_version.style.name if trial else ""
    except NotFound:
        name = ""
    page = f"/tunings/{trial}?{urlencode({'from': undo})}" if name else ""
    return TakenStrength(strength, before, name, page, undo)


@router.post("/sets")
def create(request: Request, resources: ResourcesDep, me: Me, form: Sent[SetForm]) -> Response:
    model = resources.engine.model
    values = form.model_dump()
    try:
        count_try(request, "set", me.id)
        spec = read_spec(resources, me, values)
        with resources.database.write() as session:
            image_set = service.create(session, me, spec, model, resources.settings.unit_size, resources.files)
            drafts.sent(request, session, me)
    except (Invalid, Later) as error:
        errors = error.errors if isinstance(error, Invalid) else {"form": str(error)}
        draft = drafts.kept(request, resources, me)
        with resources.database.read() as session:
            return answered(form_page(request, session, me, values, errors, draft), error)
    return see_other(f"/sets/{image_set.id}")


def read_spec(resources: Resources, me: User, values: Mapping[str, Any]) -> SetSpec:
    """Read the form. Raises Invalid with all its faults, in its order."""
    model = resources.engine.model
    try:
        return SetSpec.from_form(values, model).translated(resources.translator, resources.handles)
    except Invalid as error:
        with resources.database.read() as session:
            faults = service.all_faults(session, me, values, model, resources.files, error.errors)
        Invalid.check({name: faults[name] for name in (*SetForm.model_fields, *faults) if name in faults})
        raise


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
    image_set = queries.get(session, me, set_id)
    part = queries.part(session, me, image_set, asked.wanted)
    seen = view(session, resources, me, image_set, part.positions)
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
        remarks=readings.of_set(session, seen.image_set, resources.prompt_reader, resources.translator),
        sample=samples.opened(session, me) if seen.image_set.sample and seen.image_set.owner_id == me.id else None,
        on_brand=brand.of_set(session, set_id),
    )
    return render(request, shown)


@router.post("/sets/{set_id}/cancel")
def cancel(resources: ResourcesDep, me: Me, set_id: int) -> Response:
    return act_on_set(resources, set_id, lambda session: service.cancel(session, me, set_id))


@router.post("/sets/{set_id}/retry", dependencies=[tried("set")])
def retry(resources: ResourcesDep, me: Me, set_id: int) -> Response:
    size = resources.settings.unit_size
    return act_on_set(resources, set_id, lambda session: service.retry_set(session, me, set_id, size))


@router.post("/sets/{set_id}/retry-now", dependencies=[tried("set")])
def retry_now(resources: ResourcesDep, me: Me, set_id: int) -> Response:
    return act_on_set(resources, set_id, lambda session: service.retry_now(session, me, set_id))


@router.post("/sets/{set_id}/held/retry", dependencies=[tried("set")])
def retry_held(resources: ResourcesDep, me: Me, set_id: int) -> Response:
    size = resources.settings.unit_size
    return act_on_set(resources, set_id, lambda session: service.retry_held(session, me, set_id, size))


@router.post("/sets/{set_id}/held/remove")
def remove_held(resources: ResourcesDep, me: Me, set_id: int) -> Response:
    return act_on_set(resources, set_id, lambda session: service.remove_held(session, me, set_id), removed)


@router.post("/images/{image_id}/retry", dependencies=[tried("set")])
def retry_image(resources: ResourcesDep, me: Me, image_id: int) -> Response:
    with resources.database.write() as session:
        image = service.retry_image(session, me, image_id)
    return see_other(place_url(image.set_id, image.position))


@router.post("/images/{image_id}/cancel")
def cancel_image(resources: ResourcesDep, me: Me, image_id: int) -> Response:
    with resources.database.read() as session:
        image = queries.image(session, me, image_id)
    there = place_url(image.set_id, image.position)
    try:
        with resources.database.write() as session:
            service.cancel_image(session, me, image_id)
    except Conflict as error:
        return see_other(there, str(error), refused=True)
    return see_other(there, _("Picture removed from the queue."))


def removed(number: int | None) -> str:
    return ngettext("Removed %(number)s picture.", "Removed %(number)s pictures.", number or 0)


def act_on_set(
    resources: Resources,
    set_id: int,
    act: Callable[[Session], int | None],
    done: Callable[[int | None], str] = lambda number: "",
) -> Response:
    """Do an act, and lead back to the page of its set, which says what is `done`, with the number of pictures.

    From a page that was outdated, such as in a second tab, to the current state and the refusal.
    """
    page = f"/sets/{set_id}"
    try:
        with resources.database.write() as session:
            number = act(session)
    except Conflict as error:
        return see_other(page, str(error), refused=True)
    return see_other(page, done(number))


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
        "drawn_as": "",
    }


def form_of(session: Session, image_set: ImageSet) -> dict[str, Any]:
    """A form for a set like this one, with new seeds."""
    return {
        "name": image_set.name,
        "campaign": folder(image_set.campaign.name),
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
        "drawn_as": corrections(image_set.drawn_as),
    }


def form_page(
    request: Request,
    session: Session,
    me: User,
    form: Mapping[str, Any],
    errors: dict[str, str],
    draft: FormDraft,
    said: str = "",
    sample_map: str = "",
    taken: TakenStrength | None = None,
) -> Response:
    """The form with what was typed; `said` tells what was just done with it."""
    model = resources_of(request).engine.model
    choices = styles.choices(session, me)
    helds = rights.of_styles(session, me, [card.id for card in choices])
    shown = NewSetPage(
        form=form,
        draft=draft,
        errors=errors,
        styles=choices,
        helds=helds,
        refused=[style_id for style_id, held in helds.items() if held.refusal],
        campaigns=[folder(row.name) for row in campaigns.choices(session, me)],
        without_campaign=folder(service.without_campaign(session)),
        formats=formats(model),
        least_side=least_side(model),
        schedulers=model.schedulers,
        model=model,
        subjects=offered(session, resources_of(request), me, form),
        structure_maps=named_facts(session, form["structures"]),
        suggestions=[with_article(words) for words in model.words],
        limits=LIMITS,
        quota=quotas.scarcest(session, me, What.SETS, What.PICTURES),
        estimate=estimates.of_form(resources_of(request), session, me, form),
        templates=templates.listed(session, me),
        recent=templates.recent(session, me),
        said=said,
        taken=taken,
        sample_map=sample_map,
        drawn=drawn_of(resources_of(request), form, texts_of_set(form)) if errors else {},
    )
    return render(request, shown, 422 if errors else 200)
