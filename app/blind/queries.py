"""Read blind tests. What has been answered is read by `app.blind.results` alone, after the end."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

from sqlalchemy import Label, bindparam, func, select
from sqlalchemy.orm import Session, aliased, joinedload

from app.accounts.queries import I_AM_ACTIVE, MY_ID, asks, signed_in
from app.blind.order import BlindTurn, PairSide, turns
from app.blind.sides import barred, left_out
from app.errors import Conflict, Forbidden, NotFound
from app.languages import gettext as _
from app.models import BlindJudge, BlindJudgement, BlindPair, BlindTest, Image, ImageSet, LeftOut, Role, User

PAGE = 50
NEEDS = 5  # tests that the home page lists


def may_make(user: User) -> bool:
    return user.can(Role.REVIEWER)


def need_maker(user: User) -> None:
    if not may_make(user):
        raise Forbidden(_("Only reviewers and managers make blind tests. Ask one of them."))


def get(session: Session, user: User, test_id: int) -> BlindTest:
    """A test. Raises NotFound."""
    found = session.scalar(
        select(BlindTest)
        .where(BlindTest.id == test_id, signed_in(user))
        .options(joinedload(BlindTest.maker), joinedload(BlindTest.ended_by))
    )
    if not found:
        raise NotFound(_("There is no such blind test."))
    return found


def may_change(user: User, test: BlindTest) -> bool:
    """Whether `user` may invite people to it and stop it: who made it, and managers."""
    return user.can(Role.MANAGER) or (user.id == test.maker_id and user.active)


def listed(session: Session, user: User, after: int | None = None, most: int = PAGE) -> Sequence[BlindTest]:
    """The tests, newest first."""
    statement = select(BlindTest).where(signed_in(user)).order_by(BlindTest.id.desc()).limit(most)
    if after is not None:
        statement = statement.where(BlindTest.id < after)
    return session.scalars(statement.options(joinedload(BlindTest.maker))).all()


# Pairs


@dataclass(frozen=True)
class PairPicture:
    """A picture of a pair."""

    image_id: int
    sha256: str
    prompt: str
    set_id: int
    longer: int  # px, of its longer side


@dataclass(frozen=True)
class PicturePair:
    id: int
    position: int
    left_out: LeftOut | None
    a: PairPicture
    b: PairPicture

    @property
    def prompt(self) -> str:
        """What both show, if their prompts are equal; "" else, because it could tell the sides apart."""
        return self.a.prompt if self.a.prompt == self.b.prompt else ""

    @property
    def longer(self) -> int:
        """The longer side of both, px, as people see them: that of the smaller one, so that size tells nothing."""
        return min(self.a.longer, self.b.longer)


def _columns(side: str, image: type[Image], image_set: type[ImageSet]) -> list[Label[Any]]:
    longer = func.max(image_set.width, image_set.height)
    found = {"id": image.id, "sha256": image.sha256, "prompt": image.prompt, "set_id": image.set_id, "longer": longer}
    return [column.label(f"{side}_{name}") for name, column in found.items()]


_A, _B = aliased(Image), aliased(Image)
_SET_A, _SET_B = aliased(ImageSet), aliased(ImageSet)
_PAIRS = (
    select(
        BlindPair.id,
        BlindPair.position,
        func.coalesce(BlindPair.left_out, left_out(_A, _SET_A), left_out(_B, _SET_B)).label("left_out"),
        *_columns("a", _A, _SET_A),
        *_columns("b", _B, _SET_B),
    )
    .join(_A, _A.id == BlindPair.a_image_id)
    .join(_SET_A, _SET_A.id == _A.set_id)
    .join(_B, _B.id == BlindPair.b_image_id)
    .join(_SET_B, _SET_B.id == _B.set_id)
    .where(BlindPair.test_id == bindparam("test_id"))
    .order_by(BlindPair.position)
)


def pairs(session: Session, test: BlindTest) -> list[PicturePair]:
    """All pairs of a test in order. Of one that ended, `left_out` is what it was then."""
    rows = session.execute(_PAIRS, {"test_id": test.id})
    found = [
        PicturePair(
            id=row.id,
            position=row.position,
            left_out=LeftOut(row.left_out) if row.left_out else None,
            a=PairPicture(row.a_id, row.a_sha256, row.a_prompt, row.a_set_id, row.a_longer),
            b=PairPicture(row.b_id, row.b_sha256, row.b_prompt, row.b_set_id, row.b_longer),
        )
        for row in rows
    ]
    if test.ended_at:
        kept = {row.id: row.left_out for row in session.scalars(_KEPT, {"test_id": test.id})}
        return [replace(pair, left_out=kept[pair.id]) for pair in found]
    without = barred(session, list({shown.set_id for pair in found for shown in (pair.a, pair.b)}))
    return [
        replace(pair, left_out=LeftOut.RIGHTS)
        if not pair.left_out and {pair.a.set_id, pair.b.set_id} & without
        else pair
        for pair in found
    ]


_KEPT = select(BlindPair).where(BlindPair.test_id == bindparam("test_id"))


# People


@dataclass(frozen=True)
class JudgeRow:
    """An invited person, and how many pairs that count they have judged."""

    person: User
    judged: int
    left: bool  # the test, or the team


@dataclass(frozen=True)
class TestStanding:
    """How far an open test is, without a word on what was answered."""

    pairs: list[PicturePair]
    judges: list[JudgeRow]
    mine: frozenset[int]  # ids of the pairs that the reader judged, also of those left out since
    invited: bool  # the reader
    left: bool  # the reader left it
    possible: int  # judgements that can still be made

    @cached_property
    def counted(self) -> list[PicturePair]:
        return [pair for pair in self.pairs if not pair.left_out]

    @property
    def judged(self) -> int:
        return sum(each.judged for each in self.judges)

    @property
    def my_left(self) -> int:
        """How many pairs the reader has not judged."""
        if not self.invited or self.left:
            return 0
        return sum(pair.id not in self.mine for pair in self.counted)

    @property
    def left_out(self) -> dict[LeftOut, int]:
        """How many pairs are left out, by why."""
        why = [pair.left_out for pair in self.pairs if pair.left_out]
        return {each: why.count(each) for each in LeftOut if each in why}


_JUDGES = (
    select(BlindJudge)
    .join(User, User.id == BlindJudge.person_id)
    .where(BlindJudge.test_id == bindparam("test_id"))
    .options(joinedload(BlindJudge.person))
    .order_by(User.name, User.id)
)
_JUDGED = select(BlindJudgement.person_id, BlindJudgement.pair_id).where(BlindJudgement.test_id == bindparam("test_id"))


def standing(session: Session, user: User, test: BlindTest) -> TestStanding:
    """How far a test is."""
    found = pairs(session, test)
    counted = {pair.id for pair in found if not pair.left_out}
    judged: dict[int, set[int]] = {}
    for person_id, pair_id in session.execute(_JUDGED, {"test_id": test.id}):
        judged.setdefault(person_id, set()).add(pair_id)
    judges = session.scalars(_JUDGES, {"test_id": test.id}).all()
    rows = [
        JudgeRow(
            each.person, len(judged.get(each.person_id, set()) & counted), bool(each.left_at) or not each.person.active
        )
        for each in judges
    ]
    own = next((each for each in judges if each.person_id == user.id), None)
    return TestStanding(
        pairs=found,
        judges=rows,
        mine=frozenset(judged.get(user.id, ())),
        invited=own is not None,
        left=own is not None and own.left_at is not None,
        possible=sum(len(counted) - row.judged for row in rows if not row.left),
    )


def need_judge(session: Session, user: User, test: BlindTest) -> BlindJudge:
    """The invitation of `user` to an open test. Raises Forbidden, and Conflict if the test ended or they left it."""
    own = session.get(BlindJudge, (test.id, user.id))
    if not own or not user.active:
        raise Forbidden(_("You are not invited to this blind test. Ask %(name)s.", name=test.maker.name))
    if test.ended_at:
        raise Conflict(_("This blind test is closed. Thank you for your judgements."))
    if own.left_at:
        raise Conflict(_("You left this blind test. Join it again on its page."))
    return own


def sees_sides(user: User, test: BlindTest, invited: bool) -> bool:
    """Whether `user` may read what is compared: not while they are to judge it, unless they made it."""
    return bool(test.ended_at) or user.id == test.maker_id or (may_make(user) and not invited)


# What a person sees


@dataclass(frozen=True)
class NextTurn:
    """The pair that a person judges next."""

    turn: BlindTurn
    pair: PicturePair
    place: int  # among the pairs that they judge: "4 of 12"
    of: int
    last: int | None  # the number of their last judgement, which they can undo


def asked(session: Session, user: User, test: BlindTest) -> NextTurn | None:
    """The next pair for `user`; None if they judged all. Raises as `need_judge`."""
    need_judge(session, user, test)
    every = pairs(session, test)
    mine = judged_by(session, test, user)
    by_position = {pair.position: pair for pair in every}
    for turn in turns(test.seed, user.id, by_position):
        pair = by_position[turn.position]
        if pair.left_out is None and pair.id not in mine:
            of = [each for each in every if each.left_out is None]
            done = sum(each.id in mine for each in of)
            return NextTurn(turn, pair, done + 1, len(of), last_number(session, test, user))
    return None


def judged_by(session: Session, test: BlindTest, user: User) -> set[int]:
    """The ids of the pairs that `user` judged."""
    mine = BlindJudgement.test_id == test.id, BlindJudgement.person_id == user.id
    return set(session.scalars(select(BlindJudgement.pair_id).where(*mine)))


def last_judgement(session: Session, test: BlindTest, user: User) -> BlindJudgement | None:
    mine = BlindJudgement.test_id == test.id, BlindJudgement.person_id == user.id
    return session.scalar(select(BlindJudgement).where(*mine).order_by(BlindJudgement.id.desc()).limit(1))


def last_number(session: Session, test: BlindTest, user: User) -> int | None:
    """Which of their turns `user` judged last."""
    last = last_judgement(session, test, user)
    if not last:
        return None
    positions = {row.id: row.position for row in session.scalars(_KEPT, {"test_id": test.id})}
    return next(
        each.number
        for each in turns(test.seed, user.id, positions.values())
        if each.position == positions[last.pair_id]
    )


def turn_of(session: Session, user: User, test: BlindTest, number: int) -> tuple[BlindTurn, PicturePair]:
    """A turn of `user`. Raises NotFound for one that does not exist, and Conflict for a pair that is left out."""
    by_position = {pair.position: pair for pair in pairs(session, test)}
    found = next((turn for turn in turns(test.seed, user.id, by_position) if turn.number == number), None)
    if not found:
        raise NotFound(_("This blind test has no such pair."))
    pair = by_position[found.position]
    if pair.left_out:
        raise Conflict(_("This pair is left out since. Here is the next one."))
    return found, pair


@dataclass(frozen=True)
class BlindPicture:
    sha256: str
    longer: int  # px, of the longer side to show
    seed: str


def picture(session: Session, user: User, test_id: int, number: int, side: PairSide) -> BlindPicture:
    """The picture on a side of a turn of `user`. Raises NotFound, Forbidden and Conflict."""
    test = get(session, user, test_id)
    need_judge(session, user, test)
    turn, pair = turn_of(session, user, test, number)
    shown = pair.a if turn.is_a(side) else pair.b
    return BlindPicture(shown.sha256, pair.longer, test.seed)


# Home


@dataclass(frozen=True)
class BlindNeed:
    """A test that waits for a person."""

    kind: ClassVar[str] = "blind"

    test: BlindTest
    left: int  # pairs
    judged: int


_WAITING = (
    select(BlindTest)
    .join(BlindJudge, BlindJudge.test_id == BlindTest.id)
    .where(BlindTest.ended_at.is_(None), BlindJudge.person_id == MY_ID, BlindJudge.left_at.is_(None), I_AM_ACTIVE)
    .options(joinedload(BlindTest.maker))
    .order_by(BlindTest.id)
)


def needs(session: Session, user: User) -> list[BlindNeed]:
    """The open tests in which `user` has pairs to judge, oldest first, for their home page."""
    found = []
    for test in session.scalars(_WAITING, asks(user)):
        mine, counted = judged_by(session, test, user), [each for each in pairs(session, test) if not each.left_out]
        left = [each for each in counted if each.id not in mine]
        if left:
            found.append(BlindNeed(test, len(left), len(counted) - len(left)))
        if len(found) == NEEDS:
            break
    return found
