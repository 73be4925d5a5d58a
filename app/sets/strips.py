"""Strips: drafts of a set's first prompt at five strengths. A kind of work of `app.work`.

They are made before what else waits, count toward no quota, and are nobody's pictures: not in a set, the gallery or the
audit log. A person has one strip at a time.
"""

import secrets
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import Select, SQLColumnExpression, delete, func, select, update
from sqlalchemy.orm import Session, selectinload

from app.accounts.service import need_active
from app.blocked import queries as blocked
from app.engine import events as engine
from app.engine.base import ModelFacts
from app.errors import Conflict, Invalid, NotFound
from app.files import Files
from app.languages import gettext as _
from app.models import Image, ImageSet, State, Strip, StripDraft, StyleVersion, Unit, User, now
from app.pictures import THUMBNAILS, own_thumbnails
from app.rights import queries as rights
from app.sets import service, units
from app.sets.aside import Aside
from app.sets.ingredients import INGREDIENTS
from app.sets.ingredients.base import SetRequest
from app.sets.looks import latest_version
from app.sets.spec import MIN_SIDE, SEEDS, SetSpec
from app.work.kinds import Write
from app.work.queue import OPEN, add_units, cancel_units

STRENGTHS = (0.0, 0.5, 1.0, 1.5, 2.0)
PRIORITY = 1000  # someone waits at the page; more than managers reach when they order the queue
SIDE = 0.75  # of the model's training side,
SMALL_SIDE = 512  # px; a model trained at less makes drafts at its own size
DRAFT_STEPS = 4
KEPT = timedelta(hours=1)


class Strips(Aside):
    """The drafts of one strip, which share a batch."""

    noun = "strip"
    table = Strip
    batch = len(STRENGTHS)

    @property
    def column(self) -> SQLColumnExpression[int | None]:
        return Unit.strip_id

    def row_id(self, unit: Unit) -> int | None:
        return unit.strip_id

    def queued(self) -> Select[*tuple[Any, ...]]:
        drafts = select(func.count()).where(StripDraft.strip_id == Strip.id)
        finished = drafts.where(StripDraft.webp.is_not(None)).scalar_subquery().label("finished")
        total = drafts.scalar_subquery().label("total")
        rows = select(Strip.prompt, finished, total).select_from(Strip)
        return rows.join(StyleVersion, StyleVersion.id == Strip.style_version_id)

    def page(self, row: Any) -> str:
        return ""  # it is in the form of a set

    def for_engine(self, session: Session, unit: Unit, files: Files, model: ModelFacts | None = None) -> engine.Unit:
        return engine_unit(session, unit, files, model)

    def keep(self, event: engine.Event, files: Files) -> Write:
        match event:
            case engine.ImageReady(unit_id, image_id, png):
                webp = own_thumbnails(png)[min(THUMBNAILS)]
                made = StripDraft.id == -image_id, StripDraft.strip_id == self.generating(unit_id)
                return lambda session: session.execute(update(StripDraft).where(*made).values(webp=webp))
            case engine.ImageFailed(unit_id, _, message):
                failed = update(Strip).where(Strip.id == self.generating(unit_id)).values(error=message)
                return lambda session: session.execute(failed)
        raise TypeError(f"no draft comes with {type(event).__name__}")

    def unfinished(self, session: Session, unit: Unit) -> bool:
        """It ends with its unit, also without a draft that failed."""
        generating = Strip.id == unit.strip_id, Strip.state == State.GENERATING
        session.execute(update(Strip).where(*generating).values(state=State.FINISHED))
        return False


