"""Reading people."""

import pytest
from sqlalchemy.orm import Session

from app.accounts import queries
from app.errors import Forbidden, NotFound
from app.models import Role
from tests.factory import Factory


def test_people_by_name_the_closed_last(session: Session, make: Factory) -> None:
    admin = make.user(Role.ADMIN, name="Mori")
    make.user(name="Abe", active=False)
    make.user(name="Ito")
    assert [person.name for person in queries.people(session, admin)] == ["Ito", "Mori", "Abe"]


@pytest.mark.parametrize("role", [Role.DESIGNER, Role.REVIEWER, Role.MANAGER])
def test_non_admin_people_403(session: Session, make: Factory, role: Role) -> None:
    user = make.user(role)
    with pytest.raises(Forbidden):
        queries.people(session, user)


def test_deactivated_admin_does_not_count(session: Session, make: Factory) -> None:
    make.user(Role.ADMIN, active=False)
    assert not queries.has_admin(session)
    make.user(Role.ADMIN)
    assert queries.has_admin(session)


def test_unknown_link_404(session: Session) -> None:
    with pytest.raises(NotFound):
        queries.invitation(session, "\ud800")
