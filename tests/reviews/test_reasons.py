"""The team's list of reasons for rejections."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.models import Act, AuditEvent, Role, User
from app.reviews import queries, reasons
from tests.factory import Factory


@pytest.fixture
def manager(make: Factory) -> User:
    return make.user(Role.MANAGER)


@pytest.fixture
def three(session: Session, manager: User) -> list[int]:
    """The list is a, b, c; the ids."""
    for each in queries.reasons(session):
        reasons.remove(session, manager, each.id)
    made = [reasons.add(session, manager, words) for words in "abc"]
    session.flush()
    return [each.id for each in made]


def words(session: Session) -> str:
    session.flush()
    found = queries.reasons(session)
    assert [each.position for each in found] == list(range(1, len(found) + 1))
    return "".join(each.words for each in found)


def test_a_new_team_has_reasons(session: Session) -> None:
    assert "Off the look" in [each.words for each in queries.reasons(session)]


def test_the_list_is_the_managers_to_change(session: Session, make: Factory, manager: User, three: list[int]) -> None:
    a, b, c = three
    reasons.move(session, manager, c, -1)
    assert words(session) == "acb"
    reasons.move(session, manager, b, 1)  # already at the end
    reasons.move(session, manager, a, -1)
    assert words(session) == "acb"
    reasons.rename(session, manager, a, " A ")
    reasons.remove(session, manager, c)
    assert words(session) == "Ab"
    details = [
        event.details for event in session.scalars(select(AuditEvent).where(AuditEvent.act == Act.REASONS_CHANGE))
    ]
    assert details[-3:] == [{"moved": "c", "place": 2}, {"renamed": "a → A"}, {"removed": "c"}]
    for role in (Role.DESIGNER, Role.REVIEWER):
        with pytest.raises(Forbidden, match="Only managers"):
            reasons.add(session, make.user(role), "d")


@pytest.mark.parametrize(
    ("text", "sentence"), [("  ", "Enter a reason"), ("B", "'B' is already in"), ("x" * 121, "121 characters")]
)
def test_poor_words_422(session: Session, manager: User, three: list[int], text: str, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        reasons.add(session, manager, text)
    with pytest.raises(Invalid, match=sentence):
        reasons.rename(session, manager, three[0], text)
    assert words(session) == "abc"


def test_too_many_409_and_unknown_404(session: Session, manager: User, three: list[int]) -> None:
    for number in range(reasons.MOST_REASONS - 3):
        reasons.add(session, manager, str(number))
        session.flush()
    with pytest.raises(Conflict, match="already has 20 reasons"):
        reasons.add(session, manager, "one more")
    with pytest.raises(NotFound):
        reasons.remove(session, manager, 404)
