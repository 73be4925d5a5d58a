"""All pictures: filters, saved searches, acts on many at once, and the bin."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.errors import UserError
from app.gallery import facets, queries, service
from app.gallery.matching import Search
from app.gallery.queries import PAGE
from app.gallery.search import WORDS_LENGTH, PictureFilter
from app.gallery.service import Outcome
from app.models import Role, SavedSearch, User, Verdict, now
from app.reviews import queries as reviews
from app.sets import queries as sets
from app.styles import queries as styles
from app.text import whole_number
from app.web.deps import Me, Read, Resources, ResourcesDep
from app.web.forms.form import Sent
from app.web.forms.pictures import (
    ActForm,
    DecideForm,
    MoveForm,
    RejectForm,
    RestoreForm,
    SearchForm,
    StarForm,
    TagForm,
)
from app.web.pools import Route
from app.web.templating import Page, page, render, see_other

router = APIRouter(route_class=Route)

MOST_AGAIN = 6 * PAGE  # pictures shown again after an act, up to where the person was


@dataclass(frozen=True)
class DeletionUndo:
    """What was just deleted, for the toast that restores it."""

    at: str
    count: int


@dataclass(frozen=True, kw_only=True)
class MorePart(Page):
    """The next pictures, below those already on the page."""

    template = "gallery/_more.html"

    wanted: PictureFilter
    cells: list[queries.Cell]
    after: int | None  # the picture to continue after; None at the end


@dataclass(frozen=True, kw_only=True)
class GalleryPage(MorePart):
    template = "gallery/index.html"
    nav = "pictures"

    options: facets.FacetOptions
    whole: str  # the filter with all its values shown
    binned: int
    kept_days: int  # in the bin
    most: int  # maximum pictures per act
    words_length: int
    tags: list[str]
    campaigns: list[str]
    searches: list[SavedSearch]
    reasons: list[str]  # to reject
    set_name: str  # for the filters
    reference_name: str
    can_decide: bool
    newest: int  # the latest decision
    undo: DeletionUndo | None


@router.get("/pictures")
def index(
    request: Request, me: Me, session: Read, after: str = "", upto: str = "", deleted: str = "", whole: str = ""
) -> Response:
    wanted = PictureFilter.of_pairs(request.query_params.multi_items())
    last, first = whole_number(after), whole_number(upto)
    partial = last is not None and "hx-request" in request.headers
    search = Search.of(session, me, wanted, to_count=not partial)
    # After an act the page shows everything it had before, up to this many.
    limit = MOST_AGAIN if first is not None else PAGE
    cells = queries.pictures(session, search, last, limit + 1, first)
    more = len(cells) > limit or (first is not None and bool(queries.pictures(session, search, first, limit=1)))
    cells = cells[:limit]
    found = MorePart(wanted=wanted, cells=cells, after=(cells[-1].id if cells else first) if more else None)
    if partial:
        return render(request, found)
    options = facets.options(session, search, whole)
    shown = GalleryPage(
        **found.variables,
        options=options,
        whole=whole,
        binned=0 if options.of else queries.deleted_count(session, me),
        kept_days=queries.KEPT_DAYS,
        most=service.MOST,
        words_length=WORDS_LENGTH,
        tags=queries.tags(session, me),
        campaigns=queries.campaigns(session, me),
        searches=queries.searches(session, me),
        reasons=[each.words for each in reviews.reasons(session)],
        set_name=sets.get(session, me, wanted.set).name if wanted.set else "",
        reference_name=styles.reference(session, me, wanted.reference).original_name if wanted.reference else "",
        can_decide=me.can(Role.REVIEWER),
        newest=reviews.newest(session, me),
        undo=undoable(session, me, deleted),
    )
    return render(request, shown)


def undoable(session: Session, me: User, deleted: str) -> DeletionUndo | None:
    moment = moment_of(deleted)
    number = len(queries.deleted_at_once(session, me, moment)) if moment else 0
    return DeletionUndo(deleted, number) if number else None


def moment_of(value: str) -> datetime | None:
    """Parse a time from an address."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


# Acting on many


def act(
    resources: Resources, me: User, form: ActForm, do: Callable[[Session, list[int]], Outcome], did: str
) -> Response:
    """Act on the ticked pictures, or on all matches, and show the page again up to where it was."""
    wanted = form.wanted
    try:
        with resources.database.read() as session:
            everything = wanted if form.all else None
            ids = service.chosen(session, me, form.ids, everything, form.seen)
        done = in_parts(resources, ids, do)
    except UserError as error:
        return see_other(back(wanted, form), str(error), refused=True)
    refused = bool(done.refused) and not done.ids
    if done.at and done.ids:  # the toast that restores them says the rest
        return see_other(back(wanted, form, deleted=done.at.isoformat()), done.told_refused(did), refused=True)
    return see_other(back(wanted, form), done.told(did), refused=refused)


def in_parts(resources: Resources, ids: list[int], do: Callable[[Session, list[int]], Outcome]) -> Outcome:
    """Act on pictures in parts, each in a short transaction."""
    done = Outcome()
    for start in range(0, len(ids), service.PART):
        with resources.database.write() as session:
            part = do(session, ids[start : start + service.PART])
        done.also(part)
    return done


