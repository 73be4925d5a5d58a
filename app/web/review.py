"""The review room: one picture, its reference, what was said about it, and the decision that leads to the next."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app import safe_areas
from app import undo as undos
from app.accounts.service import may_change
from app.brand import queries as brand
from app.brand import words as brand_words
from app.customs import sheets
from app.customs.sheets import Sheet
from app.errors import Conflict, Invalid, NotFound
from app.languages import gettext as _
from app.measures.queries import MeasuredPicture
from app.models import Decision, Image, ImageSet, RejectReason, Role, State, Thread, User, Verdict
from app.reports import queries as reports
from app.reviews import comments, counting, flags, four_eyes, news, pending, queries, scoping, service, undoing
from app.reviews.four_eyes import OwnPicture
from app.reviews.mentions import Piece, pieces
from app.reviews.scoping import Scope
from app.reviews.standing import standing
from app.rights import queries as rights
from app.safe_areas import Laid, PublishedFormat
from app.sets import queries as sets
from app.sets import safety
from app.sets.versions import Version
from app.web import drafts
from app.web.compare import compare_address
from app.web.deps import Me, Read, Resources, ResourcesDep
from app.web.drafts import FormDraft
from app.web.forms.form import Sent
from app.web.forms.reviews import (
    CommentForm,
    DecisionForm,
    EditForm,
    MentionsForm,
    PlaceForm,
    ReplyForm,
    RoomForm,
    scope_of,
)
from app.web.pools import Route
from app.web.review_scope import ScopeView, room_url, scope_view
from app.web.templating import Page, preference, render, see_other
from app.web.versions import RedoView, stack

router = APIRouter(route_class=Route)


@dataclass(frozen=True, kw_only=True)
class Decided(Page):
    """The decisions on a picture, and the progress of the review."""

    standing: list[Decision] = field(default_factory=list)  # at most one per person
    mine: Verdict | None = None
    needed: int = 1  # approvals
    uncounted: set[int] = field(default_factory=set)  # ids of makers' own approvals
    own: str = ""  # why the person, its maker, cannot approve it
    sheet: Sheet | None = None  # the checklists that the campaign requires, as far as the person answered them
    reasons: Sequence[RejectReason] = ()
    seen: int | str = ""  # the latest decision
    known: int = 0  # the latest event of the audit log
    remaining: int = 0  # pictures that wait for the person
    for_others: int = 0  # if none does: pictures that wait for other reviewers
    tally: dict[str, int] = field(default_factory=dict)  # by verdict


@dataclass(frozen=True, kw_only=True)
class Said(Page):
    """Comments on a picture and its other versions."""

    conversations: list[queries.Conversation] = field(default_factory=list)
    begun: int = 0  # of these, by the current user
    people: list[User] = field(default_factory=list)  # who can be mentioned
    spoken: dict[int, list[Piece]] = field(default_factory=dict)  # a comment's text with its mentions, by id
    drafts: dict[str, FormDraft] = field(default_factory=dict)  # of the fields for comments, by their form's id
    unseen: list[int] = field(default_factory=list)  # comments that mention the person, shown for the first time


@dataclass(frozen=True, kw_only=True)
class Room(Decided, Said):
    """The room with a picture; the defaults are those of an empty room."""

    image: Image | None = None
    image_set: ImageSet | None = None
    instead_id: int | None = None  # the version shown instead of this one
    strip: list[pending.StripRow] = field(default_factory=list)
    references: list[rights.UsedReference] = field(default_factory=list)
    locked: str = ""
    can_lock: bool = False  # or unlock
    can_download: bool = False
    flagged: bool = False  # by the safety check, and not cleared
    reported: int = 0  # open reports of the picture
    on_brand: int | None = None  # 0 to 100
    brand_parts: list[tuple[str, int]] = field(default_factory=list)  # their words and scores
    position: int | None = 0
    total: int = 0
    compare_url: str = ""
    compare_with: str = ""
    previous_id: int | None = None
    next_id: int | None = None
    next_open_id: int | None = None
    next_flagged_id: int | None = None
    measured: MeasuredPicture | None = None
    versions: list[Version] = field(default_factory=list)  # newest first
    compare: str = ""
    redo: RedoView | None = None


@dataclass(frozen=True, kw_only=True)
class RoomPage(Room):
    template = "review/show.html"
    nav = "review"

    scope: ScopeView
    options: scoping.ScopeOptions
    news: list[news.News]  # since the room was opened
    own_waiting: int  # own pictures waiting for others, if nothing else waits
    partly: int  # pictures that wait for approvals of other people, if nothing else waits
    next_set: tuple[int, str] | None  # the next set with something to review, if nothing waits here
    closed: str  # who locked the set of this review, and when, if nothing waits here; "" if nobody did
    can_export: bool
    undo: queries.DecisionUndo | None
    can_decide: bool
    can_manage: bool
    can_invite: bool
    laid: Laid | None  # the format that the person sees over pictures
    groups: dict[str, list[PublishedFormat]]  # to choose from


@router.get("/review")
def review(
    request: Request,
    me: Me,
    session: Read,
    image: int | None = None,
    undo: int | None = None,
    known: int | None = None,
) -> Response:
    """Show the room. An open room reloads itself with the number of the latest event it knows."""
    scope = scope_of(request.query_params)
    image_id = image or pending.next_open(session, me, scope)
    if not image_id and scope.set_id:  # owners who open their own set see it, and why others approve it
        image_id = pending.first_own(session, me, scope)
    if image_id:
        room = room_of(session, me, scope, image_id, drafts.wanted_of(request), even_deleted=known is not None)
    else:
        room = Room(tally=tally_of(session, me, scope))
    shown = RoomPage(
        **room.variables,
        scope=scope_view(session, me, scope),
        options=scoping.options(session, me, scope),
        news=news.told(session, me, room.image, known) if room.image and known is not None else [],
        own_waiting=pending.own_count(session, me, scope) if not image_id else 0,
        partly=pending.partly_count(session, me, scope) if not image_id else 0,
        next_set=next_set(session, me) if not image_id and scope.limits else None,
        closed=closed(session, me, scope) if not image_id else "",
        can_export=may_export(session, me, scope),
        undo=queries.undoable(session, me, undo),
        can_decide=me.can(Role.REVIEWER),
        can_manage=me.can(Role.MANAGER),
        can_invite=me.can(Role.ADMIN),
        laid=laid_over(request, room.image_set),
        groups=safe_areas.GROUPS,
    )
    return render(request, shown)


@router.post("/images/{image_id}/decision")
def decide(request: Request, resources: ResourcesDep, me: Me, form: Sent[DecisionForm], image_id: int) -> Response:
    """Decide, with any unsent comment, and show the next waiting picture, or return to the page `from`.

    Someone who was too late sees the current state and can decide again; the comment was not stored either.
    """
    scope, back = form.scope, form.back
    try:
        with resources.database.write() as session:
            if body := form.body.strip():
                service.comment(session, me, image_id, body, *form.pin)
                drafts.sent(request, session, me)
            decision = service.decide(session, me, image_id, form.verdict, form.seen, form.reason)
    except (Conflict, Invalid, OwnPicture) as error:
        return see_other(back or room_url(scope, image=image_id), str(error), refused=True)
    with resources.database.read() as session:
        following = pending.next_open(session, me, scope, image_id)
    if back:
        return see_other(f"{back}{'&' if '?' in back else '?'}undo={decision.id}")
    return see_other(room_url(scope, image=following, undo=decision.id))


@router.post("/decisions/{decision_id}/undo")
def undo(resources: ResourcesDep, me: Me, form: Sent[RoomForm], decision_id: int) -> Response:
    """Undo one's own decision, from the toast: an earlier one counts again."""
    return take_back(resources, me, form, decision_id, undoing.decision)


