"""Redo a picture: the same style and settings, with another prompt, seed or strength.

The new version goes on top of the old one, at the same position of the set.
"""

import secrets
from dataclasses import dataclass
from typing import Self

from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.accounts.queries import signed_in
from app.audit.service import record
from app.blocked import queries as blocked
from app.engine.base import ModelFacts
from app.errors import Conflict, Invalid
from app.files import Kind
from app.languages import N_, translated
from app.languages import gettext as _
from app.models import Act, DamagedFile, Image, ImageSet, ImageTag, Star, State, User, What
from app.quotas.service import take
from app.rights import queries as rights
from app.rights.standing import Held
from app.sets import queries, service, units
from app.sets.ingredients import INGREDIENTS
from app.sets.ingredients.base import Redo
from app.sets.spec import PROMPT_LENGTH, SEEDS, seeds_from
from app.specs import DrawnAs, Prompt, Spec
from app.translation.translator import Find, Translator, drawn_as

MOST_VERSIONS = 20  # per position
MOST_NEW_VERSIONS = 4  # at once
UNMADE = (State.QUEUED, State.GENERATING, State.FAILED, State.HELD)


class RedoSpec(Spec):
    """A request to redo a picture."""

    prompt: Prompt = Field(title=N_("Prompt"), min_length=1, max_length=PROMPT_LENGTH)
    seed: int | None = Field(
        default=None, title=N_("Seed"), ge=0, le=SEEDS - 1
    )  # None: random; the next version has the next
    strength: float | None = Field(default=None, title=N_("Strength"), ge=0, le=2)  # None: the set's
    count: int = Field(default=1, title=N_("Versions"), ge=1, le=MOST_NEW_VERSIONS)
    drawn_as: DrawnAs = Field(default={}, title=N_("Will be drawn as"))

    def translated(self, translator: Translator | None, find: Find) -> Self:
        """The same with what is drawn for a prompt in Japanese: as it was corrected, or else as it is translated."""
        said = drawn_as([self.prompt], self.drawn_as, translator, find([self.prompt]))
        return self.model_copy(update={"drawn_as": said})


@dataclass(frozen=True)
class Version:
    """One version of a picture, compared with the previous one."""

    image: Image
    changed: list[str]  # of "prompt", "seed", "strength"; empty for the first


def stack(session: Session, user: User, image: Image) -> list[Version]:
    """The versions at the position of `image`, newest first, without deleted or cancelled ones."""
    rows = session.scalars(
        select(Image)
        .where(Image.set_id == image.set_id, Image.position == image.position, signed_in(user))
        .where(Image.deleted_at.is_(None), (Image.state != State.CANCELLED) | (Image.version == 1))
        .order_by(Image.version)
    ).all()
    older = (None, *rows)
    return [Version(row, changed(before, row) if before else []) for before, row in zip(older, rows, strict=False)][
        ::-1
    ]


def changed(before: Image, after: Image) -> list[str]:
    """Which of prompt, seed and strength differ between two versions."""
    said = [name for name in ("prompt", "seed", "strength") if getattr(before, name) != getattr(after, name)]
    return said if "prompt" in said or before.drawn_as == after.drawn_as else ["prompt", *said]


def refusal(session: Session, image: Image, held: list[Held] | None = None) -> str | None:
    """Why nobody can redo this picture now, in a sentence; None if its owner and managers can.

    `held`: the status of the rights to all references of its set, if it is known.
    """
    image_set = image.image_set
    if image.state != State.FINISHED or image.deleted_at:
        return _("Only a finished picture can be redone; this one is not finished or was deleted.")
    if image_set.locked_at:
        return translated(service.LOCKED)
    if _newest(session, image) >= MOST_VERSIONS:
        return _(
            "This picture has %(number)s versions, the most there can be; create a new set to continue.",
            number=MOST_VERSIONS,
        )
    return rights.set_refusal(session, image_set, held)


