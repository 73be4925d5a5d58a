"""Who may sign in, and who may change that."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.accounts import queries, service
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.models import Act, AuditEvent, ImageSet, Invitation, LoginSession, Role, Style, User, now
from app.settings import Settings
from tests import reuse
from tests.factory import PASSWORD, Factory

GOOD = {"name": "Mori Haruka", "email": "haruka@example.com", "password": "correct horse battery"}


def setup_token(session: Session, settings: Settings) -> str:
    link = service.create_setup_link(session, settings)
    assert link
    assert link.startswith(f"{settings.public_url}/setup/")
    return link.rsplit("/", 1)[1]


def accept(session: Session, token: str, name: str, email: str, password: str) -> User:
    return service.accept_invitation(session, token, service.newcomer(session, token, name, email, password))


def change(session: Session, user: User, current: str, new: str, token: str) -> str:
    return service.change_password(session, user, service.new_password(session, user, current, new), token)


def acts(session: Session) -> list[str]:
    return list(session.scalars(select(AuditEvent.act).order_by(AuditEvent.id)))


# Links


def test_setup_link_makes_the_first_administrator(session: Session, settings: Settings) -> None:
    user = accept(session, setup_token(session, settings), **GOOD)
    assert (user.name, user.email, user.role) == ("Mori Haruka", "haruka@example.com", Role.ADMIN)
    assert user.password_hash.startswith("$argon2id$")
    assert acts(session) == [Act.ACCOUNT_INVITE, Act.ACCOUNT_CREATE]


def test_there_is_no_setup_link_once_there_is_an_administrator(session: Session, settings: Settings) -> None:
    accept(session, setup_token(session, settings), **GOOD)
    assert service.create_setup_link(session, settings) is None


def test_setup_link_replaces_the_one_before(session: Session, settings: Settings) -> None:
    first, second = setup_token(session, settings), setup_token(session, settings)
    with pytest.raises(NotFound):
        accept(session, first, **GOOD)
    assert accept(session, second, **GOOD).role == Role.ADMIN


def test_link_works_once(session: Session, settings: Settings) -> None:
    token = setup_token(session, settings)
    accept(session, token, **GOOD)
    with pytest.raises(NotFound, match="already used"):
        accept(session, token, **{**GOOD, "email": "other@example.com"})


def test_link_ends(session: Session, make: Factory) -> None:
    token = service.invite(session, make.user(Role.ADMIN), "designer")
    session.scalars(select(Invitation)).one().expires_at = now() - timedelta(seconds=1)
    with pytest.raises(NotFound):
        accept(session, token, **GOOD)


def test_link_survives_a_form_that_was_wrong(session: Session, settings: Settings) -> None:
    token = setup_token(session, settings)
    with pytest.raises(Invalid):
        accept(session, token, "", "", "")
    assert accept(session, token, **GOOD).active


def test_only_hashes_of_secrets_are_kept(session: Session, make: Factory) -> None:
    user = make.user(Role.ADMIN)
    token, link = service.start_session(session, user), service.invite(session, user, "designer")
    session.flush()
    kept = [*session.scalars(select(LoginSession.token_hash)), *session.scalars(select(Invitation.token_hash))]
    details = str(session.execute(select(AuditEvent.details, AuditEvent.subject_id)).all())
    for secret in (token, link):
        assert secret not in str(kept)
        assert secret not in details
        assert service.token_hash(secret) not in details


def test_invitation_gives_the_role(session: Session, make: Factory) -> None:
    token = service.invite(session, make.user(Role.ADMIN), "reviewer")
    assert accept(session, token, **GOOD).role == Role.REVIEWER


@pytest.mark.parametrize("role", [Role.DESIGNER, Role.REVIEWER, Role.MANAGER])
def test_non_admin_invite_403(session: Session, make: Factory, role: Role) -> None:
    with pytest.raises(Forbidden):
        service.invite(session, make.user(role), "designer")


def test_invite_to_unknown_role_422(session: Session, make: Factory) -> None:
    with pytest.raises(Invalid, match="'owner' was given"):
        service.invite(session, make.user(Role.ADMIN), "owner")


def test_all_wrong_fields_are_reported_together(session: Session, settings: Settings) -> None:
    with pytest.raises(Invalid) as raised:
        accept(session, setup_token(session, settings), " ", "not an address", "short")
    assert raised.value.errors == {
        "name": "Enter your name, so that others recognise you.",
        "email": "Enter an e-mail address such as haruka@example.com; 'not an address' was given.",
        "password": "The password needs at least 10 characters; this one has 5.",
    }


@pytest.mark.parametrize("password", ["haruka@example.com", "aaaaaaaaaaaa", "x" * 257])
def test_poor_password_422(session: Session, settings: Settings, password: str) -> None:
    with pytest.raises(Invalid) as raised:
        accept(session, setup_token(session, settings), **{**GOOD, "password": password})
    assert raised.value.field == "password"


def test_known_email_422(session: Session, settings: Settings, make: Factory) -> None:
    user = make.user(email="haruka@example.com")
    with pytest.raises(Invalid, match="There is already an account"):
        accept(session, setup_token(session, settings), **{**GOOD, "email": " Haruka@Example.com "})
    assert session.scalars(select(User)).all() == [user]


# Signing in


def test_sign_in(session: Session, make: Factory) -> None:
    user = make.user(email="haruka@example.com")
    assert service.authenticate(session, " HARUKA@example.com", PASSWORD) is user
    token = service.start_session(session, user, "Firefox")
    assert service.user_for_token(session, token) is user
    assert [row.user_agent for row in queries.sessions(session, user)] == ["Firefox"]


def test_sign_in_gives_a_new_token_each_time(session: Session, make: Factory) -> None:
    user = make.user()
    assert service.start_session(session, user) != service.start_session(session, user)


@pytest.mark.parametrize(("email", "password"), [("1@example.com", "wrong"), ("2@example.com", PASSWORD), ("", "")])
def test_sign_in_says_the_same_of_unknown_and_wrong(session: Session, make: Factory, email: str, password: str) -> None:
    make.user(email="1@example.com")
    with pytest.raises(Invalid, match="do not match"):
        service.authenticate(session, email, password)


def test_a_hash_is_slow_by_design_outside_of_these_tests() -> None:
    """64 MiB, three passes: at least what OWASP recommends for argon2id."""
    assert reuse.USUAL.hash("a sentence of my own").startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_unknown_email_costs_a_hash_as_a_known_one_does(
    session: Session, make: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []
    verify = service.passwords.verify

    def seen(password: str, known: str) -> bool:
        verified.append(known)
        return verify(password, known)

    monkeypatch.setattr(service.passwords, "verify", seen)
    user = make.user(email="1@example.com")
    for email in ("1@example.com", "nobody@example.com"):
        with pytest.raises(Invalid):
            service.authenticate(session, email, "wrong")
    known, unknown = verified
    assert known == user.password_hash
    assert unknown.rsplit("$", 2)[0] == known.rsplit("$", 2)[0]  # the same algorithm and costs


def test_closed_account_is_only_revealed_with_the_password(session: Session, make: Factory) -> None:
    make.user(email="1@example.com", active=False)
    with pytest.raises(Invalid, match="deactivated"):
        service.authenticate(session, "1@example.com", PASSWORD)
    with pytest.raises(Invalid, match="do not match"):
        service.authenticate(session, "1@example.com", "wrong")


def test_password_is_the_same_from_every_keyboard(session: Session, settings: Settings) -> None:
    composed, decomposed = "パスワードがぎぐげご", "ハ\u309aスワート\u3099か\u3099き\u3099く\u3099け\u3099こ\u3099"
    accept(session, setup_token(session, settings), **{**GOOD, "password": decomposed})
    assert service.authenticate(session, GOOD["email"], composed).name == "Mori Haruka"


@given(st.text(max_size=600), st.text(max_size=600))
def test_sign_in_never_fails_otherwise(email: str, password: str) -> None:
    """Any input becomes text that argon2 and the database accept."""
    service.normal_email(email).encode()
    service.normal_password(password).encode()


def test_session_expires(session: Session, make: Factory) -> None:
    user = make.user()
    token = service.start_session(session, user, days=1)
    session.flush()
    session.scalars(select(LoginSession)).one().expires_at = now() - timedelta(seconds=1)
    session.flush()
    assert service.user_for_token(session, token) is None
    service.start_session(session, user)
    session.flush()
    assert session.scalar(select(func.count()).select_from(LoginSession)) == 1  # the ended one is swept


def test_sign_out(session: Session, make: Factory) -> None:
    token = service.start_session(session, make.user())
    service.sign_out(session, token)
    service.sign_out(session, token)
    assert service.user_for_token(session, token) is None
    assert acts(session) == [Act.SIGN_IN, Act.SIGN_OUT]


@pytest.mark.parametrize("token", ["", "nonsense", "\ud800", "x" * 10_000])
def test_unknown_token_signs_nobody_in(session: Session, token: str) -> None:
    assert service.user_for_token(session, token) is None


def test_end_other_sessions(session: Session, make: Factory) -> None:
    user, other = make.user(), make.user()
    here, there = service.start_session(session, user), service.start_session(session, user)
    elsewhere = service.start_session(session, other)
    assert service.end_other_sessions(session, user, here) == 1
    assert service.user_for_token(session, here) is user
    assert service.user_for_token(session, there) is None
    assert service.user_for_token(session, elsewhere) is other


def test_change_password(session: Session, make: Factory) -> None:
    user = make.user(email="1@example.com")
    here, there = service.start_session(session, user), service.start_session(session, user)
    renewed = change(session, user, PASSWORD, "another long password", here)
    assert service.authenticate(session, "1@example.com", "another long password") is user
    assert service.user_for_token(session, renewed) is user
    assert service.user_for_token(session, here) is None
    assert service.user_for_token(session, there) is None


def test_change_password_needs_the_present_one(session: Session, make: Factory) -> None:
    user = make.user()
    with pytest.raises(Invalid) as raised:
        change(session, user, "wrong", "another long password", "")
    assert raised.value.field == "current"


# People


def test_set_role(session: Session, make: Factory) -> None:
    admin, person = make.user(Role.ADMIN), make.user()
    assert service.set_role(session, admin, person.id, "manager").can(Role.MANAGER)
    event = session.scalars(select(AuditEvent).where(AuditEvent.act == Act.ACCOUNT_CHANGE)).one()
    assert (event.user_id, event.subject_id, event.details) == (admin.id, person.id, {"role": ["designer", "manager"]})


@pytest.mark.parametrize("role", [Role.DESIGNER, Role.REVIEWER, Role.MANAGER])
def test_non_admin_set_role_403(session: Session, make: Factory, role: Role) -> None:
    user = make.user(role)
    with pytest.raises(Forbidden):
        service.set_role(session, user, user.id, "admin")
    with pytest.raises(Forbidden):
        service.set_active(session, user, user.id, True)


def test_unknown_person_404(session: Session, make: Factory) -> None:
    with pytest.raises(NotFound):
        service.set_role(session, make.user(Role.ADMIN), 404, "designer")


def test_last_admin_stays_409(session: Session, make: Factory) -> None:
    admin = make.user(Role.ADMIN, name="Mori Haruka")
    make.user(Role.ADMIN, active=False)
    with pytest.raises(Conflict, match="Mori Haruka is the only administrator"):
        service.set_role(session, admin, admin.id, "manager")
    with pytest.raises(Conflict):
        service.set_active(session, admin, admin.id, False)


def test_one_of_two_admins_may_go(session: Session, make: Factory) -> None:
    admin, other = make.user(Role.ADMIN), make.user(Role.ADMIN)
    assert not service.set_active(session, admin, other.id, False).active
    with pytest.raises(Conflict):
        service.set_role(session, admin, admin.id, "designer")


def test_deactivated_account_is_signed_out_immediately(session: Session, make: Factory) -> None:
    admin, leaver = make.user(Role.ADMIN), make.user(Role.ADMIN)
    token, link = service.start_session(session, leaver), service.invite(session, leaver, "admin")
    service.set_active(session, admin, leaver.id, False)
    assert service.user_for_token(session, token) is None
    with pytest.raises(NotFound):
        accept(session, link, **GOOD)
    assert service.set_active(session, admin, leaver.id, True).active
    assert service.user_for_token(session, token) is None


@pytest.mark.parametrize("row", [Style, ImageSet])
def test_may_change(make: Factory, row: type[Style] | type[ImageSet]) -> None:
    owner = make.user()
    owned = row(owner_id=owner.id)
    assert service.may_change(owner, owned)
    assert [service.may_change(make.user(role), owned) for role in Role] == [False, False, True, True]
    owner.active = False
    assert not service.may_change(owner, owned)


@pytest.mark.parametrize(
    "typed",
    ["Haruka@Example.COM", "ｈａｒｕｋａ＠ｅｘａｍｐｌｅ．ｃｏｍ", "haruka@example。com", " haruka@example.com. "],
)
def test_an_address_is_one_however_it_is_typed(session: Session, make: Factory, typed: str) -> None:
    admin = make.user(Role.ADMIN)
    token = service.invite(session, admin, "designer", typed)
    assert accept(session, token, **GOOD).email == GOOD["email"]
    with pytest.raises(Invalid, match="already has an account"):
        service.invite(session, admin, "designer", typed)
    assert service.authenticate(session, typed, GOOD["password"]).email == GOOD["email"]


@pytest.mark.parametrize(
    ("name", "initials"),
    [
        ("Mori Haruka", "MH"),
        ("森 はるか", "森"),
        ("김 민준", "김"),
        ("ßa ßb", "SS"),
        ("🇯🇵 Ito", "I"),
        ("🦊", "?"),
        ("anna", "A"),
    ],
)
def test_initials(name: str, initials: str) -> None:
    assert User(name=name).initials == initials