@router.post("/decisions/{decision_id}/withdraw")
def withdraw(resources: ResourcesDep, me: Me, form: Sent[RoomForm], decision_id: int) -> Response:
    return take_back(resources, me, form, decision_id, service.withdraw, _("Decision withdrawn."))


def take_back(
    resources: Resources, me: User, form: RoomForm, decision_id: int, act: Callable[..., object], done: str = ""
) -> Response:
    """Take a decision back, and show its picture, or return to the page `from`."""
    with resources.database.read() as session:
        image = sets.image(session, me, queries.decision(session, me, decision_id).image_id)
    back = form.back or room_url(form.scope, image=image.id)
    try:
        offer = in_writing(resources, act, me, decision_id)
    except (Conflict, OwnPicture) as error:
        return see_other(back, str(error), refused=True)
    return see_other(back, done, undo=offer)


@router.post("/images/{image_id}/comments")
def comment(request: Request, resources: ResourcesDep, me: Me, form: Sent[CommentForm], image_id: int) -> Response:
    with resources.database.write() as session:
        service.comment(session, me, image_id, form.body, *form.pin)
        drafts.sent(request, session, me)
    return see_other(room_url(form.scope, image=image_id))


@router.post("/threads/{thread_id}/replies")
def reply(request: Request, resources: ResourcesDep, me: Me, form: Sent[ReplyForm], thread_id: int) -> Response:
    def say(session: Session, me: User, thread_id: int) -> None:
        service.reply(session, me, thread_id, form.body)
        drafts.sent(request, session, me)

    return turn_thread(resources, me, form, thread_id, say)


