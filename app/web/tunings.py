"""Find the best setting of a style: a form for a few prompts, then drafts at several strengths, a plot and a choice."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import PlainTextResponse, Response
from sqlalchemy.orm import Session

from app.engine.base import ModelFacts, ModelUnknown
from app.errors import Conflict, Invalid, NotFound
from app.languages import gettext as _
from app.languages import ngettext
from app.measures.versions import roles
from app.models import State, Style, Tuning, User
from app.sets import tunings
from app.sets.aside import part_of_batch
from app.sets.spec import SetSpec
from app.sets.strips import PRIORITY
from app.sets.tunings import DraftedSetting, TuningFound
from app.styles import queries, service
from app.styles.presets import layers_words
from app.styles.spec import unknown_layers
from app.text import lines, whole_number
from app.web import drafts
from app.web.deps import Me, Read, Resources, ResourcesDep, count_try
from app.web.estimates import of_pictures, spec_of
from app.web.forms.form import Sent
from app.web.forms.sets import SetForm
from app.web.forms.tunings import TakenForm, TuningForm
from app.web.pictures import UNKEPT_HEADERS
from app.web.pools import Route
from app.web.queue import why_nothing_runs
from app.web.templating import Page, inner_path, render, see_other
from app.web.tradeoff import FramedPlot, LayersMark, kinds_of, plots_of
from app.work.queue import WAITING
from app.work.topics import Topic

router = APIRouter(route_class=Route)

SET_FORM = "/sets/new"
MOST_COUNTED = 8  # more prompts or layers than there can be
OF_SET = ("size", "width", "height", "steps", "guidance", "scheduler", "seed")  # what drafts share with it

From = Annotated[str, Query(alias="from")]


@dataclass(frozen=True)
class OfferedLayers:
    """Layers that the form offers besides the style's."""

    key: str
    words: str
    ticked: bool


@dataclass(frozen=True, kw_only=True)
class TuningFormPage(Page):
    template = "tunings/new.html"
    nav = "styles"

    style: Style
    prompts: str
    drawn_as: str  # corrections of what is drawn for prompts in Japanese, as JSON
    own_layers: str  # those of the style, in words
    layers: Sequence[OfferedLayers]
    errors: Mapping[str, str]
    most: int
    strengths: int
    effort: str  # how many drafts, and how long they take
    earlier: int | None  # the person's last one
    back: str  # the form of a set that takes the setting; "" if there is none


@dataclass(frozen=True, kw_only=True)
class TuningPage(Page):
    template = "tunings/show.html"
    nav = "styles"

    tuning: Tuning
    style: Style
    found: TuningFound
    chosen: DraftedSetting | None
    chosen_layers: str  # in words
    plots: Sequence[FramedPlot]  # of the same settings, for windows of different widths
    kinds: Sequence[LayersMark]
    by_layers: Sequence[tuple[str, Sequence[DraftedSetting]]]
    scored: bool
    compares: bool  # the server has a model that compares pictures
    drafted: float  # drafts, with the parts of those in the engine
    done: int
    busy: bool
    why_waiting: str
    can_edit: bool
    base: int  # the version that a new one is made from
    saved: bool  # that version has the chosen setting already
    own_layers: bool  # the chosen setting shares in the layers of that version
    fill: str  # the form of a set with the chosen strength
    new_style: str  # the form of a new style with the chosen setting
    back: str


@router.get("/styles/{code}/tuning")
def new(
    request: Request, resources: ResourcesDep, me: Me, session: Read, code: str, prompts: str = "", back: From = ""
) -> Response:
    style = queries.by_code(session, me, code)
    back = set_form(back)
    drafted = dict(drafts.of_address(session, me, back).fields) if back else {}
    kept = list(filter(None, map(str.strip, lines(drafted.get("prompts", "")))))[: tunings.MOST_TRIED]
    typed = prompts or "\n".join(kept or tunings.usual_prompts(session, style))
    return render(request, form_page(resources, session, me, style, typed, drafted.get("drawn_as", ""), {}, None, back))


@dataclass(frozen=True)
class EffortQuery:
    """The lengths of the form's lists: of its prompts, and of the layers that are ticked."""

    prompts: str = ""
    layers: str = ""


@router.get("/tunings/effort")
def effort(
    resources: ResourcesDep, me: Me, session: Read, asked: Annotated[EffortQuery, Depends()], back: From = ""
) -> PlainTextResponse:
    """For `static/js/tuning_form.js`: how many drafts these are, and how long they take."""
    prompts, layers = (min(whole_number(each) or 0, MOST_COUNTED) for each in (asked.prompts, asked.layers))
    words = effort_words(resources, session, me, set_form(back), prompts, 1 + layers)
    return PlainTextResponse(words, headers={"Cache-Control": "no-store"})