def back(wanted: PictureFilter, form: ActForm, **more: str) -> str:
    """The address of the page where the person was."""
    pairs = [*wanted.pairs, *more.items()]
    if form.upto:
        pairs.append(("upto", form.upto))
    return f"/pictures?{urlencode(pairs)}" if pairs else "/pictures"


@router.post("/pictures/decide")
def decide(resources: ResourcesDep, me: Me, form: Sent[DecideForm]) -> Response:
    did = "approved" if form.verdict == Verdict.APPROVED else "sent back for changes"
    return act(
        resources, me, form, lambda session, ids: service.decide(session, me, ids, form.verdict, form.newest), did
    )


@router.post("/pictures/reject")
def reject(resources: ResourcesDep, me: Me, form: Sent[RejectForm]) -> Response:
    def do(session: Session, ids: list[int]) -> Outcome:
        return service.decide(session, me, ids, Verdict.REJECTED, form.newest, form.reason)

    return act(resources, me, form, do, "rejected")


@router.post("/pictures/move")
def move(resources: ResourcesDep, me: Me, form: Sent[MoveForm]) -> Response:
    campaign = form.campaign_name
    return act(
        resources, me, form, lambda session, ids: service.move(session, me, ids, campaign), f"moved to {campaign}"
    )


@router.post("/pictures/tag")
def tag(resources: ResourcesDep, me: Me, form: Sent[TagForm]) -> Response:
    name = form.tag_name
    return act(resources, me, form, lambda session, ids: service.tag(session, me, ids, name), f"tagged {name}")


@router.post("/pictures/untag")
def untag(resources: ResourcesDep, me: Me, form: Sent[TagForm]) -> Response:
    name = form.tag_name
    return act(resources, me, form, lambda session, ids: service.untag(session, me, ids, name), f"untagged {name}")


@router.post("/pictures/star")
def star(resources: ResourcesDep, me: Me, form: Sent[StarForm]) -> Response:
    on = form.on == "1"
    did = "starred" if on else "removed from your stars"
    return act(resources, me, form, lambda session, ids: service.star(session, me, ids, on), did)


@router.post("/pictures/delete")
def delete(resources: ResourcesDep, me: Me, form: Sent[ActForm]) -> Response:
    at = now()  # the same for all, so that all can be restored together
    return act(resources, me, form, lambda session, ids: service.delete(session, me, ids, at), "deleted")


@router.post("/pictures/restore")
def restore(resources: ResourcesDep, me: Me, form: Sent[RestoreForm]) -> Response:
    """Restore from the bin what is ticked, or from the toast what was deleted together."""
    moment = moment_of(form.at)
    there = back(form.wanted, form) if moment else "/pictures/bin"
    try:
        with resources.database.read() as session:
            ids = queries.deleted_at_once(session, me, moment) if moment else form.ids
            ids = service.chosen(session, me, ids)
        done = in_parts(resources, ids, lambda session, some: service.restore(session, me, some))
    except UserError as error:
        return see_other(there, str(error), refused=True)
    return see_other(there, done.told("restored"), refused=bool(done.refused) and not done.ids)


@router.get("/pictures/bin")
def bin(request: Request, me: Me, session: Read, after: str = "") -> Response:
    when, _, number = after.partition(" ")
    moment, last = moment_of(when), whole_number(number)
    shown = queries.deleted(session, me, (moment, last) if moment and last else None, PAGE + 1)
    more = len(shown) > PAGE
    shown = shown[:PAGE]
    return page(
        request,
        "gallery/bin.html",
        nav="pictures",
        cells=shown,
        total=queries.deleted_count(session, me),
        days=queries.KEPT_DAYS,
        after=f"{shown[-1].deleted_at.isoformat()} {shown[-1].id}" if more else None,
    )


# Saved searches


@router.post("/searches")
def save_search(resources: ResourcesDep, me: Me, form: Sent[SearchForm]) -> Response:
    there = f"/pictures?{form.wanted.query}"
    try:
        with resources.database.write() as session:
            search = service.save_search(session, me, form.name, form.query, form.shared)
    except UserError as error:
        return see_other(there, str(error), refused=True)
    return see_other(there, f"Search {search.name} saved.")


@router.post("/searches/{search_id}/rename")
def rename_search(resources: ResourcesDep, me: Me, form: Sent[SearchForm], search_id: int) -> Response:
    there = f"/pictures?{form.wanted.query}"
    try:
        with resources.database.write() as session:
            search = service.rename_search(session, me, search_id, form.name)
    except UserError as error:
        return see_other(there, str(error), refused=True)
    return see_other(there, f"Search renamed to {search.name}.")


@router.post("/searches/{search_id}/delete")
def delete_search(resources: ResourcesDep, me: Me, form: Sent[SearchForm], search_id: int) -> Response:
    with resources.database.write() as session:
        search = service.delete_search(session, me, search_id)
    return see_other(f"/pictures?{form.wanted.query}", f"Search {search.name} deleted.")
