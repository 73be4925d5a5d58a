"""Roles that demand a second factor."""

import pytest
from sqlalchemy.orm import Session

from app.accounts import demands, service
from app.errors import Conflict, Forbidden, Invalid
from app.models import Authenticator, Identity, Passkey, Role, User
from tests.factory import Factory


def needs(session: Session, token: str) -> bool:
    session.flush()
    session.expire_all()
    found = service.login_for_token(session, token)
    assert found
    return found.needs_factor


def has_app(session: Session, user: User) -> None:
    session.add(Authenticator(user_id=user.id, secret="sealed", last_step=0))
    session.flush()


def test_it_holds_for_today_s_role_and_today_s_factors(session: Session, make: Factory) -> None:
    admin, person = make.user(Role.ADMIN), make.user(Role.DESIGNER)
    token = service.start_session(session, person)
    demands.demand(session, admin, "manager", True)
    assert not needs(session, token)
    service.set_role(session, admin, person.id, "manager")
    assert needs(session, token)
    assert service.user_for_token(session, token) is None
    assert service.people_of_tokens(session, [token]) == {}
    has_app(session, person)
    assert not needs(session, token)
    session.query(Authenticator).delete()
    assert needs(session, token)
    session.add(Passkey(user_id=person.id, credential_id="a", public_key=b"", sign_count=0, name="Laptop"))
    assert not needs(session, token)
    session.query(Passkey).delete()
    demands.demand(session, admin, "manager", False)
    assert not needs(session, token)


def test_a_session_of_the_provider_needs_none_and_one_of_the_password_does(session: Session, make: Factory) -> None:
    admin, person = make.user(Role.ADMIN), make.user(Role.REVIEWER)
    there, here = (service.start_session(session, person, by_provider=each) for each in (True, False))
    demands.demand(session, admin, "reviewer", True)
    assert (needs(session, there), needs(session, here)) == (False, True)


def test_administrators_demand_and_have_one_themselves_first(session: Session, make: Factory) -> None:
    admin, manager = make.user(Role.ADMIN), make.user(Role.MANAGER)
    for act in (lambda: demands.listed(session, manager), lambda: demands.demand(session, manager, "designer", True)):
        with pytest.raises(Forbidden):
            act()
    with pytest.raises(Invalid):
        demands.demand(session, admin, "owner", True)
    with pytest.raises(Conflict, match="for yourself first"):
        demands.demand(session, admin, "admin", True)
    has_app(session, admin)
    demands.demand(session, admin, "admin", True)
    other = make.user(Role.ADMIN)
    session.add(Identity(user_id=other.id, issuer="https://contoso.example", subject="1"))
    session.flush()
    demands.demand(session, other, "admin", False)
    demands.demand(session, other, "admin", True)
    of_admins = demands.listed(session, admin)[-1]
    assert (of_admins.demanded, of_admins.people, of_admins.without) == (True, 2, 1)
