"""Read the queue: what waits, in which order, and how long it takes."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models import State, Unit, User
from app.work.kinds import Row, all_kinds
from app.work.queue import OPEN, WAITING
from app.work.topics import Topic

LISTED = 50


def place(session: Session, topic: Topic) -> int | None:
    """How many others, of every kind, come before this one; None if none of it waits or runs."""
    order = served_order(session)
    return order.index(topic) if topic in order else None


def listed(session: Session, user: User, limit: int = LISTED) -> list[Row]:
    """What runs, then what waits, in approximate order."""
    order = served_order(session)[:limit]
    found: dict[Topic, Row] = {}
    for kind in all_kinds():
        if ids := [topic.id for topic in order if topic.noun == kind.noun]:
            found |= {kind.topic(row_id): row for row_id, row in kind.rows(session, user, ids).items()}
    ordered = [found[topic] for topic in order if topic in found]
    for number, row in enumerate((row for row in ordered if not row.runs), start=1):
        row.line = number
    return ordered


def served_order(session: Session) -> list[Topic]:
    """Running and waiting topics: first what runs, then by priority and age.

    (Owners who take turns change the order slightly.)
    """
    kinds = all_kinds()
    columns = [kind.column for kind in kinds]
    running = func.count().filter(Unit.state == State.GENERATING) > 0
    rows = session.execute(
        select(*columns)
        .select_from(Unit)
        .where(Unit.state.in_(WAITING))
        .group_by(*columns)
        .order_by(running.desc(), func.max(Unit.priority).desc(), func.min(Unit.id))
    )
    return [kind.topic(row_id) for row in rows for kind, row_id in zip(kinds, row, strict=True) if row_id is not None]


def mean_unit_seconds(session: Session, topic: Topic, latest: int = 20) -> float | None:
    """How long the latest finished units of a topic took; None if there are none."""
    column = next(kind.column for kind in all_kinds() if kind.noun == topic.noun)
    units = session.execute(
        select(Unit.started_at, Unit.ended_at)
        .where(column == topic.id, Unit.state == State.FINISHED)
        .order_by(Unit.id.desc())
        .limit(latest)
    )
    seconds = [(ended - started).total_seconds() for started, ended in units if started and ended]
    return sum(seconds) / len(seconds) if seconds else None


@dataclass(frozen=True)
class Count:
    """How many units of a kind are in a state, and since when the oldest of them."""

    kind: str
    state: State
    number: int
    oldest: datetime | None


def counts(session: Session) -> list[Count]:
    """Every kind and state of what waits, runs or is held, also where there is none."""
    found = []
    for kind in all_kinds():
        rows = session.execute(
            select(Unit.state, func.count(), func.min(Unit.created_at))
            .where(kind.column.is_not(None), Unit.state.in_(OPEN))
            .group_by(Unit.state)
        )
        known = {state: (number, oldest) for state, number, oldest in rows}
        found += [Count(kind.noun, state, *known.get(state, (0, None))) for state in OPEN]
    return found