@router.post("/tunings/begin")
def begin(request: Request, resources: ResourcesDep, me: Me, form: Sent[SetForm]) -> Response:
    """From the form of a new set, which is kept as a draft: the form of a tuning of its style, with its prompts."""
    draft = drafts.kept(request, resources, me)
    if not form.style.strip():
        return see_other(draft.address if draft.at else SET_FORM, _("Choose a style first."), refused=True)
    parts = {"from": draft.address} if draft.at and set_form(draft.place) else {"prompts": form.prompts}
    return see_other(f"/styles/{quote(queries.normal_code(form.style), safe='')}/tuning?{urlencode(parts)}")


@router.post("/tunings")
def create(request: Request, resources: ResourcesDep, me: Me, form: Sent[TuningForm]) -> Response:
    """Queue the drafts; what is wrong comes back with the form."""
    count_try(request, "tuning", me.id)
    back = set_form(form.back)
    model = resources.engine.model
    try:
        values = form.model_dump() | {"count": "1", "name": "", "campaign": "", "strength": ""}
        if back:
            with resources.database.read() as session:
                values |= {name: value for name, value in drafts.of_address(session, me, back).fields if name in OF_SET}
        spec = SetSpec.from_form(values, model).translated(resources.translator, resources.handles)
        with resources.database.write() as session:
            tuning = tunings.create(session, me, spec, model, resources.files, form.layers)
    except Invalid as error:
        with resources.database.read() as session:
            style = queries.by_code(session, me, form.style)
            shown = form_page(
                resources, session, me, style, form.prompts, form.drawn_as, error.errors, form.layers, back
            )
            return render(request, shown, error.status)
    return see_other(with_back(f"/tunings/{tuning.id}", back))


@router.get("/tunings/{tuning_id}")
def show(
    request: Request,
    resources: ResourcesDep,
    me: Me,
    session: Read,
    tuning_id: int,
    setting: int | None = None,
    back: From = "",
) -> Response:
    tuning = tunings.get(session, me, tuning_id)
    style, found, back = tuning.style_version.style, tunings.found(tuning), set_form(back)
    chosen = setting_of(found, setting)
    if chosen is None and found.best is not None:
        chosen = found.settings[found.best]
    model, base = model_of(resources), style.versions[0]
    ranked = model.ranked_layers if model else ()
    own_layers = chosen is not None and chosen.layers == tuple(base.layers)
    pause = why_nothing_runs(session, resources)
    done = sum(draft.webp is not None for draft in tuning.drafts)
    shown = TuningPage(
        tuning=tuning,
        style=style,
        found=found,
        chosen=chosen,
        chosen_layers=layers_words(chosen.layers, ranked) if chosen else "",
        plots=plots_of(found, chosen),
        kinds=kinds_of(found, ranked),
        by_layers=by_layers(found, ranked, tuning.state in WAITING),
        scored=any(each.scores for each in found.settings),
        compares=bool(roles(resources.settings)),
        drafted=done + in_engine(resources, tuning),
        done=done,
        busy=tuning.state in WAITING,
        why_waiting=pause.reason if pause and tuning.state == State.QUEUED else "",
        can_edit=service.may_change(me, style) and not style.archived_at and not style.deleted_at,
        base=base.number,
        saved=own_layers and chosen is not None and chosen.strength == base.strength,
        own_layers=own_layers,
        fill=fill(tuning, chosen, back),
        new_style=new_style(style, chosen),
        back=back,
    )
    return render(request, shown)


@router.get("/tunings/{tuning_id}/{position}.webp")
def draft(me: Me, session: Read, tuning_id: int, position: int) -> Response:
    for each in tunings.get(session, me, tuning_id).drafts:
        if each.position == position and each.webp:
            return Response(each.webp, media_type="image/webp", headers=UNKEPT_HEADERS)
    raise NotFound(_("This draft is not finished."))


@router.post("/tunings/{tuning_id}/cancel")
def cancel(resources: ResourcesDep, me: Me, tuning_id: int) -> Response:
    with resources.database.write() as session:
        tuning = tunings.get(session, me, tuning_id)
        stopped = tunings.cancel(session, me, tuning_id)
        code = tuning.style_version.style.code
    if not stopped:  # the last draft was faster, or another tab
        return see_other(f"/tunings/{tuning_id}")
    return see_other(f"/styles/{code}/tuning", _("Stopped. Nothing was changed."))


@router.post("/tunings/{tuning_id}/take")
def take(resources: ResourcesDep, me: Me, form: Sent[TakenForm], tuning_id: int) -> Response:
    """Save a new version of the style with a setting of the tuning; then the set that asked for it continues."""
    with resources.database.write() as session:
        tuning = tunings.get(session, me, tuning_id)
        style = tuning.style_version.style
        taken = setting_of(tunings.found(tuning), form.setting)
        if taken is None:
            raise Conflict(_("Choose one of the settings that were tried."))
        model = model_of(resources)
        if model and unknown_layers(taken.layers, model.layers):
            raise Conflict(
                _(
                    "The server now runs %(model)s, which has other layers. Find the best setting again.",
                    model=model.name,
                )
            )
        base = style.versions[0].number
        version = service.set_sharing(session, me, style, taken.strength, taken.layers)
        back = set_form(form.back)
        place = fill(tuning, taken, back) if back else f"/styles/{style.code}"
    if version.number == base:
        return see_other(place, _("Version %(number)s has this setting already.", number=base))
    return see_other(
        place, _("Version %(number)s saved, from version %(base)s. New sets use it.", number=version.number, base=base)
    )


