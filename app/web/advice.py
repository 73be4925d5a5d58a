"""Advice on a reference: what could make it a poor one, what to choose instead, and its palette."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.engine.base import ModelUnknown
from app.files import Flawed
from app.languages import gettext as _
from app.languages import ngettext
from app.models import Reference, User
from app.quality.advice import ENOUGH, Concern, Judgement
from app.quality.palette import Palette
from app.rights import queries
from app.styles.advice import OtherReference, others
from app.web.deps import Me, Read, Resources, ResourcesDep
from app.web.pools import Route
from app.web.templating import Page, render

router = APIRouter(route_class=Route)

USUAL_SIDE = 1024  # px: of SDXL, while the model is not known


@dataclass(frozen=True)
class Noted:
    """What is told about a reference."""

    sentences: list[str]
    same: OtherReference | None  # nearly the same reference
    palette: Palette
    look: str  # a style text that fits, in English; or ""


@dataclass(frozen=True, kw_only=True)
class AdvicePart(Page):
    template = "rights/_advice.html"

    reference: Reference
    advice: Noted | None


@dataclass(frozen=True, kw_only=True)
class AdvicePage(AdvicePart):
    template = "rights/advice.html"
    nav = "styles"


@router.get("/references/{reference_id}/advice")
def show(request: Request, resources: ResourcesDep, me: Me, session: Read, reference_id: int) -> Response:
    reference = queries.reference(session, me, reference_id)
    advice = noted(resources, session, me, reference)
    kind = AdvicePart if "hx-request" in request.headers else AdvicePage
    return render(request, kind(reference=reference, advice=advice))


def noted(
    resources: Resources, session: Session, me: User, reference: Reference, *, only_known: bool = False
) -> Noted | None:
    """Advice on a reference; None if its file is flawed, or with `only_known` if it was not looked at yet."""
    side = side_of(resources)
    if only_known and not resources.advisor.knows(reference.sha256, side):
        return None
    try:
        seen = resources.advisor.of(reference.sha256, side)
    except Flawed:
        return None
    same = resources.advisor.same_as(reference.sha256, others(session, me, reference.id))
    return Noted([said(found, side) for found in seen.found], same, seen.palette, seen.look)


def looked_at(resources: Resources, reference: Reference) -> None:
    """Look at a reference now, so that pages know about it at once."""
    try:
        resources.advisor.of(reference.sha256, side_of(resources))
    except Flawed:
        return


def side_of(resources: Resources) -> int:
    """px that the model was trained at."""
    try:
        return min(resources.engine.model.default_size)
    except ModelUnknown:
        return USUAL_SIDE


def said(found: Judgement, side: int) -> str:
    """What is wrong, and what to choose instead."""
    amount = round(found.amount)
    match found.concern:
        case Concern.SMALL:
            return _(
                "Small: the shorter side has %(number)s px, and the model works at %(side)s. Choose one with at least"
                " %(least)s px.",
                number=amount,
                side=side,
                least=round(ENOUGH * side),
            )
        case Concern.FLAT:
            return _("Almost a single colour, so there is little look to follow. Choose a picture with more in it.")
        case Concern.ENLARGED:
            return _(
                "Enlarged or soft: no detail is finer than %(number)s px. Choose the original instead of an enlarged"
                " copy.",
                number=amount,
            )
        case Concern.BLOCKS:
            return _("Strongly compressed: the blocks may show in new pictures. Choose a copy that is less compressed.")
        case Concern.BORDER:
            return _(
                "A border or mockup fills %(number)s %% of it. Crop to the picture inside.",
                number=round(found.amount * 100),
            )
        case Concern.LOOKS:
            return _("Several pictures with different looks. Crop to one of them.")
        case Concern.TEXT:
            return ngettext(
                "Text: about %(number)s letter, which new pictures may imitate. Crop it out, or choose one without"
                " text.",
                "Text: about %(number)s letters, which new pictures may imitate. Crop it out, or choose one without"
                " text.",
                amount,
            )
