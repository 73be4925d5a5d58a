"""Making sets, and moving their pictures from queued to finished. The tables are the queue: see "The queue" below."""

import secrets
from dataclasses import replace
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, Subquery, func, insert, select, update
from sqlalchemy.orm import Session, joinedload

from app.accounts.service import may_change as may_change
from app.accounts.service import need_active
from app.audit.service import record
from app.engine import events as engine
from app.engine.base import ModelFacts
from app.errors import Conflict, Forbidden, Invalid
from app.files import Files
from app.models import (
    Act,
    Campaign,
    Image,
    ImageSet,
    State,
    StyleReference,
    StyleVersion,
    Subject,
    Unit,
    User,
    What,
    now,
)
from app.quotas.service import take
from app.rights import queries as rights
from app.sets import queries, regions
from app.sets.looks import engine_references, joined, latest_version
from app.sets.spec import MIN_SIDE, MOST_PICTURES, SEEDS, SetSpec
from app.sets.stack import ON_PAGE, restack
from app.structures import service as structures
from app.subjects import service as subjects
from app.subjects import training
from app.subjects.handles import spoken
from app.text import plural, shorten, thin

MOST_TRIES = 3  # of a unit
NO_CAMPAIGN = "Unsorted"
LOCKED = "The decisions of this set are locked, so its pictures cannot be generated again. Ask a manager to unlock it."
NAME_LENGTH = 60  # characters of a prompt that become a set's name


def create(
    session: Session, user: User, spec: SetSpec, model: ModelFacts, unit_size: int, files: Files | None = None
) -> ImageSet:
    """A new set with its images, queued in units of `unit_size`. Raises Invalid and Forbidden.

    `files`, when given, are asked whether the pictures that the set names are there.
    """
    need_active(user)
    version = latest_version(session, spec.style_code)
    Invalid.check(
        {
            "style": rights.refusal(session, version)
            if version
            else f"There is no style {spec.style_code!r} to choose. It may be archived.",
            "count": _count_error(spec),
            "size": _side_error("Width", spec.width, model)
            or _side_error("Height", spec.height, model)
            or _shape_error(spec, model),
            "scheduler": _scheduler_error(spec, model),
            "structures": structures.problem(session, spec, model),
            "subjects": subjects.problem(session, user, spec, model),
            "regions": regions.problem(session, spec, model, files),
        }
    )
    version = cast(StyleVersion, version)
    image_set = ImageSet(
        **spec.model_dump(
            include={"count", "width", "height", "steps", "guidance", "scheduler", "negative_prompt", "seamless"}
        ),
        structures=[part.model_dump(mode="json") for part in spec.structures],
        subjects=subjects.stored(session, spec),
        regions=regions.stored(session, spec),
        name=spec.name or shorten(spec.prompts[0], NAME_LENGTH),
        owner_id=user.id,
        campaign=campaign_named(session, user, spec.campaign or NO_CAMPAIGN),
        style_version=version,
        model=model.name,
        prompts=list(spec.prompts),
        strength=version.strength if spec.strength is None else spec.strength,
        seed=secrets.randbelow(SEEDS) if spec.seed is None else spec.seed,
    )
    session.add(image_set)
    pictures = len(spec.prompts) * spec.count
    take(session, user, "form", {What.SETS: 1, What.PICTURES: pictures})
    record(session, user, Act.SET_CREATE, image_set, name=image_set.name, pictures=pictures)
    _add_images(session, image_set, unit_size)
    return image_set


def cancel(session: Session, user: User, set_id: int) -> list[int]:
    """Make no more of a set; what is finished stays. The ids of the units to stop in the engine, after the commit."""
    image_set = changeable(session, user, set_id)
    waiting = [State.QUEUED, State.GENERATING]
    stopped = session.execute(
        update(Image)
        .where(Image.set_id == set_id, Image.state.in_(waiting))
        .values(state=State.CANCELLED)
        .returning(Image.id)
    ).all()
    if not stopped:
        raise Conflict("There is nothing to cancel: no picture of this set is queued or generating.")
    running = list(
        session.scalars(select(Unit.id).where(Unit.set_id == set_id, Unit.state == State.GENERATING).order_by(Unit.id))
    )
    session.execute(
        update(Unit).where(Unit.set_id == set_id, Unit.state.in_(waiting)).values(state=State.CANCELLED, ended_at=now())
    )
    image_set.cancelled_at = now()
    record(session, user, Act.SET_CANCEL, image_set, pictures=len(stopped))
    return running


def retry_set(session: Session, user: User, set_id: int, unit_size: int) -> int:
    """Queue a set's failed and cancelled images again; how many. Raises Conflict when there are none."""
    image_set = changeable(session, user, set_id)
    wanted = Image.set_id == set_id, ON_PAGE, Image.state.in_([State.FAILED, State.CANCELLED])
    images = list(session.scalars(select(Image).where(*wanted).order_by(Image.position, Image.version)))
    if not images:
        raise Conflict("There is nothing to retry: no picture of this set failed or was cancelled.")
    return _retry(session, user, image_set, images, unit_size)


