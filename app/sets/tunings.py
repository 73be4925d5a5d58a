"""Find the best setting of a style: drafts of a few prompts at several strengths, and in several layers, scored.

A kind of work of `app.work`.

Like strips, drafts are made before what else waits, count toward no quota, and are nobody's pictures: not in a set, the
gallery, exports or the review. A person has one tuning in the queue at a time; finished ones are kept for a month.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import ScalarSelect, Select, SQLColumnExpression, delete, exists, func, select, update
from sqlalchemy.orm import Session, selectinload

from app.accounts.service import need_active
from app.blocked import queries as blocked
from app.engine import events as engine
from app.engine.base import ModelFacts
from app.errors import Conflict, Invalid, NotFound
from app.files import Files
from app.languages import gettext as _
from app.languages import ngettext
from app.models import Image, ImageSet, State, Style, StyleReference, StyleVersion, Tuning, TuningDraft, Unit, User, now
from app.pictures import THUMBNAILS, own_thumbnails
from app.quality.features import Features
from app.quality.tuning import Scores, Tried, judged_by, knee, scored
from app.rights import queries as rights
from app.sets import service, units
from app.sets.aside import Aside
from app.sets.estimate import Effort
from app.sets.ingredients import INGREDIENTS
from app.sets.ingredients.base import SetRequest
from app.sets.looks import latest_version, layers_problem
from app.sets.spec import SEEDS, PictureSpec, SetSpec, seeds_from
from app.sets.strips import DRAFT_STEPS, PRIORITY, small
from app.styles.presets import UPPER
from app.work.kinds import Write
from app.work.queue import OPEN, add_units, cancel_units

STRENGTHS = (0.0, 0.4, 0.7, 1.0, 1.4, 2.0)  # 0 is the same in all layers, so that it is drafted once
MOST_TRIED = 4
RANKED = 6  # how many of the most style-sensitive layers are tried
KEPT = timedelta(days=30)


@dataclass(frozen=True)
class LayersChoice:
    """Layers that a tuning can try."""

    key: str  # "own", "all", "upper" or "ranked": as the form sends it
    layers: tuple[str, ...]


@dataclass(frozen=True)
class DraftedSetting:
    """One setting of a tuning with its drafts, and its scores if they are known."""

    number: int  # from 1, in the order of drafts
    strength: float
    layers: tuple[str, ...]
    drafts: Sequence[TuningDraft]
    scores: Scores | None


@dataclass(frozen=True)
class TuningFound:
    """What a tuning has found so far."""

    settings: Sequence[DraftedSetting]  # by layers, the weakest first
    best: int | None  # the index of the knee; none if scores are missing, or cannot be told apart
    judge: str  # the model that judges the look


class Tunings(Aside):
    """The drafts of one tuning; those of one prompt share a batch."""

    noun = "tuning"
    table = Tuning
    batch = len(STRENGTHS)

    @property
    def column(self) -> SQLColumnExpression[int | None]:
        return Unit.tuning_id

    def row_id(self, unit: Unit) -> int | None:
        return unit.tuning_id

    def queued(self) -> Select[*tuple[Any, ...]]:
        drafts = select(func.count()).where(TuningDraft.tuning_id == Tuning.id)
        finished = drafts.where(TuningDraft.webp.is_not(None)).scalar_subquery().label("finished")
        total = drafts.scalar_subquery().label("total")
        rows = select(Tuning.prompts, finished, total).select_from(Tuning)
        return rows.join(StyleVersion, StyleVersion.id == Tuning.style_version_id)

    def page(self, row: Any) -> str:
        return f"/tunings/{row.id}"

    def for_engine(self, session: Session, unit: Unit, files: Files, model: ModelFacts | None = None) -> engine.Unit:
        return engine_unit(session, unit, files, model)

    def keep(self, event: engine.Event, files: Files) -> Write:
        match event:
            case engine.ImageReady(unit_id, image_id, png, features=features):
                made = TuningDraft.id == -image_id, TuningDraft.tuning_id == self.generating(unit_id)
                kept = {"webp": own_thumbnails(png)[min(THUMBNAILS)], "features": features}
                return lambda session: session.execute(update(TuningDraft).where(*made).values(**kept))
            case engine.ReferenceMeasured(unit_id, position, features):
                return lambda session: keep_look(session, self.generating(unit_id), position, features)
            case engine.ImageFailed(unit_id, _, message):
                failed = update(Tuning).where(Tuning.id == self.generating(unit_id)).values(error=message)
                return lambda session: session.execute(failed)
        raise TypeError(f"no draft comes with {type(event).__name__}")

    def unfinished(self, session: Session, unit: Unit) -> bool:
        """Whether drafts are missing of which none failed: the server was killed."""
        generating = Tuning.id == unit.tuning_id, Tuning.state == State.GENERATING
        missing = TuningDraft.tuning_id == Tuning.id, TuningDraft.webp.is_(None)
        left = select(Tuning.id).where(*generating, Tuning.error.is_(None), exists().where(*missing))
        if session.scalar(left):
            return True
        session.execute(update(Tuning).where(*generating).values(state=State.FINISHED))
        return False


def keep_look(
    session: Session, tuning_id: ScalarSelect[int | None], position: int, features: Mapping[str, object]
) -> None:
    """Keep what was measured of a reference. Does nothing after a cancel."""
    if tuning := session.scalar(select(Tuning).where(Tuning.id == tuning_id)):
        tuning.looks = {**tuning.looks, str(position): features}


def layers_choices(version: StyleVersion, model: ModelFacts | None) -> list[LayersChoice]:
    """The layers that a tuning of this version can try on a model, the version's own first."""
    ranked = tuple(model.ranked_layers[:RANKED]) if model else ()
    named = [LayersChoice("all", ()), LayersChoice("upper", UPPER), LayersChoice("ranked", ranked)]
    known = [each for each in named if each.layers or each.key == "all"]
    own = LayersChoice("own", tuple(version.layers))
    others = [each for each in known if each.layers != own.layers]
    return [next((each for each in known if each.layers == own.layers), own), *others]


