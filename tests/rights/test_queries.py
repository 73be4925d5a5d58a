"""Reading rights: of styles, of pictures made, and whom they concern."""

import json
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from app.database import Database
from app.days import today
from app.errors import NotFound
from app.models import Reference, Role, Style, User
from app.rights import queries, service
from app.rights.needs import needs
from app.rights.spec import Reason
from app.rights.standing import ENDING_DAYS, worst
from app.sets import versions
from app.styles import service as styles
from app.styles.spec import ReferenceSpec
from tests.engine.painter import FACTS
from tests.factory import Factory
from tests.statements import counted


@pytest.fixture
def owner(make: Factory) -> User:
    return make.user(name="Mori Haruka")


def reference_of(style: Style) -> Reference:
    return style.versions[0].references[0].reference


def until(make: Factory, reference: Reference, days: int) -> None:
    """Record rights that end in this many days."""
    make.right(reference, valid_until=(today() + timedelta(days=days)).isoformat())


def test_nothing_for_a_closed_account(session: Session, make: Factory, owner: User) -> None:
    reference = make.reference(owner)
    closed = make.user(Role.MANAGER, active=False)
    with pytest.raises(NotFound):
        queries.reference(session, closed, reference.id)
    until(make, reference, -1)
    assert queries.changes(session, closed, reference.id) == []
    assert needs(session, closed) == []


def test_the_newest_record_holds(session: Session, make: Factory, owner: User) -> None:
    first, other = make.reference(owner), make.reference(owner)
    for days in (-5, 3, 100):
        until(make, first, days)
    until(make, other, 1)
    found = queries.of_references(session, [first.id, other.id])
    assert [found[row.id].standing.kind for row in (first, other)] == ["valid", "ending"]
    later = today() + timedelta(days=101)
    assert queries.of_references(session, [first.id], later)[first.id].standing.kind == "ended"


def test_styles_show_the_most_restrictive_right_of_their_newest_version(
    session: Session, make: Factory, owner: User
) -> None:
    style, other = make.style(owner), make.style(owner)
    until(make, reference_of(style), -1)
    styles.add_version(session, owner, style, make.draft(make.reference(owner)))
    session.flush()
    assert {held.standing.kind for held in queries.of_styles(session, owner, [style.id, other.id]).values()} == {
        "unstated"
    }
    parts = tuple(ReferenceSpec(reference_id=make.reference(owner).id) for _ in range(3))
    styles.add_version(session, owner, style, make.draft(references=parts))
    session.flush()
    ends, ended, _ = (part.reference for part in style.versions[0].references)
    until(make, ends, 3)
    until(make, ended, -3)
    assert queries.of_styles(session, owner, [style.id])[style.id].reference_id == ended.id
    helds = queries.of_version(session, style.versions[0])
    assert [held.standing.kind for held in helds] == ["ending", "ended", "unstated"]
    assert worst([]) is None
    assert "expired on" in str(queries.refusal(session, style.versions[0]))
    assert queries.refusal(session, style.versions[1]) is None


def test_a_page_of_styles_is_a_fixed_number_of_statements(
    session: Session, database: Database, make: Factory, owner: User
) -> None:
    ids = [make.style(owner).id for _ in range(5)]
    with counted(database) as statements:
        queries.of_styles(session, owner, ids)
    assert len(statements) == 2


def test_pictures_made_from_a_reference_and_in_a_region(session: Session, make: Factory, owner: User) -> None:
    style, other = make.style(owner), make.style(owner)
    region = {"prompt": "an owl", "box": [0, 0, 0.5, 0.5], "style_code": other.code}
    plain = make.finished_set(owner, style, prompts="a fox\na teapot")
    both = make.finished_set(owner, style, prompts="a car", regions=json.dumps([region]))
    make.image_set(owner, other)  # not finished
    first, second = reference_of(style), reference_of(other)
    assert queries.pictures_count(session, owner, first.id) == 3
    assert [image.set_id for image in queries.newest_pictures(session, owner, first.id, 2)] == [both.id, plain.id]
    assert [image.set_id for image in queries.newest_pictures(session, owner, second.id)] == [both.id]
    assert queries.pictures_count(session, owner, make.reference(owner).id) == 0


