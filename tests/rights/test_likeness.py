"""Real people whom references and subjects show: without consent, nothing new is made or exported."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.days import today
from app.errors import Conflict, Forbidden, Invalid
from app.exports import approved, manifest, set_facts, shares, single
from app.exports import service as exports
from app.exports.options import ExportOptions
from app.exports.shares import ShareSpec
from app.models import ExportState, ImageSet, MapKind, Reference, Role, State, Style, Unit, User
from app.rights import people, queries
from app.rights import service as rights
from app.rights.needs import needs
from app.rights.spec import Reason
from app.sets import service as sets
from app.sets import strips, versions
from app.sets.versions import RedoSpec
from app.structures import service as structures
from app.styles import service as styles
from app.subjects import service as subjects
from tests.factory import MODEL, Factory

DAY = timedelta(days=1)
CONSENT = {"person": "Yamada Taro", "consent": "Release of 3 April"}


class Studio:
    """A designer with a reference of a real person, a style and a set with one approved picture."""

    def __init__(self, make: Factory) -> None:
        self.make, self.session = make, make.session
        self.owner = make.user(Role.DESIGNER, "Mori")
        self.reference: Reference = make.reference(self.owner)
        self.style: Style = make.style(self.owner, self.reference)
        self.set: ImageSet = make.finished_set(self.owner, self.style, prompts="a fox")
        make.decide(self.set.images[0])

    def says(self, **values: object) -> None:
        self.make.right(self.reference, **{name: str(value) for name, value in values.items()})

    def refusal(self, user: User | None = None) -> str:
        """Why `user` cannot make a set; "" if they can."""
        try:
            sets.create(self.session, user or self.owner, self.make.spec(self.style), MODEL, 4)
        except Invalid as error:
            return error.errors["style"]
        return ""

    def exported(self) -> int:
        wanted = exports.selection(self.session, self.owner, set_id=self.set.id)
        return exports.plan(self.session, self.owner, wanted, ExportOptions()).pictures


@pytest.fixture
def studio(make: Factory) -> Studio:
    return Studio(make)


def test_nothing_is_made_or_exported_without_consent(studio: Studio) -> None:
    studio.says()
    assert studio.refusal() == ""
    assert studio.exported() == 1
    studio.says(person="Yamada Taro")
    assert studio.refusal() == (
        f"The reference {studio.reference.original_name} shows Yamada Taro, whose consent is not recorded, so nothing"
        " can be made from it. Ask Mori or a manager to record it."
    )
    with pytest.raises(Conflict, match="show Yamada Taro, without valid consent"):
        studio.exported()
    with pytest.raises(Conflict, match="whose consent is not recorded"):
        single.picture(studio.session, studio.owner, studio.set.images[0].id)
    with pytest.raises(Conflict, match="whose consent is not recorded"):
        versions.redo(studio.session, studio.owner, studio.set.images[0].id, RedoSpec(prompt="a pear"), MODEL, 4)
    with pytest.raises(Invalid, match="whose consent is not recorded"):
        styles.create(studio.session, studio.owner, studio.make.draft(studio.reference))
    studio.says(**CONSENT)
    assert studio.refusal() == ""
    assert studio.exported() == 1


@pytest.mark.parametrize(
    ("first", "last", "kind", "said"),
    [
        (None, today() - DAY, "ended", "The consent of Yamada Taro for the reference"),
        (today() + DAY, None, "not_yet", "starts on"),
        (None, today() + 3 * DAY, "ending", ""),
        (today(), today(), "ending", ""),
        (today() - DAY, today() + 400 * DAY, "valid", ""),
    ],
)
def test_a_consent_holds_on_its_days(studio: Studio, first: object, last: object, kind: str, said: str) -> None:
    studio.says(**CONSENT, consent_from=first or "", consent_until=last or "", valid_until=today() + 500 * DAY)
    held = queries.held(studio.session, studio.reference)
    assert (held.standing.kind, held.standing.of_consent) == (kind, True)
    assert said in studio.refusal()
    assert bool(studio.refusal()) == bool(said) == bool(queries.without_consent(studio.session))
    urgent = kind in ("ended", "ending")
    assert [need.held.standing.kind for need in needs(studio.session, studio.owner)] == ([kind] if urgent else [])


def test_the_shorter_of_right_and_consent_counts(studio: Studio) -> None:
    studio.says(**CONSENT, consent_until=today() + 300 * DAY, valid_until=today() - DAY)
    standing = queries.held(studio.session, studio.reference).standing
    assert (standing.kind, standing.day, standing.of_consent) == ("ended", today() - DAY, False)
    assert "The rights to the reference" in studio.refusal()


def test_a_withdrawn_consent_keeps_pictures_out_of_exports(studio: Studio) -> None:
    studio.says(**CONSENT)
    rights.withdraw(studio.session, studio.owner, studio.reference, Reason(reason="Yamada asked for it"))
    assert "Yamada asked for it" in studio.refusal()
    with pytest.raises(Conflict, match="without valid consent"):
        studio.exported()


def test_an_export_of_before_is_not_shared_without_consent(studio: Studio) -> None:
    wanted = exports.selection(studio.session, studio.owner, set_id=studio.set.id)
    planned = exports.plan(studio.session, studio.owner, wanted, ExportOptions())
    export = exports.create(studio.session, studio.owner, planned)
    export.state = ExportState.READY
    studio.session.flush()
    shares.create(studio.session, studio.owner, export.id, ShareSpec(), None)
    studio.says(person="Yamada Taro")
    with pytest.raises(Conflict, match="shows Yamada Taro, without valid consent"):
        shares.create(studio.session, studio.owner, export.id, ShareSpec(), None)


def test_only_those_may_use_it_who_are_named(studio: Studio) -> None:
    make = studio.make
    reviewer, manager, named = make.user(Role.REVIEWER), make.user(Role.MANAGER), make.user(email="ito@example.com")
    studio.says(**CONSENT, person_for="manager", person_users="ITO@example.com")
    assert "whose likeness only managers may use. Ask Mori or a manager about it." in studio.refusal()
    assert studio.refusal(reviewer)
    assert not studio.refusal(manager)
    assert not studio.refusal(named)
    with pytest.raises(Invalid, match="only managers may use"):
        versions.redo(studio.session, studio.owner, studio.set.images[0].id, RedoSpec(prompt="a pear"), MODEL, 4)
    assert studio.exported() == 1, "who made a picture while they were allowed to may deliver it"
    (held,) = queries.of_styles(studio.session, reviewer, [studio.style.id]).values()
    assert held.refusal, "the form of a set does not offer the style"
    studio.says(**CONSENT, person_for="named", person_users="ito@example.com")
    assert studio.refusal(manager)
    assert not studio.refusal(named)
    studio.says(**CONSENT, person_for="reviewer")
    assert not studio.refusal(reviewer)


def test_maps_strips_and_trainings_need_the_same(studio: Studio) -> None:
    session, make, owner = studio.session, studio.make, studio.owner
    subject, other = make.finished_subject(owner), make.style(owner)
    studio.says(**CONSENT)
    people.link(session, owner, subject, studio.reference.id)
    regions = json.dumps([{"prompt": "an owl", "box": [0, 0, 0.5, 0.5], "style_code": studio.style.code}])
    forms: tuple[dict[str, str], ...] = ({"prompts": f"@{subject.handle}"}, {"regions": regions})
    made = []
    for form in forms:
        strip = strips.create(session, owner, make.spec(other, **form), MODEL, make.files)
        made.append(session.scalars(select(Unit).filter_by(strip_id=strip.id)).one())
        if form is forms[0]:
            assert strips.engine_unit(session, made[0], make.files)
        studio.says(person="Yamada Taro")
        with pytest.raises(Conflict, match="Yamada Taro, whose consent is not recorded"):
            strips.engine_unit(session, made[-1], make.files)
        studio.says(**CONSENT)
    studio.says(**CONSENT, person_for="manager")
    map_of = structures.KeptMap(MapKind.EDGES, "0" * 64, 96, 64, studio.reference.sha256)
    with pytest.raises(Invalid, match="only managers may use"):
        structures.add(session, owner, map_of, "edges.png")
    training = make.subject(owner, name="Red mug")
    training.pictures[0].sha256, training.state = studio.reference.sha256, State.CANCELLED
    with pytest.raises(Conflict, match="only managers may use"):
        subjects.retry(session, owner, training.id)
    assert subjects.retry(session, make.user(Role.MANAGER), training.id)


def test_a_record_that_does_not_fit_together_is_refused(studio: Studio) -> None:
    for values, field in (
        ({"consent": "Release"}, "person"),
        ({"person_users": "nobody@example.com"}, "person"),
        ({"person": "Yamada", "person_for": "named"}, "person_users"),
        ({"person": "Yamada", "person_users": "nobody@example.com"}, "person_users"),
        ({"person": "Yamada", "consent_from": "2026-02-02", "consent_until": "2026-02-01"}, "consent_until"),
        ({"person": "Yamada", "person_for": "friends"}, "person_for"),
    ):
        with pytest.raises(Invalid) as error:
            studio.says(**values)
        assert field in error.value.errors, values


def test_history_and_manifest_have_all_of_it(studio: Studio) -> None:
    studio.says()
    studio.says(**CONSENT, consent_scope="Web only", consent_until="2099-01-02", person_for="manager")
    (latest, _) = queries.changes(studio.session, studio.owner, studio.reference.id)
    fields = {title: after for title, _before, after in latest.fields}
    assert fields["Real person"] == "Yamada Taro"
    assert fields["Who may use it"] == "Managers"
    (facts,) = set_facts.of_sets(studio.session, [studio.set.id]).values()
    stated = queries.stated(facts.sources[0].held, ())
    assert stated
    said = [stated["person"], stated["consent"], stated["consent_scope"], stated["consent_until"]]
    assert said == ["Yamada Taro", "Release of 3 April", "Web only", "2099-01-02"]
    assert manifest._stated(facts, "person") == "Yamada Taro"
    assert not {"person_for", "person_users"} & stated.keys(), "they are not for those who get the pictures"
    assert json.dumps(stated)


def test_a_subject_needs_the_consent_of_the_person_whom_it_shows(studio: Studio) -> None:
    session, make, owner = studio.session, studio.make, studio.owner
    subject = make.finished_subject(owner)
    other = make.style(owner)
    prompts = f"@{subject.handle} on a beach"
    shows = make.finished_set(owner, other, prompts=prompts)
    make.decide(shows.images[0])
    with pytest.raises(Invalid, match="name a real person"):
        people.link(session, owner, subject, studio.reference.id)
    studio.says(**CONSENT)
    with pytest.raises(Forbidden):
        people.link(session, make.user(), subject, studio.reference.id)
    row = people.link(session, owner, subject, studio.reference.id)
    session.flush()
    with pytest.raises(Conflict):
        people.link(session, owner, subject, studio.reference.id)
    assert make.image_set(owner, other, prompts=prompts)
    (facts,) = set_facts.of_sets(session, [shows.id]).values()
    assert manifest._stated(facts, "person") == "Yamada Taro"
    studio.says(**CONSENT, consent_until=today() - DAY)
    with pytest.raises(Invalid) as error:
        make.image_set(owner, other, prompts=prompts)
    assert "The consent of Yamada Taro" in error.value.errors["subjects"]
    assert queries.set_refusal(session, shows), "what waits in the queue is not made either"
    wanted = exports.selection(session, owner, set_id=shows.id)
    with pytest.raises(Conflict, match="without valid consent"):
        exports.plan(session, owner, wanted, ExportOptions())
    assert (subject.id, subject.handle) in [each for need in needs(session, owner) for each in need.subjects]
    with pytest.raises(Forbidden, match="Only managers"):
        people.unlink(session, owner, subject, row.id)
    people.unlink(session, make.user(Role.MANAGER), subject, row.id)
    session.flush()
    assert queries.set_refusal(session, shows) is None


def test_an_export_leaves_them_out_and_counts_them(studio: Studio) -> None:
    make, session = studio.make, studio.session
    campaign = studio.set.campaign
    make.decide(make.finished_set(studio.owner, prompts="an owl", campaign=campaign.name).images[0])
    studio.says(person="Yamada Taro")
    wanted = exports.selection(session, studio.owner, campaign_id=campaign.id)
    assert exports.plan(session, studio.owner, wanted, ExportOptions()).pictures == 1
    helds = queries.without_consent(session)
    assert approved.count_without_consent(session, studio.owner, wanted.which, helds) == 1
    assert exports.left_out(session, studio.owner, wanted, exports.tally(session, studio.owner, wanted)) == 0
