"""Make and cancel sets, and redo their pictures. `app.sets.units` describes how a picture is made."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, exists, or_, select, update
from sqlalchemy.orm import Session

from app.accounts.service import may_change as may_change
from app.accounts.service import need_active
from app.audit.service import record
from app.blocked import queries as blocked
from app.campaign_names import NO_CAMPAIGN, folder
from app.engine.base import ModelFacts
from app.errors import Conflict, Forbidden, Invalid
from app.files import Files
from app.languages import N_, in_every_language, translated
from app.languages import gettext as _
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
from app.sets import queries, templates, units
from app.sets.ingredients import INGREDIENTS
from app.sets.ingredients.base import SetRequest
from app.sets.looks import latest_version, layers_problem
from app.sets.spec import SEEDS, SetSpec
from app.sets.stack import ON_PAGE
from app.text import shorten
from app.work import queue
from app.work.queue import OPEN, cancel_units


class Unmade(NamedTuple):
    """What retrying needs of an image: plain rows, because a thousand objects would hold the write lock longer."""

    id: int
    position: int
    strength: float | None


LOCKED = N_(
    "The decisions of this set are locked, so its pictures cannot be generated again. Ask a manager to unlock it."
)
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
    Invalid.check(_problems(request, version))
    version = cast(StyleVersion, version)
    image_set = ImageSet(
        **spec.model_dump(
            include={"count", "width", "height", "steps", "guidance", "scheduler", "negative_prompt", "seamless"}
        ),
        drawn_as=spec.drawn_as,
        **{each.name: parts for each in INGREDIENTS if (parts := each.stored(request))},
        name=spec.name or shorten(spec.prompts[0], NAME_LENGTH),
        owner_id=user.id,
        campaign=campaign_named(session, user, spec.campaign or without_campaign(session))[0],
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
    templates.remember(session, user, spec.prompts)
    return image_set


def _problems(request: SetRequest, version: StyleVersion | None) -> dict[str, str | None]:
    """Why a set cannot be made so: a sentence or None per field of the form."""
    unknown = _("There is no style '%(code)s' to choose. It may be archived.", code=request.spec.style_code)
    return {
        "style": (
            rights.refusal(request.session, version, reader=request.user)
            or blocked_style(request, version)
            or layers_problem(version, request.model)
        )
        if version
        else unknown,
        "prompts": blocked.problem_of_line(request.session, request.user, request.spec.prompts, request.spec.drawn_as),
        **request.spec.problems(request.model),
        **{each.name: each.problem(request) for each in INGREDIENTS},
    }


def blocked_style(request: SetRequest, version: StyleVersion) -> str | None:
    """Why the text of a style cannot be used: it has a word that was blocked since."""
    why = blocked.problem(request.session, request.user, [version.text], version.drawn_as)
    return why and _("The style text of %(name)s: %(problem)s", name=version.style.name, problem=why)


def all_faults(
    session: Session, user: User, form: Mapping[str, Any], model: ModelFacts, files: Files, wrong: Mapping[str, str]
) -> dict[str, str]:
    """The faults of a form that could not be read because of the fields `wrong`, and those of its other fields.

    Ingredients are only checked if what they depend on could be read.
    """
    unread = {*wrong, *(("width", "height") if "size" in wrong else ())}
    rest = {name: value for name, value in form.items() if name not in unread}
    stand_in = {name: "-" for name in ("prompts", "style") if name in wrong}
    try:
        spec = SetSpec.from_form(rest | stand_in, model)
    except Invalid:
        return dict(wrong)
    found = _problems(SetRequest(session, user, spec, model, files), latest_version(session, spec.style_code))
    if {"prompts", "style", "size"} & set(wrong):
        found = {name: problem for name, problem in found.items() if name not in {each.name for each in INGREDIENTS}}
    more = {name: problem for name, problem in found.items() if problem}
    return more | dict(wrong)


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
        raise Conflict(_("There is nothing to cancel: no picture of this set is queued, generating or held."))
    cancel_units(session, Unit.set_id == set_id)
    image_set.cancelled_at = now()
    record(session, user, Act.SET_CANCEL, image_set, pictures=len(stopped))


def retry_set(session: Session, user: User, set_id: int, unit_size: int) -> int:
    """Queue a set's failed and cancelled images again, and count them. Raises Conflict if there are none."""
    image_set = changeable(session, user, set_id)
    images = _unmade(session, set_id, ON_PAGE, Image.state.in_([State.FAILED, State.CANCELLED]))
    if not images:
        raise Conflict(_("There is nothing to retry: no picture of this set failed or was cancelled."))
    return _retry(session, user, image_set, images, unit_size)


def retry_held(session: Session, user: User, set_id: int, unit_size: int) -> int:
    """Queue a set's held images again, and count them. Raises Conflict if there are none."""
    image_set = changeable(session, user, set_id)
    return _retry(session, user, image_set, _held(session, set_id), unit_size)


def retry_now(session: Session, user: User, set_id: int) -> None:
    """Try a set's images now that failed and wait for their next try. Raises Conflict if there are none."""
    image_set = changeable(session, user, set_id)
    unit_ids = queue.retry_now(session, Unit.set_id == set_id)
    positions = session.scalars(select(Image.position).where(Image.unit_id.in_(unit_ids), Image.state == State.QUEUED))
    pictures = sorted(positions)
    if not pictures:
        raise Conflict(_("No picture of this set waits for another try now."))
    record(session, user, Act.SET_RETRY, image_set, pictures=pictures)


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
    raise Conflict(_("No picture of this set is held now."))


