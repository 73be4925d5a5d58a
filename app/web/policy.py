"""The usage policy: read and accept it, write it, compare its versions, see who accepted it."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.errors import Conflict, Invalid
from app.languages import LANGUAGES, current
from app.languages import gettext as _
from app.models import User
from app.policy import queries, service
from app.policy.blocks import blocks
from app.policy.service import PolicySpec
from app.text import whole_number
from app.web import drafts
from app.web.deps import Admin, ConfirmedAdmin, Me, Read, ResourcesDep, login_of
from app.web.drafts import Drafted, FormDraft
from app.web.forms.form import Sent
from app.web.forms.policy import AcceptForm, PolicyEndForm, PolicyForm
from app.web.parts import part
from app.web.pools import Route
from app.web.templating import inner_path, page, see_other

router = APIRouter(route_class=Route)

HERE = "/policy"


@router.get(HERE)
def show(request: Request, me: Me, session: Read, next: str = "/") -> Response:
    """The policy that counts now, with the question whether the person accepts it if they must."""
    return policy_page(request, me, session, inner_path(next))


@router.post("/policy/accept")
def accept(request: Request, resources: ResourcesDep, me: Me, form: Sent[AcceptForm]) -> Response:
    """Accept it, and continue where the demand was met."""
    try:
        with resources.database.write() as session:
            service.accept(session, me, form.number or 0, form.read)
    except Conflict as error:
        with resources.database.read() as session:
            return policy_page(request, me, session, inner_path(form.next), problem=str(error))
    return see_other(inner_path(form.next), _("Policy accepted."))


def policy_page(request: Request, me: User, session: Session, next: str, problem: str = "") -> Response:
    login, version = login_of(request), queries.present(session)
    found, last = part(queries.versions(session, me, most=queries.VERSIONS_PAGE + 1), queries.VERSIONS_PAGE)
    context: dict[str, Any] = {
        "version": version,
        "read": shown(request, version) if version else None,
        "acceptance": queries.acceptance(session, me),
        "needed": bool(version and login and login.needs_policy),
        "next": next,
        "problem": problem,
        "versions": found,
        "versions_before": found[-1].number if last else None,
    }
    return page(request, "policy/show.html", 409 if problem else 200, **context)


def shown(request: Request, version: Any) -> dict[str, Any]:
    """A version's text in the language of the page, or in the one that was asked for, and the other languages."""
    language, text = queries.text_of(version, request.query_params.get("in", "") or current())
    others = [each for each in queries.LANGUAGES if each != language and queries.text_of(version, each)[0] == each]
    return {
        "language": language,
        "blocks": blocks(text),
        "others": [(each, LANGUAGES[each]) for each in others],
    }


@router.get("/policy/versions")
def versions(request: Request, me: Me, session: Read) -> Response:
    before = whole_number(request.query_params.get("before", ""))
    found, last = part(queries.versions(session, me, before, queries.VERSIONS_PAGE + 1), queries.VERSIONS_PAGE)
    return page(
        request, "policy/versions.html", versions=found, versions_before=found[-1].number if last and found else None
    )


@router.get("/policy/versions/{number}")
def version(request: Request, me: Me, session: Read, number: int) -> Response:
    """A version, or with `?with=3` what is different from version 3."""
    this = queries.version(session, me, number)
    wanted = whole_number(request.query_params.get("with", ""))
    other = queries.version(session, me, wanted) if wanted else None
    read = shown(request, this)
    lines = None
    if other:
        texts = {"en": (other.english, this.english), "ja": (other.japanese, this.japanese)}
        lines = queries.compared(*texts[read["language"]])
    return page(
        request,
        "policy/version.html",
        version=this,
        read=read,
        other=other,
        lines=lines,
        others=[each.number for each in queries.versions(session, me) if each.number != number and not each.ended],
    )


# For administrators


@router.get("/policy/edit")
def edit(request: Request, me: Admin, session: Read, draft: Drafted) -> Response:
    newest = queries.newest(session)
    begun = {"english": newest.english, "japanese": newest.japanese} if newest else {"english": "", "japanese": ""}
    values = draft.over(begun | {"note": "", "correction": ""}, ticks=("correction",))
    present = newest.number if newest else 0
    seen = whole_number(next(iter(draft.values("seen")), "")) if draft.at else present
    return edit_page(request, me, session, values, seen or 0, draft)


@router.post("/policy/edit")
def publish(request: Request, resources: ResourcesDep, me: ConfirmedAdmin, form: Sent[PolicyForm]) -> Response:
    values = form.model_dump(exclude={"seen"})
    try:
        spec = PolicySpec.checked(form.english, form.japanese, form.note, form.correction, form.seen or 0)
        with resources.database.write() as session:
            made = service.publish(session, me, spec)
            drafts.sent(request, session, me)
    except Invalid as error:
        draft = drafts.kept(request, resources, me)
        with resources.database.read() as session:
            return edit_page(request, me, session, values, form.seen or 0, draft, errors=error.errors)
    except Conflict as error:
        draft = drafts.kept(request, resources, me)
        with resources.database.read() as session:
            newest = queries.newest(session)
            seen = newest.number if newest else 0  # now they know it
            return edit_page(request, me, session, values, seen, draft, problem=str(error))
    if spec.correction:
        return see_other(HERE, _("Correction published as version %(number)s.", number=made.number))
    return see_other(HERE, _("Version %(number)s published. Everyone is asked to accept it.", number=made.number))


@router.post("/policy/end")
def end(resources: ResourcesDep, me: ConfirmedAdmin, form: Sent[PolicyEndForm]) -> Response:
    try:
        with resources.database.write() as session:
            service.end(session, me, form.seen or 0)
    except Conflict as error:
        return see_other("/policy/edit", str(error), refused=True)
    return see_other(HERE, _("Policy ended. Nobody has to accept anything."))


@router.get("/policy/people")
def people(request: Request, me: Admin, session: Read) -> Response:
    """Who accepted which version, and when."""
    after = whole_number(request.query_params.get("after", ""))
    found = queries.standings(session, me, after, queries.PEOPLE_PAGE + 1)
    rows, last = found[: queries.PEOPLE_PAGE], len(found) > queries.PEOPLE_PAGE
    accepted, total = queries.counts(session, me)
    return page(
        request,
        "policy/people.html",
        nav="people",
        rows=rows,
        after=rows[-1].person.id if last else None,
        version=queries.present(session),
        accepted=accepted,
        total=total,
    )


def edit_page(
    request: Request,
    me: User,
    session: Session,
    values: dict[str, Any],
    seen: int,
    draft: FormDraft,
    *,
    errors: dict[str, str] | None = None,
    problem: str = "",
) -> Response:
    return page(
        request,
        "policy/edit.html",
        409 if problem else 422 if errors else 200,
        form=values,
        seen=seen,
        draft=draft,
        errors=errors or ({"form": problem} if problem else {}),
        problem=problem,
        present=queries.present(session),
    )