@router.post("/comments/{comment_id}/edit")
def edit_comment(resources: ResourcesDep, me: Me, form: Sent[EditForm], comment_id: int) -> Response:
    return turn_comment(resources, me, form, comment_id, partial(comments.edit, body=form.body), _("Comment saved."))


@router.post("/comments/{comment_id}/delete")
def delete_comment(resources: ResourcesDep, me: Me, form: Sent[PlaceForm], comment_id: int) -> Response:
    return turn_comment(resources, me, form, comment_id, comments.delete, _("Comment deleted."))


@router.post("/comments/{comment_id}/restore")
def restore_comment(resources: ResourcesDep, me: Me, form: Sent[PlaceForm], comment_id: int) -> Response:
    return turn_comment(resources, me, form, comment_id, comments.restore, _("Comment restored."))


@router.post("/threads/{thread_id}/resolve")
def resolve(resources: ResourcesDep, me: Me, form: Sent[PlaceForm], thread_id: int) -> Response:
    return turn_thread(resources, me, form, thread_id, service.resolve)


@router.post("/threads/{thread_id}/reopen")
def reopen(resources: ResourcesDep, me: Me, form: Sent[PlaceForm], thread_id: int) -> Response:
    return turn_thread(resources, me, form, thread_id, service.reopen)


@router.post("/sets/{set_id}/lock")
def lock(resources: ResourcesDep, me: Me, form: Sent[PlaceForm], set_id: int) -> Response:
    done = _("Decisions locked. Only a manager can unlock them later.")
    return turn_lock(resources, me, form, set_id, service.lock, done)


@router.post("/sets/{set_id}/unlock")
def unlock(resources: ResourcesDep, me: Me, form: Sent[PlaceForm], set_id: int) -> Response:
    return turn_lock(resources, me, form, set_id, service.unlock, _("Decisions unlocked."))


@router.post("/images/{image_id}/mentions")
def see_mentions(
    request: Request, resources: ResourcesDep, me: Me, form: Sent[MentionsForm], image_id: int
) -> Response:
    """Mark mentions as read. The page sends this itself once it has shown them."""
    with resources.database.write() as session:
        service.see_mentions(session, me, sets.image(session, me, image_id), form.ids)
    if "hx-request" in request.headers:
        return Response(status_code=204)
    return see_other(room_url(form.scope, image=image_id))


def laid_over(request: Request, image_set: ImageSet | None) -> Laid | None:
    """The format that the person has chosen, over the pictures of a set."""
    chosen = preference(request, "format")
    return safe_areas.laid(chosen, image_set.width, image_set.height) if image_set else None


