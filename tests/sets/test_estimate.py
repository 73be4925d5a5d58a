"""Estimates from measured pictures and the queue."""

import pytest
from sqlalchemy.orm import Session

from app.models import State, Unit
from app.sets import tunings
from app.sets.estimate import Effort, Estimate, Speed, estimate
from tests.factory import MODEL, Factory

SQUARE = Effort(256, 256, 20, 5, "ddim")


def guess(session: Session, user: object, pictures: int, effort: Effort = SQUARE, **running: float) -> Estimate | None:
    left = {int(unit.removeprefix("u")): seconds for unit, seconds in running.items()}
    return estimate(session, user, effort, pictures, MODEL.name, 2, left)  # type: ignore[arg-type]


def test_the_speed_is_that_of_pictures_alike_and_otherwise_grows_with_the_work() -> None:
    wide = Effort(512, 256, 20, 5, "ddim")
    speed = Speed([(SQUARE, 2.0), (SQUARE, 2.2), (SQUARE, 90.0), (wide, 10.0)])
    assert speed.picture(SQUARE) == pytest.approx(2.2), "one that took long because the machine was busy counts little"
    assert speed.picture(Effort(256, 256, 10, 5, "ddim")) == pytest.approx(1.1)
    assert speed.picture(Effort(256, 256, 10, 1, "heun")) == pytest.approx(1.1), "twice a step, but without guidance"
    assert speed.picture(wide) == pytest.approx(10.0), "a panorama's own windows were measured"
    only = Speed([(SQUARE, 2.0)])
    assert only.picture(Effort(512, 512, 20, 5, "ddim")) == pytest.approx(8.0)
    assert only.picture(Effort(256, 256, 20, 5, "ddim", regions=1)) == pytest.approx(4.0)
    assert Speed([]).picture(SQUARE) is None


def test_what_is_ahead_counts_and_people_take_turns(make: Factory, session: Session) -> None:
    me, other = make.user(), make.user()
    assert guess(session, me, 4) is None, "nothing was measured yet"
    make.finished_set(me, prompts="a\nb", steps="20", size="256x256", guidance="5", scheduler="ddim")
    assert guess(session, me, 4) == Estimate(0, 4 * 0.5)  # half a second each
    make.image_set(other, prompts="a\nb\nc\nd\ne\nf\ng\nh", unit_size=2, steps="20", guidance="5", scheduler="ddim")
    assert guess(session, me, 4) == Estimate(1.0, 3.0), "one of their four units first, one in between"
    first = session.query(Unit).filter_by(owner_id=other.id).order_by(Unit.id).first()
    assert first
    first.state = State.GENERATING
    session.flush()
    found = guess(session, me, 2, **{f"u{first.id}": 0.25})
    assert found == Estimate(1.25, 1.0), "what is left of the running one"
    make.subject(other)
    assert guess(session, me, 40) == Estimate(2.0, 20.0), "nobody knows how long a training in between takes"
    session.query(Unit).filter_by(owner_id=other.id).update({"priority": 1})
    assert guess(session, me, 2) == Estimate(None, 1.0)


def test_drafts_that_wait_take_as_long_as_pictures_of_their_size(make: Factory, session: Session) -> None:
    me = make.user()
    made = make.finished_set(me, prompts="a\nb", steps="20", size="256x256", guidance="5", scheduler="ddim")
    spec = make.spec(
        made.style_version.style, prompts="a fox", steps="2", size="256x256", guidance="5", scheduler="ddim"
    )
    tuning = tunings.create(session, me, spec, MODEL, make.files)
    session.flush()
    assert (tuning.width, tuning.height, tuning.steps) == (256, 256, 2)
    assert guess(session, make.user(), 4) == Estimate(pytest.approx(6 * 0.05), pytest.approx(4 * 0.5))
    for draft in tuning.drafts[:3]:
        draft.webp = b"webp"
    session.flush()
    assert guess(session, me, 4) == Estimate(pytest.approx(3 * 0.05), pytest.approx(4 * 0.5)), "those that are left"
    ahead = estimate(session, me, SQUARE, 4, MODEL.name, 4, {}, priority=tunings.PRIORITY + 1)
    assert ahead == Estimate(0, 4 * 0.5), "before what waits"
