"""Answers to checklists: about one picture in the review room, the same for many, and those behind a decision."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.campaign_names import folder
from app.customs import queries as customs
from app.customs import sheets
from app.customs.sheets import Answers, Sheet
from app.errors import Conflict, Invalid
from app.gallery import service as gallery
from app.languages import gettext as _
from app.models import Decision, Image, Role, User, Verdict
from app.reviews import queries as reviews
from app.sets import queries as sets
from app.web.deps import Me, Read, Resources, ResourcesDep
from app.web.forms.customs import AnswersForm, SameAnswersForm
from app.web.forms.form import Sent
from app.web.pools import Route
from app.web.review_scope import room_url
from app.web.templating import Page, render, see_other

router = APIRouter(route_class=Route)

SHOWN = 24  # pictures on the page of the same answers


@dataclass(frozen=True, kw_only=True)
class AnsweredPage(Page):
    template = "customs/answered.html"
    nav = "review"

    decision: Decision
    image: Image
    content: dict[str, Any]
    totals: list[tuple[str, str]]
    proof: str  # SHA-256, as in the audit log


@dataclass(frozen=True, kw_only=True)
class SamePage(Page):
    template = "customs/same.html"
    nav = "pictures"

    sheet: Sheet
    images: list[Image]  # the first of them
    number: int  # of pictures
    asking: list[tuple[str, int]]  # campaigns that require lists, and how many of the pictures are theirs
    fields: list[tuple[str, str]]  # of the selection
    back: str
    errors: dict[str, str] = field(default_factory=dict)


@router.post("/images/{image_id}/checklists")
def save(request: Request, resources: ResourcesDep, me: Me, form: Sent[AnswersForm], image_id: int) -> Response:
    """Save answers about a picture. The page sends this itself after each change."""
    back = room_url(form.scope, image=image_id)
    try:
        with resources.database.write() as session:
            sheet = sheets.save(session, me, sets.image(session, me, image_id), form.answers)
    except (Conflict, Invalid) as error:
        if "hx-request" in request.headers:
            raise
        return see_other(back, str(error), refused=True)
    if "hx-request" in request.headers:
        return Response(status_code=204)
    return see_other(back, sheet.refusal or _("Answers saved."))


@router.get("/decisions/{decision_id}/checklists")
def answered(request: Request, me: Me, session: Read, decision_id: int) -> Response:
    decision, sheet = customs.answered(session, me, decision_id)
    shown = AnsweredPage(
        decision=decision,
        image=sets.image(session, me, decision.image_id),
        content=sheet.content,
        totals=sheets.summary(sheet.content),
        proof=sheet.sha256,
    )
    return render(request, shown)


# The same answers for many


@router.get("/pictures/checklists")
def same(request: Request, me: Me, session: Read) -> Response:
    """Ask the lists that the selected pictures need, once for all of them."""
    form = SameAnswersForm.of(request.query_params)
    ids = gallery.chosen(session, me, form.ids, form.wanted if form.all else None, form.seen)
    return same_page(request, session, me, form, ids)


def same_page(
    request: Request, session: Session, me: User, form: SameAnswersForm, ids: list[int], error: str = ""
) -> Response:
    images = gallery.images(session, me, ids)
    found = sheets.of(session, me, images, form.answers)
    lists = {each.id: each for sheet in found.values() for each in sheet.lists}
    given = {key: each for sheet in found.values() for key, each in sheet.given.items()}
    asking: dict[str, int] = {}
    for image in images:
        if image.id in found:
            name = folder(image.campaign.name)
            asking[name] = asking.get(name, 0) + 1
    shown = SamePage(
        sheet=Sheet(tuple(lists[each] for each in sorted(lists)), given),
        images=images[:SHOWN],
        number=len(ids),
        asking=sorted(asking.items()),
        fields=selection(form, reviews.newest(session, me)),
        back=f"/pictures?{form.wanted.query}",
        errors={"form": error} if error else {},
    )
    return render(request, shown, 422 if error else 200)


def selection(form: SameAnswersForm, newest: int) -> list[tuple[str, str]]:
    """The fields that name the selected pictures, as the gallery sends them."""
    fields = [("ids", str(each)) for each in form.ids] if not form.all else [("all", "1")]
    fields.append(("query", form.query))
    fields += [(name, str(value)) for name, value in (("seen", form.seen), ("upto", form.upto)) if value is not None]
    return [*fields, ("newest", str(form.newest if form.newest is not None else newest))]


def asked_first(request: Request, resources: Resources, me: User, form: SameAnswersForm) -> tuple[Response | None, int]:
    """Ask for answers before pictures are approved, if some have not enough; None if they can be decided on.

    With answers that are not enough, the page of the same answers, as it was filled in. Returns also how many pictures
    to decide on in a transaction.
    """
    if not me.can(Role.REVIEWER):
        return None, gallery.PART
    with resources.database.read() as session:
        ids = gallery.chosen(session, me, form.ids, form.wanted if form.all else None, form.seen)
        if not gallery.requiring(session, ids):
            return None, gallery.PART
        size = gallery.PART if form.answers else gallery.PART_ANSWERED
        if form.verdict != Verdict.APPROVED:
            return None, size
        images = [image for image in gallery.images(session, me, ids) if image.shown and not image.image_set.locked_at]
        given: Answers | None = form.answers or None
        refusals = [each.refusal for each in sheets.of(session, me, images, given).values() if each.refusal]
        if not refusals:
            return None, size
        if given is not None:
            return same_page(request, session, me, form, ids, refusals[0]), size
    url = f"/pictures/checklists?{urlencode(selection(form, form.newest or 0))}"
    if "hx-request" in request.headers:
        return Response(status_code=204, headers={"HX-Redirect": url}), size
    return see_other(url), size
