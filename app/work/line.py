"""Read the queue: what waits, in which order, and how long it takes."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.models import State, Unit, User
from app.work.kinds import Row, all_kinds
from app.work.queue import IS_BACKING_OFF, OPEN, PLACE, WAITING, this_moment
from app.work.topics import Topic

LISTED = 50


def place(session: Session, topic: Topic) -> int | None:
    """How many others, of every kind, come before this one; None if none of it waits or runs."""
    order = served_order(session)
    return order.index(topic) if topic in order else None


def listed(session: Session, user: User, limit: int = LISTED) -> list[Row]:
    """What runs, then what waits, in approximate order."""
    order = served_order(session)[:limit]
    if not order:
        return []
    found: dict[Topic, Row] = {}
    for kind in all_kinds():
        if ids := [topic.id for topic in order if topic.noun == kind.noun]:
            found |= {kind.topic(row_id): row for row_id, row in kind.rows(session, user, ids).items()}
    ordered = [found[topic] for topic in order if topic in found]
    paused = paused_topics(session)
    for row in ordered:
        row.paused = row.topic in paused
    for number, row in enumerate((row for row in ordered if not row.runs and not row.paused), start=1):
        row.line = number
    for topic, at in retries(session).items():
        if topic in found:
            found[topic].retry_at = at
    return ordered


class Statements(NamedTuple):
    """What is read of all kinds of work; the columns are those that name a unit's work."""

    order: Select[*tuple[Any, ...]]
    paused: Select[*tuple[Any, ...]]
    retries: Select[*tuple[Any, ...]]


@cache
def _statements(*columns: InstrumentedAttribute[int | None]) -> Statements:
    """Built once the kinds are known: the home page reads all of them."""
    works = select(*columns).select_from(Unit)
    waiting = works.where(Unit.state.in_(WAITING))
    running = func.count().filter(Unit.state == State.GENERATING) > 0
    paused = func.count().filter(Unit.paused_at.is_not(None)) > 0
    queued = works.add_columns(func.min(Unit.retry_at)).where(Unit.state == State.QUEUED).group_by(*columns)
    return Statements(
        waiting.group_by(*columns).order_by(running.desc(), paused, func.max(Unit.priority).desc(), func.min(PLACE)),
        waiting.where(Unit.paused_at.is_not(None)).distinct(),
        queued.having(func.min(IS_BACKING_OFF)),
    )


def served_order(session: Session) -> list[Topic]:
    """Running and waiting topics: first what runs, then by priority and place, and last what is paused.

    (Owners who take turns change the order slightly.)
    """
    kinds = all_kinds()
    rows = session.execute(_statements(*(kind.column for kind in kinds)).order)
    return [kind.topic(row_id) for row in rows for kind, row_id in zip(kinds, row, strict=True) if row_id is not None]


def paused_topics(session: Session) -> set[Topic]:
    """The waiting or running topics that are paused."""
    kinds = all_kinds()
    rows = session.execute(_statements(*(kind.column for kind in kinds)).paused)
    return {kind.topic(row_id) for row in rows for kind, row_id in zip(kinds, row, strict=True) if row_id is not None}


def retries(session: Session) -> dict[Topic, datetime]:
    """When the topics are tried again of which everything that waits has failed."""
    kinds = all_kinds()
    rows = session.execute(_statements(*(kind.column for kind in kinds)).retries, this_moment())
    return {
        kind.topic(row_id): at
        for *ids, at in rows
        for kind, row_id in zip(kinds, ids, strict=True)
        if row_id is not None
    }


def mean_unit_seconds(session: Session, topic: Topic, latest: int = 20) -> float | None:
    """How long the latest finished units of a topic took; None if there are none."""
    units = session.execute(_finished(topic.noun), {"row_id": topic.id, "latest": latest})
    seconds = [(ended - started).total_seconds() for started, ended in units if started and ended]
    return sum(seconds) / len(seconds) if seconds else None


@cache
def _finished(noun: str) -> Select[datetime | None, datetime | None]:
    """Built once for each kind: every message to an open page asks."""
    column = next(kind.column for kind in all_kinds() if kind.noun == noun)
    of_topic = column == bindparam("row_id"), Unit.state == State.FINISHED
    return select(Unit.started_at, Unit.ended_at).where(*of_topic).order_by(Unit.id.desc()).limit(bindparam("latest"))


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
