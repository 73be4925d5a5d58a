"""One of everything, for tests that request every address of the app."""

import inspect
import re

from fastapi.routing import APIRoute
from sqlalchemy.orm import Session
from starlette.routing import BaseRoute

from app.exports import service as exports
from app.exports import shares
from app.exports.options import ExportOptions
from app.exports.shares import ShareSpec
from app.gallery import service as gallery
from app.main import PAGES
from app.models import ExportState, Role, State, User, Verdict
from app.reviews import queries as review_queries
from app.reviews import service as reviews
from app.rights import service as rights
from app.sets import versions
from app.sets.versions import RedoSpec
from app.web.forms.form import Form
from tests.factory import MODEL, Factory
from tests.web.server import Server, making


def routes() -> list[tuple[str, str]]:
    """The method and path of every address, from the routers."""
    return [
        (method, route.path)
        for module in PAGES
        for route in module.router.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods)
    ]


def form_of(route: BaseRoute) -> type[Form] | None:
    """The form that a route parses."""
    if not isinstance(route, APIRoute):
        return None
    calls = [each.call for each in route.dependant.dependencies]
    forms = [call.__self__ for call in calls if inspect.ismethod(call) and call.__func__ is Form.sent.__func__]
    assert len(forms) <= 1, route.path
    return forms[0] if forms else None


def names_of(form: type[Form]) -> set[str]:
    """The names of a form's fields, as on its page."""
    return {field.alias or name for name, field in form.model_fields.items()}


def files_of(form: type[Form]) -> set[str]:
    """The names of those that are files."""
    return {name for name, field in form.model_fields.items() if "SentFile" in str(field.annotation)}


def fill(path: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], path)


def populate(
    server: Server, owner: User, manager: User, *, decider: User | None = None, exporter: User | None = None
) -> dict[str, str]:
    """Things of `owner`, decisions on them by `decider`, an export with a link by `exporter`, the rest by `manager`.

    Returns the values for the addresses' parameters.
    """
    with making(server) as make:
        people = [make.session.get_one(User, (person or manager).id) for person in (owner, manager, decider, exporter)]
        values = _things(make, *people[:3])
        wanted = exports.selection(make.session, people[3], set_id=int(values["set_id"]))
        export = exports.create(make.session, people[3], exports.plan(make.session, people[3], wanted, ExportOptions()))
        make.session.flush()
    server.resources.exporter.prepare(export.id)
    with server.resources.database.write() as session:
        by = session.get_one(User, people[3].id)
        return values | {"export_id": str(export.id)} | _share(session, by, export.id)


def _share(session: Session, user: User, export_id: int) -> dict[str, str]:
    token = shares.create(session, user, export_id, ShareSpec(), None)
    session.flush()
    share = exports.queries.share(session, token)
    assert share.export.state == ExportState.READY
    return {"token": token, "share_id": str(share.id)}


def _things(make: Factory, owner: User, manager: User, decider: User) -> dict[str, str]:
    session = make.session
    number = next(make._numbers)
    style = make.style(owner, name=f"Style {number}")
    image_set = make.finished_set(owner, style, prompts="a fox\nan owl\na pear\na bell", campaign=f"Campaign {number}")
    reviews.set_four_eyes(session, make.user(Role.MANAGER), image_set.campaign_id, False)
    reason = review_queries.reasons(session)[0].words
    decisions = [
        reviews.decide(session, decider, image.id, verdict, None, reason)
        for image, verdict in zip(image_set.images, ("approved", "approved", Verdict.REJECTED), strict=False)
    ]
    (again,) = versions.redo(session, manager, image_set.images[3].id, RedoSpec(prompt="a pear"), MODEL, unit_size=4)
    assert again.unit
    again.state = again.unit.state = State.FAILED
    subject = make.finished_subject(owner, name=f"Mug {number}")
    reference = style.versions[0].references[0].reference
    make.right(reference)
    kept = rights.keep_document(make.files, f"%PDF-{number}".encode())
    document = rights.add_file(session, owner, reference, kept, "licence.pdf")
    reviews.comment(session, owner, image_set.images[0].id, "A little lighter, please.")
    search = gallery.save_search(session, owner, f"Search {number}", "q=fox", shared=True)
    given = make.structure_map(owner)
    session.flush()
    thread = review_queries.conversations(session, owner, image_set.images[0])[0].thread
    return {
        "code": style.code,
        "set_id": str(image_set.id),
        "image_id": str(image_set.images[0].id),
        "undecided_id": str(image_set.images[3].id),
        "again_id": str(again.id),
        "campaign_id": str(image_set.campaign_id),
        "campaign": image_set.campaign.name,
        "decision_id": str(decisions[1].id),
        "thread_id": str(thread.id),
        "subject_id": str(subject.id),
        "position": "1",
        "sample_id": str(subject.samples[0].id),
        "sha256": subject.pictures[0].sha256,
        "side": "320",
        "reference_id": str(reference.id),
        "file_id": str(document.id),
        "map_id": str(given.id),
        "mask": given.sha256,
        "search_id": str(search.id),
        "image_sha256": str(image_set.images[0].sha256),
        "reason": reason,
    }
