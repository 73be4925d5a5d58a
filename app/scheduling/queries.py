"""Read the queue as people see it: what waits, in which order, for whom, and when it will be done."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.accounts import authority
from app.languages import gettext as _
from app.models import QueuePause, Role, State, Unit, User
from app.work import line
from app.work.kinds import Row, all_kinds
from app.work.queue import PLACE, WAITING
from app.work.topics import Topic

LISTED = 200
MOVABLE = ("set", "subject")  # drafts and maps come first, because someone waits at their page
MEASURED = 50  # of the latest finished units of a kind, for an estimate


@dataclass(frozen=True)
class QueuePaused:
    """Nothing is claimed, because an administrator paused the queue."""

    who: str
    reason: str
    since: datetime

    @property
    def sentence(self) -> str:
        if not self.reason:
            return _("%(name)s paused the queue. Nothing is lost; an administrator can resume it.", name=self.who)
        return _(
            "%(name)s paused the queue: %(reason)s. Nothing is lost; an administrator can resume it.",
            name=self.who,
            reason=self.reason.rstrip(".。"),
        )


@dataclass(frozen=True)
class Queued:
    """A row of the queue, with what one person may do with it."""

    row: Row
    seconds: float | None  # until all of it is done, if nobody changes the queue; None: unknown, or it is paused
    can_move: bool  # among all, or among one's own
    first: bool  # of those that it can be moved among
    last: bool
    can_pause: bool  # or resume


@dataclass(frozen=True)
class _Work:
    """What waits or runs of one topic."""

    owner_id: int
    queued: int  # units
    turn: tuple[int, int]  # the lowest is served first
    pausable: int  # units that a pause keeps from running
    paused: bool
    paused_as: Role | None

    def may_change(self, user: User) -> bool:
        return user.can(Role.MANAGER) or self.owner_id == user.id

    def can_pause(self, user: User) -> bool:
        """Or resume. What already runs can only be paused if it can resume."""
        return self.pausable > 0 and self.may_change(user) and authority.may_undo(user, self.paused_as)


_CURRENT_PAUSE = (
    select(User.name, QueuePause.reason, QueuePause.created_at)
    .join(User, User.id == QueuePause.paused_by_id)
    .where(QueuePause.ended_at.is_(None))
)


def current_pause(session: Session) -> QueuePaused | None:
    """The pause of the whole queue; None if it is not paused."""
    row = session.execute(_CURRENT_PAUSE).one_or_none()
    return QueuePaused(*row) if row else None


def listed(session: Session, user: User, running: Mapping[Topic, float], limit: int = LISTED) -> list[Queued]:
    """What runs, then what waits, in order. `running`: the seconds that the units in the engine still need."""
    rows = line.listed(session, user, limit)
    work, stands = _work(session), current_pause(session) is not None
    seconds = _seconds(session, rows, work, running, stands)
    ordered = [row for row in rows if row.topic.noun in MOVABLE]
    own = [row for row in ordered if work[row.topic].may_change(user)]
    movable = [row.topic for row in own if not row.runs and not row.paused]
    # What is left of a running set waits as well, and something urgent can be put before it.
    rest = min((work[row.topic].turn for row in own if row.runs and work[row.topic].queued), default=None)
    behind = {topic for topic in movable if rest is not None and rest < work[topic].turn}
    return [
        Queued(
            row=row,
            seconds=seconds[row.topic],
            can_move=row.topic in movable and (len(movable) > 1 or row.topic in behind),
            first=movable[:1] == [row.topic] and row.topic not in behind,
            last=movable[-1:] == [row.topic],
            can_pause=row in ordered and work[row.topic].can_pause(user),
        )
        for row in rows
    ]


def _work(session: Session) -> dict[Topic, _Work]:
    found: dict[Topic, _Work] = {}
    paused = func.count().filter(Unit.paused_at.is_not(None)) > 0
    queued = func.count().filter(Unit.state == State.QUEUED)
    for kind in all_kinds():
        rows = session.execute(
            select(
                *(kind.column, Unit.owner_id, queued, func.max(Unit.priority), func.min(PLACE)),
                *(func.count(), paused, func.max(Unit.paused_as)),
            )
            .where(Unit.state.in_(WAITING), kind.column.is_not(None))
            .group_by(kind.column, Unit.owner_id)
        )
        for row_id, owner_id, number, priority, place, waiting, is_paused, paused_as in rows:
            pausable, turn = waiting if kind.resumable else number, (-priority, place)
            found[kind.topic(row_id or 0)] = _Work(owner_id, number, turn, pausable, bool(is_paused), paused_as)
    return found


def _seconds(
    session: Session, rows: list[Row], work: Mapping[Topic, _Work], running: Mapping[Topic, float], stands: bool
) -> dict[Topic, float | None]:
    """When each row is done, in seconds from now: what precedes it comes first. None if that was never measured."""
    found: dict[Topic, float | None] = {}
    pace, elapsed, measured = _pace(session), 0.0, True
    for row in rows:
        queued, waits = work[row.topic].queued, stands or work[row.topic].paused
        if not waits or not queued:
            a_unit = pace.get(row.topic, pace.get(Topic(row.topic.noun, 0)))
            measured = measured and (a_unit is not None or not queued) and (not row.runs or row.topic in running)
            elapsed += running.get(row.topic, 0.0) + queued * (a_unit or 0.0)
        found[row.topic] = None if not measured or (waits and queued) else elapsed
    return found


def _pace(session: Session) -> dict[Topic, float]:
    """Mean seconds of finished units, by topic, and of all of a kind under the id 0."""
    found: dict[Topic, float] = {}
    seconds = (func.julianday(Unit.ended_at) - func.julianday(Unit.started_at)) * 86400
    for kind in all_kinds():
        finished = Unit.state == State.FINISHED, Unit.started_at.is_not(None), kind.column.is_not(None)
        latest = select(seconds.label("lasted")).where(*finished).order_by(Unit.id.desc()).limit(MEASURED).subquery()
        if (mean := session.scalar(select(func.avg(latest.c.lasted)))) is not None:
            found[Topic(kind.noun, 0)] = mean
        waiting = select(kind.column).where(Unit.state.in_(WAITING), kind.column.is_not(None))
        means = select(kind.column, func.avg(seconds)).where(*finished, kind.column.in_(waiting))
        found |= {kind.topic(row_id): each for row_id, each in session.execute(means.group_by(kind.column)) if row_id}
    return found