def retry_image(session: Session, user: User, image_id: int) -> Image:
    """Queue one failed or cancelled image again. Raises Conflict when it is neither."""
    image = queries.image(session, user, image_id)
    image_set = changeable(session, user, image.set_id)
    if image.state not in (State.FAILED, State.CANCELLED):
        raise Conflict("Only a failed or cancelled picture can be retried.")
    if image.superseded or image.deleted_at:
        raise Conflict("A newer version already replaced this picture.")
    _retry(session, user, image_set, [image], unit_size=1)
    return image


def _retry(session: Session, user: User, image_set: ImageSet, images: list[Image], unit_size: int) -> int:
    if image_set.locked_at:
        raise Conflict(LOCKED)
    need_rights(session, image_set)
    for image in images:
        image.state, image.error = State.QUEUED, None
    image_set.cancelled_at = None
    queue(session, image_set, images, unit_size)
    record(session, user, Act.SET_RETRY, image_set, pictures=[image.position for image in images])
    return len(images)


def need_rights(session: Session, image_set: ImageSet) -> None:
    """Raises Conflict when a right to a reference of the set, or of one of its regions, does not hold today."""
    if refusal := rights.set_refusal(session, image_set):
        raise Conflict(refusal)


def changeable(session: Session, user: User, set_id: int) -> ImageSet:
    """A set that `user` may change: its owner, and managers. Raises NotFound and Forbidden."""
    image_set = queries.get(session, user, set_id)
    if not may_change(user, image_set):
        raise Forbidden(f"Only {image_set.owner.name} or a manager can change this set.")
    return image_set


def _count_error(spec: SetSpec) -> str | None:
    pictures = len(spec.prompts) * spec.count
    if pictures <= MOST_PICTURES:
        return None
    prompts, most = plural(len(spec.prompts), "prompt"), thin(MOST_PICTURES)
    return f"{prompts} × {spec.count} are {plural(pictures, 'picture')}; a set has at most {most}."


