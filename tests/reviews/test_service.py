"""Deciding on pictures and discussing them."""

import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.models import Act, AuditEvent, Comment, Decision, Image, Mention, Role, User, Verdict
from app.reviews import pending, queries, service
from app.reviews.scoping import Scope
from tests.factory import Factory

REASON = "Off the look"


@pytest.fixture
def image(make: Factory) -> Image:
    return make.finished_set().images[0]


def decide(session: Session, user: User, image: Image, verdict: str = "approved", reason: str = REASON) -> Decision:
    """Decide as someone who sees the current picture."""
    latest = queries.latest(session, image.id)
    decision = service.decide(session, user, image.id, verdict, latest.id if latest else None, reason)
    session.flush()
    return decision


def events(session: Session, act: Act) -> list[AuditEvent]:
    return list(session.scalars(select(AuditEvent).where(AuditEvent.act == act).order_by(AuditEvent.id)))


@pytest.mark.parametrize("verdict", [Verdict.APPROVED, Verdict.CHANGES_REQUESTED, Verdict.REJECTED])
@pytest.mark.parametrize("role", [Role.REVIEWER, Role.MANAGER, Role.ADMIN])
def test_decide(session: Session, make: Factory, image: Image, verdict: Verdict, role: Role) -> None:
    user = make.user(role)
    decision = decide(session, user, image, verdict)
    assert (decision.user_id, decision.verdict, image.decision) == (user.id, verdict, verdict)
    (event,) = events(session, Act.DECIDE)
    reason = {"reason": REASON} if verdict == Verdict.REJECTED else {}
    assert (event.user_id, event.subject_id, event.details) == (user.id, image.id, {"verdict": verdict, **reason})


def test_designer_decide_403(session: Session, make: Factory, image: Image) -> None:
    with pytest.raises(Forbidden, match="Only reviewers decide"):
        service.decide(session, image.image_set.owner, image.id, "approved", None)
    with pytest.raises(Forbidden):
        service.decide(session, make.user(Role.REVIEWER, active=False), image.id, "approved", None)
    assert image.decision is None


def test_unknown_picture_404(session: Session, make: Factory) -> None:
    with pytest.raises(NotFound):
        service.decide(session, make.user(Role.REVIEWER), 404, "approved", None)


def test_unfinished_picture_409(session: Session, make: Factory) -> None:
    image = make.image_set().images[0]
    with pytest.raises(Conflict, match="not finished"):
        service.decide(session, make.user(Role.REVIEWER), image.id, "approved", None)


def test_replaced_picture_409(session: Session, make: Factory, image: Image) -> None:
    image.superseded, image.shown = True, False
    session.flush()
    with pytest.raises(Conflict, match="newer version replaced"):
        service.decide(session, make.user(Role.REVIEWER), image.id, "approved", None)


@pytest.mark.parametrize("verdict", ["maybe", Verdict.WITHDRAWN])
def test_unknown_verdict_422(session: Session, make: Factory, image: Image, verdict: str) -> None:
    with pytest.raises(Invalid, match=f"'{verdict}' was given"):
        service.decide(session, make.user(Role.REVIEWER), image.id, verdict, None)


@pytest.mark.parametrize("reason", ["", "off the look", "Nice try"])
def test_rejection_without_one_of_the_reasons_422(session: Session, make: Factory, image: Image, reason: str) -> None:
    with pytest.raises(Invalid, match="Choose a reason"):
        decide(session, make.user(Role.REVIEWER), image, "rejected", reason)
    assert image.decision is None


def test_a_rejection_keeps_its_reason_in_words(session: Session, make: Factory, image: Image) -> None:
    assert decide(session, make.user(Role.REVIEWER), image, "rejected", REASON).reason == REASON
    for each in queries.reasons(session):
        session.delete(each)
    session.flush()
    decide(session, make.user(Role.REVIEWER), image, "rejected", "")
    assert [row.reason for row in queries.standing(session, make.user(), image.id)] == [REASON, ""]


def test_a_change_of_mind_counts_and_comments_stay(session: Session, make: Factory, image: Image) -> None:
    user = make.user(Role.REVIEWER)
    decide(session, user, image, "rejected")
    decide(session, user, image, "approved")
    assert image.decision == Verdict.APPROVED
    assert [row.verdict for row in queries.decisions(session, user, image.id)] == ["rejected", "approved"]


