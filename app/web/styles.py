"""Styles: the list, one style and its versions, and the form that uploads a picture and saves a version."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.accounts import authority
from app.errors import Forbidden, Invalid
from app.gallery import queries as gallery
from app.gallery.matching import Search
from app.gallery.search import PictureFilter
from app.models import Reference, RightsFile, Style, StyleVersion, User
from app.pictures import Limits
from app.rights import queries as rights
from app.rights.standing import Held
from app.sets import queries as sets
from app.styles import queries, service
from app.styles.spec import StyleSpec
from app.text import whole_number
from app.web.deps import Me, Quota, Read, Resources, ResourcesDep, resources_of, tried
from app.web.filters import filesize
from app.web.forms.form import Sent
from app.web.forms.styles import StyleForm
from app.web.pools import Route
from app.web.templating import Page, page, render, see_other

router = APIRouter(route_class=Route)

# Upload addresses, where a body may be that large.
UPLOAD_PATHS = ("/styles",)

SETS_SHOWN = 8
PICTURE_FIELDS = ("crop_x", "crop_y", "crop_width", "crop_height")
CHECKBOXES = ("share_group_norm", "adain_values")
NEW_STYLE: dict[str, Any] = {
    "name": "",
    "text": "",
    "reference_prompt": "",
    "method": "noise",
    "strength": 1.0,
    "scale": 1.0,
    "share_group_norm": True,
    "adain_values": True,
    "crop_x": 0.0,
    "crop_y": 0.0,
    "crop_width": 1.0,
    "crop_height": 1.0,
}


@dataclass(frozen=True, kw_only=True)
class StylePage(Page):
    template = "styles/show.html"
    nav = "styles"

    style: Style
    version: StyleVersion  # the one shown
    versions: list[StyleVersion]  # newest first
    sets: list[sets.SetCard]
    sets_total: int
    pictures_total: int
    can_edit: bool
    can_bring_back: bool  # from the archive
    brought_back_by: str
    helds: list[Held]
    documents: dict[int, list[RightsFile]]  # those the person may read, by reference id


@dataclass(frozen=True, kw_only=True)
class StyleFormPage(Page):
    template = "styles/new.html"
    nav = "styles"

    form: dict[str, Any]
    errors: dict[str, str]
    reference: Reference | None
    refusal: str | None  # why nothing may be made from it
    style: Style | None  # the style of the new version
    version: StyleVersion | None
    upload_limit: str


@router.get("/styles")
def index(request: Request, me: Me, session: Read) -> Response:
    return page(request, "styles/index.html", nav="styles", styles=queries.cards(session, me))


@router.get("/styles/new")
def new(request: Request, me: Me, session: Read, reference: int | None = None) -> Response:
    picture = queries.reference(session, me, reference) if reference else None
    return form_page(request, session, NEW_STYLE, picture, None, {})


@router.post("/styles/preview", dependencies=[tried("upload")])
def preview(request: Request, resources: ResourcesDep, me: Me, form: Sent[StyleForm]) -> Response:
    """Store the picture, then show the form with it, to choose the relevant part."""
    code = form.style
    try:
        reference = keep_picture(resources, me, form)
        if reference is None:
            raise Invalid("picture", "Choose a picture first.")
    except Invalid as error:
        with resources.database.read() as session:
            style = queries.by_code(session, me, code) if code else None
            return form_page(request, session, NEW_STYLE | typed(form), None, style, error.errors)
    path = f"/styles/{queries.normal_code(code)}/edit" if code else "/styles/new"
    return see_other(f"{path}?reference={reference.id}")


@router.post("/styles")
def create(request: Request, resources: ResourcesDep, me: Me, form: Sent[StyleForm]) -> Response:
    values = typed(form)
    try:
        if reference := keep_picture(resources, me, form):
            values["reference_id"] = str(reference.id)
        spec = StyleSpec.from_form(sent(values))
        with resources.database.write() as session:
            style = service.create(session, me, spec)
    except Invalid as error:
        return refused(request, resources, me, values, None, error)
    return see_other(f"/styles/{style.code}", f"Saved {style.name} as {style.code}.")


@router.get("/styles/{code}")
def show(request: Request, me: Me, session: Read, code: str, version: int | None = None) -> Response:
    style = queries.by_code(session, me, code)
    shown = next((each for each in style.versions if each.number == version), style.versions[0])
    found = StylePage(
        style=style,
        version=shown,
        versions=style.versions,
        sets=sets.cards(session, me, style_code=style.code, limit=SETS_SHOWN),
        sets_total=sets.count(session, me, style_code=style.code),
        pictures_total=gallery.count(session, Search.of(session, me, PictureFilter(style=(style.code,)))),
        can_edit=service.may_change(me, style),
        can_bring_back=authority.may_undo(me, style.archived_as),
        brought_back_by=authority.undone_by(style.archived_as),
        helds=rights.of_version(session, shown),
        documents=documents(session, me, shown),
    )
    return render(request, found)


def documents(session: Session, me: User, version: StyleVersion) -> dict[int, list[RightsFile]]:
    """The licences and consents that `me` may read, by reference id."""
    return {use.reference_id: rights.files(session, me, use.reference_id) for use in version.references}


@router.get("/styles/{code}/edit")
def edit(request: Request, me: Me, session: Read, code: str, reference: int | None = None) -> Response:
    style = queries.by_code(session, me, code)
    if not service.may_change(me, style):
        raise Forbidden(
            "Only the style's owner or a manager can edit it. Create your own style from its picture instead."
        )
    latest = style.versions[0]
    use = latest.references[0]
    values = {name: getattr(latest, name) for name in NEW_STYLE if hasattr(latest, name)} | {"name": style.name}
    if reference and reference != use.reference_id:
        return form_page(request, session, NEW_STYLE | values, queries.reference(session, me, reference), style, {})
    crop = {name: getattr(use, name) for name in PICTURE_FIELDS}
    return form_page(request, session, NEW_STYLE | values | crop, use.reference, style, {})


@router.post("/styles/{code}")
def add_version(request: Request, resources: ResourcesDep, me: Me, form: Sent[StyleForm], code: str) -> Response:
    values = typed(form)
    try:
        if reference := keep_picture(resources, me, form):
            values["reference_id"] = str(reference.id)
        spec = StyleSpec.from_form(sent(values))
        with resources.database.write() as session:
            style = queries.by_code(session, me, code)
            version = service.add_version(session, me, style, spec)
    except Invalid as error:
        return refused(request, resources, me, values, code, error)
    return see_other(f"/styles/{style.code}", f"Version {version.number} saved. New sets use it.")


@router.post("/styles/{code}/archive")
def archive(resources: ResourcesDep, me: Me, code: str) -> Response:
    with resources.database.write() as session:
        style = queries.by_code(session, me, code)
        service.archive(session, me, style)
    return see_other("/styles", f"{style.name} archived.")


@router.post("/styles/{code}/unarchive")
def unarchive(resources: ResourcesDep, me: Me, code: str) -> Response:
    with resources.database.write() as session:
        style = queries.by_code(session, me, code)
        service.unarchive(session, me, style)
    return see_other(f"/styles/{style.code}", f"{style.name} restored.")


def keep_picture(resources: Resources, me: User, form: StyleForm) -> Reference | None:
    """The reference from the form's file; None without a file."""
    if form.picture is None:
        return None
    data = form.picture.read()
    kept = service.keep_picture(
        me, resources.files, data, Limits.of(resources.settings), Quota(resources, me, "picture", data)
    )
    with resources.database.write() as session:
        return service.upload_reference(session, me, kept, form.picture.name)


