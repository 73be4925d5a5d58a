"""All pictures: filters, saved searches, acts on many at once, and the bin."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app import undo as undos
from app.bin import kept_days
from app.errors import Conflict, Invalid, UserError
from app.filing import queries as filing
from app.gallery import facets, queries, searches, service, words
from app.gallery.matching import Search
from app.gallery.queries import PAGE
from app.gallery.search import ORDERS, WORDS_LENGTH, PictureFilter
from app.gallery.service import Outcome
from app.gallery.words import Did
from app.languages import gettext as _
from app.measures import words as measures
from app.measures.versions import roles
from app.models import Role, SavedSearch, User, Verdict, now
from app.quality.measures import Measure, can_take
from app.reviews import queries as reviews
from app.sets import queries as sets
from app.styles import queries as styles
from app.text import whole_number
from app.web.customs_answers import asked_first
from app.web.deps import Me, Read, Resources, ResourcesDep, resources_of
from app.web.forms.customs import SameAnswersForm
from app.web.forms.form import Sent
from app.web.forms.pictures import (
    ActForm,
    MoveForm,
    RejectForm,
    SearchForm,
    StarForm,
    TagForm,
)
from app.web.pools import Route
from app.web.templating import Page, page, render, see_other

router = APIRouter(route_class=Route)

MOST_AGAIN = 6 * PAGE  # pictures shown again after an act, up to where the person was


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
    orders: list[tuple[str, str]]  # measures to sort by: name and label


@router.get("/pictures")
def index(request: Request, me: Me, session: Read, after: str = "", upto: str = "", whole: str = "") -> Response:
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
        kept_days=kept_days(),
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
        orders=orders(wanted, roles(resources_of(request).settings)),
    )
    return render(request, shown)


def orders(wanted: PictureFilter, measured_by: Collection[str]) -> list[tuple[str, str]]:
    """Measures to sort by, and their labels: those that can be taken here, and the one that the address asks for."""
    return [
        (name, measures.label(name))
        for name in ORDERS
        if can_take(Measure(name), measured_by) or name == wanted.measure
    ]


def moment_of(value: str) -> datetime | None:
    """Parse a time from an address."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


# Acting on many


TYPED = {"campaign_name", "tag_name"}  # fields whose faults come back with what was typed


def act(
    resources: Resources,
    me: User,
    form: ActForm,
    do: Callable[[Session, list[int]], Outcome],
    did: Did,
    size: int = service.PART,
    **named: str,
) -> Response:
    """Act on the ticked pictures, or on all matches, and show the page again up to where it was."""
    wanted = form.wanted
    try:
        with resources.database.read() as session:
            everything = wanted if form.all else None
            ids = service.chosen(session, me, form.ids, everything, form.seen)
        done, offer = in_parts(resources, ids, do, size)
    except UserError as error:
        if isinstance(error, Invalid) and error.field in TYPED:
            raise
        return see_other(back(wanted, form), str(error), refused=True)
    refused = bool(done.refused) and not done.ids
    return see_other(back(wanted, form), done.told(did, **named), refused=refused, undo=offer)


def in_parts(
    resources: Resources, ids: list[int], do: Callable[[Session, list[int]], Outcome], size: int = service.PART
) -> tuple[Outcome, str]:
    """Act on pictures in parts, each in a short transaction; returns also the token that undoes all of them."""
    done, token, offered = Outcome(), undos.new_token(), False
    for start in range(0, len(ids), size):
        with resources.database.write() as session:
            undos.part_of(session, token)
            part = do(session, ids[start : start + size])
        offered = offered or bool(undos.offered(session))
        done.also(part)
    return done, token if offered else ""


def back(wanted: PictureFilter, form: ActForm) -> str:
    """The address of the page where the person was."""
    pairs = list(wanted.pairs)
    if form.upto:
        pairs.append(("upto", form.upto))
    return f"/pictures?{urlencode(pairs)}" if pairs else "/pictures"


@router.post("/pictures/decide")
def decide(request: Request, resources: ResourcesDep, me: Me, form: Sent[SameAnswersForm]) -> Response:
    """Decide on pictures. Where approving needs answers to checklists, ask for them first."""
    did = words.APPROVED if form.verdict == Verdict.APPROVED else words.CHANGES_REQUESTED
    try:
        asked, size = asked_first(request, resources, me, form)
        if asked:
            return asked
    except UserError as error:
        return see_other(back(form.wanted, form), str(error), refused=True)

    def do(session: Session, ids: list[int]) -> Outcome:
        return service.decide(session, me, ids, form.verdict, form.newest, answers=form.answers or None)

    return act(resources, me, form, do, did, size)


