"""The audit log, for managers: who did what and when, whether it is intact, and all of it as a CSV."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response, StreamingResponse
from sqlalchemy.orm import Session

from app import days
from app.accounts import service as accounts
from app.audit import chain, queries, service, table, words
from app.audit.checker import Walk
from app.audit.queries import RecordFilter
from app.errors import Forbidden
from app.languages import gettext as _
from app.languages import translated
from app.models import (
    Act,
    AuditEvent,
    Base,
    Campaign,
    Export,
    Image,
    ImageSet,
    Reference,
    Role,
    Share,
    State,
    StructureMap,
    Style,
    StyleVersion,
    Subject,
    User,
)
from app.text import whole_number
from app.web.deps import Read, Resources, ResourcesDep, require, session_token
from app.web.pools import Route, writing
from app.web.templating import page, see_other

router = APIRouter(route_class=Route)

PAGE = 50
CSV_CHUNK = 1000  # events, each chunk read in its own session: a slow download holds nothing
WORDS_LENGTH = 200

Manager = Annotated[User, Depends(require(Role.MANAGER))]


@dataclass(frozen=True)
class Line:
    """An event as shown on the page."""

    event: AuditEvent
    who: str
    did: str
    name: str  # of the subject
    path: str | None  # the subject's page
    more: str


@dataclass(frozen=True)
class Check:
    """The state of the chain."""

    head: chain.Head | None  # None: missing
    problem: str | None = None
    at: datetime | None = None  # None: never checked
    by: str = ""
    events: int = 0  # number of events checked
    walk: Walk | None = None  # the one in progress
    failed: bool = False  # the last one failed without a result


def wanted_events(
    person: str = "", act: str = "", on: str = "", since: str = "", until: str = "", q: str = ""
) -> RecordFilter:
    """The filters of an address; ignores what makes no sense."""
    of_row = re.fullmatch(r"([a-z_]{1,40}):(\d{1,18})", on, re.ASCII)
    known = act in words.GROUPS or act in set(Act)
    return RecordFilter(
        person=whole_number(person),
        act=act if known else "",
        subject=(of_row[1], int(of_row[2])) if of_row else None,
        since=day(since),
        until=day(until),
        q=q.strip()[:WORDS_LENGTH],
    )


Wanted = Annotated[RecordFilter, Depends(wanted_events)]


@router.get("/record")
def index(
    request: Request,
    resources: ResourcesDep,
    me: Manager,
    session: Read,
    wanted: Wanted,
    before: str = "",
    after: str = "",
) -> Response:
    known = state(resources, session, me)
    found, newer, older = keyset(session, me, wanted, whole_number(before), whole_number(after))
    people = queries.people(session, me)
    return page(
        request,
        "record/index.html",
        nav="record",
        days=by_day(lines(session, found)),
        newer=newer,
        older=older,
        check=known,
        wanted=wanted,
        on=name_of_subject(session, wanted),
        query=urlencode(pairs(wanted)),
        people=people,
        acts=acts(),
    )


@router.post("/record/check")
def check(resources: ResourcesDep, me: Manager) -> Response:
    """Start a check in the background; the page shows progress, then the result."""
    if under_way := resources.checker.ask(me):
        if under_way.user_id == me.id:
            return see_other("/record", _("You already started a check. Its result will show here."))
        return see_other(
            "/record", _("%(name)s already started a check. Its result will show here.", name=under_way.by)
        )
    return see_other("/record")


@router.get("/record.csv")
@writing
def csv(request: Request, resources: ResourcesDep, me: Manager, wanted: Wanted) -> Response:
    # Downloads are recorded, so this GET writes; no cross-site page can read the answer.
    with resources.database.write() as session:
        end = service.note_download(session, me, urlencode(pairs(wanted)))
    headers = {"Content-Disposition": 'attachment; filename="record.csv"'}
    chunks = csv_chunks(resources, session_token(request), wanted, end)
    return StreamingResponse(chunks, media_type="text/csv; charset=utf-8", headers=headers)


def csv_chunks(resources: Resources, token: str, wanted: RecordFilter, before: int) -> Iterator[bytes]:
    """Look the person up again for each chunk: losing the role breaks a download off."""
    yield table.head()
    while True:
        with resources.database.read() as session:
            me = accounts.user_for_token(session, token)
            if me is None:
                raise Forbidden(_("The person was signed out."))
            found = queries.events(session, me, wanted, before=before, limit=CSV_CHUNK)
            chunk = table.lines(found, queries.things(session, found))
        if not found:
            return
        yield chunk
        before = found[-1].id


def keyset(
    session: Session, me: User, wanted: RecordFilter, before: int | None, after: int | None
) -> tuple[list[AuditEvent], int | None, int | None]:
    """A page of events, and the numbers where the newer and the older page start; None if there is none."""
    if after is not None:
        found = queries.events(session, me, wanted, after=after, limit=PAGE + 1)
        if len(found) > PAGE:
            found = found[1:]
            return found, found[0].id, found[-1].id
        before = None  # the first page, completed
    found = queries.events(session, me, wanted, before=before, limit=PAGE + 1)
    older = found[PAGE - 1].id if len(found) > PAGE else None
    newer = before - 1 if before is not None else None
    return found[:PAGE], newer, older


def lines(session: Session, found: list[AuditEvent]) -> list[Line]:
    things = queries.things(session, found)
    return [line(event, things.get((event.subject, event.subject_id or 0))) for event in found]


def line(event: AuditEvent, thing: Base | None) -> Line:
    hidden = words.about_self(event) and event.act != Act.ACCOUNT_CHANGE
    return Line(
        event=event,
        who=words.who(event),
        did=words.did(event),
        name="" if hidden else words.name_of(thing),
        path=path_of(thing),
        more=words.more(event),
    )


def by_day(shown: list[Line]) -> list[tuple[date, list[Line]]]:
    """Group lines by day."""
    found: dict[date, list[Line]] = {}
    for each in shown:
        found.setdefault(days.local(each.event.at).date(), []).append(each)
    return list(found.items())


def path_of(thing: Base | None) -> str | None:
    """The page of a subject."""
    match thing:
        case ImageSet():
            return f"/sets/{thing.id}"
        case Image():
            return path_of_image(thing)
        case Style():
            return f"/styles/{thing.code}"
        case StyleVersion():
            return f"/styles/{thing.style.code}?version={thing.number}"
        case Reference():
            return f"/references/{thing.id}"
        case StructureMap():
            return f"/maps/{thing.id}.png"
        case Subject():
            return f"/subjects/{thing.id}"
        case Campaign():
            return f"/pictures?campaign={thing.id}"
        case Export():
            return f"/exports/{thing.id}"
        case Share():
            return f"/exports/{thing.export_id}#shares"
    return None


def path_of_image(image: Image) -> str:
    """The review room for finished pictures, the bin for those that can be restored, otherwise the set."""
    if image.deleted_at and not image.purged_at:
        return "/pictures/bin"
    shown = image.state == State.FINISHED and not image.deleted_at
    return f"/review?set={image.set_id}&image={image.id}" if shown else f"/sets/{image.set_id}"


def state(resources: Resources, session: Session, me: User) -> Check:
    walk, failed = (
        resources.checker.walk,
        resources.checker.failed,
    )  # before the audit log: its result is there once it is over
    try:
        head = chain.head(session)
    except chain.BrokenChain as broken:
        return Check(None, str(broken))
    last = queries.last_check(session, me)
    if last is None:
        return Check(head, walk=walk, failed=failed)
    found = last.details
    problem = translated(found["problem"]) if found.get("problem") else None
    return Check(head, problem, last.at, words.who(last), found.get("events", 0), walk, failed)


def name_of_subject(session: Session, wanted: RecordFilter) -> str:
    """The name of the filtered subject."""
    if not wanted.subject:
        return ""
    name, row_id = wanted.subject
    found = queries.things(session, [AuditEvent(subject=name, subject_id=row_id)])
    return words.name_of(found.get(wanted.subject)) or f"{name} {row_id}"


def acts() -> list[tuple[str, str, list[tuple[str, str]]]]:
    """The acts to choose from: each group's first word, its name, and its acts in words."""
    return [
        (
            first,
            translated(name),
            [(act, translated(did).capitalize()) for act, did in words.DID.items() if act.startswith(f"{first}:")],
        )
        for first, name in words.GROUPS.items()
    ]


def pairs(wanted: RecordFilter) -> list[tuple[str, Any]]:
    """The filters as an address has them."""
    values = {
        "person": wanted.person,
        "act": wanted.act,
        "on": ":".join(map(str, wanted.subject)) if wanted.subject else "",
        "since": wanted.since,
        "until": wanted.until,
        "q": wanted.q,
    }
    return [(name, value) for name, value in values.items() if value not in (None, "")]


def day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