def typed(form: StyleForm) -> dict[str, Any]:
    """The form's values to show again; a missing checkbox is off."""
    sent = form.model_dump(exclude_unset=True, exclude={"style", "picture"})
    return sent | {name: getattr(form, name) for name in CHECKBOXES}


def sent(values: dict[str, Any]) -> dict[str, str]:
    """The form's values for the service, which reads texts."""
    return {name: ("1" if value else "") if name in CHECKBOXES else str(value) for name, value in values.items()}


def refused(
    request: Request, resources: Resources, me: User, values: dict[str, Any], code: str | None, error: Invalid
) -> Response:
    """The form again, with a sentence at each wrong field."""
    with resources.database.read() as session:
        style = queries.by_code(session, me, code) if code else None
        return form_page(
            request, session, NEW_STYLE | values, known_reference(session, me, values), style, error.errors
        )


def known_reference(session: Session, me: User, values: dict[str, Any]) -> Reference | None:
    reference_id = whole_number(values.get("reference_id", ""))
    return None if reference_id is None else queries.reference(session, me, reference_id)


def form_page(
    request: Request,
    session: Session,
    form: dict[str, Any],
    reference: Reference | None,
    style: Style | None,
    errors: dict[str, str],
) -> Response:
    version: StyleVersion | None = style.versions[0] if style else None
    shown = StyleFormPage(
        form=form,
        errors=errors,
        reference=reference,
        refusal=rights.references_refusal(session, [reference.id]) if reference else None,
        style=style,
        version=version,
        upload_limit=filesize(resources_of(request).settings.upload_bytes),
    )
    return render(request, shown, 422 if errors else 200)