def create(session: Session, user: User, spec: SetSpec, model: ModelFacts, files: Files) -> Strip:
    """Queue a strip for the first prompt of `spec`, in place of the person's earlier one. Raises Invalid, Forbidden."""
    need_active(user)
    first = tuple(each.model_copy(update={"maps": each.maps[:1]}) for each in spec.structures)
    spec = spec.model_copy(update={"prompts": spec.prompts[:1], "count": 1, "structures": first})
    request = SetRequest(session, user, spec, model, files)
    version = latest_version(session, spec.style_code)
    Invalid.check(
        {
            "style": (rights.refusal(session, version, reader=user) or service.blocked_style(request, version))
            if version
            else _("This style cannot be chosen. It may be archived."),
            "prompts": blocked.problem(session, user, spec.prompts, spec.drawn_as),
            **spec.problems(model),
            **{each.name: each.problem(request) for each in INGREDIENTS},
        }
    )
    cancel(session, user)
    forget(session)
    width, height = small(spec.width, spec.height, model)
    strip = Strip(
        owner_id=user.id,
        style_version=cast(StyleVersion, version),
        model=model.name,
        prompt=spec.prompts[0],
        width=width,
        height=height,
        steps=min(spec.steps, max(DRAFT_STEPS, int(model.default_steps * 0.4))),
        seed=secrets.randbelow(SEEDS) if spec.seed is None else spec.seed,
        **spec.model_dump(include={"negative_prompt", "guidance", "scheduler", "seamless", "drawn_as"}),
        **{each.name: parts for each in INGREDIENTS if (parts := each.stored(request))},
        drafts=[StripDraft(position=place, strength=strength) for place, strength in enumerate(STRENGTHS, start=1)],
    )
    session.add(strip)
    session.flush()
    add_units(session, [{"strip_id": strip.id, "owner_id": user.id, "priority": PRIORITY}])
    return strip


def small(width: int, height: int, model: ModelFacts) -> tuple[int, int]:
    """The size of a draft: of the same shape, but with fewer pixels than the model was trained on, if it is large."""
    side = (model.default_size[0] * model.default_size[1]) ** 0.5
    wanted = max(SIDE * side, min(side, SMALL_SIDE))
    scale = min(1.0, wanted / (width * height) ** 0.5)
    multiple = model.size_multiple
    least = -(-MIN_SIDE // multiple) * multiple
    wide, high = (max(least, round(side * scale / multiple) * multiple) for side in (width, height))
    return wide, high


def get(session: Session, user: User, strip_id: int) -> Strip:
    """A person's own strip with its drafts. Raises NotFound."""
    own = select(Strip).where(Strip.id == strip_id, Strip.owner_id == user.id)
    strip = session.scalar(own.options(selectinload(Strip.drafts)))
    if not strip:
        raise NotFound(_("There is no such strip. Preview the strengths again."))
    return strip


def cancel(session: Session, user: User, strip_id: int | None = None) -> None:
    """Stop a person's strip, or whichever they have."""
    own = [Strip.owner_id == user.id, Strip.state.in_(OPEN), *([Strip.id == strip_id] if strip_id else [])]
    ids = session.scalars(update(Strip).where(*own).values(state=State.CANCELLED).returning(Strip.id)).all()
    cancel_units(session, Unit.strip_id.in_(ids))


def forget(session: Session) -> int:
    """Remove strips that are an hour old, and count them. One that still waits is cancelled, and removed later.

    The engine may be busy for a while with a unit that was just cancelled, and the queue then looks for its row.
    """
    before = now() - KEPT
    stale = session.scalars(
        update(Strip)
        .where(Strip.created_at < before, Strip.state.in_(OPEN))
        .values(state=State.CANCELLED)
        .returning(Strip.id)
    ).all()
    cancel_units(session, Unit.strip_id.in_(stale))
    busy = select(Unit.id).where(Unit.strip_id == Strip.id, func.coalesce(Unit.ended_at, now()) > before).exists()
    gone = delete(Strip).where(Strip.created_at < before, ~busy)
    return len(session.scalars(gone.returning(Strip.id)).all())


def engine_unit(session: Session, unit: Unit, files: Files, model: ModelFacts | None = None) -> engine.Unit:
    """Prepare a claimed strip for an engine. Raises Conflict if the server runs another model, or rights ended."""
    strip = session.scalars(select(Strip).where(Strip.id == unit.strip_id).options(selectinload(Strip.drafts))).one()
    if model and model.name != strip.model:
        raise Conflict(_("The server now runs %(model)s. Preview the strengths again.", model=model.name))
    what = ("negative_prompt", "width", "height", "steps", "guidance", "scheduler", "seamless", "style_version_id")
    parts = ("drawn_as", *(each.name for each in INGREDIENTS))
    # Like a set that was never stored. Ids are negative: on the bus, no draft is taken for a picture of a set.
    like = ImageSet(**{name: getattr(strip, name) for name in (*what, *parts)}, count=1, strength=1.0)
    units.need_rights(session, like)
    images = [Image(id=-draft.id, position=1, prompt=strip.prompt, seed=strip.seed) for draft in strip.drafts]
    work = units.engine_work(session, unit.id, like, strip.style_version, images, 1.0, files, model)
    pairs = zip(work.images, strip.drafts, strict=True)
    return replace(work, images=tuple(replace(image, strength=draft.strength) for image, draft in pairs))