def _side_error(side: str, pixels: int, model: ModelFacts) -> str | None:
    multiple = model.size_multiple
    least = -(-MIN_SIDE // multiple) * multiple
    most = model.max_side // multiple * multiple
    if least <= pixels <= most and pixels % multiple == 0:
        return None
    nearest = min(max(round(pixels / multiple) * multiple, least), most)
    return f"{side} is a multiple of {multiple} px from {least} to {most}; {pixels} was given, {nearest} is nearest."


def _shape_error(spec: SetSpec, model: ModelFacts) -> str | None:
    long, short = max(spec.width, spec.height), min(spec.width, spec.height)
    if long > model.longest * short:
        return (
            f"A picture is at most {model.longest} times as long as it is high or wide;"
            f" {spec.width} × {spec.height} is {long / short:.3g} times as long."
        )
    if spec.width * spec.height > model.max_pixels:
        most = f"{model.max_pixels / 1e6:.3g}"
        return f"A picture has at most {most} megapixels here; {spec.width} × {spec.height} is more."
    return None


def _scheduler_error(spec: SetSpec, model: ModelFacts) -> str | None:
    if spec.scheduler in model.schedulers:
        return None
    return f"The scheduler is one of {', '.join(model.schedulers)}; {spec.scheduler[:40]!r} was given."


def campaign_named(session: Session, user: User, name: str) -> Campaign:
    """The campaign of that name, made if there is none."""
    found = session.scalar(select(Campaign).where(Campaign.name == name))
    if found:
        return found
    campaign = Campaign(name=name, created_by_id=user.id)
    session.add(campaign)
    record(session, user, Act.CAMPAIGN_CREATE, campaign, name=name)
    return campaign


def _add_images(session: Session, image_set: ImageSet, unit_size: int) -> None:
    """All variations of the first prompt, then of the second, ...; each image has the seed after the one before it.

    As plain rows: a thousand objects would hold the write lock five times as long.
    """
    prompts = [prompt for prompt in image_set.prompts for _ in range(image_set.count)]
    owner = {"set_id": image_set.id, "owner_id": image_set.owner_id}
    batches = range(0, len(prompts), unit_size)
    units = [{**owner, "priority": image_set.priority} for _ in batches]
    unit_ids = session.scalars(insert(Unit).returning(Unit.id, sort_by_parameter_order=True), units).all()
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


# The queue
#
#   queued -> generating -> finished
#      ^          |-------> failed      (tried three times, or no use in trying)
#      |----------|-------> cancelled
#
# A unit is claimed by one statement, so nobody claims it too. Everything that an engine says of a unit counts only
# while the unit and its image are generating: what arrives after a cancel, a restart or a second time changes nothing.
#
# A unit makes images of a set, or trains a subject (`app.subjects.training`); the queue is the same.


def queue(session: Session, image_set: ImageSet, images: list[Image], unit_size: int) -> None:
    """Units for images of a set. Those of one unit share their strength, as they share a batch."""
    by_strength: dict[float | None, list[Image]] = {}
    for image in images:
        by_strength.setdefault(image.strength, []).append(image)
    for alike in by_strength.values():
        for start in range(0, len(alike), unit_size):
            session.add(
                Unit(
                    image_set=image_set,
                    owner_id=image_set.owner_id,
                    priority=image_set.priority,
                    images=alike[start : start + unit_size],
                )
            )
    session.flush()


def claim_next(session: Session) -> Unit | None:
    """Take the next unit for an engine: it and its images or subject are generating from now on. None when none waits.

    The highest priority first; among those, the owner with the fewest units running, then the one whose last unit
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
        .values(state=State.GENERATING, tries=Unit.tries + 1, started_at=now(), ended_at=None, error=None)
        .returning(Unit)
        .execution_options(populate_existing=True, synchronize_session=False)
    )
    if unit:
        _move(session, unit, State.QUEUED, State.GENERATING)
    return unit


def _by_owner(value: ColumnElement[Any], condition: ColumnElement[bool]) -> Subquery:
    return select(Unit.owner_id, value.label("value")).where(condition).group_by(Unit.owner_id).subquery()


def engine_unit(session: Session, unit: Unit, files: Files, model: str | None = None) -> engine.Unit:
    """A claimed unit as an engine takes it, without the images that an earlier try has finished.

    Raises Conflict when the set was asked of another model than `model`, the engine's (None: whichever): its pictures
    would not be what its row says. And when a right to its references ended after it was queued.
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
    phrases = subjects.phrases(session, image_set)
    return engine.Unit(
        id=unit.id,
        images=tuple(
            engine.UnitImage(image.id, spoken(joined(image.prompt, style.text), phrases), image.seed)
            for image in images
        ),
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
        structures=structures.for_engine(session, image_set, images, files),
        subjects=subjects.for_engine(session, image_set, files),
        regions=tuple(
            replace(region, prompt=spoken(region.prompt, phrases))
            for region in regions.for_engine(session, image_set, files)
        ),
        seamless=image_set.seamless,
    )


def finish_image(session: Session, unit_id: int, image_id: int, sha256: str, size: int, seconds: float) -> Image | None:
    """Note that an image's file of `size` bytes is kept. None when it was cancelled or finished before."""
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
    """Note that one image of a unit cannot be made, and why; the others go on. None when it was cancelled before."""
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


def end_unit(session: Session, unit_id: int) -> Unit:
    """The engine is done with a unit. Should it have left an image out, the unit failed and is tried again."""
    unit = session.get_one(Unit, unit_id)
    if unit.state != State.GENERATING:
        return unit
    if _unmade(session, unit):
        return fail_unit(session, unit_id, "The engine stopped before this was finished.", transient=True)
    unit.state, unit.ended_at = State.FINISHED, now()
    return unit


def fail_unit(session: Session, unit_id: int, message: str, transient: bool = False) -> Unit:
    """The engine could not make a unit. A transient failure queues it again, unless it was the third; the unit's state
    says which. Finished images stay finished.
    """
    unit = session.get_one(Unit, unit_id)
    if unit.state != State.GENERATING:
        return unit
    if transient and unit.tries < MOST_TRIES:
        _move(session, unit, State.GENERATING, State.QUEUED)
        unit.state, unit.error = State.QUEUED, message
    else:
        _move(session, unit, State.GENERATING, State.FAILED, error=message)
        unit.state, unit.error, unit.ended_at = State.FAILED, message, now()
        _record_failure(session, unit, message)
    return unit


def _record_failure(session: Session, unit: Unit, message: str) -> None:
    if unit.image_set:
        record(session, None, Act.UNIT_FAIL, unit.image_set, error=message)
    else:
        record(session, None, Act.SUBJECT_FAIL, session.get_one(Subject, unit.subject_id), error=message)


def give_back(session: Session, unit_id: int) -> None:
    """Queue a unit again that an orderly shutdown interrupted: it was nobody's failure, so the try does not count."""
    unit = session.get_one(Unit, unit_id)
    if unit.state == State.GENERATING:
        unit.tries -= 1
        fail_unit(session, unit_id, "The server was shut down.", transient=True)


def requeue_running(session: Session) -> int:
    """Queue again what ran when the server was last ended by force; how many units. For its start, before any claim."""
    running = session.scalars(select(Unit).where(Unit.state == State.GENERATING).order_by(Unit.id)).all()
    for unit in running:
        if _unmade(session, unit):
            fail_unit(session, unit.id, f"The server stopped {MOST_TRIES} times during this.", transient=True)
        else:
            end_unit(session, unit.id)
    return len(running)


def _unmade(session: Session, unit: Unit) -> bool:
    if unit.subject_id:
        return training.unfinished(session, unit.subject_id)
    return session.scalar(select(Image.id).where(Image.unit_id == unit.id, Image.state == State.GENERATING)) is not None


def _move(session: Session, unit: Unit, before: State, after: State, error: str | None = None) -> None:
    """What the unit makes goes with it from one state to the next."""
    if unit.subject_id:
        training.move(session, unit.subject_id, before, after, error)
        return
    session.execute(
        update(Image).where(Image.unit_id == unit.id, Image.state == before).values(state=after, error=error)
    )