def _unmade(session: Session, set_id: int, *which: ColumnElement[bool]) -> Sequence[Unmade]:
    columns = select(Image.id, Image.position, Image.strength).where(Image.set_id == set_id, *which)
    return [Unmade(*row) for row in session.execute(columns.order_by(Image.position, Image.version))]


def retry_image(session: Session, user: User, image_id: int) -> Image:
    """Queue one failed, cancelled or held image again. Raises Conflict if it is neither."""
    image = queries.image(session, user, image_id)
    image_set = changeable(session, user, image.set_id)
    if image.state not in (State.FAILED, State.CANCELLED, State.HELD):
        raise Conflict(_("Only a failed, cancelled or held picture can be retried."))
    if image.superseded or image.deleted_at:
        raise Conflict(_("A newer version already replaced this picture."))
    _retry(session, user, image_set, [Unmade(image.id, image.position, image.strength)], unit_size=1)
    session.refresh(image)
    return image


def _retry(session: Session, user: User, image_set: ImageSet, images: Sequence[Unmade], unit_size: int) -> int:
    if image_set.locked_at:
        raise Conflict(translated(LOCKED))
    units.need_rights(session, image_set)
    image_set.cancelled_at = None
    images = sorted(images, key=lambda image: units.by_round(image.position, image_set.count))
    units.enqueue(session, image_set, images, unit_size)
    units.close_held(session, image_set.id)
    record(session, user, Act.SET_RETRY, image_set, pictures=sorted(image.position for image in images))
    return len(images)


def cancel_image(session: Session, user: User, image_id: int) -> Image:
    """Cancel one picture that waits, runs or is held; the others of its set continue. Raises Conflict.

    Of a newer version, the picture before it stays. A unit of which nothing else is open is cancelled; while one runs
    with other pictures, those continue, and this one is not stored.
    """
    image = queries.image(session, user, image_id)
    changeable(session, user, image.set_id)
    if image.state not in OPEN:
        raise Conflict(_("This picture is no longer waiting or generating."))
    image.state, image.error = State.CANCELLED, None
    record(session, user, Act.IMAGE_CANCEL, image, version=image.version)
    close_unit(session, image)
    return image


def close_unit(session: Session, image: Image) -> None:
    """Take a cancelled picture out of its unit, and cancel that if nothing else of it is open."""
    unit_id, image.unit_id = image.unit_id, None
    session.flush()
    others = select(Image.id).where(Image.unit_id == unit_id, Image.state.in_(OPEN)).limit(1)
    if unit_id and session.scalar(others) is None:
        cancel_units(session, Unit.id == unit_id)


def changeable(session: Session, user: User, set_id: int) -> ImageSet:
    """A set that `user` may change: its owner, and managers. Raises NotFound and Forbidden."""
    image_set = queries.get(session, user, set_id)
    if not may_change(user, image_set):
        raise Forbidden(_("Only %(name)s or a manager can change this set.", name=image_set.owner.name))
    if image_set.deleted_at:
        raise Conflict(_("%(name)s is in the bin. Restore it first.", name=image_set.name))
    return image_set


def without_campaign(session: Session) -> str:
    """The name of the campaign of sets without one: once it is created, as the person who needed it first reads it."""
    named = Campaign.name.in_(in_every_language(NO_CAMPAIGN))
    return session.scalar(select(Campaign.name).where(named).order_by(Campaign.id)) or translated(NO_CAMPAIGN)


def campaign_named(session: Session, user: User, name: str) -> tuple[Campaign, bool]:
    """The campaign with that name, and whether it was created for this. Raises Invalid if archived or in the bin."""
    if name in in_every_language(NO_CAMPAIGN):
        name = without_campaign(session)
    found = session.scalar(select(Campaign).where(Campaign.name == name))
    shown = folder(name)
    if found and found.deleted_at:
        wrong = _("The campaign %(name)s is in the bin. Restore it first, or choose another campaign.", name=shown)
        raise Invalid("campaign", wrong)
    if found and found.archived_at:
        wrong = _("The campaign %(name)s is archived. Restore it first, or choose another campaign.", name=shown)
        raise Invalid("campaign", wrong)
    if found:
        return found, False
    campaign = Campaign(name=name, created_by_id=user.id)
    session.add(campaign)
    record(session, user, Act.CAMPAIGN_CREATE, campaign, name=name)
    return campaign, True


def forget_campaign(session: Session, user: User, campaign: Campaign) -> None:
    """Undo the creation of a campaign, unless it was used since."""
    session.flush()
    keys = (key for table in Campaign.metadata.tables.values() for key in table.foreign_keys)
    naming = (key.parent for key in keys if key.column.table is Campaign.__table__)
    used = [exists(select(column).where(column == campaign.id)) for column in naming]
    if not session.scalar(select(or_(*used))):
        record(session, user, Act.CAMPAIGN_CREATE, campaign, name=campaign.name, undone=True)
        session.delete(campaign)
