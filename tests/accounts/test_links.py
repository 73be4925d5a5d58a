"""Invite links to an address, deactivated accounts that come back through one, and reset links."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts import queries, service
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.models import Act, AuditEvent, Authenticator, Identity, Invitation, Passkey, PasswordReset, Role, User, now
from app.settings import Settings
from tests.accounts.test_service import accept, acts
from tests.factory import PASSWORD, Factory

NEW = "another long sentence"


@pytest.fixture
def admin(make: Factory) -> User:
    return make.user(Role.ADMIN, "Mori Haruka")


# Invitations


def test_a_link_to_an_address_is_for_that_address(session: Session, admin: User) -> None:
    link = service.invite(session, admin, "designer", " New@Example.com ")
    with pytest.raises(Invalid, match=r"This link is for new@example\.com"):
        accept(session, link, "Eve", "eve@example.com", NEW)
    assert accept(session, link, "New", "NEW@example.com", NEW).email == "new@example.com"


def test_another_link_to_the_same_address_replaces_it(session: Session, admin: User) -> None:
    first, second = (service.invite(session, admin, role, "new@example.com") for role in ("admin", "designer"))
    with pytest.raises(NotFound, match="revoked"):
        queries.invitation(session, first)
    assert accept(session, second, "New", "", NEW).role == Role.DESIGNER


def test_existing_people_cannot_be_invited(session: Session, make: Factory, admin: User) -> None:
    person = make.user(name="Ito Kenji")
    with pytest.raises(Invalid, match="Ito Kenji already has an account"):
        service.invite(session, admin, "designer", person.email)
    with pytest.raises(Invalid, match="Enter an e-mail address"):
        service.invite(session, admin, "designer", "nobody")


def test_a_revoked_link_says_so(session: Session, make: Factory, admin: User) -> None:
    link = service.invite(session, admin, "designer")
    row = session.scalars(select(Invitation)).one()
    with pytest.raises(Forbidden):
        service.revoke_invitation(session, make.user(Role.MANAGER), row.id)
    service.revoke_invitation(session, admin, row.id)
    with pytest.raises(NotFound, match="This link was revoked"):
        accept(session, link, "New", "new@example.com", NEW)
    with pytest.raises(Conflict):
        service.revoke_invitation(session, admin, row.id)
    with pytest.raises(NotFound):
        service.revoke_invitation(session, admin, 404)


def test_a_set_up_link_is_for_a_server_without_administrators(session: Session, settings: Settings) -> None:
    link = service.create_setup_link(session, settings)
    assert link
    session.add(User(email="first@example.com", name="First", role=Role.ADMIN, password_hash="-"))
    session.flush()
    with pytest.raises(NotFound, match="revoked"):
        accept(session, link.rsplit("/", 1)[1], "Second", "second@example.com", NEW)


def test_links_are_listed_for_administrators(session: Session, make: Factory, admin: User) -> None:
    used, *_ = (service.invite(session, admin, "designer", f"{n}@here.example") for n in range(4))
    accept(session, used, "New", "", NEW)
    rows = {row.email: row for row in session.scalars(select(Invitation))}
    service.revoke_invitation(session, admin, rows["1@here.example"].id)
    rows["2@here.example"].expires_at = now()
    service.create_reset(session, admin, make.user().id)
    session.flush()
    found = queries.invitations(session, admin)
    assert [row.email for row in found if row.open] == ["3@here.example"]
    assert [row.email for row in found] == [f"{n}@here.example" for n in (3, 2, 1, 0)]
    assert [row.used_by.name for row in found if row.used_by] == ["New"]
    assert len(queries.resets(session, admin)) == 1
    for listed in (queries.invitations, queries.resets, queries.people_count):
        with pytest.raises(Forbidden):
            listed(session, make.user(Role.MANAGER))


# Deactivated accounts


@pytest.fixture
def leaver(session: Session, make: Factory, admin: User) -> User:
    person = make.user(Role.MANAGER, "Bo Old", email="bo@example.com")
    make.style(person)
    service.set_active(session, admin, person.id, False)
    session.flush()
    return person


def test_a_link_to_the_address_brings_the_account_back(session: Session, admin: User, leaver: User) -> None:
    link = service.invite(session, admin, "designer", leaver.email)
    assert queries.invitation(session, link).reopens is leaver
    back = accept(session, link, "Bo New", "", NEW)
    assert (back.id, back.name, back.role, back.active) == (leaver.id, "Bo New", Role.DESIGNER, True)
    assert service.authenticate(session, "bo@example.com", NEW) is back
    with pytest.raises(Invalid):
        service.authenticate(session, "bo@example.com", PASSWORD)
    event = session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert event
    assert event.act == Act.ACCOUNT_CHANGE
    assert event.details == {
        "active": True,
        "invited_by": admin.id,
        "name": ["Bo Old", "Bo New"],
        "role": ["manager", "designer"],
    }


def test_a_stranger_cannot_take_over_a_deactivated_account(session: Session, admin: User, leaver: User) -> None:
    for link in (service.invite(session, admin, "admin"), service.invite(session, admin, "admin", "eve@example.com")):
        with pytest.raises(Invalid) as raised:
            accept(session, link, "Eve", leaver.email, NEW)
        assert raised.value.field == "email"
    assert not leaver.active
    with pytest.raises(Invalid, match=r"The account bo@example\.com is deactivated"):
        accept(session, service.invite(session, admin, "designer"), "Bo", leaver.email, NEW)


def test_a_reactivated_account_stays_unchanged(session: Session, admin: User, leaver: User) -> None:
    link = service.invite(session, admin, "admin", leaver.email)
    leaver.active = True
    with pytest.raises(Invalid, match="is already active"):
        accept(session, link, "Eve", "", NEW)
    assert leaver.role == Role.MANAGER


# Resets


def reset(session: Session, token: str, password: str = NEW) -> User:
    return service.use_reset(session, token, service.choose_password(session, token, password))


def test_a_link_resets_the_password_once(session: Session, make: Factory, admin: User) -> None:
    person = make.user()
    browser, other = service.start_session(session, person), service.start_session(session, admin)
    first, second = (service.create_reset(session, admin, person.id) for _ in range(2))
    assert service.authenticate(session, person.email, PASSWORD) is person, "until a link is used"
    assert service.user_for_token(session, browser) is person
    assert reset(session, first) is person
    assert service.authenticate(session, person.email, NEW) is person
    with pytest.raises(Invalid):
        service.authenticate(session, person.email, PASSWORD)
    assert service.user_for_token(session, browser) is None, "signed out everywhere"
    assert service.user_for_token(session, other) is admin
    with pytest.raises(NotFound, match="already used"):
        reset(session, first)
    with pytest.raises(NotFound, match="revoked"):
        reset(session, second)
    assert acts(session)[-3:] == [Act.RESET_USE, Act.RESET_REVOKE, Act.SIGN_OUT]


def test_a_reset_link_ends(session: Session, make: Factory, admin: User) -> None:
    person = make.user()
    link = service.create_reset(session, admin, person.id)
    row = session.scalars(select(PasswordReset)).one()
    assert timedelta(hours=23) < row.expires_at - now() <= timedelta(hours=24)
    row.expires_at = now()
    with pytest.raises(NotFound, match="This link has expired"):
        reset(session, link)
    link = service.create_reset(session, admin, person.id)
    service.revoke_reset(session, admin, session.scalars(select(PasswordReset.id)).all()[-1])
    with pytest.raises(NotFound, match="revoked"):
        reset(session, link)
    assert service.authenticate(session, person.email, PASSWORD) is person


def test_a_new_password_ends_the_links_that_would_reset_it(session: Session, make: Factory, admin: User) -> None:
    person = make.user()
    link = service.create_reset(session, admin, person.id)
    service.change_password(session, person, service.new_password(session, person, PASSWORD, NEW), "")
    with pytest.raises(NotFound, match="revoked"):
        queries.reset(session, link)


def test_a_poor_password_leaves_the_link(session: Session, make: Factory, admin: User) -> None:
    person = make.user()
    link = service.create_reset(session, admin, person.id)
    for poor in ("short", person.email, "x" * 300):
        with pytest.raises(Invalid) as raised:
            reset(session, link, poor)
        assert raised.value.field == "password"
    assert reset(session, link) is person


def test_who_may_reset_whose(session: Session, make: Factory, admin: User, leaver: User) -> None:
    with pytest.raises(Conflict, match="deactivated"):
        service.create_reset(session, admin, leaver.id)
    with pytest.raises(Conflict, match="your own"):
        service.create_reset(session, admin, admin.id)
    with pytest.raises(Forbidden):
        service.create_reset(session, make.user(Role.MANAGER), admin.id)
    with pytest.raises(NotFound):
        service.create_reset(session, admin, 404)
    link = service.create_reset_by_operator(session, admin.email.upper())
    assert reset(session, link) is admin
    with pytest.raises(NotFound, match="No account here has the e-mail"):
        service.create_reset_by_operator(session, "nobody@example.com")
    with pytest.raises(Conflict):
        service.create_reset_by_operator(session, leaver.email)


def test_only_hashes_of_reset_links_are_kept(session: Session, make: Factory, admin: User) -> None:
    link = service.create_reset(session, admin, make.user().id)
    session.flush()
    kept = str(session.execute(select(PasswordReset.token_hash)).all())
    told = str(session.execute(select(AuditEvent.details, AuditEvent.subject_id)).all())
    assert link not in kept + told
    assert service.token_hash(link) not in told


def test_old_sign_in_methods_do_not_come_back_with_the_account(session: Session, admin: User, leaver: User) -> None:
    """The address may belong to another person now."""
    session.add(Identity(user_id=leaver.id, issuer="https://idp.example", subject="s1"))
    session.add(Authenticator(user_id=leaver.id, secret="sealed", last_step=1))
    session.add(Passkey(user_id=leaver.id, credential_id="c", public_key=b"k", sign_count=0, name="Phone"))
    session.flush()
    accept(session, service.invite(session, admin, "designer", leaver.email), "Bo", "", NEW)
    for table in (Identity, Authenticator, Passkey):
        assert session.scalars(select(table)).all() == []
