"""The result of a blind test, for one that has all its planned judgements, and for no other."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.blind import queries, statistics
from app.blind.queries import PicturePair
from app.errors import Conflict, Forbidden
from app.languages import gettext as _
from app.models import BlindChoice, BlindJudgement, BlindOutcome, BlindTest, User


@dataclass(frozen=True)
class JudgementSplit:
    """How some judgements are divided."""

    a: int
    b: int
    ties: int

    @property
    def decided(self) -> int:
        return self.a + self.b


@dataclass(frozen=True)
class PairSplit:
    pair: PicturePair
    split: JudgementSplit


@dataclass(frozen=True)
class PersonSplit:
    person: User
    split: JudgementSplit


@dataclass(frozen=True)
class BlindResult(JudgementSplit):
    """Ties are counted, and left out of all the rest."""

    left: int  # decided judgements for the picture on the left
    by_pair: list[PairSplit]
    by_person: list[PersonSplit]

    @property
    def winner(self) -> BlindChoice:
        """The side that was preferred more often; a tie if both were as often."""
        if self.a == self.b:
            return BlindChoice.TIE
        return BlindChoice.A if self.a > self.b else BlindChoice.B

    @property
    def most(self) -> int:
        return max(self.a, self.b)

    @property
    def p(self) -> float:
        """Of the two-sided binomial test, 0 to 1."""
        return statistics.two_sided_p(self.a, self.decided)

    @property
    def significant(self) -> bool:
        return self.p < statistics.SIGNIFICANT

    @property
    def interval(self) -> tuple[float, float]:
        """Of the share that prefer the winner (or A), 0 to 1."""
        return statistics.interval(self.most, self.decided)


def of(session: Session, user: User, test: BlindTest) -> BlindResult:
    """The result. Raises Conflict before the planned number of judgements, and for a test that was stopped."""
    if not user.active:
        raise Forbidden(_("Your account is not active. Ask an administrator."))
    if test.ended_as == BlindOutcome.STOPPED:
        raise Conflict(_("This blind test was stopped before its planned number of judgements, so it has no result."))
    if test.ended_as != BlindOutcome.COMPLETE:
        raise Conflict(_("The result is shown after the planned number of judgements, to everyone at once."))
    pairs = [pair for pair in queries.pairs(session, test) if not pair.left_out]
    counted = {pair.id for pair in pairs}
    every = session.scalars(select(BlindJudgement).where(BlindJudgement.test_id == test.id)).all()
    given = [each for each in every if each.pair_id in counted]
    people = session.scalars(
        select(User).where(User.id.in_({each.person_id for each in given})).order_by(User.name, User.id)
    )
    whole = _split(given)
    return BlindResult(
        a=whole.a,
        b=whole.b,
        ties=whole.ties,
        left=sum(_chose_left(each) for each in given),
        by_pair=[PairSplit(pair, _split(each for each in given if each.pair_id == pair.id)) for pair in pairs],
        by_person=[
            PersonSplit(person, _split(each for each in given if each.person_id == person.id)) for person in people
        ],
    )


def _split(judgements: Iterable[BlindJudgement] | Sequence[BlindJudgement]) -> JudgementSplit:
    found = Counter(each.choice for each in judgements)
    return JudgementSplit(found[BlindChoice.A], found[BlindChoice.B], found[BlindChoice.TIE])


def _chose_left(judgement: BlindJudgement) -> bool:
    return judgement.choice == (BlindChoice.A if judgement.a_left else BlindChoice.B)
