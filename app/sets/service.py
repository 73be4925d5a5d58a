"""Make and cancel sets, and redo their pictures. `app.sets.units` describes how a picture is made."""

import secrets
from collections.abc import Sequence
from typing import NamedTuple, cast

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from app.accounts.service import may_change as may_change
from app.accounts.service import need_active
from app.audit.service import record
from app.engine.base import ModelFacts
from app.errors import Conflict, Forbidden, Invalid
from app.files import Files
from app.models import (
    Act,
    Campaign,
    Image,
    ImageSet,
    State,
    StyleVersion,
    Unit,
    User,
    What,
    now,
)
from app.quotas.service import take
from app.rights import queries as rights
from app.sets import queries, units
from app.sets.ingredients import INGREDIENTS
from app.sets.ingredients.base import SetRequest
from app.sets.looks import latest_version
from app.sets.spec import SEEDS, SetSpec
from app.sets.stack import ON_PAGE
from app.text import shorten
from app.work.queue import OPEN, cancel_units


class Unmade(NamedTuple):
    """What retrying needs of an image: plain rows, because a thousand objects would hold the write lock longer."""

    id: int
    position: int
    strength: float | None


NO_CAMPAIGN = "Unsorted"
LOCKED = "The decisions of this set are locked, so its pictures cannot be generated again. Ask a manager to unlock it."
NAME_LENGTH = 60  # characters of a prompt that become a set's name


def create(
    session: Session, user: User, spec: SetSpec, model: ModelFacts, unit_size: int, files: Files | None = None
) -> ImageSet:
    """Create a set with its images, queued in units of `unit_size`. Raises Invalid and Forbidden.

    `files`, if given, are checked for the pictures that the set names.
    """
    need_active(user)
    request = SetRequest(session, user, spec, model, files)
    version = latest_version(session, spec.style_code)
    Invalid.check(
        {
            "style": rights.refusal(session, version)
            if version
            else f"There is no style {spec.style_code!r} to choose. It may be archived.",
            **spec.problems(model),
            **{each.name: each.problem(request) for each in INGREDIENTS},
        }
    )
    version = cast(StyleVersion, version)
    image_set = ImageSet(
        **spec.model_dump(
            include={"count", "width", "height", "steps", "guidance", "scheduler", "negative_prompt", "seamless"}
        ),
        **{each.name: parts for each in INGREDIENTS if (parts := each.stored(request))},
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
    units.add_images(session, image_set, unit_size)
    return image_set


def cancel(session: Session, user: User, set_id: int) -> None:
    """Cancel a set; finished pictures stay. Raises Conflict if there is nothing left to cancel."""
    image_set = changeable(session, user, set_id)
    stopped = session.execute(
        update(Image)
        .where(Image.set_id == set_id, Image.state.in_(OPEN))
        .values(state=State.CANCELLED, error=None)
        .returning(Image.id)
    ).all()
    if not stopped:
        raise Conflict("There is nothing to cancel: no picture of this set is queued, generating or held.")
    cancel_units(session, Unit.set_id == set_id)
    image_set.cancelled_at = now()
    record(session, user, Act.SET_CANCEL, image_set, pictures=len(stopped))


def retry_set(session: Session, user: User, set_id: int, unit_size: int) -> int:
    """Queue a set's failed and cancelled images again, and count them. Raises Conflict if there are none."""
    image_set = changeable(session, user, set_id)
    images = _unmade(session, set_id, ON_PAGE, Image.state.in_([State.FAILED, State.CANCELLED]))
    if not images:
        raise Conflict("There is nothing to retry: no picture of this set failed or was cancelled.")
    return _retry(session, user, image_set, images, unit_size)


def retry_held(session: Session, user: User, set_id: int, unit_size: int) -> int:
    """Queue a set's held images again, and count them. Raises Conflict if there are none."""
    image_set = changeable(session, user, set_id)
    return _retry(session, user, image_set, _held(session, set_id), unit_size)


def remove_held(session: Session, user: User, set_id: int) -> int:
    """Cancel a set's held images, and count them. Raises Conflict if there are none."""
    image_set = changeable(session, user, set_id)
    images = _held(session, set_id)
    held = Image.set_id == set_id, Image.state == State.HELD
    session.execute(update(Image).where(*held).values(state=State.CANCELLED, error=None))
    units.close_held(session, set_id)
    record(session, user, Act.HELD_REMOVE, image_set, pictures=[image.position for image in images])
    return len(images)


def _held(session: Session, set_id: int) -> Sequence[Unmade]:
    if images := _unmade(session, set_id, Image.state == State.HELD):
        return images
    raise Conflict("No picture of this set is held now.")


def _unmade(session: Session, set_id: int, *which: ColumnElement[bool]) -> Sequence[Unmade]:
    columns = select(Image.id, Image.position, Image.strength).where(Image.set_id == set_id, *which)
    return [Unmade(*row) for row in session.execute(columns.order_by(Image.position, Image.version))]


def retry_image(session: Session, user: User, image_id: int) -> Image:
    """Queue one failed, cancelled or held image again. Raises Conflict if it is neither."""
    image = queries.image(session, user, image_id)
    image_set = changeable(session, user, image.set_id)
    if image.state not in (State.FAILED, State.CANCELLED, State.HELD):
        raise Conflict("Only a failed, cancelled or held picture can be retried.")
    if image.superseded or image.deleted_at:
        raise Conflict("A newer version already replaced this picture.")
    _retry(session, user, image_set, [Unmade(image.id, image.position, image.strength)], unit_size=1)
    session.refresh(image)
    return image


def _retry(session: Session, user: User, image_set: ImageSet, images: Sequence[Unmade], unit_size: int) -> int:
    if image_set.locked_at:
        raise Conflict(LOCKED)
    units.need_rights(session, image_set)
    image_set.cancelled_at = None
    units.enqueue(session, image_set, images, unit_size)
    units.close_held(session, image_set.id)
    record(session, user, Act.SET_RETRY, image_set, pictures=[image.position for image in images])
    return len(images)


def changeable(session: Session, user: User, set_id: int) -> ImageSet:
    """A set that `user` may change: its owner, and managers. Raises NotFound and Forbidden."""
    image_set = queries.get(session, user, set_id)
    if not may_change(user, image_set):
        raise Forbidden(f"Only {image_set.owner.name} or a manager can change this set.")
    return image_set


def campaign_named(session: Session, user: User, name: str) -> Campaign:
    """The campaign with that name, created if needed."""
    found = session.scalar(select(Campaign).where(Campaign.name == name))
    if found:
        return found
    campaign = Campaign(name=name, created_by_id=user.id)
    session.add(campaign)
    record(session, user, Act.CAMPAIGN_CREATE, campaign, name=name)
    return campaign
