"""Units on their way through the queue. Their table is the only queue.

    queued -> generating -> finished
       ^          |-------> failed      (it failed three times, or a retry would not help)
       |          |-------> held        (the engine died three times during it: its owner decides)
       |----------|-------> cancelled

A try is charged when the work itself fails. A server that stops or is killed charges nothing, however often: the unit
waits again. An engine that dies during a unit is counted apart. After either, the unit waits until `retry_at`, longer
each time, and other units are served. If the engine is at fault (`app.work.breaker`), no unit is charged.

One statement claims a unit, so nobody else can claim it. An engine's events count only while the unit and its results
are generating: an event that arrives after a cancel, after a restart or twice changes nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Subquery, and_, bindparam, case, exists, func, insert, select, update
from sqlalchemy.orm import Session

from app.effects import note
from app.languages import N_
from app.models import QueuePause, State, Unit, now
from app.work.kinds import kind_of

MOST_TRIES = 3  # per unit
MOST_CRASHES = 3  # of the engine during one unit
BACK_OFF = timedelta(seconds=5), timedelta(seconds=60)  # before the second try, and the third
WAITING = (State.QUEUED, State.GENERATING)
OPEN = (*WAITING, State.HELD)
PLACE = func.coalesce(Unit.place, Unit.id)  # in the order of its owner
QUEUE_PAUSED = exists(select(QueuePause.id).where(QueuePause.ended_at.is_(None)))


@dataclass(frozen=True)
class UnitsQueued:
    """A note for after the commit: there is new work."""


@dataclass(frozen=True)
class UnitsStopped:
    """A note for after the commit: cancelled or paused units that an engine may be running."""

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


def claim_next(session: Session, stopping: Collection[int] = ()) -> Unit | None:
    """Claim the next unit for an engine, and mark it and its results as generating. None if none waits.

    The highest priority first; among those, the owner with the fewest running units, then the one whose last unit
    started longest ago, so that two people's sets take turns; then in the owner's order. Skips what is paused, and
    takes nothing while the whole queue is; nor what an engine is still `stopping`. Needs a writing session.
    """
    unit = session.scalar(_CLAIM, {"stopping": list(stopping), **this_moment()})
    if unit:
        kind_of(unit).moved(session, unit, State.QUEUED, State.GENERATING, None)
    return unit


def is_backing_off() -> ColumnElement[bool]:
    """That it is too early to try a unit again. A time too far ahead is from before the clock was set back."""
    return _backing_off(**this_moment())


def this_moment() -> dict[str, datetime]:
    """The values of `IS_BACKING_OFF`."""
    moment = now()
    return {"moment": moment, "latest_try": moment + BACK_OFF[-1]}


def _backing_off(moment: Any, latest_try: Any) -> ColumnElement[bool]:
    return func.coalesce(and_(Unit.retry_at > moment, Unit.retry_at <= latest_try), False)


IS_BACKING_OFF = _backing_off(bindparam("moment"), bindparam("latest_try"))
"""`is_backing_off`, in statements that are built once."""


def _by_owner(value: ColumnElement[Any], condition: ColumnElement[bool]) -> Subquery:
    return select(Unit.owner_id, value.label("value")).where(condition).group_by(Unit.owner_id).subquery()


_running = _by_owner(func.count(), Unit.state == State.GENERATING)
_served = _by_owner(func.max(Unit.started_at), Unit.started_at.is_not(None))
_following = (
    select(Unit.id)
    .outerjoin(_running, _running.c.owner_id == Unit.owner_id)
    .outerjoin(_served, _served.c.owner_id == Unit.owner_id)
    .where(Unit.state == State.QUEUED, Unit.paused_at.is_(None), ~QUEUE_PAUSED, ~IS_BACKING_OFF)
    .where(Unit.id.not_in(bindparam("stopping", expanding=True)))
    .order_by(
        Unit.priority.desc(), func.coalesce(_running.c.value, 0), _served.c.value.asc().nulls_first(), PLACE, Unit.id
    )
    .limit(1)
)
# Built once: every change of the queue claims, with the write lock.
_CLAIM = (
    update(Unit)
    .where(Unit.id == _following.scalar_subquery(), Unit.state == State.QUEUED)
    .values(state=State.GENERATING, started_at=bindparam("moment"), ended_at=None, error=None, retry_at=None)
    .returning(Unit)
    .execution_options(populate_existing=True, synchronize_session=False)
)


def backing_off(session: Session, of: ColumnElement[bool]) -> Sequence[Unit]:
    """The units `of` something that failed and wait before their next try, soonest first."""
    waiting = select(Unit).where(of, Unit.state == State.QUEUED, is_backing_off())
    return session.scalars(waiting.order_by(Unit.retry_at, Unit.id)).all()


def next_retry(session: Session) -> datetime | None:
    """When the first unit is to be tried again that is only waiting for that."""
    return session.scalar(select(func.min(Unit.retry_at)).where(Unit.state == State.QUEUED, is_backing_off()))


def retry_now(session: Session, of: ColumnElement[bool]) -> Sequence[int]:
    """End the wait of units `of` something before their next try, and return their ids."""
    unit_ids = [unit.id for unit in backing_off(session, of)]
    session.execute(update(Unit).where(Unit.id.in_(unit_ids)).values(retry_at=None))
    note(session, UnitsQueued())
    return unit_ids


def end_unit(session: Session, unit_id: int) -> Unit:
    """End a unit that the engine has finished. If it left something out, the unit failed and is retried."""
    unit = session.get_one(Unit, unit_id)
    if unit.state != State.GENERATING:
        return unit
    if kind_of(unit).unfinished(session, unit):
        return fail_unit(session, unit_id, N_("The engine stopped before this was finished."), transient=True)
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
        _queue_again(session, unit, message, BACK_OFF[unit.tries - 1])
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
        _queue_again(session, unit, message, BACK_OFF[unit.crashes - 1])
    else:
        kind = kind_of(unit)
        kind.moved(session, unit, State.GENERATING, State.HELD, message)
        unit.state, unit.error, unit.ended_at = State.HELD, message, now()
        kind.record_hold(session, unit)
    return unit


def acquit(session: Session, failed: Collection[int], crashed: Collection[int]) -> None:
    """Take back the latest try or crash of these units, as far as they wait: the engine is at fault."""
    for unit_ids, charged in ((failed, Unit.tries), (crashed, Unit.crashes)):
        waiting = Unit.id.in_(unit_ids), Unit.state == State.QUEUED
        less = case((charged > 0, charged - 1), else_=0)
        session.execute(update(Unit).where(*waiting).values({charged: less, Unit.retry_at: None}))


def is_last_try(session: Session, unit_id: int) -> bool:
    """Whether a unit fails for good with its next failure."""
    return session.get_one(Unit, unit_id).tries == MOST_TRIES - 1


def _queue_again(session: Session, unit: Unit, why: str, wait: timedelta | None = None) -> None:
    kind_of(unit).moved(session, unit, State.GENERATING, State.QUEUED, None)
    unit.state, unit.error = State.QUEUED, why
    unit.retry_at = now() + wait if wait else None


def cancel_units(session: Session, of: ColumnElement[bool], at: datetime | None = None) -> None:
    """Cancel the waiting, running and held units `of` something. Those in an engine are stopped after the commit.

    Those that were cancelled `at` one time can be found again by it.
    """
    running = session.scalars(select(Unit.id).where(of, Unit.state == State.GENERATING).order_by(Unit.id)).all()
    session.execute(update(Unit).where(of, Unit.state.in_(OPEN)).values(state=State.CANCELLED, ended_at=at or now()))
    if running:
        note(session, UnitsStopped(tuple(running)))


def give_back(session: Session, unit_id: int) -> Unit:
    """Queue a unit again that did not fail: the server stops, or the engine was not ready for it."""
    unit = session.get_one(Unit, unit_id)
    if unit.state == State.GENERATING:
        _queue_again(session, unit, N_("It was interrupted."))
    return unit


def put_back(session: Session, of: ColumnElement[bool]) -> int:
    """Queue the running units `of` something again, and count them. Engines stop them after the commit."""
    running = session.scalars(select(Unit).where(of, Unit.state == State.GENERATING).order_by(Unit.id)).all()
    for unit in running:
        _queue_again(session, unit, N_("It was paused."))
    if running:
        note(session, UnitsStopped(tuple(unit.id for unit in running)))
    return len(running)


def requeue_running(session: Session) -> list[int]:
    """Queue again what was running when the server was killed, however often that happened; returns the units' ids.

    Call it at start, before any claim.
    """
    running = session.scalars(select(Unit).where(Unit.state == State.GENERATING).order_by(Unit.id)).all()
    for unit in running:
        if kind_of(unit).unfinished(session, unit):
            _queue_again(session, unit, N_("The server stopped during this."))
        else:
            end_unit(session, unit.id)
    return [unit.id for unit in running]
