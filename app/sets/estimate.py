"""How long pictures will take, from what this machine made last, and when they would begin."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from app.accounts.queries import signed_in
from app.models import Image, ImageSet, State, Subject, Tuning, TuningDraft, Unit, User
from app.work.queue import PLACE, WAITING

MEASURED = 200  # newest finished pictures
TRAININGS = 5  # newest finished ones
TWICE = {"heun"}  # schedulers that run the model twice a step
STRUCTURE = 0.5  # what a ControlNet adds to the work of a step


@dataclass(frozen=True)
class Effort:
    """What the time of a picture depends on."""

    width: int  # px
    height: int
    steps: int
    guidance: float
    scheduler: str
    structures: int = 0
    regions: int = 0

    @classmethod
    def of(cls, image_set: ImageSet) -> "Effort":
        return cls(
            image_set.width,
            image_set.height,
            image_set.steps,
            image_set.guidance,
            image_set.scheduler,
            len(image_set.structures),
            len(image_set.regions),
        )

    @property
    def kind(self) -> tuple[int, ...]:
        """Pictures of one kind differ in their passes alone."""
        return self.width, self.height, self.structures, self.regions

    @property
    def passes(self) -> int:
        """How often the model runs."""
        return self.steps * (2 if self.guidance != 1 else 1) * (2 if self.scheduler in TWICE else 1)

    @property
    def work(self) -> float:
        """Passes and pixels, to compare kinds."""
        return self.passes * self.width * self.height * (1 + STRUCTURE * self.structures) * (1 + self.regions)


@dataclass(frozen=True)
class Estimate:
    """Seconds until the first picture is begun, None if that is unknown; and from then until the last is finished."""

    starts: float | None
    takes: float


class Speed:
    """The speed of this machine with a model."""

    def __init__(self, measured: Sequence[tuple[Effort, float]], training_step: float | None = None) -> None:
        self._measured = measured  # efforts with the seconds that they took
        self._training_step = training_step  # seconds

    @classmethod
    def of(cls, session: Session, model: str) -> "Speed":
        newest = (
            select(Image.set_id, Image.measures["seconds"].as_float())
            .join(ImageSet, ImageSet.id == Image.set_id)
            .where(Image.state == State.FINISHED, ImageSet.model == model)
            .order_by(Image.id.desc())
            .limit(MEASURED)
        )
        seconds = [(set_id, taken) for set_id, taken in session.execute(newest) if taken]
        efforts = _efforts(session, {set_id for set_id, _ in seconds})
        return cls([(efforts[set_id], taken) for set_id, taken in seconds], _training_step(session))

    def picture(self, effort: Effort) -> float | None:
        """Seconds per picture; None before any measurement."""
        alike = [taken / known.passes for known, taken in self._measured if known.kind == effort.kind]
        if alike:
            return median(alike) * effort.passes
        every = [taken / known.work for known, taken in self._measured]
        return median(every) * effort.work if every else None

    def training(self, steps: int) -> float | None:
        return None if self._training_step is None else self._training_step * steps


def _efforts(session: Session, set_ids: set[int]) -> dict[int, Effort]:
    return {row.id: Effort.of(row) for row in session.scalars(select(ImageSet).where(ImageSet.id.in_(set_ids)))}


def _training_step(session: Session) -> float | None:
    newest = session.execute(
        select(Unit.started_at, Unit.ended_at, Subject.steps)
        .join(Subject, Subject.id == Unit.subject_id)
        .where(Unit.state == State.FINISHED)
        .order_by(Unit.id.desc())
        .limit(TRAININGS)
    )
    steps = [(ended - started).total_seconds() / steps for started, ended, steps in newest if started and ended]
    return median(steps) if steps else None


@dataclass
class _Waiting:
    """A unit in the queue."""

    owner_id: int
    priority: int
    seconds: float | None
    ours: bool = False


def estimate(
    session: Session,
    user: User,
    effort: Effort,
    pictures: int,
    model: str,
    unit_size: int,
    running: Mapping[int, float | None],
    priority: int = 0,
) -> Estimate | None:
    """Estimate new pictures of `user`; None before anything was measured. `running`: seconds left by unit, if known."""
    speed = Speed.of(session, model)
    each = speed.picture(effort)
    if each is None or pictures < 1:
        return None
    waiting, now = _queue(session, user, speed, running)
    sizes = [min(unit_size, pictures - first) for first in range(0, pictures, unit_size)]
    waiting += [_Waiting(user.id, priority, size * each, ours=True) for size in sizes]
    return _serve(waiting, now, sum(sizes) * each)


def _queue(
    session: Session, user: User, speed: Speed, running: Mapping[int, float | None]
) -> tuple[list[_Waiting], float | None]:
    """What waits, in the order of its owners, and the seconds until the engine is free, None if unknown."""
    making = and_(Image.unit_id == Unit.id, Image.state.in_(WAITING))
    rows = session.execute(
        select(
            *(Unit.id, Unit.state, Unit.owner_id, Unit.priority, Unit.set_id, Unit.tuning_id),
            *(Subject.steps, func.count(Image.id).label("pictures")),
        )
        .outerjoin(Image, making)
        .outerjoin(Subject, Subject.id == Unit.subject_id)
        .where(Unit.state.in_(WAITING), Unit.paused_at.is_(None), signed_in(user))
        .group_by(Unit.id)
        .order_by(PLACE)
    ).all()
    efforts = _efforts(session, {row.set_id for row in rows if row.set_id})
    drafts = _drafts(session, {row.tuning_id for row in rows if row.tuning_id})
    waiting: list[_Waiting] = []
    now: float | None = 0.0
    for row in rows:
        effort, number = drafts[row.tuning_id] if row.tuning_id else (efforts.get(row.set_id), row.pictures)
        each = speed.picture(effort) if effort else None
        seconds = speed.training(row.steps) if row.steps else None if each is None else each * number
        if row.state == State.QUEUED:
            waiting.append(_Waiting(row.owner_id, row.priority, seconds))
        else:
            left = running.get(row.id)
            left = seconds if left is None else left
            now = None if now is None or left is None else now + left
    return waiting, now


def _drafts(session: Session, tuning_ids: set[int]) -> dict[int, tuple[Effort, int]]:
    """The effort of each draft of tunings, and how many are left."""
    left = func.count().filter(TuningDraft.webp.is_(None))
    rows = session.execute(select(Tuning, left).join(TuningDraft).where(Tuning.id.in_(tuning_ids)).group_by(Tuning.id))
    return {row.id: (Effort(row.width, row.height, row.steps, row.guidance, row.scheduler), n) for row, n in rows}


def _serve(waiting: Sequence[_Waiting], now: float | None, alone: float) -> Estimate:
    """Serve what waits as the queue does: by priority, and owners of the same priority take turns."""
    starts: float | None = None
    begun = False
    for priority in sorted({each.priority for each in waiting}, reverse=True):
        turns: defaultdict[int, list[_Waiting]] = defaultdict(list)
        for unit in waiting:
            if unit.priority == priority:
                turns[unit.owner_id].append(unit)
        while turns:
            for owner_id in list(turns):
                unit = turns[owner_id].pop(0)
                if unit.ours and not begun:
                    starts, begun = now, True
                now = None if now is None or unit.seconds is None else now + unit.seconds
                if not turns[owner_id]:
                    del turns[owner_id]
                if unit.ours and not any(each.ours for each in turns.get(owner_id, ())):
                    return Estimate(starts, alone if now is None or starts is None else now - starts)
    return Estimate(starts, alone)
