"""Make blind tests, judge, end.

A test ends by itself with its last planned judgement, in the same transaction. Before, nobody learns what was answered,
administrators included: no function of this package returns it, and the audit log has no event for a judgement. Those
who may change a test can stop it early, without a result.
"""

import secrets
from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.service import need_active
from app.audit.service import record
from app.blind import queries, results, sides
from app.blind.queries import PicturePair
from app.blind.sides import Pairing, SideName
from app.blind.spec import MOST_PEOPLE, WHY_LENGTH, BlindSpec
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.languages import gettext as _
from app.languages import ngettext
from app.models import (
    Act,
    BlindChoice,
    BlindJudge,
    BlindJudgement,
    BlindOutcome,
    BlindPair,
    BlindQuestion,
    BlindTest,
    LeftOut,
    User,
    now,
)
from app.text import clean_line


def create(session: Session, user: User, spec: BlindSpec) -> BlindTest:
    """Make a test, form its pairs and draw its seed. Reviewers and managers. Raises Invalid."""
    queries.need_maker(user)
    people = _people(session, spec.people)
    a, b = _side(session, user, "a", spec.a), _side(session, user, "b", spec.b)
    same = _("Both sides are the same. Choose another one.") if spec.a == spec.b else None
    asked = spec.question is BlindQuestion.OWN and not spec.own_question
    Invalid.check({"b": same, "own_question": _("Write your question.") if asked else None})
    pairing = _pairing(session, spec)
    reference = sides.common_reference(session, spec.a, spec.b) if spec.question is BlindQuestion.CLOSER else None
    if spec.question is BlindQuestion.CLOSER and reference is None:
        raise Invalid("question", _("The two sides have no reference in common. Choose another question."))
    _need_enough(len(pairing.pairs), len(people), spec.planned)
    test = BlindTest(
        name=spec.name,
        maker_id=user.id,
        question=spec.question,
        own_question=spec.own_question if spec.question is BlindQuestion.OWN else "",
        reference_id=reference,
        a_key=a.key,
        a_name=a.name,
        a_number=a.number,
        b_key=b.key,
        b_name=b.name,
        b_number=b.number,
        by_prompt=pairing.by_prompt,
        a_alone=pairing.a_alone,
        b_alone=pairing.b_alone,
        planned=spec.planned,
        seed=secrets.token_hex(32),
    )
    session.add(test)
    session.flush()
    session.add_all(
        BlindPair(test_id=test.id, position=place, a_image_id=one.image_id, b_image_id=other.image_id)
        for place, (one, other) in enumerate(pairing.pairs, 1)
    )
    session.add_all(BlindJudge(test_id=test.id, person_id=person.id) for person in people)
    session.flush()
    record(session, user, Act.BLIND_CREATE, test, planned=spec.planned, pairs=len(pairing.pairs), people=len(people))
    return test


def _side(session: Session, user: User, field: str, key: str) -> SideName:
    try:
        return sides.named(session, user, key)
    except NotFound as error:
        raise Invalid(field, str(error)) from error


def _people(session: Session, ids: Iterable[int]) -> list[User]:
    """The active people among these. Raises Invalid."""
    wanted = set(ids)
    found = list(session.scalars(select(User).where(User.id.in_(wanted), User.active)))
    if not found:
        raise Invalid("people", _("Invite at least one person."))
    if len(found) > MOST_PEOPLE:
        raise Invalid("people", _("At most %(most)s people can be invited. Choose fewer.", most=MOST_PEOPLE))
    return found


def _pairing(session: Session, spec: BlindSpec) -> Pairing:
    """Raises Invalid if no pair can be formed."""
    pairing = sides.paired(sides.pictures(session, spec.a), sides.pictures(session, spec.b))
    if not pairing.pairs:
        raise Invalid(
            "b", _("These two make no pairs: one has no finished pictures, or all are the same. Choose others.")
        )
    return pairing


def _need_enough(pairs: int, people: int, planned: int) -> None:
    """Raises Invalid if so many judgements are impossible."""
    most = pairs * people
    if planned > most:
        text = ngettext(
            "%(pairs)s pairs and %(number)s person give at most %(most)s judgements. Plan fewer or invite more people.",
            "%(pairs)s pairs and %(number)s people give at most %(most)s judgements. Plan fewer or invite more people.",
            people,
            pairs=pairs,
            most=most,
        )
        raise Invalid("planned", text)


# Judging


def judge(session: Session, user: User, test_id: int, number: int, answer: str) -> BlindTest:
    """Answer a turn: "left", "right" or "tie". The last planned judgement ends the test.

    The same answer again changes nothing, such as from a second tab. Raises NotFound, Forbidden, Invalid, and Conflict
    for a pair that is left out or was answered otherwise.
    """
    test = queries.get(session, user, test_id)
    queries.need_judge(session, user, test)
    turn, pair = queries.turn_of(session, user, test, number)
    if answer not in ("left", "right", "tie"):
        raise Invalid("answer", _("Choose left, right or no difference."))
    choice = BlindChoice.TIE
    if answer != "tie":
        choice = BlindChoice.A if turn.a_left == (answer == "left") else BlindChoice.B
    before = _own(session, user, pair)
    if before:
        if before.choice != choice:
            raise Conflict(_("You answered this pair already, so this answer was not taken. Here is the next one."))
        return test
    session.add(BlindJudgement(test_id=test.id, pair_id=pair.id, person_id=user.id, choice=choice, a_left=turn.a_left))
    session.flush()
    _settle(session, user, test)
    return test


