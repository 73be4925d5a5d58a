"""Units of a set: how its pictures become work for an engine, and how results are stored.

A kind of work of `app.work`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, Protocol, cast

from sqlalchemy import SQLColumnExpression, and_, bindparam, func, insert, select, update
from sqlalchemy.orm import Session, joinedload

from app.accounts.queries import signed_in
from app.audit.service import record
from app.engine import events as engine
from app.engine.base import ModelFacts
from app.errors import Conflict
from app.files import Files, Kind
from app.languages import gettext as _
from app.models import Act, Image, ImageSet, PictureFeatures, State, StyleReference, StyleVersion, Unit, User, now
from app.prompts.reader import Reader
from app.rights import queries as rights
from app.sets import queries, safety
from app.sets.ingredients import INGREDIENTS
from app.sets.ingredients.base import Batch
from app.sets.looks import engine_references, engine_sharing
from app.sets.mosaics import mosaics
from app.sets.spec import seeds_from
from app.sets.stack import restack
from app.work.kinds import Row, WorkKind, Write
from app.work.order import pause_of
from app.work.queue import PLACE, add_units, cancel_units


@dataclass(kw_only=True)
class QueuedSet(queries.PictureCounts, Row):
    """A set that is running or waiting."""

    name: str
    image_id: int | None  # of a finished picture
    reference_id: int

    @property
    def runs(self) -> bool:
        return bool(self.making)


class Queueable(Protocol):
    """An image, or as much of its row as the queue needs."""

    @property
    def id(self) -> int: ...

    @property
    def strength(self) -> float | None: ...


class MapsOf(NamedTuple):
    """What the engine saw of a picture as it was made; see `engine.events.ImageReady`."""

    subject: bytes | None = None
    layout: bytes | None = None


class Pictures(WorkKind):
    """Pictures of a set."""

    noun = queries.topic(0).noun

    @property
    def column(self) -> SQLColumnExpression[int | None]:
        return Unit.set_id

    def row_id(self, unit: Unit) -> int | None:
        return unit.set_id

    def for_engine(self, session: Session, unit: Unit, files: Files, model: ModelFacts | None = None) -> engine.Unit:
        return engine_unit(session, unit, files, model)

    def keep(self, event: engine.Event, files: Files) -> Write:
        match event:
            case engine.ImageReady(unit_id, image_id, png, seconds, flagged, subject, layout):
                sha256, seen = files.put(Kind.IMAGES, png), MapsOf(subject, layout)
                return lambda session: finish_image(
                    session, unit_id, image_id, sha256, len(png), seconds, flagged, seen
                )
            case engine.ImageFailed(unit_id, image_id, message):
                return lambda session: fail_image(session, unit_id, image_id, message)
        raise TypeError(f"no picture of a set comes with {type(event).__name__}")

    def moved(self, session: Session, unit: Unit, before: State, after: State, error: str | None) -> None:
        of_unit = Image.unit_id == unit.id, Image.state == before
        session.execute(update(Image).where(*of_unit).values(state=after, error=error))

    def unfinished(self, session: Session, unit: Unit) -> bool:
        making = Image.unit_id == unit.id, Image.state == State.GENERATING
        return session.scalar(select(Image.id).where(*making)) is not None

    def record_failure(self, session: Session, unit: Unit, message: str) -> None:
        record(session, None, Act.UNIT_FAIL, session.get_one(ImageSet, unit.set_id), error=message)

    def record_hold(self, session: Session, unit: Unit) -> None:
        record(session, None, Act.UNIT_HOLD, session.get_one(ImageSet, unit.set_id), crashes=unit.crashes)

    def rows(self, session: Session, user: User, ids: Collection[int]) -> Mapping[int, Row]:
        return set_rows(session, user, ids)


def set_rows(session: Session, user: User, ids: Collection[int]) -> dict[int, QueuedSet]:
    """Sets as the home page lists running or waiting work."""
    found = session.execute(
        select(ImageSet.id, ImageSet.name, User.name, StyleReference.reference_id)
        .join(User, User.id == ImageSet.owner_id)
        .join(StyleReference, StyleReference.version_id == ImageSet.style_version_id)
        .where(ImageSet.id.in_(ids), StyleReference.position == 1, signed_in(user))
    )
    rows = {
        id: QueuedSet(topic=queries.topic(id), name=name, owner=owner, image_id=None, reference_id=reference_id)
        for id, name, owner, reference_id in found
    }
    queries.count_places(session, rows)
    for set_id, image_id in mosaics(session, rows, 1):
        rows[set_id].image_id = image_id
    return rows


def add_images(session: Session, image_set: ImageSet, unit_size: int) -> None:
    """Queue the pictures of a new set.

    Positions go through all variations of the first prompt, then of the second, ...; each image has the seed after the
    previous one's. They are made round by round: see `by_round`. Inserts plain rows: a thousand objects would hold the
    write lock five times as long.
    """
    prompts = [prompt for prompt in image_set.prompts for _ in range(image_set.count)]
    seeds = seeds_from(image_set.seed, len(prompts))
    turns = sorted(range(len(prompts)), key=lambda index: by_round(index + 1, image_set.count))
    turn_of = {index: turn for turn, index in enumerate(turns)}
    owner = {"set_id": image_set.id, "owner_id": image_set.owner_id}
    batches = range(0, len(prompts), unit_size)
    unit_ids = add_units(session, [{**owner, "priority": image_set.priority} for _ in batches])
    shared = {**owner, "campaign_id": image_set.campaign.id, "style_id": image_set.style_version.style_id}
    images = [
        {
            **shared,
            "position": index + 1,
            "prompt": prompt,
            "drawn_as": image_set.drawn_as.get(prompt),
            "seed": seeds[index],
            "unit_id": unit_ids[turn_of[index] // unit_size],
        }
        for index, prompt in enumerate(prompts)
    ]
    session.execute(insert(Image), images)


def by_round(position: int, count: int) -> tuple[int, int]:
    """A key to sort positions of a set by: the first of its `count` variations of every prompt, then the second, ..."""
    return (position - 1) % count, position


def enqueue(session: Session, image_set: ImageSet, images: Iterable[Queueable], unit_size: int) -> None:
    """Queue images of a set in new units. Images of one unit share their strength, because they share a batch.

    Updates plain rows: a thousand changed objects would hold the write lock longer. The session reads these columns of
    its objects again.
    """
    by_strength: dict[float | None, list[int]] = {}
    for image in images:
        by_strength.setdefault(image.strength, []).append(image.id)
    batches = [
        alike[start : start + unit_size] for alike in by_strength.values() for start in range(0, len(alike), unit_size)
    ]
    unit = {
        "set_id": image_set.id,
        "owner_id": image_set.owner_id,
        "priority": image_set.priority,
        **pause_of(session, queries.topic(image_set.id)),
    }
    unit_ids = add_units(session, [unit] * len(batches))
    queued = {"state": State.QUEUED, "error": None}
    rows = [
        {"id": image_id, "unit_id": unit_id, **queued}
        for unit_id, batch in zip(unit_ids, batches, strict=True)
        for image_id in batch
    ]
    session.flush()
    session.execute(update(Image), rows)
    _read_again(session)


def _read_again(session: Session) -> None:
    """Have the session read again what was queued without its objects."""
    for held in session:
        if isinstance(held, Image):
            session.expire(held, ["unit_id", "state", "error"])


def queue_again(session: Session, set_ids: Collection[int], at: datetime) -> int:
    """Queue again what `cancel_units` cancelled of sets at that time, where it was in the queue; counts the images.

    In new units: an engine may still be stopping one of the old ones.
    """
    columns = Unit.id, Unit.set_id, Unit.owner_id, Unit.priority, PLACE.label("place"), Unit.paused_at, Unit.paused_as
    stopped = Image.unit_id == Unit.id, Image.state == State.CANCELLED
    of_sets = Unit.set_id.in_(set_ids), Unit.state == State.CANCELLED, Unit.ended_at == at
    found = select(*columns, func.count().label("images")).join(Image, and_(*stopped)).where(*of_sets).group_by(Unit.id)
    former = session.execute(found.order_by(Unit.id)).all()
    if not former:
        return 0
    kept = "set_id", "owner_id", "priority", "place", "paused_at", "paused_as"
    new_ids = add_units(session, [{name: getattr(unit, name) for name in kept} for unit in former])
    moved = update(Image).where(Image.unit_id == bindparam("old"), Image.state == State.CANCELLED)
    rows = [{"old": unit.id, "new": new_id} for unit, new_id in zip(former, new_ids, strict=True)]
    session.connection().execute(moved.values(unit_id=bindparam("new"), state=State.QUEUED, error=None), rows)
    _read_again(session)
    return sum(unit.images for unit in former)


def close_held(session: Session, set_id: int) -> None:
    """Cancel held units of a set whose pictures were all answered for, by trying again or removing them."""
    held = select(Image.id).where(Image.unit_id == Unit.id, Image.state == State.HELD).exists()
    cancel_units(session, and_(Unit.set_id == set_id, Unit.state == State.HELD, ~held))


def has_rights(session: Session, image_set: ImageSet) -> bool:
    """Whether rights to all references of the set and its regions are valid today."""
    return not rights.set_refusal(session, image_set)


def need_rights(session: Session, image_set: ImageSet) -> None:
    """Raise Conflict if rights to a reference of the set, or of one of its regions, are not valid today."""
    if refusal := rights.set_refusal(session, image_set):
        raise Conflict(refusal)


def engine_unit(session: Session, unit: Unit, files: Files, model: ModelFacts | None = None) -> engine.Unit:
    """Prepare a claimed unit for an engine, without the images that an earlier attempt has finished.

    Raises Conflict if the set was requested for another model than `model`, the engine's (None: any): its pictures
    would not match its row. Also if rights to its references ended after it was queued.
    """
    image_set = session.scalars(
        select(ImageSet)
        .where(ImageSet.id == unit.set_id)
        .options(
            joinedload(ImageSet.style_version)
            .selectinload(StyleVersion.references)
            .joinedload(StyleReference.reference)
        )
    ).one()
    if model and model.name != image_set.model:
        raise Conflict(other_model(image_set, model))
    need_rights(session, image_set)
    images = [image for image in unit.images if image.state == State.GENERATING]
    own_strength = images[0].strength if images else None
    strength = image_set.strength if own_strength is None else own_strength
    return engine_work(session, unit.id, image_set, image_set.style_version, images, strength, files, model)


def other_model(image_set: ImageSet, model: ModelFacts) -> str:
    """That a set cannot continue with this model, in a sentence."""
    return _(
        "This set was created with %(model)s, but the server now runs %(current)s. Create a new set.",
        model=image_set.model,
        current=model.name,
    )


def engine_work(
    session: Session,
    unit_id: int,
    image_set: ImageSet,
    style: StyleVersion,
    images: Sequence[Image],
    strength: float,
    files: Files,
    model: ModelFacts | None,
) -> engine.Unit:
    """What an engine needs to make these images of a set, which may be one that is not stored."""
    batch = Batch(session, image_set, images, files, model.reader if model else Reader())
    return engine.Unit(
        id=unit_id,
        images=tuple(
            engine.UnitImage(image.id, batch.prompt(image.said, style), image.seed, object=batch.subject(image.said))
            for image in images
        ),
        references=engine_references(style, files, batch.reader),
        method=cast(Literal["noise", "ddim"], str(style.method)),
        strength=strength,
        scale=style.scale,
        share_group_norm=style.share_group_norm,
        adain_values=style.adain_values,
        options=engine_sharing(style),
        negative_prompt=batch.reader.read(image_set.said(image_set.negative_prompt)).read,
        width=image_set.width,
        height=image_set.height,
        steps=image_set.steps,
        guidance=image_set.guidance,
        scheduler=image_set.scheduler,
        seamless=image_set.seamless,
        maps=False,
        measured=False,
        batch=None,
        **{each.name: parts for each in INGREDIENTS if (parts := each.for_engine(batch))},
    )


def finish_image(
    session: Session,
    unit_id: int,
    image_id: int,
    sha256: str,
    size: int,
    seconds: float,
    flagged: float | None = None,
    seen: MapsOf | None = None,
) -> Image | None:
    """Note that an image's file of `size` bytes is stored. None if it was cancelled or finished before.

    `flagged` is the score of the safety check, if that flagged it; `seen` what is measured with it.
    """
    image = session.scalar(
        update(Image)
        .where(Image.id == image_id, Image.unit_id == unit_id, Image.state == State.GENERATING)
        .values(
            state=State.FINISHED,
            shown=~Image.superseded,
            sha256=sha256,
            bytes=size,
            measures={"seconds": round(seconds, 3)},
            finished_at=now(),
            error=None,
        )
        .returning(Image)
        .execution_options(populate_existing=True, synchronize_session=False)
    )
    if image:
        restack(session, image.set_id, image.position)
        record(session, None, Act.IMAGE_FINISH, image)
        if flagged is not None:
            safety.flag(session, image, flagged)
        if seen and (seen.subject or seen.layout):
            session.merge(PictureFeatures(image_id=image.id, subject=seen.subject, layout=seen.layout))
    return image


def fail_image(session: Session, unit_id: int, image_id: int, message: str) -> Image | None:
    """Note that one image of a unit cannot be made, and why; the others continue. None if it was cancelled before."""
    image = session.scalar(
        update(Image)
        .where(Image.id == image_id, Image.unit_id == unit_id, Image.state == State.GENERATING)
        .values(state=State.FAILED, error=message)
        .returning(Image)
        .execution_options(populate_existing=True, synchronize_session=False)
    )
    if image:
        record(session, None, Act.UNIT_FAIL, image.image_set, error=message, picture=image.position)
    return image
