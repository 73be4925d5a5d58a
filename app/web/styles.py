"""Styles: the list, one style and its versions, and the form that uploads a picture and saves a version."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import zip_longest
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app import grounds, search
from app import undo as undos
from app.accounts import authority
from app.engine.base import ModelUnknown
from app.errors import Forbidden, Invalid, NotFound
from app.gallery import queries as gallery
from app.gallery.matching import Search
from app.gallery.search import PictureFilter
from app.grounds import GroundNeeded, TransparentPicture
from app.guide.lessons import LESSONS
from app.languages import gettext as _
from app.models import Blend, Reference, RightsFile, Style, StyleVersion, User
from app.pictures import Limits
from app.rights import queries as rights
from app.rights.service import may_change as may_change_rights
from app.rights.standing import Held
from app.sets import queries as sets
from app.specs import corrections
from app.styles import queries, service
from app.styles.changes import in_words
from app.styles.presets import BALANCED, OWN, PRESETS, USUAL, Preset, preset_of
from app.styles.samples import SAMPLES, Sample
from app.styles.spec import StyleSpec
from app.text import whole_number
from app.web import advice, drafts
from app.web.deps import Me, Quota, Read, Resources, ResourcesDep, resources_of, tried
from app.web.drafts import Drafted, FormDraft, OtherDraft
from app.web.drawn import drawn_of
from app.web.filled import FilledStyle
from app.web.filters import filesize
from app.web.forms.form import Sent, SentFile
from app.web.forms.grounds import GroundForm
from app.web.forms.styles import StyleForm
from app.web.parts import part
from app.web.pools import Route
from app.web.templating import Page, page, render, see_other

router = APIRouter(route_class=Route)

# Upload addresses, where a body may be that large.
UPLOAD_PATHS = ("/styles",)

SETS_SHOWN = 8
VERSIONS_SHOWN = 20  # at a time
PICTURE_FIELDS = ("crop_x", "crop_y", "crop_width", "crop_height")
CHECKBOXES = ("share_group_norm", "adain_values")
NEW_STYLE: dict[str, Any] = {
    "name": "",
    "text": "",
    "reference_prompt": "",
    "drawn_as": "",
    "method": "noise",
    "strength": 1.0,
    "preset": BALANCED.key,
    **BALANCED.values,
    "layers": "",
    "layer_count": "6",
    "blend": Blend.WEIGHT,
    "crop_x": 0.0,
    "crop_y": 0.0,
    "crop_width": 1.0,
    "crop_height": 1.0,
    "sample": "",
    "guide": "",
}


@dataclass(frozen=True, kw_only=True)
class StylePage(Page):
    template = "styles/show.html"
    nav = "styles"

    style: Style
    version: StyleVersion  # the one shown
    newest: StyleVersion
    versions: list[StyleVersion]  # newest first, those listed, and the one before them
    versions_shown: int
    changed: Sequence[str]  # what each of those listed changed, in words
    sets: list[sets.SetCard]
    sets_total: int
    pictures_total: int
    can_edit: bool
    can_bring_back: bool  # from the archive
    brought_back_by: str
    preset: Preset | None  # what the version shown shares by; None: its own numbers
    helds: list[Held]
    documents: dict[int, list[RightsFile]]  # those the person may read, by reference id


@dataclass(frozen=True, kw_only=True)
class StyleFormPage(Page):
    template = "styles/new.html"
    nav = "styles"

    form: dict[str, Any]
    draft: FormDraft
    errors: dict[str, str]
    drawn: Mapping[str, str]  # in English, of a refused form's texts in Japanese
    reference: Reference | None
    sample: Sample | None  # the reference, if there is no other
    waiting: TransparentPicture | None  # a picture whose ground is asked for
    refusal: str | None  # why nothing may be made from it
    ranked_layers: int  # how many of the model's layers are ranked; 0: none
    further: int  # references of the version besides the one in the form
    presets: Mapping[str, str]  # what each preset sets, as JSON for the script
    style: Style | None  # the style of the new version
    version: StyleVersion | None
    upload_limit: str
    advice: advice.Noted | None  # on the reference, if it was looked at


@router.get("/styles")
def index(request: Request, me: Me, session: Read, archived: str = "", q: str = "", after: str = "") -> Response:
    words = search.query_of(q)
    found = queries.cards(session, me, bool(archived), whole_number(after), queries.PAGE + 1, words)
    styles, last = part(found, queries.PAGE)
    return page(
        request,
        "styles/index.html",
        nav="styles",
        styles=styles,
        after=last,
        archived=bool(archived),
        words=words,
    )


@router.get("/styles/new")
def new(
    request: Request,
    me: Me,
    session: Read,
    draft: Drafted,
    filled: Annotated[FilledStyle, Depends()],
    reference: int | None = None,
    source: Annotated[str, Query(alias="from")] = "",
    sample: str = "",
) -> Response:
    """The form of a new style. One from a `sample` is another form, so that an earlier draft stays, and is offered."""
    if sample and (earlier := drafts.found(session, me, "/styles/new", "")).at:
        draft = replace(draft, others=(*draft.others, OtherDraft(earlier.place, earlier.saved, "")))
    own = {"preset": OWN} if USUAL.keys() & filled.values.keys() else {}
    if source:
        style = queries.by_code(session, me, source)
        shown = style.versions[0].references[0].reference
        return form_page(request, session, me, form_of(style) | own | filled.values, shown, None, {}, draft)
    from_sample = SAMPLES[sample].values if sample in SAMPLES else {}
    values = draft.over(NEW_STYLE | from_sample | own | filled.values, CHECKBOXES)
    picture = drafted_picture(session, me, draft, reference)
    waiting = None if reference else drafted_question(request, draft)
    return form_page(request, session, me, values, picture, None, {}, draft, waiting=waiting)


@router.post("/styles/preview", dependencies=[tried("upload")])
def preview(request: Request, resources: ResourcesDep, me: Me, form: Sent[StyleForm]) -> Response:
    """Store the picture, then show the form with it, to choose the relevant part, or to say what is behind it."""
    code = form.style
    try:
        reference = keep_picture(resources, me, form)
        if reference is None:
            raise Invalid("picture", _("Choose a picture first."))
        advice.looked_at(resources, reference)  # so that the page that follows has it
    except Invalid as error:
        return refused(request, resources, me, typed(form), code or None, error)
    if "hx-request" not in request.headers and "name" in form.model_fields_set:
        # The page that follows shows what else was typed: a script's page has it, the first form of all nothing.
        drafts.kept(request, resources, me, {"waiting": (), "reference_id": (str(reference.id),)})
    path = f"/styles/{queries.normal_code(code)}/edit" if code else "/styles/new"
    return see_other(f"{path}?reference={reference.id}")


@router.post("/styles")
def create(request: Request, resources: ResourcesDep, me: Me, form: Sent[StyleForm]) -> Response:
    values = typed(form)
    try:
        if reference := keep_picture(resources, me, form):
            values["reference_id"] = str(reference.id)
        spec = spec_of(resources, values)
        with resources.database.write() as session:
            style = service.create(session, me, spec)
            place = place_after(me, style, form.guide)
            drafts.sent(request, session, me)
    except Invalid as error:
        return refused(request, resources, me, values, None, error)
    return see_other(place, _("Saved %(name)s as %(code)s.", name=style.name, code=style.code))


def spec_of(resources: Resources, values: dict[str, Any]) -> StyleSpec:
    """The spec of a form's values. Raises Invalid."""
    ranked, known = layers_of(resources)
    return StyleSpec.from_form(sent(values), ranked, known).translated(resources.translator, resources.handles)


