"""Units on their way through the queue. Their table is the only queue.

    queued -> generating -> finished
       ^          |-------> failed      (it failed three times, or a retry would not help)
       |          |-------> held        (the engine died three times during it: its owner decides)
       |----------|-------> cancelled

A try is charged when the work itself fails. A server that stops or is killed charges nothing, however often: the unit
waits again. An engine that dies during a unit is counted apart.

One statement claims a unit, so nobody else can claim it. An engine's events count only while the unit and its results
are generating: an event that arrives after a cancel, after a restart or twice changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Subquery, func, insert, select, update
from sqlalchemy.orm import Session

from app.effects import note
from app.models import State, Unit, now
from app.work.kinds import kind_of

MOST_TRIES = 3  # per unit
MOST_CRASHES = 3  # of the engine during one unit
WAITING = (State.QUEUED, State.GENERATING)
OPEN = (*WAITING, State.HELD)


@dataclass(frozen=True)
class UnitsQueued:
    """A note for after the commit: there is new work."""


@dataclass(frozen=True)
class UnitsStopped:
    """A note for after the commit: cancelled units that an engine may be running."""

    unit_ids: tuple[int, ...]


def add_units(session: Session, units: Sequence[Mapping[str, Any]]) -> Sequence[int]:
    """Queue units with these values, and return their ids in the same order. The only way to create one.

    The dispatcher looks for them after the commit. Plain rows, whose ids are read back together, hold the write lock
    for a shorter time than objects: ids grow, and nobody else can insert before the commit.
    """
    note(session, UnitsQueued())
    last = session.scalar(select(func.max(Unit.id))) or 0
    session.execute(insert(Unit), units)
    return session.scalars(select(Unit.id).where(Unit.id > last).order_by(Unit.id)).all()


def claim_next(session: Session) -> Unit | None:
    """Claim the next unit for an engine, and mark it and its results as generating. None if none waits.

    The highest priority first; among those, the owner with the fewest running units, then the one whose last unit
    started longest ago, so that two people's sets take turns; then the oldest. Needs a writing session.
    """
    running = _by_owner(func.count(), Unit.state == State.GENERATING)
    served = _by_owner(func.max(Unit.started_at), Unit.started_at.is_not(None))
    following = (
        select(Unit.id)
        .outerjoin(running, running.c.owner_id == Unit.owner_id)
        .outerjoin(served, served.c.owner_id == Unit.owner_id)
        .where(Unit.state == State.QUEUED)
        .order_by(
            Unit.priority.desc(), func.coalesce(running.c.value, 0), served.c.value.asc().nulls_first(), Unit.id.asc()
        )
        .limit(1)
    )
    unit = session.scalar(
        update(Unit)
        .where(Unit.id == following.scalar_subquery(), Unit.state == State.QUEUED)
        .values(state=State.GENERATING, started_at=now(), ended_at=None, error=None)
        .returning(Unit)
        .execution_options(populate_existing=True, synchronize_session=False)
    )
    if unit:
        kind_of(unit).moved(session, unit, State.QUEUED, State.GENERATING, None)
    return unit


def _by_owner(value: ColumnElement[Any], condition: ColumnElement[bool]) -> Subquery:
    return select(Unit.owner_id, value.label("value")).where(condition).group_by(Unit.owner_id).subquery()


def end_unit(session: Session, unit_id: int) -> Unit:
    """End a unit that the engine has finished. If it left something out, the unit failed and is retried."""
    unit = session.get_one(Unit, unit_id)
    if unit.state != State.GENERATING:
        return unit
    if kind_of(unit).unfinished(session, unit):
        return fail_unit(session, unit_id, "The engine stopped before this was finished.", transient=True)
    unit.state, unit.ended_at = State.FINISHED, now()
    return unit


def fail_unit(session: Session, unit_id: int, message: str, transient: bool = False) -> Unit:
    """Fail a unit. A transient failure is queued again, unless it was the third; the unit's state says which.

    Finished results stay finished.
    """
    unit = session.get_one(Unit, unit_id)
    if unit.state != State.GENERATING:
        return unit
    kind = kind_of(unit)
    unit.tries += 1
    if transient and unit.tries < MOST_TRIES:
        _queue_again(session, unit, message)
    else:
        kind.moved(session, unit, State.GENERATING, State.FAILED, message)
        unit.state, unit.error, unit.ended_at = State.FAILED, message, now()
        kind.record_failure(session, unit, message)
    return unit


def lose_unit(session: Session, unit_id: int, message: str) -> Unit:
    """The engine died during a unit. It is queued again, and after the third time held until its owner decides."""
    unit = session.get_one(Unit, unit_id)
    if unit.state != State.GENERATING:
        return unit
    unit.crashes += 1
    if unit.crashes < MOST_CRASHES:
        _queue_again(session, unit, message)
    else:
        kind = kind_of(unit)
        kind.moved(session, unit, State.GENERATING, State.HELD, message)
        unit.state, unit.error, unit.ended_at = State.HELD, message, now()
        kind.record_hold(session, unit)
    return unit


def _queue_again(session: Session, unit: Unit, why: str) -> None:
    kind_of(unit).moved(session, unit, State.GENERATING, State.QUEUED, None)
    unit.state, unit.error = State.QUEUED, why


def cancel_units(session: Session, of: ColumnElement[bool]) -> None:
    """Cancel the waiting, running and held units `of` something. Those in an engine are stopped after the commit."""
    running = session.scalars(select(Unit.id).where(of, Unit.state == State.GENERATING).order_by(Unit.id)).all()
    session.execute(update(Unit).where(of, Unit.state.in_(OPEN)).values(state=State.CANCELLED, ended_at=now()))
    if running:
        note(session, UnitsStopped(tuple(running)))


def give_back(session: Session, unit_id: int) -> Unit:
    """Queue a unit again that did not fail: the server stops, or the engine was not ready for it."""
    unit = session.get_one(Unit, unit_id)
    if unit.state == State.GENERATING:
        _queue_again(session, unit, "It was interrupted.")
    return unit


def requeue_running(session: Session) -> list[int]:
    """Queue again what was running when the server was killed, however often that happened; returns the units' ids.

    Call it at start, before any claim.
    """
    running = session.scalars(select(Unit).where(Unit.state == State.GENERATING).order_by(Unit.id)).all()
    for unit in running:
        if kind_of(unit).unfinished(session, unit):
            _queue_again(session, unit, "The server stopped during this.")
        else:
            end_unit(session, unit.id)
    return [unit.id for unit in running]