def form_page(
    resources: Resources,
    session: Session,
    me: User,
    style: Style,
    prompts: str,
    drawn_as: str,
    errors: Mapping[str, str],
    ticked: Collection[str] | None,
    back: str,
) -> TuningFormPage:
    """The form; `ticked`: which layers are, None for all."""
    model = model_of(resources)
    own, *others = tunings.layers_choices(style.versions[0], model)
    ranked = model.ranked_layers if model else ()
    return TuningFormPage(
        style=style,
        prompts=prompts,
        drawn_as=drawn_as,
        own_layers=layers_words(own.layers, ranked),
        layers=[
            OfferedLayers(each.key, layers_words(each.layers, ranked), ticked is None or each.key in ticked)
            for each in others
        ],
        errors=errors,
        most=tunings.MOST_TRIED,
        strengths=len(tunings.STRENGTHS),
        effort=effort_words(
            resources,
            session,
            me,
            back,
            sum(1 for line in lines(prompts) if line.strip()),
            1 + sum(1 for each in others if ticked is None or each.key in ticked),
        ),
        earlier=tunings.latest(session, me, style),
        back=back,
    )


def effort_words(resources: Resources, session: Session, me: User, back: str, prompts: int, layers: int) -> str:
    """ "33 drafts · About 2 min"; "" for prompts that are refused. `layers`: how many choices, with the style's own."""
    if not 0 < prompts <= tunings.MOST_TRIED:
        return ""
    number = tunings.number_of_drafts(prompts, layers)
    words = ngettext("%(number)s draft", "%(number)s drafts", number)
    spec = spec_of(resources, settings_of(session, me, back)) if model_of(resources) else None
    if spec is None:
        return words
    drafted = tunings.effort(spec, resources.engine.model)
    takes = of_pictures(resources, session, me, drafted, number, unit_size=number, priority=PRIORITY)
    return f"{words} · {takes}"


def settings_of(session: Session, me: User, back: str) -> dict[str, str]:
    """What drafts share with the set whose form is kept at `back`; nothing without one."""
    kept = drafts.of_address(session, me, back).fields if back else ()
    return {name: value for name, value in kept if name in OF_SET}


def model_of(resources: Resources) -> ModelFacts | None:
    """The model, if it is loaded."""
    try:
        return resources.engine.model
    except ModelUnknown:
        return None


def by_layers(found: TuningFound, ranked: Sequence[str], coming: bool) -> list[tuple[str, Sequence[DraftedSetting]]]:
    """The settings under the words for their layers; those without drafts only while drafts are coming."""
    groups: dict[tuple[str, ...], list[DraftedSetting]] = {}
    for each in found.settings:
        if coming or any(draft.webp for draft in each.drafts):
            groups.setdefault(each.layers, []).append(each)
    return [(layers_words(layers, ranked), settings) for layers, settings in groups.items()]


def in_engine(resources: Resources, tuning: Tuning) -> float:
    """How many drafts' work is done of the batch in the engine: all of a batch are ready at once."""
    running = next(iter(resources.bus.running_for(Topic("tuning", tuning.id))), None)
    left = sum(draft.webp is None for draft in tuning.drafts)
    return part_of_batch(min(tunings.Tunings.batch, left), running.step, running.steps) if running else 0.0


def setting_of(found: TuningFound, number: int | None) -> DraftedSetting | None:
    return next((each for each in found.settings if each.number == number), None)


def set_form(back: str) -> str:
    """The address of the form of a new set; "" if it is another."""
    return back if inner_path(back).partition("?")[0] == SET_FORM else ""


def with_back(place: str, back: str) -> str:
    return f"{place}?{urlencode({'from': back})}" if back else place


def fill(tuning: Tuning, chosen: DraftedSetting | None, back: str) -> str:
    """The address of the form of a set with the chosen strength: the one at `back`, or a new one."""
    if back:
        path, _, query = back.partition("?")
        given = [(name, value) for name, value in parse_qsl(query) if name not in ("taken", "trial")]
    else:
        path = SET_FORM
        given = [("style", tuning.style_version.style.code), ("prompts", "\n".join(tuning.prompts))]
    if chosen:
        given += [("taken", f"{chosen.strength:g}"), ("trial", str(tuning.id))]
    return f"{path}?{urlencode(given)}"


def new_style(style: Style, chosen: DraftedSetting | None) -> str:
    """The address of the form of a new style that has the chosen setting, and all else from this one."""
    setting = {"strength": f"{chosen.strength:g}", "layers": ",".join(chosen.layers) or "all"} if chosen else {}
    return "/styles/new?" + urlencode({"from": style.code} | setting)