@router.post("/pictures/reject")
def reject(resources: ResourcesDep, me: Me, form: Sent[RejectForm]) -> Response:
    def do(session: Session, ids: list[int]) -> Outcome:
        return service.decide(session, me, ids, Verdict.REJECTED, form.newest, form.reason)

    return act(resources, me, form, do, words.REJECTED)


@router.post("/pictures/move")
def move(resources: ResourcesDep, me: Me, form: Sent[MoveForm]) -> Response:
    campaign = form.campaign_name
    return act(
        resources,
        me,
        form,
        lambda session, ids: service.move(session, me, ids, campaign),
        words.MOVED,
        campaign=campaign,
    )


@router.post("/pictures/tag")
def tag(resources: ResourcesDep, me: Me, form: Sent[TagForm]) -> Response:
    name = form.tag_name
    return act(resources, me, form, lambda session, ids: service.tag(session, me, ids, name), words.TAGGED, tag=name)


@router.post("/pictures/untag")
def untag(resources: ResourcesDep, me: Me, form: Sent[TagForm]) -> Response:
    name = form.tag_name
    return act(
        resources, me, form, lambda session, ids: service.untag(session, me, ids, name), words.UNTAGGED, tag=name
    )


@router.post("/pictures/star")
def star(resources: ResourcesDep, me: Me, form: Sent[StarForm]) -> Response:
    on = form.on == "1"
    did = words.STARRED if on else words.UNSTARRED
    return act(resources, me, form, lambda session, ids: service.star(session, me, ids, on), did)


@router.post("/pictures/delete")
def delete(resources: ResourcesDep, me: Me, form: Sent[ActForm]) -> Response:
    at = now()  # the same for all, so that all can be restored together
    return act(resources, me, form, lambda session, ids: service.delete(session, me, ids, at), words.DELETED)


@router.post("/pictures/restore")
def restore(resources: ResourcesDep, me: Me, form: Sent[ActForm]) -> Response:
    """Restore from the bin what is ticked."""
    there = "/pictures/bin"
    try:
        with resources.database.read() as session:
            ids = service.chosen(session, me, form.ids)
        done, offer = in_parts(resources, ids, lambda session, some: service.restore(session, me, some))
    except UserError as error:
        return see_other(there, str(error), refused=True)
    return see_other(there, done.told(words.RESTORED), refused=bool(done.refused) and not done.ids, undo=offer)


@router.get("/pictures/bin")
def bin(request: Request, me: Me, session: Read, after: str = "") -> Response:
    when, __, number = after.partition(" ")
    moment, last = moment_of(when), whole_number(number)
    shown = queries.deleted(session, me, (moment, last) if moment and last else None, PAGE + 1)
    more = len(shown) > PAGE
    shown = shown[:PAGE]
    return page(
        request,
        "gallery/bin.html",
        nav="pictures",
        things=[] if after else filing.binned(session, me),
        cells=shown,
        total=queries.deleted_count(session, me),
        days=kept_days(),
        after=f"{shown[-1].deleted_at.isoformat()} {shown[-1].id}" if more else None,
    )


# Saved searches


@router.post("/searches")
def save_search(resources: ResourcesDep, me: Me, form: Sent[SearchForm]) -> Response:
    there = f"/pictures?{form.wanted.query}"
    try:
        with resources.database.write() as session:
            search = searches.save(session, me, form.name, form.query, form.shared)
    except Conflict as error:
        return see_other(there, str(error), refused=True)
    return see_other(there, _("Search %(name)s saved.", name=search.name), undo=undos.offered(session))


@router.post("/searches/{search_id}/rename")
def rename_search(resources: ResourcesDep, me: Me, form: Sent[SearchForm], search_id: int) -> Response:
    there = f"/pictures?{form.wanted.query}"
    try:
        with resources.database.write() as session:
            search = searches.rename(session, me, search_id, form.name)
    except Conflict as error:
        return see_other(there, str(error), refused=True)
    return see_other(there, _("Search renamed to %(name)s.", name=search.name), undo=undos.offered(session))


@router.post("/searches/{search_id}/delete")
def delete_search(resources: ResourcesDep, me: Me, form: Sent[SearchForm], search_id: int) -> Response:
    with resources.database.write() as session:
        search = searches.delete(session, me, search_id)
    return see_other(
        f"/pictures?{form.wanted.query}", _("Search %(name)s deleted.", name=search.name), undo=undos.offered(session)
    )
