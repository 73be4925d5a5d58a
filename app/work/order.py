"""Change the order in which the queue is served, and pause what waits in it. `app.work.queue` claims accordingly."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, bindparam, func, select, update
from sqlalchemy.orm import Session

from app.effects import note
from app.models import Role, State, Unit, now
from app.work.kinds import all_kinds, kind_named
from app.work.queue import PLACE, WAITING, UnitsQueued, put_back
from app.work.topics import Topic


@dataclass(frozen=True)
class QueuedTopic:
    """A topic with units that are queued, running ones apart."""

    topic: Topic
    owner_id: int
    priority: int


def units_of(topic: Topic) -> ColumnElement[bool]:
    """A condition: the units of a topic."""
    return kind_named(topic.noun).column == topic.id


def waiting(session: Session) -> list[QueuedTopic]:
    """The topics with queued units, in the order in which they are served."""
    kinds = all_kinds()
    columns = [kind.column for kind in kinds]
    priority = func.max(Unit.priority)
    rows = session.execute(
        select(Unit.owner_id, priority, *columns)
        .where(Unit.state == State.QUEUED)
        .group_by(Unit.owner_id, *columns)
        .order_by(priority.desc(), func.min(PLACE))
    )
    return [
        QueuedTopic(kind.topic(row_id), owner_id, first)
        for owner_id, first, *ids in rows
        for kind, row_id in zip(kinds, ids, strict=True)
        if row_id is not None
    ]


def running(session: Session) -> set[Topic]:
    """The topics that the engine is at; more of them may wait."""
    kinds = all_kinds()
    rows = session.execute(select(*(kind.column for kind in kinds)).where(Unit.state == State.GENERATING).distinct())
    return {kind.topic(row_id) for ids in rows for kind, row_id in zip(kinds, ids, strict=True) if row_id is not None}


def put_before(session: Session, order: Sequence[QueuedTopic], topic: Topic, index: int) -> None:
    """Serve all that waits of `topic` before `order[index]` and what follows it, and after what precedes it.

    By priority, because people take turns among equals. `order` is everything that waits, in order, without `topic`.
    Whatever precedes it keeps its order, and nothing falls below what will be queued later.
    """
    above, below = order[:index], order[index:]
    own = session.scalars(select(func.max(Unit.priority)).where(units_of(topic), Unit.state == State.QUEUED)).one()
    lowest = min((each.priority for each in above), default=own)
    priority = max(each.priority for each in below) + 1 if below else min(own, lowest)
    _raise(session, [topic], priority - own)
    _raise(session, [each.topic for each in above], max(priority + 1 - lowest, 0))


def _raise(session: Session, topics: Sequence[Topic], by: int) -> None:
    for topic in topics if by else ():
        of_topic = units_of(topic), Unit.state.in_(WAITING)
        session.execute(update(Unit).where(*of_topic).values(priority=Unit.priority + by))


def reorder(session: Session, topics: Sequence[Topic]) -> None:
    """Serve these topics of one owner in this order, at the turns that they have together. Others notice nothing."""
    queued = [
        session.execute(
            select(Unit.id, Unit.priority, PLACE)
            .where(units_of(topic), Unit.state == State.QUEUED)
            .order_by(Unit.priority.desc(), PLACE)
        ).all()
        for topic in topics
    ]
    units = [unit for of_topic in queued for unit in of_topic]
    turns = sorted((-priority, place) for _, priority, place in units)
    rows = [
        {"id": unit_id, "priority": -priority, "place": place}
        for (unit_id, *_), (priority, place) in zip(units, turns, strict=True)
    ]
    session.execute(update(Unit), rows)


def pause(session: Session, topic: Topic, role: Role) -> int:
    """Claim nothing more of a topic until it is resumed, and count what waits.

    What runs of it still ends; work that can resume stops at its next step, and waits too.
    """
    of_topic = units_of(topic), Unit.state.in_(WAITING), Unit.paused_at.is_(None)
    paused = update(Unit).where(*of_topic).values(paused_at=now(), paused_as=role).returning(Unit.state)
    waiting = session.scalars(paused).all().count(State.QUEUED)
    return waiting + put_back(session, units_of(topic)) if kind_named(topic.noun).resumable else waiting


def resume(session: Session, topic: Topic) -> int:
    """Claim units of a topic again, and count them."""
    of_topic = units_of(topic), Unit.paused_at.is_not(None)
    resumed = update(Unit).where(*of_topic).values(paused_at=None, paused_as=None).returning(Unit.state)
    wake(session)
    return sum(state in WAITING for state in session.scalars(resumed))


def wake(session: Session) -> None:
    """Have the dispatcher look for work after the commit."""
    note(session, UnitsQueued())


def pause_of(session: Session, topic: Topic) -> dict[str, Any]:
    """The values of the columns that pause a topic, for new units of it; all None if it is not paused.

    A pause outlasts what was cancelled during it: cancelling and retrying does not end what a manager paused.
    """
    found = _pause(session, topic, (*WAITING, State.CANCELLED))
    return dict(zip(("paused_at", "paused_as"), found or (None, None), strict=True))


def paused(session: Session, topic: Topic) -> tuple[bool, Role | None]:
    """Whether what waits of a topic is paused, and the role that paused it."""
    found = _pause(session, topic, WAITING)
    return found is not None, found.paused_as if found else None


def _pause(session: Session, topic: Topic, states: Sequence[State]) -> Row[datetime | None, Role | None] | None:
    return session.execute(_latest_pause(topic.noun), {"row_id": topic.id, "states": states}).one_or_none()


@cache
def _latest_pause(noun: str) -> Select[datetime | None, Role | None]:
    """Built once for each kind: every message to an open page asks."""
    column = next(kind.column for kind in all_kinds() if kind.noun == noun)
    of_topic = column == bindparam("row_id"), Unit.paused_at.is_not(None)
    states = Unit.state.in_(bindparam("states", expanding=True))
    return select(Unit.paused_at, Unit.paused_as).where(*of_topic, states).order_by(Unit.id.desc()).limit(1)