def redo(session: Session, user: User, image_id: int, spec: RedoSpec, model: ModelFacts, unit_size: int) -> list[Image]:
    """Queue new versions of a finished picture, as its owner or a manager. Raises Forbidden, Conflict and Invalid.

    The set's other settings stay: its style version, size, structures, subjects, regions.
    """
    image = queries.image(session, user, image_id)
    image_set = service.changeable(session, user, image.set_id)
    if image_set.model != model.name:
        raise Conflict(units.other_model(image_set, model))
    if why := refusal(session, image):
        raise Conflict(why)
    strength = None if spec.strength == image_set.strength else spec.strength
    newest = _newest(session, image)
    drawn = spec.drawn_as.get(spec.prompt)
    style = image_set.style_version
    own = [*rights.of_set(session, image_set, user), *rights.of_subjects(session, _subject_ids(image_set), user)]
    request = Redo(session, user, image_set, spec.prompt, model, drawn or spec.prompt)
    Invalid.check(
        {
            "prompt": next(filter(None, (each.redo_problem(request) for each in INGREDIENTS)), None)
            or blocked.problem(session, user, [spec.prompt], spec.drawn_as)
            or blocked.problem(session, user, [style.text], style.drawn_as)
            or next((held.refusal for held in own if held.barred), None),
            "seed": _("The same prompt, seed and strength give the same picture; change one of them.")
            if (spec.prompt, drawn, spec.seed, strength) == (image.prompt, image.drawn_as, image.seed, image.strength)
            and not _is_damaged(session, image)
            else None,
            "count": _(
                "This picture has %(number)s versions of at most %(most)s; ask for fewer.",
                number=newest,
                most=MOST_VERSIONS,
            )
            if newest + spec.count > MOST_VERSIONS
            else None,
        }
    )
    made = _new_versions(user, image, spec, strength, newest + 1)
    session.add_all(made)
    take(session, user, "count", {What.PICTURES: len(made)})
    session.flush()
    units.enqueue(session, image_set, made, unit_size)
    _keep_finds(session, image, made)
    numbers = [each.version for each in made]
    record(session, user, Act.IMAGE_REDO, image, versions=numbers, changed=changed(image, made[0]))
    return made


def _subject_ids(image_set: ImageSet) -> list[int]:
    return [part.id for part in image_set.subjects]


def _new_versions(user: User, image: Image, spec: RedoSpec, strength: float | None, first: int) -> list[Image]:
    """The rows of the versions `first`, `first` + 1, ... at the position of `image`."""
    first_seed = secrets.randbelow(SEEDS) if spec.seed is None else spec.seed
    return [
        Image(
            set_id=image.set_id,
            position=image.position,
            version=first + number,
            owner_id=image.owner_id,
            made_by_id=user.id,
            campaign_id=image.campaign_id,
            style_id=image.style_id,
            prompt=spec.prompt,
            drawn_as=spec.drawn_as.get(spec.prompt),
            seed=seed,
            strength=strength,
        )
        for number, seed in enumerate(seeds_from(first_seed, spec.count))
    ]


def discard(session: Session, user: User, image_id: int) -> None:
    """Cancel a newer version that waits, runs, failed or is held; the picture before it stays.

    Its unit is cancelled if nothing else of it waits or runs. Raises Forbidden and Conflict.
    """
    image = queries.image(session, user, image_id)
    service.changeable(session, user, image.set_id)
    if image.version == 1 or image.state not in UNMADE:
        raise Conflict(_("Only a version that is not finished can be cancelled."))
    image.state, image.error = State.CANCELLED, None
    record(session, user, Act.IMAGE_DISCARD, image, version=image.version)
    service.close_unit(session, image)


def _is_damaged(session: Session, image: Image) -> bool:
    """Whether the file of a picture is known to be lost or damaged: then the same bytes, made again, replace it."""
    known = DamagedFile.kind == Kind.IMAGES, DamagedFile.sha256 == image.sha256
    return session.scalar(select(DamagedFile.id).where(*known)) is not None


def _newest(session: Session, image: Image) -> int:
    """The number of the newest version at the position of `image`."""
    at_place = Image.set_id == image.set_id, Image.position == image.position
    return session.scalar(select(func.max(Image.version)).where(*at_place)) or 0


def _keep_finds(session: Session, image: Image, made: list[Image]) -> None:
    """Copy tags and stars to the new versions, so that people find them the same way."""
    tags = session.scalars(select(ImageTag).where(ImageTag.image_id == image.id)).all()
    stars = session.scalars(select(Star).where(Star.image_id == image.id)).all()
    for each in made:
        session.add_all(ImageTag(image_id=each.id, tag=tag.tag, added_by_id=tag.added_by_id) for tag in tags)
        session.add_all(Star(image_id=each.id, user_id=star.user_id) for star in stars)
    session.flush()