def test_earlier_versions_are_counted_separately(session: Session, make: Factory, owner: User) -> None:
    style = make.style(owner)
    image_set = make.finished_set(owner, style, prompts="a fox")
    reference = reference_of(style)
    assert queries.earlier_versions_count(session, owner, reference.id) == 0
    versions.redo(session, owner, image_set.images[0].id, versions.RedoSpec(prompt="a red fox"), FACTS, 4)
    make.finish(image_set)
    assert queries.pictures_count(session, owner, reference.id) == 1
    assert queries.earlier_versions_count(session, owner, reference.id) == 1


def test_a_set_is_held_by_the_rights_of_all_its_references(session: Session, make: Factory, owner: User) -> None:
    parts = tuple(ReferenceSpec(reference_id=make.reference(owner).id) for _ in range(2))
    style, other = make.style(owner, references=parts), make.style(owner)
    region = {"prompt": "an owl", "box": [0, 0, 0.5, 0.5], "style_code": other.code}
    image_set = make.image_set(owner, style, prompts="a car", regions=json.dumps([region]))
    in_region = reference_of(other)
    ids = [*(part.reference_id for part in parts), in_region.id]
    assert [held.reference_id for held in queries.of_set(session, image_set)] == ids
    assert queries.set_refusal(session, image_set) is None
    service.withdraw(session, owner, in_region, Reason(reason="Stop"))
    assert [held.standing.usable for held in queries.of_set(session, image_set)] == [True, True, False]
    assert "were withdrawn" in str(queries.set_refusal(session, image_set))


def test_styles_that_use_it(session: Session, make: Factory, owner: User) -> None:
    reference = make.reference(owner)
    present = make.style(owner, references=(ReferenceSpec(reference_id=reference.id),), name="Present")
    earlier = make.style(owner, references=(ReferenceSpec(reference_id=reference.id),), name="Earlier")
    archived = make.style(owner, references=(ReferenceSpec(reference_id=reference.id),), name="Archived")
    styles.add_version(session, owner, earlier, make.draft(make.reference(owner), name="Earlier"))
    styles.archive(session, owner, archived)
    session.flush()
    assert [(use.name, use.archived, use.present) for use in queries.uses(session, owner, reference.id)] == [
        ("Present", False, True),
        ("Earlier", False, False),
        ("Archived", True, True),
    ]
    assert present.code == queries.uses(session, owner, reference.id)[0].code


def test_who_is_warned_about_an_end(session: Session, make: Factory, owner: User) -> None:
    uploader, stranger, manager = make.user(), make.user(), make.user(Role.MANAGER)
    reference = make.reference(uploader)
    make.style(owner, references=(ReferenceSpec(reference_id=reference.id),), name="Retro")
    everybody = (owner, uploader, manager)
    for days, kind in ((ENDING_DAYS + 1, None), (ENDING_DAYS, "ending"), (0, "ending"), (-1, "ended")):
        until(make, reference, days)
        for user in everybody:
            assert [need.held.standing.kind for need in needs(session, user)] == ([kind] if kind else [])
        assert needs(session, stranger) == []
    service.withdraw(session, uploader, reference, Reason(reason="Stop"))
    (need,) = needs(session, owner)
    assert need.held.standing.kind == "withdrawn"
    assert [name for _, name in need.styles] == ["Retro"]
    assert need.kind == "rights"


def test_archived_or_replaced_styles_need_nobody(session: Session, make: Factory, owner: User) -> None:
    archived, replaced = make.style(owner), make.style(owner)
    for style in (archived, replaced):
        until(make, reference_of(style), -1)
    assert len(needs(session, owner)) == 2
    styles.archive(session, owner, archived)
    styles.add_version(session, owner, replaced, make.draft(make.reference(owner)))
    session.flush()
    assert needs(session, owner) == []


def test_renewable_rights_come_first(session: Session, make: Factory, owner: User) -> None:
    ends = (-30, 9, -2, 1)
    for days in ends:
        until(make, reference_of(make.style(owner)), days)
    found = [(need.held.standing.day or today()) - today() for need in needs(session, owner)]
    assert [each.days for each in found] == [1, 9, -2, -30]