@pytest.mark.parametrize("seen", [None, 404])
def test_decision_on_an_unseen_change_409(session: Session, make: Factory, image: Image, seen: int | None) -> None:
    decide(session, make.user(Role.REVIEWER, name="Ito Kenji"), image, "rejected")
    with pytest.raises(Conflict) as raised:
        service.decide(session, make.user(Role.REVIEWER), image.id, "approved", seen)
    assert str(raised.value) == "Ito Kenji just rejected this picture. Check it before you decide."
    assert image.decision == Verdict.REJECTED
    assert len(session.scalars(select(Decision)).all()) == 1


# The rule, compared with a plain version of it

PEOPLE = 4
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["approved", "changes_requested", "rejected", "withdraw", "withdraw of a manager"]),
        st.integers(0, PEOPLE - 1),
    ),
    max_size=12,
)


def told(acts: list[tuple[str, int]], needed: int) -> tuple[str | None, int]:
    """The outcome and the number of approvals, by the rule as people know it."""
    stands: dict[int, str] = {}
    last = ""
    for act, person in acts:
        if not act.startswith("withdraw"):
            stands[person] = last = act
        elif person in stands:
            last = "withdrawn"
            del stands[person]
    verdicts = list(stands.values())
    approvals = verdicts.count("approved")
    if "rejected" in verdicts:
        return "rejected", approvals
    if "changes_requested" in verdicts:
        return "changes_requested", approvals
    if approvals >= needed:
        return "approved", approvals
    return ("withdrawn" if last == "withdrawn" and not verdicts else None), approvals


@pytest.fixture
def people(make: Factory) -> list[User]:
    return [make.user(Role.REVIEWER) for _ in range(PEOPLE)]


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS, needed=st.integers(1, 3), changed_to=st.integers(1, 3))
def test_any_acts_of_any_people_give_the_outcome_that_the_rule_says(
    session: Session,
    make: Factory,
    image: Image,
    people: list[User],
    acts: list[tuple[str, int]],
    needed: int,
    changed_to: int,
) -> None:
    manager = make.user(Role.MANAGER)
    with session.begin_nested() as example:  # each starts with a picture to review
        service.set_approvals(session, manager, image.campaign_id, needed)
        for act, who in acts:
            mine = [each for each in queries.standing(session, manager, image.id) if each.user_id == people[who].id]
            if not act.startswith("withdraw"):
                decide(session, people[who], image, act)
            elif mine:
                service.withdraw(session, manager if "manager" in act else people[who], mine[0].id)
        session.flush()
        assert (image.decision, image.approvals) == told(acts, needed)
        stand = {each.user_id for each in queries.standing(session, manager, image.id)}
        for person in people:
            waits = image.decision in (None, "withdrawn") and person.id not in stand
            found = pending.next_open(session, person, Scope(image.set_id)), pending.count(session, person)
            assert found == (image.id if waits else image.id + 1, 1 + waits), "the queue has what they must decide on"
        service.set_approvals(session, manager, image.campaign_id, changed_to)
        session.refresh(image)
        assert (image.decision, image.approvals) == told(acts, changed_to)
        example.rollback()
    session.expire_all()


