"""The audit log: who did what."""

from sqlalchemy.orm import Session

from app.audit import queries
from app.audit.service import record
from app.models import Act, Campaign, Invitation, Role, now
from tests.factory import Factory


def test_record_gives_a_new_row_its_id(session: Session, make: Factory) -> None:
    user = make.user()
    campaign = Campaign(name="Spring", created_by_id=user.id)
    session.add(campaign)
    event = record(session, user, Act.SET_CREATE, campaign, pictures=2)
    session.flush()
    assert (event.subject, event.subject_id, event.user_id) == ("campaigns", campaign.id, user.id)
    assert event.details == {"pictures": 2}
    assert event.at.tzinfo


def test_record_keeps_no_secret(session: Session) -> None:
    invitation = Invitation(token_hash="ab" * 32, role=Role.ADMIN, expires_at=now())
    session.add(invitation)
    event = record(session, None, Act.ACCOUNT_INVITE, invitation)
    assert invitation.token_hash not in str(vars(event))
    assert (event.user_id, event.subject, event.subject_id, event.details) == (None, "invitations", invitation.id, {})


def test_of_lists_the_latest_first(session: Session, make: Factory) -> None:
    one, other = make.user(), make.user()
    record(session, one, Act.SIGN_IN, one)
    record(session, other, Act.SIGN_IN, other)
    record(session, one, Act.SIGN_OUT, one)
    session.flush()
    events = queries.of(session, one)
    assert [event.act for event in events] == [Act.SIGN_OUT, Act.SIGN_IN]
    assert events[0].user is one
    assert [event.act for event in queries.of(session, one, limit=1)] == [Act.SIGN_OUT]


def test_acts_are_subject_noun_verb() -> None:
    for act in Act:
        assert len(act.split(":")) == 3
        assert len(act) <= 40
