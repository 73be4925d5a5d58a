"""What a person handed out ends with the role that allowed it; what others hold for them ends with every change."""

from dataclasses import dataclass

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts import queries, service
from app.errors import NotFound
from app.exports import queries as exports
from app.exports import service as export_service
from app.exports import shares
from app.exports.options import ExportOptions
from app.exports.shares import ShareSpec
from app.models import Act, AuditEvent, ExportState, LoginSession, Role, User
from tests.exports.test_service import approved_set
from tests.factory import Factory

CLOSED = "closed"
ENDS = [*Role, CLOSED]


@dataclass
class Handed:
    """Handed-out tokens, "" where the role could not make one."""

    invitation: str = ""
    addressed: str = ""
    reset: str = ""
    others: str = ""  # a link to pictures of someone else
    own: str = ""
    for_me: str = ""  # made by another administrator, to reset this person's password

    def open(self, session: Session) -> set[str]:
        """The names of those that still work."""
        find = {
            "invitation": queries.invitation,
            "addressed": queries.invitation,
            "reset": queries.reset,
            "others": exports.share,
            "own": exports.share,
            "for_me": queries.reset,
        }
        found = set()
        for name, look in find.items():
            try:
                if token := getattr(self, name):
                    look(session, token)
                    found.add(name)
            except NotFound:
                continue
        return found


def share(session: Session, user: User, image_set: object) -> str:
    wanted = export_service.selection(session, user, set_id=image_set.id)  # type: ignore[attr-defined]
    export = export_service.create(session, user, export_service.plan(session, user, wanted, ExportOptions()))
    export.state = ExportState.READY
    session.flush()
    return shares.create(session, user, export.id, ShareSpec(), None)


@pytest.fixture
def chief(make: Factory) -> User:
    return make.user(Role.ADMIN, "Chief")


def hand_out(session: Session, make: Factory, chief: User, person: User) -> Handed:
    """Hand out everything that the role of `person` allows."""
    handed = Handed(own=share(session, person, approved_set(make, person)))
    if person.can(Role.MANAGER):
        handed.others = share(session, person, approved_set(make, make.user()))
    if person.can(Role.ADMIN):
        handed.invitation = service.invite(session, person, "admin")
        handed.addressed = service.invite(session, person, "admin", "friend@example.com")
        handed.reset = service.create_reset(session, person, make.user().id)
    handed.for_me = service.create_reset(session, chief, person.id)
    session.flush()
    return handed


def end(session: Session, chief: User, person: User, to: str) -> None:
    if to == CLOSED:
        service.set_active(session, chief, person.id, False)
    else:
        service.set_role(session, chief, person.id, to)
    session.flush()


def allowed(to: str) -> set[str]:
    """What someone with that role may have handed out."""
    if to == CLOSED:
        return set()
    power = {"own"}
    if Role(to).rank >= Role.MANAGER.rank:
        power |= {"others"}
    return power | ({"invitation", "addressed", "reset"} if to == Role.ADMIN else set())


@pytest.mark.parametrize("to", ENDS)
@pytest.mark.parametrize("role", Role)
def test_every_change_of_a_role_with_everything_handed_out(
    session: Session, make: Factory, chief: User, role: Role, to: str
) -> None:
    person = make.user(role)
    token = service.start_session(session, person)
    handed = hand_out(session, make, chief, person)
    before = handed.open(session)
    assert before == allowed(role) | {"for_me"}
    end(session, chief, person, to)
    if to == role:
        assert handed.open(session) == before, "nothing has changed"
        return
    left = handed.open(session)
    assert left == before & allowed(to)
    login = service.login_for_token(session, token)
    if to == CLOSED:
        assert login is None
    else:
        assert login
        assert login.user.role == to, "today's role, in every browser"
        assert login.confirmed_at is None, "what it allows needs a proof of who is there"

    # Regaining a role revives nothing.
    service.set_active(session, chief, person.id, True)
    service.set_role(session, chief, person.id, Role.ADMIN)
    assert handed.open(session) == left


def test_each_end_is_recorded_with_its_reason(session: Session, make: Factory, chief: User) -> None:
    person = make.user(Role.ADMIN)
    hand_out(session, make, chief, person)
    service.set_role(session, chief, person.id, "reviewer")
    acts = (Act.INVITATION_REVOKE, Act.RESET_REVOKE, Act.SHARE_REVOKE)
    events = session.scalars(select(AuditEvent).where(AuditEvent.act.in_(acts))).all()
    assert sorted(event.act for event in events) == sorted((*acts, *acts[:2]))
    assert {event.details["because"] for event in events} == {"the role was changed"}
    assert {event.user_id for event in events} == {chief.id}


def test_a_link_checks_the_current_role_of_its_creator(session: Session, make: Factory, chief: User) -> None:
    """Even if something changed a role and forgot to end what it handed out."""
    person = make.user(Role.ADMIN)
    handed = hand_out(session, make, chief, person)
    person.role = Role.MANAGER
    assert handed.open(session) == {"own", "others", "for_me"}


def test_links_of_a_former_administrator_let_nobody_in(session: Session, make: Factory, chief: User) -> None:
    person = make.user(Role.ADMIN)
    link = service.invite(session, person, "admin")
    service.set_role(session, person, person.id, "designer")
    with pytest.raises(NotFound, match="was revoked"):
        service.newcomer(session, link, "Me Again", "again@example.com", "a sentence of my own")


def test_closing_ends_the_links_to_the_address(session: Session, make: Factory, chief: User) -> None:
    """An invitation made earlier must not bring back an account closed since."""
    link = service.invite(session, chief, "manager", "new@example.com")
    other = service.invite(session, chief, "designer")
    new = service.newcomer(session, other, "New Person", "new@example.com", "a sentence of my own")
    person = service.accept_invitation(session, other, new)
    with pytest.raises(NotFound):
        queries.invitation(session, link)
    service.set_active(session, chief, person.id, False)
    reopening = service.invite(session, chief, "manager", "new@example.com")
    service.set_active(session, chief, person.id, True)
    with pytest.raises(NotFound, match="was revoked"):
        queries.invitation(session, reopening)
    assert session.scalars(select(LoginSession)).all() == []