def create(
    session: Session, user: User, spec: SetSpec, model: ModelFacts, files: Files, layers: Collection[str] = ()
) -> Tuning:
    """Queue a tuning for the prompts of `spec`, in place of one that still waits.

    `layers` are keys of `layers_choices` to try besides the style's own layers. Raises Invalid and Forbidden.
    """
    need_active(user)
    request = SetRequest(session, user, spec, model, files)
    version = latest_version(session, spec.style_code)
    choices = layers_choices(version, model) if version else []
    tried = [each for place, each in enumerate(choices) if place == 0 or each.key in layers]
    Invalid.check(
        {
            "style": (
                rights.refusal(session, version, reader=user)
                or service.blocked_style(request, version)
                or layers_problem(version, model)
            )
            if version
            else _("This style cannot be chosen. It may be archived."),
            "prompts": _too_many(spec.prompts) or blocked.problem(session, user, spec.prompts, spec.drawn_as),
            "layers": _unknown(layers, choices) if version else None,
            **spec.problems(model),
            **{each.name: each.problem(request) for each in INGREDIENTS},
        }
    )
    cancel(session, user)
    forget(session)
    drafted = effort(spec, model)
    tuning = Tuning(
        owner_id=user.id,
        style_version=cast(StyleVersion, version),
        model=model.name,
        prompts=list(spec.prompts),
        seed=secrets.randbelow(SEEDS) if spec.seed is None else spec.seed,
        drawn_as=spec.drawn_as,
        **{name: getattr(drafted, name) for name in ("width", "height", "steps", "guidance", "scheduler")},
        drafts=_drafts([each.layers for each in tried], len(spec.prompts)),
    )
    session.add(tuning)
    session.flush()
    add_units(session, [{"tuning_id": tuning.id, "owner_id": user.id, "priority": PRIORITY}])
    return tuning


def effort(spec: PictureSpec, model: ModelFacts) -> Effort:
    """What a draft takes: smaller than a picture of `spec`, and with fewer steps."""
    width, height = small(spec.width, spec.height, model)
    steps = min(spec.steps, max(DRAFT_STEPS, int(model.default_steps * 0.5)))
    return Effort(width, height, steps, spec.guidance, spec.scheduler)


def number_of_drafts(prompts: int, layers: int) -> int:
    """How many drafts a tuning of so many prompts makes; `layers`: how many choices of them, with the style's own."""
    return len(_drafts([()] * layers, prompts))


def _drafts(layers: Sequence[tuple[str, ...]], prompts: int) -> list[TuningDraft]:
    """A draft of each prompt in each setting; those of one prompt in the same layers follow each other: a batch."""
    settings = [
        (each, prompt, strength)
        for first, each in enumerate(layers)
        for prompt in range(prompts)
        for strength in STRENGTHS
        if strength or first == 0
    ]
    return [
        TuningDraft(position=position, prompt=prompt, strength=strength, layers=list(each))
        for position, (each, prompt, strength) in enumerate(settings, start=1)
    ]


def _unknown(given: Collection[str], choices: Sequence[LayersChoice]) -> str | None:
    if set(given) <= {each.key for each in choices}:
        return None
    return _("These layers cannot be tried with this style and model. Reload the page and choose again.")


def _too_many(prompts: Sequence[str]) -> str | None:
    if len(prompts) <= MOST_TRIED:
        return None
    return ngettext(
        "At most %(most)s prompt can be tried at once. Keep the one that matters most.",
        "At most %(most)s prompts can be tried at once. Keep those that matter most.",
        MOST_TRIED,
        most=MOST_TRIED,
    )


def get(session: Session, user: User, tuning_id: int) -> Tuning:
    """A person's own tuning with its drafts, style and references. Raises NotFound."""
    own = select(Tuning).where(Tuning.id == tuning_id, Tuning.owner_id == user.id)
    version = selectinload(Tuning.style_version)
    parts = (
        selectinload(Tuning.drafts),
        version.selectinload(StyleVersion.style),
        version.selectinload(StyleVersion.references).joinedload(StyleReference.reference),
    )
    tuning = session.scalar(own.options(*parts))
    if not tuning:
        raise NotFound(_("There is no such trial. Find the best setting again."))
    return tuning


