"""Links for people outside."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.exports import queries, shares
from app.exports.shares import ShareSpec
from app.models import Act, AuditEvent, Export, ExportState, Role, Share, User, now
from tests.exports.conftest import Make
from tests.exports.test_service import approved_set
from tests.factory import Factory


@pytest.fixture
def user(make: Factory) -> User:
    return make.user()


@pytest.fixture
def export(make: Factory, ready: Make, user: User) -> Export:
    return ready(user, set_id=approved_set(make, user).id)


def shared(session: Session, user: User, export: Export, **values: object) -> tuple[str, Share]:
    draft = ShareSpec.parse(values)
    token = shares.create(session, user, export.id, draft, shares.hashed(draft.password))
    session.flush()
    return token, queries.share(session, token)


def test_only_the_hash_is_kept(session: Session, user: User, export: Export) -> None:
    token, share = shared(session, user, export, days="30", password="correct horse", note="For the agency")
    assert token not in str({column.name: getattr(share, column.name) for column in Share.__table__.columns})
    assert share.note == "For the agency"
    assert abs((share.expires_at - now() - timedelta(days=30)).total_seconds()) < 60
    assert str(share.password_hash).startswith("$argon2id$")


def test_the_password_opens_it(session: Session, user: User, export: Export) -> None:
    token, share = shared(session, user, export, password="correct horse")
    assert not shares.is_unlocked(share, token, "")
    with pytest.raises(Forbidden, match="not the password"):
        shares.unlock(share, "wrong horse")
    shares.unlock(share, "correct horse")
    assert shares.is_unlocked(share, token, shares.proof(share, token))
    other_token, other = shared(session, user, export, password="correct horse")
    assert not shares.is_unlocked(other, other_token, shares.proof(share, token))


def test_without_a_password_the_link_is_enough(session: Session, user: User, export: Export) -> None:
    token, share = shared(session, user, export)
    assert shares.is_unlocked(share, token, "")


def test_a_link_that_has_ended_or_is_revoked_or_unknown_404(session: Session, user: User, export: Export) -> None:
    ended, share = shared(session, user, export)
    share.expires_at = now()
    revoked, share = shared(session, user, export)
    shares.revoke(session, user, export.id, share.id)
    session.flush()
    for token in (ended, revoked, "unknown", ""):
        with pytest.raises(NotFound, match="expired or was revoked"):
            queries.share(session, token)


def test_a_link_ends_with_the_account_of_its_creator(session: Session, user: User, export: Export) -> None:
    token, _ = shared(session, user, export)
    user.active = False
    session.flush()
    with pytest.raises(NotFound):
        queries.share(session, token)


def test_who_may_share_and_revoke(session: Session, make: Factory, user: User, export: Export) -> None:
    _, share = shared(session, user, export)
    stranger, manager = make.user(Role.REVIEWER), make.user(Role.MANAGER)
    with pytest.raises(NotFound):
        shared(session, stranger, export)
    with pytest.raises(NotFound):
        shares.revoke(session, stranger, export.id, share.id)
    shared(session, manager, export)
    shares.revoke(session, manager, export.id, share.id)
    assert not share.open


def test_only_what_is_ready_is_shared(session: Session, user: User, export: Export) -> None:
    export.state = ExportState.PREPARING
    with pytest.raises(Conflict, match="not ready yet"):
        shared(session, user, export)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"days": "0"}, "from 1 to 365"),
        ({"days": "366"}, "from 1 to 365"),
        ({"password": "short"}, "at least 8 characters. Leave it empty"),
        ({"password": "x" * 257}, "at most 256"),
        ({"note": "x" * 121}, "at most 120"),
    ],
)
def test_wrong_requests_give_a_sentence(
    session: Session, user: User, export: Export, wrong: dict[str, str], sentence: str
) -> None:
    with pytest.raises(Invalid, match=sentence):
        shared(session, user, export, **wrong)


def test_every_act_is_recorded_and_downloads_are_counted(session: Session, user: User, export: Export) -> None:
    token, share = shared(session, user, export, password="correct horse")
    shares.refused(session, share.id, "wrong password")
    shares.downloaded(session, share.id)
    shares.downloaded(session, share.id)
    shares.revoke(session, user, export.id, share.id)
    shares.revoke(session, user, export.id, share.id)
    session.flush()
    assert share.downloads == 2
    assert share.last_download_at
    events = session.scalars(select(AuditEvent).where(AuditEvent.subject == "shares").order_by(AuditEvent.id)).all()
    assert [(event.act, event.user_id) for event in events] == [
        (Act.SHARE_CREATE, user.id),
        (Act.SHARE_REFUSED, None),
        (Act.SHARE_DOWNLOAD, None),
        (Act.SHARE_DOWNLOAD, None),
        (Act.SHARE_REVOKE, user.id),
    ]
    assert "correct horse" not in str([event.details for event in events])
    assert token not in str([event.details for event in events])
