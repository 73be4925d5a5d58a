"""Deciding on pictures and talking about them."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.models import Act, AuditEvent, Comment, Decision, Image, Role, Verdict
from app.reviews import queries, service
from tests.factory import Factory


@pytest.fixture
def image(make: Factory) -> Image:
    return make.finished_set().images[0]


@pytest.mark.parametrize("verdict", [Verdict.APPROVED, Verdict.CHANGES_REQUESTED, Verdict.REJECTED])
@pytest.mark.parametrize("role", [Role.REVIEWER, Role.MANAGER, Role.ADMIN])
def test_decide(session: Session, make: Factory, image: Image, verdict: Verdict, role: Role) -> None:
    user = make.user(role)
    decision = service.decide(session, user, image.id, verdict, seen=None)
    session.flush()
    assert (decision.user_id, decision.verdict, image.decision) == (user.id, verdict, verdict)
    event = session.scalars(select(AuditEvent).where(AuditEvent.act == Act.DECIDE)).one()
    assert (event.user_id, event.subject_id, event.details) == (user.id, image.id, {"verdict": verdict})


def test_designer_decide_403(session: Session, make: Factory, image: Image) -> None:
    with pytest.raises(Forbidden, match="Only reviewers decide"):
        service.decide(session, make.user(), image.id, "approved", None)
    with pytest.raises(Forbidden):
        service.decide(session, image.image_set.owner, image.id, Verdict.WITHDRAWN, None)
    assert image.decision is None


def test_closed_reviewer_decide_403(session: Session, make: Factory, image: Image) -> None:
    with pytest.raises(Forbidden):
        service.decide(session, make.user(Role.REVIEWER, active=False), image.id, "approved", None)


def test_unknown_picture_404(session: Session, make: Factory) -> None:
    with pytest.raises(NotFound):
        service.decide(session, make.user(Role.REVIEWER), 404, "approved", None)


def test_unfinished_picture_409(session: Session, make: Factory) -> None:
    image = make.image_set().images[0]
    with pytest.raises(Conflict, match="not finished"):
        service.decide(session, make.user(Role.REVIEWER), image.id, "approved", None)


def test_unknown_verdict_422(session: Session, make: Factory, image: Image) -> None:
    with pytest.raises(Invalid, match="'maybe' was given"):
        service.decide(session, make.user(Role.REVIEWER), image.id, "maybe", None)


def test_later_decision_counts_and_the_earlier_stays(session: Session, make: Factory, image: Image) -> None:
    user = make.user(Role.REVIEWER)
    first = service.decide(session, user, image.id, "approved", None)
    session.flush()
    service.decide(session, user, image.id, "rejected", first.id)
    session.flush()
    assert image.decision == Verdict.REJECTED
    assert [row.verdict for row in queries.decisions(session, user, image.id)] == ["approved", "rejected"]


@pytest.mark.parametrize("seen", [None, 404])
def test_decision_on_what_was_not_seen_409(session: Session, make: Factory, image: Image, seen: int | None) -> None:
    make.decide(image, Verdict.REJECTED, make.user(Role.REVIEWER, name="Ito Kenji"))
    with pytest.raises(Conflict) as raised:
        service.decide(session, make.user(Role.REVIEWER), image.id, "approved", seen)
    assert str(raised.value) == "Ito Kenji rejected this picture meanwhile. Look again first."
    assert image.decision == Verdict.REJECTED
    assert len(session.scalars(select(Decision)).all()) == 1


def test_withdraw_lets_it_wait_again(session: Session, make: Factory, image: Image) -> None:
    user = make.user(Role.REVIEWER)
    waiting = queries.pending_count(session, user)
    decision = service.decide(session, user, image.id, "approved", None)
    session.flush()
    assert queries.pending_count(session, user) == waiting - 1
    service.decide(session, make.user(Role.REVIEWER), image.id, Verdict.WITHDRAWN, decision.id)
    session.flush()
    assert image.decision == Verdict.WITHDRAWN
    assert queries.pending_count(session, user) == waiting


def test_withdraw_of_nothing_409(session: Session, make: Factory, image: Image) -> None:
    user = make.user(Role.REVIEWER)
    with pytest.raises(Conflict, match="no decision"):
        service.decide(session, user, image.id, Verdict.WITHDRAWN, None)
    decision = service.decide(session, user, image.id, "approved", None)
    session.flush()
    withdrawn = service.decide(session, user, image.id, Verdict.WITHDRAWN, decision.id)
    session.flush()
    with pytest.raises(Conflict, match="no decision"):
        service.decide(session, user, image.id, Verdict.WITHDRAWN, withdrawn.id)


@pytest.mark.parametrize("role", Role)
def test_comment(session: Session, make: Factory, image: Image, role: Role) -> None:
    user = make.user(role)
    said = service.comment(session, user, image.id, " 口元の白がきれいです。\r\nThe ear touches the ray.\x07 ")
    session.flush()
    assert said.body == "口元の白がきれいです。\nThe ear touches the ray."
    assert queries.comments(session, user, image.id) == [said]
    assert session.scalars(select(AuditEvent.act).order_by(AuditEvent.id.desc())).first() == Act.COMMENT


@pytest.mark.parametrize(
    ("body", "sentence"),
    [("", "Write what you want to say"), (" \n\x07", "Write what"), ("x" * 2001, "2001 characters")],
)
def test_poor_comment_422(session: Session, make: Factory, image: Image, body: str, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        service.comment(session, make.user(), image.id, body)
    assert session.scalars(select(Comment)).all() == []


def test_closed_account_comment_404(session: Session, make: Factory, image: Image) -> None:
    with pytest.raises(NotFound):
        service.comment(session, make.user(active=False), image.id, "hello")