def latest(session: Session, user: User, style: Style) -> int | None:
    """The id of a person's newest tuning of a style."""
    of_style = Tuning.owner_id == user.id, StyleVersion.style_id == style.id, Tuning.state != State.CANCELLED
    newest = select(Tuning.id).join(StyleVersion).where(*of_style).order_by(Tuning.id.desc()).limit(1)
    return session.scalar(newest)


def usual_prompts(session: Session, style: Style) -> list[str]:
    """Prompts to begin with: the first ones of the style's newest set."""
    of_style = select(ImageSet.prompts).join(StyleVersion).where(StyleVersion.style_id == style.id)
    newest = session.scalar(of_style.where(ImageSet.deleted_at.is_(None)).order_by(ImageSet.id.desc()).limit(1))
    return list(newest or ())[: MOST_TRIED - 1]


def found(tuning: Tuning) -> TuningFound:
    """The settings of a tuning with their scores, and the best of them once all drafts are there.

    Without the scores of drafts that an earlier version of the server measured: they are not comparable.
    """
    looks = [look for _, each in sorted(tuning.looks.items()) if (look := _read(each))]
    by_setting: dict[tuple[tuple[str, ...], float], list[TuningDraft]] = {}
    for draft in tuning.drafts:
        by_setting.setdefault((tuple(draft.layers), draft.strength), []).append(draft)
    settings = []
    for number, ((layers, strength), drafts) in enumerate(by_setting.items(), start=1):
        known = [features for draft in drafts if (features := _read(draft.features))]
        complete = looks and len(known) == len(drafts)
        scores = scored(known, looks) if complete else None
        settings.append(DraftedSetting(number, strength, layers, drafts, scores))
    tried = [(place, each) for place, each in enumerate(settings) if each.scores]
    finished = all(draft.webp for draft in tuning.drafts)
    best = knee([Tried(each.strength, each.scores) for _, each in tried if each.scores]) if finished else None
    return TuningFound(settings, None if best is None else tried[best][0], judged_by(looks))


def _read(data: Mapping[str, Any] | None) -> Features | None:
    try:
        return Features.from_json(data) if data else None
    except ValueError:  # of another version
        return None


def cancel(session: Session, user: User, tuning_id: int | None = None) -> bool:
    """Stop a person's tuning, or whichever they have; whether there was anything to stop."""
    own = [Tuning.owner_id == user.id, Tuning.state.in_(OPEN), *([Tuning.id == tuning_id] if tuning_id else [])]
    ids = session.scalars(update(Tuning).where(*own).values(state=State.CANCELLED).returning(Tuning.id)).all()
    cancel_units(session, Unit.tuning_id.in_(ids))
    return bool(ids)


def forget(session: Session) -> int:
    """Remove tunings that are a month old, and count them. One that still waits is cancelled, and removed later."""
    before = now() - KEPT
    stale = Tuning.created_at < before, Tuning.state.in_(OPEN)
    ids = session.scalars(update(Tuning).where(*stale).values(state=State.CANCELLED).returning(Tuning.id)).all()
    cancel_units(session, Unit.tuning_id.in_(ids))
    busy = select(Unit.id).where(Unit.tuning_id == Tuning.id, func.coalesce(Unit.ended_at, now()) > before).exists()
    gone = delete(Tuning).where(Tuning.created_at < before, ~busy)
    return len(session.scalars(gone.returning(Tuning.id)).all())


def engine_unit(session: Session, unit: Unit, files: Files, model: ModelFacts | None = None) -> engine.Unit:
    """Prepare a claimed tuning for an engine, without finished drafts.

    Raises Conflict if the server runs another model, or rights ended.
    """
    tuning = session.scalars(select(Tuning).where(Tuning.id == unit.tuning_id).options(selectinload(Tuning.drafts)))
    one = tuning.one()
    if model and model.name != one.model:
        raise Conflict(_("The server now runs %(model)s. Find the best setting again.", model=model.name))
    what = ("width", "height", "steps", "guidance", "scheduler", "style_version_id", "drawn_as")
    # Like a set that was never stored. Ids are negative: on the bus, no draft is taken for a picture of a set.
    like = ImageSet(
        **{name: getattr(one, name) for name in what},
        **{each.name: () for each in INGREDIENTS},
        count=1,
        strength=1.0,
        negative_prompt="",
        seamless=False,
    )
    units.need_rights(session, like)
    seeds = seeds_from(one.seed, len(one.prompts))
    drafts = [draft for draft in one.drafts if draft.webp is None]
    images = [
        Image(id=-draft.id, position=1, prompt=one.prompts[draft.prompt], seed=seeds[draft.prompt]) for draft in drafts
    ]
    work = units.engine_work(session, unit.id, like, one.style_version, images, 1.0, files, model)
    pairs = zip(work.images, drafts, strict=True)
    made = tuple(replace(image, strength=draft.strength, layers=tuple(draft.layers)) for image, draft in pairs)
    return replace(work, images=made, measured=True, batch=len(STRENGTHS))
