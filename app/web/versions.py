"""Redo a picture: the form, on its own page, in a set's page or in the review room, and the stack of versions."""

from dataclasses import dataclass
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.accounts.service import may_change
from app.errors import Conflict, Forbidden, Invalid, Later
from app.models import Image, State, User
from app.rights import queries as rights
from app.sets import queries
from app.sets import versions as service
from app.sets.spec import PROMPT_LENGTH
from app.sets.versions import MOST_NEW_VERSIONS, RedoSpec
from app.web.compare import compare_address
from app.web.deps import Me, Read, ResourcesDep, count_try
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
    place: Literal["page", "set", "room"] = "room"
    letters: int = PROMPT_LENGTH
    most: int = MOST_NEW_VERSIONS


def stack(session: Session, me: User, image: Image, back: str) -> dict[str, Any]:
    """The data for `versions/_stack.html` and `versions/_redo.html` in the review room at the address `back`.

    `versions`, newest first; `compare`, the address to compare the newest, "" for only one; `redo`, the form, None for
    people who may not redo it.
    """
    return stack_of(session, me, image, back) | {
        "redo": redo_form(session, image, back) if may_change(me, image.image_set) else None
    }


def stack_of(session: Session, me: User, image: Image, back: str) -> dict[str, Any]:
    found = service.stack(session, me, image)
    finished = [each.image.id for each in found if each.image.state == State.FINISHED]
    return {"versions": found, "compare": compare_address(finished, back) if len(finished) > 1 else ""}


def redo_form(
    session: Session,
    image: Image,
    back: str,
    place: Literal["page", "set", "room"] = "room",
    form: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> RedoView:
    usual = {"prompt": image.prompt, "seed": "", "own_seed": "", "strength": f"{image.used_strength:g}", "count": "1"}
    return RedoView(image, back, service.refusal(session, image), form or usual, errors or {}, place)


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
        with resources.database.write() as session:
            made = service.redo(
                session, me, image_id, spec_of(form), resources.engine.model, resources.settings.unit_size
            )
    except (Invalid, Later) as error:
        errors = error.errors if isinstance(error, Invalid) else {"count": str(error)}
        with resources.database.read() as session:
            return answered(form_page(request, session, me, image_id, back, values, errors), error)
    except Conflict as error:
        return see_other(back, str(error), refused=True)
    first, last = made[0].version, made[-1].version
    lines = f"Version {first} is" if first == last else f"Versions {first} to {last} are"
    return see_other(back, f"{lines} queued. The newest finished version is shown.")


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
    prompt = " ".join(form.prompt.splitlines())
    return RedoSpec.parse({"prompt": prompt, "seed": seed, "strength": form.strength, "count": form.count})


def form_page(
    request: Request,
    session: Session,
    me: User,
    image_id: int,
    asked_back: str,
    form: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> Response:
    """The form on its page, from which htmx takes the form. Raises NotFound and Forbidden."""
    image = queries.image(session, me, image_id)
    if not may_change(me, image.image_set):
        raise Forbidden(f"Only {image.image_set.owner.name} or a manager can redo this picture.")
    back = back_to(asked_back, image)
    within: Literal["page", "set", "room"] = "page"
    if "hx-request" in request.headers:
        within = "set" if back.startswith("/sets/") else "room"
    return page(
        request,
        "versions/redo.html",
        422 if errors else 200,
        nav="sets",
        image=image,
        redo=redo_form(session, image, back, within, form, errors),
        helds=rights.of_set(session, image.image_set),
        **stack_of(session, me, image, back),
    )


def back_to(asked: str, image: Image) -> str:
    """A path on this server; the set's page by default."""
    return inner_path(asked) if asked else place_url(image.set_id, image.position)