def layers_of(resources: Resources) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The model's layers, the most style-sensitive first if they are ranked, and all of them. None before it loads."""
    try:
        return resources.engine.model.ranked_layers, resources.engine.model.layers
    except ModelUnknown:
        return (), ()


def place_after(me: User, style: Style, guide: str) -> str:
    """Where a new style leads: to its page, or to what the guide's exercise does with it."""
    lesson, reference = LESSONS.get(guide), style.versions[0].references[0].reference
    if not lesson:
        return f"/styles/{style.code}"
    if lesson.try_it.is_about_rights and not may_change_rights(me, reference):
        return f"/references/{reference.id}"  # a colleague did the exercise before, with the same picture
    return lesson.try_it.after(style.code, reference.id)


@router.get("/styles/{code}")
def show(
    request: Request,
    resources: ResourcesDep,
    me: Me,
    session: Read,
    code: str,
    version: int | None = None,
    before: str = "",
) -> Response:
    style = queries.by_code(session, me, code)
    earlier = whole_number(before)
    listed = [each for each in style.versions if earlier is None or each.number < earlier]
    shown = next((each for each in style.versions if each.number == version), style.versions[0])
    versions = listed[: VERSIONS_SHOWN + 1]
    ranked = layers_of(resources)[0]
    found = StylePage(
        style=style,
        version=shown,
        newest=style.versions[0],
        versions=versions,
        versions_shown=VERSIONS_SHOWN,
        changed=[in_words(before, each, ranked) for each, before in zip_longest(versions, versions[1:])],
        sets=sets.cards(session, me, style_code=style.code, limit=SETS_SHOWN),
        sets_total=sets.count(session, me, style_code=style.code),
        pictures_total=gallery.count(session, Search.of(session, me, PictureFilter(style=(style.code,)))),
        can_edit=service.may_change(me, style),
        can_bring_back=authority.may_undo(me, style.archived_as),
        brought_back_by=authority.undone_by(style.archived_as),
        preset=PRESETS.get(preset_of({name: getattr(shown, name) for name in USUAL})),
        helds=rights.of_version(session, shown),
        documents=documents(session, me, shown),
    )
    return render(request, found)


