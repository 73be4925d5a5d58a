"""Reading styles."""

import pytest
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import NotFound
from app.models import Verdict
from app.styles import queries, service
from tests.factory import Factory
from tests.statements import counted


@pytest.mark.parametrize("typed", ["{code}", " {code} ", "{lower}", "{short}"])
def test_by_code(session: Session, make: Factory, typed: str) -> None:
    style = make.style()
    code = typed.format(code=style.code, lower=style.code.lower(), short=style.code[4:])
    assert queries.by_code(session, make.user(), code) is style


@pytest.mark.parametrize("code", ["SOR-0000", "", "'; DROP TABLE styles; --"])
def test_unknown_code_404(session: Session, make: Factory, code: str) -> None:
    with pytest.raises(NotFound):
        queries.by_code(session, make.user(), code)


def test_closed_account_sees_nothing(session: Session, make: Factory) -> None:
    style, closed = make.style(), make.user(active=False)
    reference_id = style.versions[0].references[0].reference_id
    assert queries.cards(session, closed) == []
    assert queries.choices(session, closed) == []
    with pytest.raises(NotFound):
        queries.by_code(session, closed, style.code)
    with pytest.raises(NotFound):
        queries.reference(session, closed, reference_id)


def test_cards(session: Session, make: Factory) -> None:
    user = make.user(name="Mori Haruka")
    old, style = make.style(), make.style(user, strength=1.5)
    service.add_version(session, user, style, make.draft(strength=2))
    service.archive(session, session.merge(old.owner), old)
    first, second = make.finished_set(style=style, prompts="a fox\na teapot").images
    third, rejected = make.finished_set(style=style, prompts="a bell\na pear").images
    make.decide(first)
    make.decide(rejected, Verdict.REJECTED)

    (card,), (last,) = queries.cards(session, user), queries.cards(session, user, archived=True)
    assert (card.code, card.version, card.strength, card.owner) == (style.code, 2, 2.0, "Mori Haruka")
    assert (card.sets, card.archived) == (2, False)
    assert card.image_ids == [first.id, third.id]  # approved first, then newest; none rejected
    assert second.id not in card.image_ids
    assert (last.code, last.archived, last.sets, last.image_ids) == (old.code, True, 0, [])


def test_choices_begin_with_those_used_last(session: Session, make: Factory) -> None:
    user = make.user()
    used, newer, newest = make.style(), make.style(), make.style()
    make.image_set(user, used)
    make.image_set(make.user(), newer)
    assert [card.code for card in queries.choices(session, user)] == [used.code, newest.code, newer.code]


def test_lists_take_as_many_statements_for_ten_as_for_one(session: Session, make: Factory, database: Database) -> None:
    user = make.user()

    def statements() -> int:
        session.commit()
        with database.read() as reading, counted(database) as seen:
            queries.cards(reading, user)
            queries.choices(reading, user)
        return len(seen)

    make.finished_set(style=make.style())
    few = statements()
    for _ in range(9):
        make.finished_set(style=make.style())
    assert statements() == few
