"""Flags explain and order a review; they decide nothing."""

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from app.models import Image, ImageSet, PictureMeasures, Role, Verdict
from app.reviews import flags, pending
from app.reviews.scoping import Scope
from tests.factory import Factory


@pytest.fixture
def image_set(session: Session, make: Factory) -> ImageSet:
    """Six pictures, of which the third and the fifth are flagged."""
    made = make.finished_set(prompts="a\nb\nc\nd\ne\nf")
    for position in (3, 5):
        flag(session, made.images[position - 1])
    return made


def flag(session: Session, image: Image) -> None:
    numbers, bounds = {"hue_reference": 31.0}, {"hue_reference": 20.0}
    session.execute(
        update(PictureMeasures)
        .where(PictureMeasures.image_id == image.id)
        .values(due=False, numbers=numbers, flags=bounds, flagged=True)
    )


def test_the_reason_is_a_sentence(session: Session, make: Factory, image_set: ImageSet) -> None:
    image = image_set.images[2]
    found, _ = flags.of(session, make.user(Role.REVIEWER), Scope(), image)
    assert found is not None
    assert found.reasons == ["Hue is 31° from the reference; this style allows 20°."]
    assert found.decision is None


def test_the_next_flagged_wraps_around_what_waits(session: Session, make: Factory, image_set: ImageSet) -> None:
    reviewer, images = make.user(Role.REVIEWER), image_set.images
    for scope in (Scope(), Scope(image_set.id)):
        following = [flags.of(session, reviewer, scope, image).next_flagged_id for image in images]
        third, fifth = images[2].id, images[4].id
        assert following == [third, third, fifth, fifth, third, third]
    make.decide(images[4], Verdict.APPROVED, reviewer)
    assert flags.of(session, reviewer, Scope(), images[3]).next_flagged_id == images[2].id
    assert flags.of(session, reviewer, Scope(), images[2]).next_flagged_id is None, "never itself"
    assert flags.of(session, reviewer, Scope(owner_id=reviewer.id), images[0]).next_flagged_id is None


def test_flagged_pictures_come_first_where_someone_wants_it(
    session: Session, make: Factory, image_set: ImageSet
) -> None:
    reviewer, images = make.user(Role.REVIEWER), image_set.images
    scope = Scope(image_set.id, flagged_first=True)
    seen = []
    current = pending.next_open(session, reviewer, scope)
    while current is not None:
        seen.append(session.get_one(Image, current).position)
        make.decide(session.get_one(Image, current), Verdict.APPROVED, reviewer)
        current = pending.next_open(session, reviewer, scope, current)
    assert seen == [3, 5, 6, 1, 2, 4], "then on from there"
    assert pending.count(session, reviewer, scope) == 0
    assert images[2].decision == Verdict.APPROVED, "a flag stands in nobody's way"


def test_an_order_is_no_limit(session: Session, make: Factory, image_set: ImageSet) -> None:
    reviewer = make.user(Role.REVIEWER)
    assert pending.count(session, reviewer, Scope(flagged_first=True)) == 6
    around = pending.neighbours(session, reviewer, Scope(flagged_first=True), image_set.images[0].id)
    assert (around.total, around.next_id, around.next_open_id) == (6, image_set.images[1].id, image_set.images[2].id)


def test_other_pictures_lead_nowhere(session: Session, make: Factory) -> None:
    image = make.finished_set().images[0]
    found, following = flags.of(session, make.user(Role.REVIEWER), Scope(), image)
    assert found is not None
    assert found.due
    assert following is None
