"""Units of a set: how its pictures become work for an engine, and how results are stored.

A kind of work of `app.work`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, cast

from sqlalchemy import SQLColumnExpression, and_, insert, select, update
from sqlalchemy.orm import Session, joinedload

from app.accounts.queries import signed_in
from app.audit.service import record
from app.engine import events as engine
from app.errors import Conflict
from app.files import Files, Kind
from app.models import Act, Image, ImageSet, State, StyleReference, StyleVersion, Unit, User, now
from app.rights import queries as rights
from app.sets import queries
from app.sets.ingredients import INGREDIENTS
from app.sets.ingredients.base import Batch
from app.sets.looks import engine_references
from app.sets.spec import SEEDS
from app.sets.stack import restack
from app.work.kinds import Row, WorkKind, Write
from app.work.queue import add_units, cancel_units


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


class Pictures(WorkKind):
    """Pictures of a set."""

    noun = queries.topic(0).noun

    @property
    def column(self) -> SQLColumnExpression[int | None]:
        return Unit.set_id

    def row_id(self, unit: Unit) -> int | None:
        return unit.set_id

    def for_engine(self, session: Session, unit: Unit, files: Files, model: str | None = None) -> engine.Unit:
        return engine_unit(session, unit, files, model)

    def keep(self, event: engine.Event, files: Files) -> Write:
        match event:
            case engine.ImageReady(unit_id, image_id, png, seconds):
                sha256 = files.put(Kind.IMAGES, png)
                return lambda session: finish_image(session, unit_id, image_id, sha256, len(png), seconds)
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
    for set_id, image_id in queries.mosaics(session, rows, 1):
        rows[set_id].image_id = image_id
    return rows


def add_images(session: Session, image_set: ImageSet, unit_size: int) -> None:
    """Queue the pictures of a new set.

    All variations of the first prompt, then of the second, ...; each image has the seed after the previous one's.
    Inserts plain rows: a thousand objects would hold the write lock five times as long.
    """
    prompts = [prompt for prompt in image_set.prompts for _ in range(image_set.count)]
    owner = {"set_id": image_set.id, "owner_id": image_set.owner_id}
    batches = range(0, len(prompts), unit_size)
    unit_ids = add_units(session, [{**owner, "priority": image_set.priority} for _ in batches])
    shared = {**owner, "campaign_id": image_set.campaign.id, "style_id": image_set.style_version.style_id}
    images = [
        {
            **shared,
            "position": index + 1,
            "prompt": prompt,
            "seed": (image_set.seed + index) % SEEDS,
            "unit_id": unit_ids[index // unit_size],
        }
        for index, prompt in enumerate(prompts)
    ]
    session.execute(insert(Image), images)


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
    unit = {"set_id": image_set.id, "owner_id": image_set.owner_id, "priority": image_set.priority}
    unit_ids = add_units(session, [unit] * len(batches))
    queued = {"state": State.QUEUED, "error": None}
    rows = [
        {"id": image_id, "unit_id": unit_id, **queued}
        for unit_id, batch in zip(unit_ids, batches, strict=True)
        for image_id in batch
    ]
    session.flush()
    session.execute(update(Image), rows)
    for held in session:
        if isinstance(held, Image):
            session.expire(held, ["unit_id", *queued])


def close_held(session: Session, set_id: int) -> None:
    """Cancel held units of a set whose pictures were all answered for, by trying again or removing them."""
    held = select(Image.id).where(Image.unit_id == Unit.id, Image.state == State.HELD).exists()
    cancel_units(session, and_(Unit.set_id == set_id, Unit.state == State.HELD, ~held))


def need_rights(session: Session, image_set: ImageSet) -> None:
    """Raise Conflict if rights to a reference of the set, or of one of its regions, are not valid today."""
    if refusal := rights.set_refusal(session, image_set):
        raise Conflict(refusal)


def engine_unit(session: Session, unit: Unit, files: Files, model: str | None = None) -> engine.Unit:
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
    if model not in (None, image_set.model):
        raise Conflict(
            f"This set was created with {image_set.model}, but the server now runs {model}. Create a new set."
        )
    need_rights(session, image_set)
    style = image_set.style_version
    images = [image for image in unit.images if image.state == State.GENERATING]
    own_strength = images[0].strength if images else None
    batch = Batch(session, image_set, images, files)
    return engine.Unit(
        id=unit.id,
        images=tuple(engine.UnitImage(image.id, batch.prompt(image.prompt, style), image.seed) for image in images),
        references=engine_references(style, files),
        method=cast(Literal["noise", "ddim"], str(style.method)),
        strength=image_set.strength if own_strength is None else own_strength,
        scale=style.scale,
        share_group_norm=style.share_group_norm,
        adain_values=style.adain_values,
        negative_prompt=image_set.negative_prompt,
        width=image_set.width,
        height=image_set.height,
        steps=image_set.steps,
        guidance=image_set.guidance,
        scheduler=image_set.scheduler,
        seamless=image_set.seamless,
        **{each.name: parts for each in INGREDIENTS if (parts := each.for_engine(batch))},
    )


def finish_image(session: Session, unit_id: int, image_id: int, sha256: str, size: int, seconds: float) -> Image | None:
    """Note that an image's file of `size` bytes is stored. None if it was cancelled or finished before."""
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
