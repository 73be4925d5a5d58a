"""The review room: one picture, its reference, what was said of it, and the decision that leads to the next."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.errors import Conflict, NotFound
from app.models import Decision, Role, State, User, Verdict
from app.reviews import queries, service
from app.reviews.queries import Scope
from app.sets import queries as sets
from app.styles import queries as styles
from app.text import whole_number
from app.web.deps import App, Form, Me, Read, text, whole
from app.web.templating import page, see_other

router = APIRouter()

VERDICTS = (Verdict.APPROVED, Verdict.CHANGES_REQUESTED, Verdict.REJECTED)


@dataclass(frozen=True)
class ScopeView:
    """Which pictures the review goes through, as the page says it."""

    query: str  # of the address, without the image: "set=3"
    name: str
    back: str  # where the review was begun


@dataclass(frozen=True)
class Undo:
    """The decision that was just taken, for the toast that takes it back."""

    image_id: int
    prompt: str
    verdict: Verdict
    seen: int


@router.get("/review")
def review(request: Request, me: Me, session: Read, image: int | None = None, undo: int | None = None) -> Response:
    scope = scope_of(request.query_params)
    image_id = image or queries.first_open(session, me, scope)
    context = room(session, me, scope, image_id) if image_id else EMPTY_ROOM
    return page(
        request,
        "review/show.html",
        nav="review",
        **context,
        scope=scope_view(session, me, scope),
        undo=undoable(session, me, undo),
        can_decide=me.can(Role.REVIEWER),
    )


@router.post("/images/{image_id}/decision")
def decide(app: App, me: Me, form: Form, image_id: int) -> Response:
    """Decide, and show the next picture that waits; or take a decision back, and stay.

    Who was too late sees the picture as it is now, and can decide on that.
    """
    scope = scope_of(dict(parse_qsl(text(form, "scope"))))
    seen = whole(form, "seen")
    try:
        with app.database.write() as session:
            decision = service.decide(session, me, image_id, text(form, "verdict"), seen)
            session.flush()
            around = queries.neighbours(session, me, scope, image_id)
            decided = sets.image(session, me, image_id)
    except Conflict as error:
        return see_other(room_url(scope, image=image_id), str(error), refused=True)
    app.dispatcher.changed(decided.set_id, image_id)
    if decision.verdict == Verdict.WITHDRAWN:
        return see_other(room_url(scope, image=image_id))
    return see_other(room_url(scope, image=around.next_open_id, undo=decision.id))


@router.post("/images/{image_id}/comments")
def comment(app: App, me: Me, form: Form, image_id: int) -> Response:
    with app.database.write() as session:
        service.comment(session, me, image_id, text(form, "body"))
    return see_other(room_url(scope_of(dict(parse_qsl(text(form, "scope")))), image=image_id))


EMPTY_ROOM: dict[str, Any] = {
    "image": None,
    "image_set": None,
    "strip": [],
    "reference": None,
    "comments": [],
    "decisions": [],
    "seen": "",
    "position": 0,
    "total": 0,
    "remaining": 0,
    "tally": {},
    "previous_id": None,
    "next_id": None,
    "next_open_id": None,
}


def room(session: Session, me: User, scope: Scope, image_id: int) -> dict[str, Any]:
    image = sets.image(session, me, image_id)
    if image.state != State.FINISHED:
        raise NotFound("This picture is not finished, so there is nothing to review yet.")
    image_set = sets.get(session, me, image.set_id)
    decisions = queries.decisions(session, me, image.id)
    around = queries.neighbours(session, me, scope, image.id)
    tally = queries.tally(session, me, scope)
    return {
        "image": image,
        "image_set": image_set,
        "strip": queries.strip(session, me, scope, around=image.id),
        "reference": image_set.style_version.references[0].reference,
        "comments": queries.comments(session, me, image.id),
        "decisions": decisions,
        "seen": decisions[-1].id if decisions else "",
        "position": around.place,
        "total": around.total,
        "remaining": queries.pending_count(session, me, scope),
        "tally": {str(verdict): tally[verdict] for verdict in VERDICTS},
        "previous_id": around.previous_id,
        "next_id": around.next_id,
        "next_open_id": around.next_open_id,
    }


def scope_of(query: Mapping[str, str]) -> Scope:
    """From an address: `set`, `style` and `campaign`; what is no number is left out."""

    def number(name: str) -> int | None:
        return whole_number(query.get(name, ""))

    code = query.get("style", "")
    return Scope(number("set"), styles.normal_code(code) if code else "", number("campaign"))


def scope_query(scope: Scope) -> dict[str, Any]:
    pairs = {"set": scope.set_id, "style": scope.style_code, "campaign": scope.campaign_id}
    return {name: value for name, value in pairs.items() if value}


def room_url(scope: Scope, **more: int | None) -> str:
    query = scope_query(scope) | {name: value for name, value in more.items() if value}
    return f"/review?{urlencode(query)}" if query else "/review"


def scope_view(session: Session, me: User, scope: Scope) -> ScopeView:
    """Raises NotFound for a set, style or campaign that is not there."""
    query = urlencode(scope_query(scope))
    if scope.set_id:
        return ScopeView(query, sets.get(session, me, scope.set_id).name, f"/sets/{scope.set_id}")
    if scope.style_code:
        return ScopeView(query, styles.by_code(session, me, scope.style_code).name, f"/styles/{scope.style_code}")
    if scope.campaign_id:
        name = sets.campaign(session, me, scope.campaign_id).name
        return ScopeView(query, name, f"/pictures?campaign={scope.campaign_id}")
    return ScopeView(query, "All pictures", "/")


def undoable(session: Session, me: User, decision_id: int | None) -> Undo | None:
    """The person's own decision of that id, as long as nobody has decided after it."""
    decision = session.get(Decision, decision_id) if decision_id else None
    if decision is None or decision.user_id != me.id or decision.verdict == Verdict.WITHDRAWN:
        return None
    latest = queries.latest(session, decision.image_id)
    if latest is None or latest.id != decision.id:
        return None
    image = sets.image(session, me, decision.image_id)
    return Undo(image.id, image.prompt, Verdict(decision.verdict), decision.id)
