"""Blind tests: making them, judging pairs, and the result after the planned number of judgements."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.blind import queries, results, service, sides, statistics, words
from app.blind.order import PairSide, mark
from app.blind.pictures import blind_copy
from app.blind.queries import BlindNeed, NextTurn
from app.blind.results import BlindResult
from app.blind.sides import SideName
from app.blind.spec import BlindSpec
from app.errors import Conflict, Invalid
from app.files import Kind
from app.languages import gettext as _
from app.languages import ngettext
from app.models import BlindOutcome, BlindTest, Role, User
from app.reviews import queries as reviews
from app.text import whole_number
from app.web import drafts
from app.web.deps import Me, Read, Resources, ResourcesDep, require
from app.web.drafts import Drafted, FormDraft
from app.web.forms.blind import AnswerForm, BlindForm, JudgesForm, StopForm
from app.web.forms.form import Sent
from app.web.parts import part
from app.web.pictures import HEADERS, KeptSmall
from app.web.pools import Route
from app.web.templating import TOAST_COOKIE, Page, page, render, see_other

router = APIRouter(route_class=Route)

HERE = "/blind"
PLANNED = 40  # proposed

Maker = Annotated[User, Depends(require(Role.REVIEWER))]


@router.get("/blind")
def index(request: Request, me: Me, session: Read) -> Response:
    after = whole_number(request.query_params.get("after", ""))
    rows, last = part(queries.listed(session, me, after, queries.PAGE + 1), queries.PAGE)
    waiting: list[BlindNeed] = [] if after else queries.needs(session, me)
    return page(
        request,
        "blind/index.html",
        nav="review",
        rows=[(row, words.question(row)) for row in rows],
        after=last,
        waiting=[(need, words.question(need.test)) for need in waiting],
        may_make=queries.may_make(me),
    )


# Making


@dataclass(frozen=True, kw_only=True)
class NewPage(Page):
    template = "blind/new.html"
    nav = "review"

    form: BlindForm
    groups: list[tuple[str, list[SideName]]]  # what can be a side
    people: list[User]
    questions: dict[str, str]
    needed: list[tuple[int, int]]  # of so many judgements, so many for one side differ significantly
    errors: dict[str, str] = field(default_factory=dict)
    draft: FormDraft


@router.get("/blind/new")
def new(request: Request, me: Maker, session: Read, draft: Drafted) -> Response:
    begun = BlindForm.of(request.query_params)
    form = BlindForm.of_fields(draft.fields) if draft.at else begun
    return new_page(request, session, me, form, draft)


def new_page(
    request: Request,
    session: Session,
    me: User,
    form: BlindForm,
    draft: FormDraft,
    errors: dict[str, str] | None = None,
) -> Response:
    needed = [(number, statistics.least_to_differ(number)) for number in (20, 40, 80, 160)]
    shown = NewPage(
        form=form,
        groups=sides.choices(session, me, (form.a, form.b)),
        people=reviews.people(session, me),
        questions=words.questions(),
        needed=[(number, least) for number, least in needed if least],
        errors=errors or {},
        draft=draft,
    )
    return render(request, shown, 422 if errors else 200)


@router.post("/blind")
def create(request: Request, resources: ResourcesDep, me: Maker, form: Sent[BlindForm]) -> Response:
    try:
        spec = BlindSpec.parse(form.model_dump())
        with resources.database.write() as session:
            test = service.create(session, me, spec)
            drafts.sent(request, session, me)
    except Invalid as error:
        draft = drafts.kept(request, resources, me)
        with resources.database.read() as session:
            return new_page(request, session, me, form, draft, error.errors)
    return see_other(f"{HERE}/{test.id}", _("Blind test created. The people you invited see it on their home page."))


# One test


@dataclass(frozen=True, kw_only=True)
class OnePage(Page):
    template = "blind/show.html"
    nav = "review"

    test: BlindTest
    question: str
    sides: tuple[str, str] | None  # None: the reader is to judge it
    standing: queries.TestStanding
    left_out: list[str]
    result: BlindResult | None
    verdict: str
    numbers: str
    may_change: bool
    people: list[User]  # who can be invited
    errors: dict[str, str] = field(default_factory=dict)


@router.get("/blind/{test_id}")
def show(request: Request, me: Me, session: Read, test_id: int) -> Response:
    return one_page(request, session, me, test_id)


def one_page(
    request: Request, session: Session, me: User, test_id: int, errors: dict[str, str] | None = None
) -> Response:
    test = queries.get(session, me, test_id)
    standing = queries.standing(session, me, test)
    result = results.of(session, me, test) if test.ended_as == BlindOutcome.COMPLETE else None
    may_change = queries.may_change(me, test) and not test.ended_at
    there = {row.person.id for row in standing.judges}
    shown = OnePage(
        test=test,
        question=words.question(test),
        sides=(words.side_a(test), words.side_b(test)) if queries.sees_sides(me, test, standing.invited) else None,
        standing=standing,
        left_out=words.all_left_out(test, standing, names=queries.sees_sides(me, test, standing.invited)),
        result=result,
        verdict=words.verdict(test, result) if result else "",
        numbers=words.numbers(result) if result else "",
        may_change=may_change,
        people=[person for person in reviews.people(session, me) if person.id not in there] if may_change else [],
        errors=errors or {},
    )
    return render(request, shown, 422 if errors else 200)


@router.post("/blind/{test_id}/invite")
def invite(request: Request, resources: ResourcesDep, me: Me, form: Sent[JudgesForm], test_id: int) -> Response:
    try:
        with resources.database.write() as session:
            new = service.invite(session, me, test_id, form.people)
    except Invalid as error:
        with resources.database.read() as session:
            return one_page(request, session, me, test_id, error.errors)
    except Conflict as error:
        return see_other(f"{HERE}/{test_id}", str(error), refused=True)
    return see_other(f"{HERE}/{test_id}", ngettext("%(number)s person invited.", "%(number)s people invited.", new))


@router.post("/blind/{test_id}/stop")
def stop(request: Request, resources: ResourcesDep, me: Me, form: Sent[StopForm], test_id: int) -> Response:
    try:
        with resources.database.write() as session:
            service.stop(session, me, test_id, form.why)
    except Invalid as error:
        with resources.database.read() as session:
            return one_page(request, session, me, test_id, error.errors)
    except Conflict as error:
        return see_other(f"{HERE}/{test_id}", str(error), refused=True)
    return see_other(f"{HERE}/{test_id}", _("Stopped, without a result."))


@router.post("/blind/{test_id}/leave")
def leave(resources: ResourcesDep, me: Me, test_id: int) -> Response:
    act = partial(service.leave, user=me, test_id=test_id)
    return did(resources, test_id, act, _("You left this blind test. What you judged counts."))


@router.post("/blind/{test_id}/join")
def join(resources: ResourcesDep, me: Me, test_id: int) -> Response:
    return did(resources, test_id, partial(service.join, user=me, test_id=test_id), _("You joined again."))


def did(resources: Resources, test_id: int, act: Callable[[Session], Any], done: str) -> Response:
    try:
        with resources.database.write() as session:
            act(session)
    except Conflict as error:
        return see_other(f"{HERE}/{test_id}", str(error), refused=True)
    return see_other(f"{HERE}/{test_id}", done)


# Judging


@dataclass(frozen=True, kw_only=True)
class JudgePage(Page):
    """The same for everyone at the same place: nothing in it depends on which side is which."""

    template = "blind/judge.html"
    nav = "review"

    test: BlindTest
    question: str
    asked: NextTurn | None  # None: everything is judged
    last: int | None  # the turn that can be undone
    planned: int
    judged: int  # by all


@router.get("/blind/{test_id}/judge")
def judging(request: Request, me: Me, session: Read, test_id: int) -> Response:
    test = queries.get(session, me, test_id)
    try:
        asked = queries.asked(session, me, test)
    except Conflict as error:  # it ended, or they left it
        return to_test(request, test_id, str(error))
    shown = JudgePage(
        test=test,
        question=words.question(test),
        asked=asked,
        last=queries.last_number(session, test, me),
        planned=test.planned,
        judged=queries.standing(session, me, test).judged,
    )
    return render(request, shown)


@router.post("/blind/{test_id}/judge")
def judge(request: Request, resources: ResourcesDep, me: Me, form: Sent[AnswerForm], test_id: int) -> Response:
    there = f"{HERE}/{test_id}/judge"
    try:
        with resources.database.write() as session:
            test = service.judge(session, me, test_id, whole_number(form.number) or 0, form.answer)
    except (Invalid, Conflict) as error:
        return see_other(there, str(error), refused=True)
    if test.ended_at:
        return to_test(request, test_id, _("That was the last planned judgement. Here is the result."))
    return see_other(there)


def to_test(request: Request, test_id: int, said: str) -> Response:
    """Leave the judging for the page of the test; also where htmx would put the answer into the page."""
    answer = see_other(f"{HERE}/{test_id}", "" if TOAST_COOKIE in request.cookies else said)
    if "hx-request" not in request.headers:
        return answer
    told = Response(status_code=204, headers={"HX-Redirect": answer.headers["location"]})
    told.raw_headers += [(name, value) for name, value in answer.raw_headers if name == b"set-cookie"]
    return told


@router.post("/blind/{test_id}/undo")
def undo(resources: ResourcesDep, me: Me, form: Sent[AnswerForm], test_id: int) -> Response:
    there = f"{HERE}/{test_id}/judge"
    try:
        with resources.database.write() as session:
            service.undo_last(session, me, test_id, whole_number(form.number) or 0)
    except Conflict as error:
        return see_other(there, str(error), refused=True)
    return see_other(there)


@router.get("/blind/{test_id}/{number}/{side}.webp")
def picture(resources: ResourcesDep, me: Me, session: Read, test_id: int, number: int, side: PairSide) -> Response:
    """A picture of a turn. Its address and its ETag depend on the person and the turn, never on the picture."""
    found = queries.picture(session, me, test_id, number, side)
    path = resources.files.whole(Kind.IMAGES, found.sha256, _("a picture of this pair"))
    etag = f'"{mark(found.seed, me.id, number, side)}"'
    return KeptSmall(blind_copy(path, found.longer), headers={"ETag": etag, **HEADERS}, media_type="image/webp")