def documents(session: Session, me: User, version: StyleVersion) -> dict[int, list[RightsFile]]:
    """The licences and consents that `me` may read, by reference id."""
    return {use.reference_id: rights.files(session, me, use.reference_id) for use in version.references}


@router.get("/styles/{code}/edit")
def edit(request: Request, me: Me, session: Read, draft: Drafted, code: str, reference: int | None = None) -> Response:
    style = queries.by_code(session, me, code)
    if not service.may_change(me, style):
        raise Forbidden(
            _("Only the style’s owner or a manager can edit it. Create your own style from its picture instead.")
        )
    use = style.versions[0].references[0]
    picture = drafted_picture(session, me, draft, reference) or use.reference
    values = form_of(style)
    if picture.id != use.reference_id:
        values |= {name: NEW_STYLE[name] for name in PICTURE_FIELDS}
    waiting = None if reference else drafted_question(request, draft)
    return form_page(request, session, me, draft.over(values, CHECKBOXES), picture, style, {}, draft, waiting=waiting)


def form_of(style: Style) -> dict[str, Any]:
    """The form's values for the newest version of a style, with the crop of its first reference."""
    latest = style.versions[0]
    values = {name: getattr(latest, name) for name in NEW_STYLE if hasattr(latest, name)}
    shared = {"preset": preset_of({name: getattr(latest, name) for name in USUAL}), "layers": ",".join(latest.layers)}
    crop = {name: getattr(latest.references[0], name) for name in PICTURE_FIELDS}
    return NEW_STYLE | values | shared | crop | {"name": style.name, "drawn_as": corrections(latest.drawn_as)}


def drafted_question(request: Request, draft: FormDraft) -> TransparentPicture | None:
    """The draft's picture that waits for its ground; None if it has none, or is gone."""
    return next(iter(grounds.kept(resources_of(request).files, draft.values("waiting"))), None)


def drafted_picture(session: Session, me: User, draft: FormDraft, uploaded: int | None) -> Reference | None:
    """The picture that was just uploaded, or the draft's; None if it has none, or is gone."""
    wanted = uploaded or whole_number(next(iter(draft.values("reference_id")), ""))
    try:
        return queries.reference(session, me, wanted) if wanted else None
    except NotFound:
        if uploaded:
            raise
        return None


@router.post("/styles/{code}")
def add_version(request: Request, resources: ResourcesDep, me: Me, form: Sent[StyleForm], code: str) -> Response:
    values = typed(form)
    try:
        if reference := keep_picture(resources, me, form):
            values["reference_id"] = str(reference.id)
        spec = spec_of(resources, values)
        with resources.database.write() as session:
            style = queries.by_code(session, me, code)
            version = service.add_version(session, me, style, service.with_further(style, spec))
            drafts.sent(request, session, me)
    except Invalid as error:
        return refused(request, resources, me, values, code, error)
    return see_other(f"/styles/{style.code}", _("Version %(number)s saved. New sets use it.", number=version.number))


@router.post("/styles/{code}/archive")
def archive(resources: ResourcesDep, me: Me, code: str) -> Response:
    with resources.database.write() as session:
        style = queries.by_code(session, me, code)
        service.archive(session, me, style)
    return see_other("/styles", _("%(name)s archived.", name=style.name), undo=undos.offered(session))