def test_two_concurrent_decisions_lose_nothing(database: Database, session: Session, make: Factory) -> None:
    """On a real file, in threads: of those who saw the same picture one decides, and the others are told."""
    image = make.finished_set().images[0]
    people = [make.user(Role.REVIEWER) for _ in range(6)]
    session.commit()
    gate, refused = threading.Barrier(len(people)), []

    def act(user: User) -> None:
        with database.read() as reading:
            seen = queries.latest(reading, image.id)
        gate.wait()
        try:
            with database.write() as writing:
                service.decide(writing, user, image.id, "approved", seen.id if seen else None)
        except Conflict as error:
            refused.append(str(error))

    threads = [threading.Thread(target=act, args=[user]) for user in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session.refresh(image)
    kept = session.scalars(select(Decision)).all()
    assert (len(kept), len(refused)) == (1, len(people) - 1)
    assert set(refused) == {f"{kept[0].user.name} just approved this picture. Check it before you decide."}
    assert (image.decision, image.approvals) == ("approved", 1)


def test_two_decisions_on_the_current_state_both_count(database: Database, session: Session, make: Factory) -> None:
    image = make.finished_set().images[0]
    people = [make.user(Role.REVIEWER) for _ in range(5)]
    service.set_approvals(session, make.user(Role.MANAGER), image.campaign_id, 5)
    session.commit()

    def act(user: User) -> None:
        while True:
            with database.read() as reading:
                seen = queries.latest(reading, image.id)
            try:
                with database.write() as writing:
                    service.decide(writing, user, image.id, "approved", seen.id if seen else None)
                return
            except Conflict:
                continue  # looked again

    threads = [threading.Thread(target=act, args=[user]) for user in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session.refresh(image)
    assert (image.decision, image.approvals) == ("approved", 5)


# Withdrawing


def test_withdrawing_returns_it_to_the_queue(session: Session, make: Factory, image: Image) -> None:
    user = make.user(Role.REVIEWER)
    waiting = pending.count(session, user)
    decision = decide(session, user, image)
    assert pending.count(session, user) == waiting - 1
    service.withdraw(session, user, decision.id)
    session.flush()
    assert image.decision == Verdict.WITHDRAWN
    assert pending.count(session, user) == waiting


def test_only_managers_withdraw_others_decisions(session: Session, make: Factory, image: Image) -> None:
    decision = decide(session, make.user(Role.REVIEWER, name="Ito Kenji"), image, "rejected")
    with pytest.raises(Forbidden, match="Only Ito Kenji or a manager"):
        service.withdraw(session, make.user(Role.REVIEWER), decision.id)
    service.withdraw(session, make.user(Role.MANAGER), decision.id)
    session.flush()
    assert image.decision == Verdict.WITHDRAWN
    assert events(session, Act.DECIDE)[-1].details == {"verdict": "withdrawn", "of": "Ito Kenji"}


def test_withdraw_of_an_outdated_decision_409(session: Session, make: Factory, image: Image) -> None:
    user = make.user(Role.REVIEWER)
    first = decide(session, user, image)
    second = decide(session, user, image, "rejected")
    with pytest.raises(Conflict, match="withdrawn or replaced"):
        service.withdraw(session, user, first.id)
    service.withdraw(session, user, second.id)
    session.flush()
    with pytest.raises(Conflict, match="withdrawn or replaced"):
        service.withdraw(session, user, second.id)
    with pytest.raises(NotFound):
        service.withdraw(session, user, 404)


def test_an_old_withdrawal_revoked_everything_before_it(session: Session, make: Factory, image: Image) -> None:
    one, two = make.user(Role.REVIEWER), make.user(Role.REVIEWER)
    decide(session, one, image)
    decide(session, two, image, "rejected")
    session.add(Decision(image_id=image.id, user_id=two.id, verdict=Verdict.WITHDRAWN))
    service.settle(session, [image])
    assert (image.decision, image.approvals) == ("withdrawn", 0)
    assert queries.standing(session, one, image.id) == []


# Approvals and locks


@pytest.mark.parametrize("needed", [None, 0, 6])
def test_poor_number_of_approvals_422(session: Session, make: Factory, image: Image, needed: int | None) -> None:
    with pytest.raises(Invalid, match="from 1 to 5"):
        service.set_approvals(session, make.user(Role.MANAGER), image.campaign_id, needed)


def test_approvals_are_the_managers_and_on_the_record(session: Session, make: Factory, image: Image) -> None:
    with pytest.raises(Forbidden, match="Only managers"):
        service.set_approvals(session, make.user(Role.REVIEWER), image.campaign_id, 2)
    for _ in range(2):  # repeating it changes nothing
        service.set_approvals(session, make.user(Role.MANAGER), image.campaign_id, 2)
    assert [event.details for event in events(session, Act.CAMPAIGN_CHANGE)] == [{"approvals": "1 → 2"}]


def test_locked_sets_keep_their_outcomes_until_they_are_unlocked(session: Session, make: Factory) -> None:
    locked, open_ = make.finished_set(), make.finished_set()
    manager = make.user(Role.MANAGER)
    for image_set in (locked, open_):
        make.decide(image_set.images[0])
    service.lock(session, manager, locked.id)
    service.set_approvals(session, manager, locked.campaign_id, 2)
    session.expire_all()
    assert (locked.images[0].decision, open_.images[0].decision) == ("approved", None)
    service.unlock(session, manager, locked.id)
    session.expire_all()
    assert locked.images[0].decision is None


def test_a_locked_set_accepts_neither_decisions_nor_withdrawals(session: Session, make: Factory, image: Image) -> None:
    reviewer, owner = make.user(Role.REVIEWER), image.image_set.owner
    decision = decide(session, reviewer, image)
    service.lock(session, owner, image.set_id)
    session.flush()
    sentence = f"{owner.name} locked the decisions of this set on .* A manager can unlock them."
    for refused in (
        lambda: decide(session, reviewer, image, "rejected"),
        lambda: service.withdraw(session, make.user(Role.MANAGER), decision.id),
        lambda: service.lock(session, owner, image.set_id),
    ):
        with pytest.raises(Conflict, match=sentence):
            refused()
    service.comment(session, reviewer, image.id, "Comments stay possible.")
    with pytest.raises(Forbidden, match="Only managers"):
        service.unlock(session, owner, image.set_id)
    service.unlock(session, make.user(Role.MANAGER), image.set_id)
    decide(session, reviewer, image, "rejected")
    with pytest.raises(Conflict, match="not locked"):
        service.unlock(session, make.user(Role.MANAGER), image.set_id)
    with pytest.raises(Forbidden, match=f"Only {owner.name} or a manager"):
        service.lock(session, reviewer, image.set_id)
    assert [len(events(session, act)) for act in (Act.SET_LOCK, Act.SET_UNLOCK)] == [1, 1]


# Conversations


@pytest.mark.parametrize("role", Role)
def test_comment(session: Session, make: Factory, image: Image, role: Role) -> None:
    user = make.user(role)
    said = service.comment(session, user, image.id, " 口元の白がきれいです。\r\nThe ear touches the ray.\x07 ", 0.29, 1)
    assert said.body == "口元の白がきれいです。\nThe ear touches the ray."
    (found,) = queries.conversations(session, user, image)
    assert (found.thread.comments, found.thread.x, found.thread.y, found.number) == ([said], 0.29, 1, 1)
    assert session.scalars(select(AuditEvent.act).order_by(AuditEvent.id.desc())).first() == Act.COMMENT


@pytest.mark.parametrize(
    ("body", "sentence"),
    [("", "Write a comment first"), (" \n\x07", "Write a comment"), ("x" * 2001, "2001 characters")],
)
def test_poor_comment_422(session: Session, make: Factory, image: Image, body: str, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        service.comment(session, make.user(), image.id, body)
    assert session.scalars(select(Comment)).all() == []


@pytest.mark.parametrize(("x", "y"), [(0.5, None), (None, 0.5), (1.01, 0.5), (0.5, -0.01), (float("nan"), 0.5)])
def test_point_outside_of_the_picture_422(
    session: Session, make: Factory, image: Image, x: float | None, y: float | None
) -> None:
    with pytest.raises(Invalid, match="outside the picture"):
        service.comment(session, make.user(), image.id, "Here", x, y)


def test_closed_account_comment_404(session: Session, make: Factory, image: Image) -> None:
    with pytest.raises(NotFound):
        service.comment(session, make.user(active=False), image.id, "hello")


def test_reply_resolve_reopen(session: Session, make: Factory, image: Image) -> None:
    one, two = make.user(), make.user()
    thread_id = service.comment(session, one, image.id, "The ear is gone").thread_id
    answer = service.reply(session, two, thread_id, "I will make it again")
    thread = service.resolve(session, two, thread_id)
    assert (thread.resolved_by_id, thread.comments[-1]) == (two.id, answer)
    with pytest.raises(Conflict, match="already resolved"):
        service.resolve(session, one, thread_id)
    service.reopen(session, one, thread_id)
    with pytest.raises(Conflict, match="already open"):
        service.reopen(session, one, thread_id)
    service.resolve(session, one, thread_id)
    service.reply(session, two, thread_id, "It is still gone")
    assert thread.resolved_at is None, "an answer opens it again"
    assert len(events(session, Act.THREAD_RESOLVE)) == len(events(session, Act.THREAD_REOPEN)) == 2
    with pytest.raises(NotFound):
        service.reply(session, one, 404, "hello")


def test_mentions_are_seen_when_the_picture_is_opened(session: Session, make: Factory, image: Image) -> None:
    author, ito, other = make.user(), make.user(name="Ito Kenji"), make.user(name="Mori Haruka")
    service.comment(session, author, image.id, f"@ito kenji, and @{other.email.split('@')[0]}: see the ear")
    service.comment(session, ito, image.id, "@Ito Kenji does")  # nobody mentions themselves
    found = session.execute(select(Mention.user_id, Mention.seen_at).order_by(Mention.user_id)).all()
    assert [tuple(row) for row in found] == [(ito.id, None), (other.id, None)]
    service.see_mentions(session, ito, image, queries.unseen_mentions(session, ito, image))
    unseen = select(func.count()).select_from(Mention).where(Mention.seen_at.is_(None))
    assert session.scalar(unseen) == 1
    assert queries.unseen_mentions(session, ito, image) == []
    assert len(queries.unseen_mentions(session, other, image)) == 1