def next_set(session: Session, me: User) -> tuple[int, str] | None:
    """The next set with something for `me` to review."""
    image_id = pending.next_open(session, me, Scope()) if me.can(Role.REVIEWER) else None
    if image_id is None:
        return None
    image_set = sets.image(session, me, image_id).image_set
    return image_set.id, image_set.name


def closed(session: Session, me: User, scope: Scope) -> str:
    return service.locked_words(sets.get(session, me, scope.set_id)) if scope.set_id else ""


def may_export(session: Session, me: User, scope: Scope) -> bool:
    """Whether the review is of one set or campaign that `me` may export."""
    if scope.set_id:
        return may_change(me, sets.get(session, me, scope.set_id))
    return bool(scope.campaign_id) and me.can(Role.MANAGER)


# Shared by the routes


def in_writing(resources: Resources, act: Callable[..., object], *values: object) -> str:
    """Act in a transaction; returns the token of what can be undone."""
    with resources.database.write() as session:
        act(session, *values)
    return undos.offered(session)


def turn_thread(
    resources: Resources, me: User, form: PlaceForm, thread_id: int, act: Callable[..., object]
) -> Response:
    """Act on a conversation, and return to the open picture, or else to the one it started on."""
    refused = ""
    try:
        in_writing(resources, act, me, thread_id)
    except Conflict as error:
        refused = str(error)
    with resources.database.read() as session:
        image = sets.image(session, me, queries.thread(session, me, thread_id).image_id)
    back = room_url(form.scope, image=form.image or image.id)
    return see_other(back, refused, refused=bool(refused))


def turn_comment(
    resources: Resources, me: User, form: PlaceForm, comment_id: int, act: Callable[..., object], done: str = ""
) -> Response:
    """Act on a comment, and return to the open picture, or else to the one it is on."""
    try:
        offer, said, refused = in_writing(resources, act, me, comment_id), done, False
    except Conflict as error:
        offer, said, refused = "", str(error), True
    with resources.database.read() as session:
        image_id = form.image or queries.comment(session, me, comment_id).image_id
    return see_other(room_url(form.scope, image=image_id), said, refused=refused, undo=offer)


def turn_lock(
    resources: Resources, me: User, form: PlaceForm, set_id: int, act: Callable[..., object], done: str
) -> Response:
    """Lock or unlock, and return to the picture in the room, or the set's page."""
    image_id = form.image
    back = room_url(form.scope, image=image_id) if image_id else f"/sets/{set_id}"
    try:
        offer = in_writing(resources, act, me, set_id)
    except Conflict as error:
        return see_other(back, str(error), refused=True)
    return see_other(back, done, undo=offer)


# The room


def room_of(
    session: Session, me: User, scope: Scope, image_id: int, draft: str = "", even_deleted: bool = False
) -> Room:
    """The contents of the room, with the draft of this key, if it is of a comment.

    Raises NotFound for an unfinished picture, or a deleted one unless it was open.
    """
    image = sets.image(session, me, image_id)
    if image.state != State.FINISHED:
        raise NotFound(_("This picture is not finished yet. Review it when it is."))
    if image.deleted_at and not even_deleted:
        raise NotFound(_("This picture was deleted. You can restore it from the bin."))
    image_set = image.image_set
    references = rights.parts_of_set(session, image_set)
    versions = stack(session, me, image, room_url(scope, image=image.id), [each.held for each in references])
    finished = [each.image for each in versions["versions"] if each.image.state == State.FINISHED]
    strip = pending.strip(session, me, image.set_id, around=image.position)
    around = pending.neighbours(session, me, scope, image.id)
    locked = service.locked_words(image_set)
    measured = flags.of(session, me, scope, image)
    return Room(
        image=image,
        image_set=image_set,
        instead_id=None if image.shown else next((each.id for each in finished if each.shown), None),
        strip=strip,
        references=references,
        locked=locked,
        can_lock=service.may_unlock(me, image_set) if locked else may_change(me, image_set),
        can_download=may_change(me, image_set),
        flagged=bool(safety.flagged(session, [image.id])),
        reported=reports.open_of(session, image.id),
        **on_brand(session, image),
        position=around.place,
        total=around.total,
        compare_url=compare_url(scope, image, finished, strip),
        compare_with="versions" if len(finished) > 1 else "next" if len(strip) > 1 else "reference",
        previous_id=around.previous_id,
        next_id=around.next_id,
        next_open_id=around.next_open_id,
        next_flagged_id=measured.next_flagged_id if me.can(Role.REVIEWER) else None,
        measured=measured.found,
        **decided(session, me, scope, image).variables,
        **said(session, me, image, draft).variables,
        **versions,
    )


