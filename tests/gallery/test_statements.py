"""Acts on many pictures take as many statements as acts on a few."""

from collections.abc import Callable

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from app.database import Database
from app.gallery import service as gallery
from app.models import Image, ImageSet, Role, State, User, Verdict
from app.sets import service as sets
from tests.factory import Factory
from tests.statements import counted

FEW, MANY = 8, 120

Act = Callable[[Session, User, ImageSet], object]


def ids(session: Session, image_set: ImageSet) -> list[int]:
    return [image.id for image in session.query(Image).filter_by(set_id=image_set.id)]


ACTS: dict[str, tuple[State, Act]] = {
    "cancel": (State.QUEUED, lambda session, me, of: sets.cancel(session, me, of.id)),
    "retry": (State.FAILED, lambda session, me, of: sets.retry_set(session, me, of.id, 4)),
    "retry held": (State.HELD, lambda session, me, of: sets.retry_held(session, me, of.id, 4)),
    "remove held": (State.HELD, lambda session, me, of: sets.remove_held(session, me, of.id)),
    "approve": (
        State.FINISHED,
        lambda session, me, of: gallery.decide(session, me, ids(session, of), Verdict.APPROVED, None),
    ),
    "move": (State.FINISHED, lambda session, me, of: gallery.move(session, me, ids(session, of), "Spring")),
    "tag": (State.FINISHED, lambda session, me, of: gallery.tag(session, me, ids(session, of), "hero")),
    "star": (State.FINISHED, lambda session, me, of: gallery.star(session, me, ids(session, of))),
    "delete": (State.FINISHED, lambda session, me, of: gallery.delete(session, me, ids(session, of))),
}


@pytest.mark.parametrize("name", ACTS)
def test_of_many_as_of_few(database: Database, session: Session, make: Factory, name: str) -> None:
    state, act = ACTS[name]
    me, numbers = make.user(Role.MANAGER), []
    for pictures in (FEW, MANY):
        image_set = make.image_set(prompts="\n".join(f"thing {number}" for number in range(pictures)))
        done = {"state": state, "shown": state == State.FINISHED, "sha256": "0" * 64}
        session.execute(update(Image).where(Image.set_id == image_set.id).values(**done))
        session.flush()
        session.expire_all()
        with counted(database) as seen:
            act(session, me, image_set)
            session.flush()
        numbers.append(len(seen))
    assert abs(numbers[0] - numbers[1]) < 8


def test_a_new_set_of_many_as_of_few(database: Database, make: Factory) -> None:
    numbers = []
    style = make.style()
    for pictures in (FEW, MANY):
        with counted(database) as seen:
            make.image_set(style=style, prompts="\n".join(f"thing {number}" for number in range(pictures)))
        numbers.append(len(seen))
    assert abs(numbers[0] - numbers[1]) < 8
