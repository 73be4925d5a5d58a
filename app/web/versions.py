"""Redo a picture: the form, on its own page, in a set's page or in the review room, and the stack of versions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.accounts.service import may_change
from app.errors import Conflict, Forbidden, Invalid, Later
from app.languages import gettext as _
from app.models import Image, State, User
from app.rights import queries as rights
from app.rights.standing import Held
from app.sets import queries
from app.sets import versions as service
from app.sets.versions import MOST_NEW_VERSIONS, RedoSpec
from app.specs import corrections
from app.web import drafts
from app.web.compare import compare_address
from app.web.deps import Me, Read, ResourcesDep, count_try, resources_of
from app.web.drafts import FormDraft
from app.web.drawn import drawn_of
from app.web.errors import answered
from app.web.forms.form import Sent
from app.web.forms.sets import RedoForm
from app.web.live import place_url
from app.web.pools import Route
from app.web.templating import inner_path, page, see_other

router = APIRouter(route_class=Route)

OWN = "own"  # in the seed field: use the custom seed


@dataclass(frozen=True)
class RedoView:
    """The form for redoing a picture."""

    image: Image
    back: str  # where it was opened, and returns to
    refusal: str | None  # why nobody can redo it now
    form: dict[str, str]
    errors: dict[str, str]
    draft: FormDraft
    place: Literal["page", "set", "room"] = "room"
    drawn: Mapping[str, str] = field(default_factory=dict)  # in English, of a refused form's prompt in Japanese
    most: int = MOST_NEW_VERSIONS


def stack(session: Session, me: User, image: Image, back: str, held: list[Held]) -> dict[str, Any]:
    """The data for `versions/_stack.html` and `versions/_redo.html` in the review room at the address `back`.

    `held`: the status of the rights to all references of its set.

    `versions`, newest first; `compare`, the address to compare the newest, "" for only one; `redo`, the form, None for
    people who may not redo it.
    """
    return stack_of(session, me, image, back) | {
        "redo": redo_form(session, me, image, back, held=held) if may_change(me, image.image_set) else None
    }


def stack_of(session: Session, me: User, image: Image, back: str) -> dict[str, Any]:
    found = service.stack(session, me, image)
    finished = [each.image.id for each in found if each.image.state == State.FINISHED]
    return {"versions": found, "compare": compare_address(finished, back) if len(finished) > 1 else ""}


def place_of_redo(image_id: int) -> str:
    """Where the form's draft is found."""
    return f"/images/{image_id}/again"


def redo_form(
    session: Session,
    me: User,
    image: Image,
    back: str,
    place: Literal["page", "set", "room"] = "room",
    form: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    draft: FormDraft | None = None,
    drawn: Mapping[str, str] | None = None,
    held: list[Held] | None = None,
) -> RedoView:
    usual = {"prompt": image.prompt, "seed": "", "own_seed": "", "strength": f"{image.used_strength:g}", "count": "1"}
    usual["drawn_as"] = corrections({image.prompt: image.drawn_as} if image.drawn_as else {})
    draft = draft or drafts.found(session, me, place_of_redo(image.id), "")
    refusal = service.refusal(session, image, held)
    return RedoView(image, back, refusal, form or draft.over(usual), errors or {}, draft, place, drawn or {})


@router.get("/images/{image_id}/again")
def redo_page(request: Request, me: Me, session: Read, image_id: int) -> Response:
    return form_page(request, session, me, image_id, request.query_params.get("from", ""))


@router.post("/images/{image_id}/again")
def redo(request: Request, resources: ResourcesDep, me: Me, form: Sent[RedoForm], image_id: int) -> Response:
    """Queue new versions, and return to where the form was."""
    values = form.model_dump(exclude={"back"})
    with resources.database.read() as session:
        back = back_to(form.back, queries.image(session, me, image_id))
    try:
        count_try(request, "set", me.id)
        spec = spec_of(form).translated(resources.translator, resources.handles)
        with resources.database.write() as session:
            made = service.redo(session, me, image_id, spec, resources.engine.model, resources.settings.unit_size)
            drafts.sent(request, session, me)
    except (Invalid, Later) as error:
        errors = error.errors if isinstance(error, Invalid) else {"count": str(error)}
        draft = drafts.kept(request, resources, me)
        with resources.database.read() as session:
            return answered(form_page(request, session, me, image_id, back, values, errors, draft), error)
    except Conflict as error:
        return see_other(back, str(error), refused=True)
    first, last = made[0].version, made[-1].version
    if first == last:
        return see_other(back, _("Version %(number)s is queued. The newest finished version is shown.", number=first))
    return see_other(
        back,
        _("Versions %(first)s to %(last)s are queued. The newest finished version is shown.", first=first, last=last),
    )


@router.post("/images/{image_id}/discard")
def discard(resources: ResourcesDep, me: Me, image_id: int) -> Response:
    with resources.database.write() as session:
        image = queries.image(session, me, image_id)
        try:
            service.discard(session, me, image_id)
        except Conflict as error:
            return see_other(place_url(image.set_id, image.position), str(error), refused=True)
    return see_other(place_url(image.set_id, image.position))


def spec_of(form: RedoForm) -> RedoSpec:
    seed = form.own_seed if form.seed == OWN else form.seed
    names = ("prompt", "strength", "count", "drawn_as")
    return RedoSpec.parse({"seed": seed, **{name: getattr(form, name) for name in names}})


def form_page(
    request: Request,
    session: Session,
    me: User,
    image_id: int,
    asked_back: str,
    form: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    draft: FormDraft | None = None,
) -> Response:
    """The form on its page, from which htmx takes the form. Raises NotFound and Forbidden."""
    image = queries.image(session, me, image_id)
    if not may_change(me, image.image_set):
        raise Forbidden(_("Only %(name)s or a manager can redo this picture.", name=image.image_set.owner.name))
    back = back_to(asked_back, image)
    within: Literal["page", "set", "room"] = "page"
    if "hx-request" in request.headers:
        within = "set" if back.startswith("/sets/") else "room"
    drawn = drawn_of(resources_of(request), form, [form["prompt"]]) if form and errors else {}
    draft = draft or drafts.found(session, me, place_of_redo(image_id), drafts.wanted_of(request))
    return page(
        request,
        "versions/redo.html",
        422 if errors else 200,
        nav="sets",
        image=image,
        redo=redo_form(session, me, image, back, within, form, errors, draft, drawn),
        errors=errors or {},
        helds=rights.of_set(session, image.image_set),
        **stack_of(session, me, image, back),
    )


def back_to(asked: str, image: Image) -> str:
    """A path on this server; the set's page by default."""
    return inner_path(asked) if asked else place_url(image.set_id, image.position)
