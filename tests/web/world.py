"""One of everything, for tests that request every address of the app."""

import inspect
import re
from dataclasses import replace
from typing import Any

import numpy as np
from fastapi.routing import APIRoute
from PIL import Image as Picture
from sqlalchemy.orm import Session
from starlette.routing import BaseRoute

from app.blind import service as blind
from app.blind.spec import BlindSpec
from app.blocked import service as blocked
from app.blocked.service import WordSpec
from app.brand import scores
from app.brand import service as brand
from app.brand.spec import BrandSpec
from app.customs import service as customs
from app.exports import service as exports
from app.exports import shares
from app.exports.options import ExportOptions
from app.exports.shares import ShareSpec
from app.gallery import searches
from app.main import PAGES
from app.models import (
    BlindTest,
    ExportState,
    ImageSet,
    Role,
    State,
    Style,
    StyleMap,
    TemplateKind,
    Tuning,
    TuningDraft,
    User,
    Verdict,
)
from app.quality.features import features
from app.reviews import queries as review_queries
from app.reviews import service as reviews
from app.rights import service as rights
from app.sets import templates, versions
from app.sets.tunings import STRENGTHS
from app.sets.versions import RedoSpec
from app.web.forms.form import Form
from tests.factory import MODEL, Factory, encoded
from tests.web.server import Server, making

RED = Picture.new("RGB", (64, 64), "#c03020")


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
    make.measured(image_set)
    (again,) = versions.redo(session, manager, image_set.images[3].id, RedoSpec(prompt="a pear"), MODEL, unit_size=4)
    assert again.unit
    again.state = again.unit.state = State.FAILED
    subject = make.finished_subject(owner, name=f"Mug {number}")
    reference = style.versions[0].references[0].reference
    make.right(reference)
    kept = rights.keep_document(make.files, f"%PDF-{number}".encode())
    document = rights.add_file(session, owner, reference, kept, "licence.pdf")
    reviews.comment(session, owner, image_set.images[0].id, "A little lighter, please.")
    search = searches.save(session, owner, f"Search {number}", "q=fox", shared=True)
    template = templates.save(session, owner, TemplateKind.SET, f"Template {number}", {"count": "2"}, shared=True)
    word = blocked.add(session, make.user(Role.MANAGER), WordSpec(name=f"Acme{number}", reason="A competitor"))
    given = make.structure_map(owner)
    brand = customs.create(session, make.user(Role.MANAGER), f"Own {number}")
    session.flush()
    item = customs.add(session, make.user(Role.MANAGER), brand.id, "other", "The logo has its margin.", "It is ours.")
    session.flush()
    thread = review_queries.conversations(session, owner, image_set.images[0])[0].thread
    return {
        "code": style.code,
        "set_id": str(image_set.id),
        "noun": "set",
        "language": "ja",
        "slug": "strength",
        "slide": "3",
        "version": "0",
        "row_id": str(image_set.id),
        "of": "style",
        "of_id": str(style.id),
        "image_id": str(image_set.images[0].id),
        "undecided_id": str(image_set.images[3].id),
        "again_id": str(again.id),
        "campaign_id": str(image_set.campaign_id),
        "campaign": image_set.campaign.name,
        "decision_id": str(decisions[1].id),
        "thread_id": str(thread.id),
        "comment_id": str(thread.comments[0].id),
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
        "template_id": str(template.id),
        "strip_id": "404",
        "tuning_id": "404",
        "prompt_id": "404",
        "word_id": str(word.id),
        "number": "404",
        "test_id": "404",
        "report_id": "404",
        "likeness_id": "404",
        "image_sha256": str(image_set.images[0].sha256),
        "reason": reason,
        "list_id": str(brand.id),
        "key": item,
    }


def compared_and_judged(server: Server, person: User, values: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """What the pages of bounds, brand rules, blind tests, maps and tunings show, for `person`, who may do anything.

    Returns more values for the addresses' parameters, and addresses with a second of something.
    """
    with making(server) as make:
        session = make.session
        me = session.get_one(User, person.id)
        image_set = session.get_one(ImageSet, int(values["set_id"]))
        style = image_set.style_version.style
        brand.save(session, me, "style", style.id, BrandSpec.checked({"words": "fox", "colours": "#1f6feb"}), 0)
        scores.keep(session, scores.scored(session))
        tests = [_blind_test(make, me, style, image_set) for _ in range(2)]
        for number in (1, 2):
            blind.judge(session, me, tests[0].id, number, "left")
        session.add(
            StyleMap(
                set_id=image_set.id,
                image_id=int(values["image_id"]),
                owner_id=me.id,
                png=encoded(Picture.linear_gradient("L").resize((64, 64))),
                groups=["down 1", "up 1"],
                steps=2,
                state=State.FINISHED,
            )
        )
        tuning = tuning_of(me, image_set)
        session.add(tuning)
        session.flush()
        more = {"test_id": str(tests[1].id), "tuning_id": str(tuning.id)}
        others = [f"/blind/{tests[0].id}", f"/brand/style/{style.id}", f"/styles/{style.code}/bounds?fit=1"]
        return more, [*others, f"/tunings/{tuning.id}?strength=1.4"]


def _blind_test(make: Factory, person: User, style: Style, image_set: ImageSet) -> BlindTest:
    """A blind test of two judgements, of a set and one more in its style."""
    other = make.finished_set(style=style, prompts="a fox\nan owl")
    sides = {"a": f"set-{image_set.id}", "b": f"set-{other.id}", "question": "closer"}
    return blind.create(
        make.session, person, BlindSpec.parse({"name": "Looks", "people": (person.id,), "planned": 2} | sides)
    )


def tuning_of(person: User, image_set: ImageSet) -> Tuning:
    """A finished tuning of one prompt, whose look comes and words go as the strength grows."""
    turns = {strength: place / len(STRENGTHS) for place, strength in enumerate(STRENGTHS)}
    webp = encoded(RED, "WEBP")
    return Tuning(
        owner_id=person.id,
        style_version=image_set.style_version,
        model=image_set.model,
        prompts=["a fox"],
        width=256,
        height=256,
        steps=2,
        guidance=2.0,
        scheduler=image_set.scheduler,
        seed=1,
        looks={"1": _features(0.0)},
        state=State.FINISHED,
        drafts=[
            TuningDraft(position=place, prompt=0, strength=strength, webp=webp, features=_features(turn))
            for place, (strength, turn) in enumerate(turns.items(), start=1)
        ],
    )


def _features(turn: float) -> dict[str, Any]:
    """The features of a picture whose look is a fraction of a turn away from others."""
    vector = np.array([np.cos(turn), np.sin(turn)], dtype=np.float32)
    known = replace(
        features(RED), vectors={"clip": vector}, made_by={"clip": "bundled CLIP"}, text_alignment=0.3 * (1 - turn)
    )
    return known.to_json()