@router.post("/styles/{code}/unarchive")
def unarchive(resources: ResourcesDep, me: Me, code: str) -> Response:
    with resources.database.write() as session:
        style = queries.by_code(session, me, code)
        service.unarchive(session, me, style)
    return see_other(f"/styles/{style.code}", _("%(name)s restored.", name=style.name), undo=undos.offered(session))


def bundled(key: str) -> SentFile | None:
    """A sample reference, as if it had been sent; None if there is none of this name."""
    sample = SAMPLES.get(key)
    return SentFile(sample.file_name, BytesIO(sample.read())) if sample else None


def keep_picture(resources: Resources, me: User, form: StyleForm) -> Reference | None:
    """The reference from the form's file, the one that waits for its ground, or its sample; None without any."""
    given = form.picture or (None if form.asked or form.reference_id else bundled(form.sample))
    if given is None and not form.asked:
        return None
    files, ground = resources.files, form.colour
    if given:
        data, name = given.read(), given.name
        quota = Quota(resources, me, "picture", data)
        kept = service.keep_picture(me, files, data, Limits.of(resources.settings), quota, name=name, ground=ground)
    else:
        waiting = form.asked[0]
        name = waiting.name
        kept = service.answer_ground(me, files, waiting, ground, Quota(resources, me, "picture", b""))
    with resources.database.write() as session:
        return service.upload_reference(session, me, kept, name)


def typed(form: StyleForm) -> dict[str, Any]:
    """The form's values to show again; a missing checkbox is off."""
    sent = form.model_dump(exclude_unset=True, exclude={"style", "picture", *GroundForm.model_fields})
    return sent | {name: getattr(form, name) for name in CHECKBOXES}


def sent(values: dict[str, Any]) -> dict[str, str]:
    """The form's values for the service, which reads texts."""
    return {name: ("1" if value else "") if name in CHECKBOXES else str(value) for name, value in values.items()}


def field_values(shared: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a preset, as the fields of the form have them."""
    return {name: ",".join(value) if name == "layers" else value for name, value in shared.items()}


def refused(
    request: Request, resources: Resources, me: User, values: dict[str, Any], code: str | None, error: Invalid
) -> Response:
    """The form again, with a sentence at each wrong field. Its draft has the picture that was sent with it, too."""
    waiting = error.waiting if isinstance(error, GroundNeeded) else None
    stored = {"waiting": (waiting.text,) if waiting else (), "reference_id": (str(values.get("reference_id", "")),)}
    draft = drafts.kept(request, resources, me, stored)
    with resources.database.read() as session:
        style = queries.by_code(session, me, code) if code else None
        picture = known_reference(session, me, values)
        form = NEW_STYLE | ({"preset": OWN} if "name" in values else {}) | values
        return form_page(request, session, me, form, picture, style, error.errors, draft, waiting=waiting)


def known_reference(session: Session, me: User, values: dict[str, Any]) -> Reference | None:
    reference_id = whole_number(values.get("reference_id", ""))
    return None if reference_id is None else queries.reference(session, me, reference_id)


def form_page(
    request: Request,
    session: Session,
    me: User,
    form: dict[str, Any],
    reference: Reference | None,
    style: Style | None,
    errors: dict[str, str],
    draft: FormDraft,
    *,
    waiting: TransparentPicture | None = None,
) -> Response:
    version: StyleVersion | None = style.versions[0] if style else None
    resources = resources_of(request)
    shown = StyleFormPage(
        form=form,
        draft=draft,
        errors=errors,
        drawn=drawn_of(resources, form, [form["text"], form["reference_prompt"]]) if errors else {},
        reference=reference,
        sample=SAMPLES.get(form["sample"]),
        waiting=waiting,
        refusal=rights.references_refusal(session, [reference.id]) if reference else None,
        ranked_layers=len(layers_of(resources)[0]),
        further=len(version.references) - 1 if version else 0,
        presets={key: json.dumps(field_values(preset.values)) for key, preset in PRESETS.items()},
        style=style,
        version=version,
        upload_limit=filesize(resources.settings.upload_bytes),
        advice=advice.noted(resources, session, me, reference, only_known=True) if reference else None,
    )
    return render(request, shown, 422 if errors else 200)