def said(session: Session, me: User, image: Image, draft: str) -> Said:
    conversations = queries.conversations(session, me, image)
    people = queries.people(session, me)
    every = [comment for each in conversations for comment in each.thread.comments]
    return Said(
        conversations=conversations,
        begun=sum(each.thread.comments[0].user_id == me.id for each in conversations),
        people=people,
        spoken={comment.id: pieces(comment.body, people) for comment in every},
        drafts=comment_drafts(session, me, image, [each.thread for each in conversations], draft),
        unseen=queries.unseen_mentions(session, me, image),
    )


def comment_drafts(
    session: Session, me: User, image: Image, threads: Sequence[Thread], wanted: str
) -> dict[str, FormDraft]:
    """What the person has begun to write: a comment on the picture, and replies, at the version of the conversation."""
    pictures = {"composer": image.id} | {f"reply-{thread.id}": thread.image_id for thread in threads}
    places = {form: f"/review?image={image_id}#{form}" for form, image_id in pictures.items()}
    found = drafts.found_all(session, me, places.values(), wanted)
    return {form: found[place] for form, place in places.items()}


def decided(session: Session, me: User, scope: Scope, image: Image) -> Decided:
    decisions = queries.decisions(session, me, image.id)
    stands = standing(decisions)
    rules = {image.campaign_id: queries.rule_of(image.campaign)}
    uncounted = counting.uncounted(session, [image], {image.id: decisions}, rules)[image.id]
    remaining = pending.count(session, me, scope)
    return Decided(
        standing=stands,
        mine=next((each.verdict for each in stands if each.user_id == me.id), None),
        needed=image.campaign.approvals_needed,
        uncounted={each.id for each in stands if each.user_id in uncounted},
        own=four_eyes.refusal(session, me, image) if me.can(Role.REVIEWER) else "",
        sheet=sheets.of(session, me, [image]).get(image.id) if me.can(Role.REVIEWER) else None,
        reasons=queries.reasons(session),
        seen=decisions[-1].id if decisions else "",
        known=news.known(session),
        remaining=remaining,
        for_others=pending.others_count(session, me, scope) if not remaining and me.can(Role.REVIEWER) else 0,
        tally=tally_of(session, me, scope),
    )


def on_brand(session: Session, image: Image) -> dict[str, Any]:
    """How well a picture keeps the brand rules, and why."""
    found = brand.scores(session, [image.id]).get(image.id)
    if not found or found.score is None:
        return {}
    return {"on_brand": round(found.score), "brand_parts": brand_words.parts(found.parts)}


def tally_of(session: Session, me: User, scope: Scope) -> dict[str, int]:
    found = scoping.tally(session, me, scope)
    return {str(verdict): found[verdict] for verdict in service.VERDICTS}


def compare_url(scope: Scope, image: Image, versions: list[Image], strip: list[pending.StripRow]) -> str:
    """The compare room with this picture and its other versions; or the next ones of the set; or its reference."""
    others = [each.id for each in versions if each.id != image.id]
    if not others:
        after = [row.id for row in strip if row.position > image.position]
        before = [row.id for row in strip if row.position < image.position]
        others = after + before[::-1]
    reference = None if others else image.image_set.style_version.references[0].reference_id
    return compare_address([image.id, *others], room_url(scope, image=image.id), reference)