def _own(session: Session, user: User, pair: PicturePair) -> BlindJudgement | None:
    return session.scalar(
        select(BlindJudgement).where(BlindJudgement.pair_id == pair.id, BlindJudgement.person_id == user.id)
    )


def undo_last(session: Session, user: User, test_id: int, number: int) -> None:
    """Take back the last judgement of `user`, which must be that of the turn `number`. Raises as `judge`."""
    test = queries.get(session, user, test_id)
    queries.need_judge(session, user, test)
    last = queries.last_judgement(session, test, user)
    if not last or queries.last_number(session, test, user) != number:
        raise Conflict(_("This was undone already, or you judged another pair since."))
    session.delete(last)
    session.flush()


def _settle(session: Session, user: User, test: BlindTest) -> None:
    """Note which pairs are left out by now, for good, and end the test if all planned judgements are there."""
    standing = queries.standing(session, user, test)
    ends = standing.judged >= test.planned
    _keep_left_out(session, standing.pairs, ends=ends)
    if not ends:
        return
    test.ended_at, test.ended_as = now(), BlindOutcome.COMPLETE
    session.flush()
    found = results.of(session, user, test)
    record(session, None, Act.BLIND_FINISH, test, a=found.a, b=found.b, ties=found.ties, p=round(found.p, 6))


def _keep_left_out(session: Session, pairs: Sequence[PicturePair], *, ends: bool) -> None:
    """Store why pairs are left out; of a lost file only if the test ends now, since it can be healed."""
    for pair in pairs:
        if pair.left_out and (ends or pair.left_out != LeftOut.LOST):
            session.get_one(BlindPair, pair.id).left_out = pair.left_out
    session.flush()


# People


def invite(session: Session, user: User, test_id: int, ids: Iterable[int]) -> int:
    """Invite more people to an open test, and count those that are new. Its maker, and managers. Raises Invalid."""
    test = _changeable(session, user, test_id)
    there = set(session.scalars(select(BlindJudge.person_id).where(BlindJudge.test_id == test.id)))
    new = [person for person in _people(session, ids) if person.id not in there]
    if len(there) + len(new) > MOST_PEOPLE:
        raise Invalid("people", _("At most %(most)s people can be invited. Choose fewer.", most=MOST_PEOPLE))
    session.add_all(BlindJudge(test_id=test.id, person_id=person.id) for person in new)
    session.flush()
    if new:
        record(session, user, Act.BLIND_INVITE, test, people=len(new))
    return len(new)


def leave(session: Session, user: User, test_id: int) -> None:
    """Judge no more of a test; what was judged counts. Raises NotFound, Forbidden and Conflict."""
    test = queries.get(session, user, test_id)
    queries.need_judge(session, user, test).left_at = now()
    session.flush()
    record(session, user, Act.BLIND_LEAVE, test)


def join(session: Session, user: User, test_id: int) -> None:
    """Judge again after leaving. Raises NotFound, Forbidden and Conflict."""
    need_active(user)
    test = queries.get(session, user, test_id)
    own = session.get(BlindJudge, (test.id, user.id))
    if not own:
        raise Forbidden(_("You are not invited to this blind test. Ask %(name)s.", name=test.maker.name))
    if test.ended_at:
        raise Conflict(_("This blind test is closed. Thank you for your judgements."))
    if own.left_at:
        own.left_at = None
        session.flush()
        record(session, user, Act.BLIND_JOIN, test)


def stop(session: Session, user: User, test_id: int, why: str) -> None:
    """End an open test without a result, for good. Its maker, and managers. Raises Invalid, Forbidden and Conflict."""
    test = _changeable(session, user, test_id)
    why = clean_line(why)
    if len(why) > WHY_LENGTH:
        raise Invalid(
            "why", _("The reason has %(length)s characters; at most %(most)s fit.", length=len(why), most=WHY_LENGTH)
        )
    _keep_left_out(session, queries.pairs(session, test), ends=True)
    test.ended_at, test.ended_as, test.ended_by_id, test.ended_why = now(), BlindOutcome.STOPPED, user.id, why
    session.flush()
    record(session, user, Act.BLIND_STOP, test, note=why)


def _changeable(session: Session, user: User, test_id: int) -> BlindTest:
    test = queries.get(session, user, test_id)
    if not queries.may_change(user, test):
        raise Forbidden(_("Only %(name)s and managers change this blind test. Ask one of them.", name=test.maker.name))
    if test.ended_at:
        raise Conflict(_("This blind test is closed already."))
    return test
