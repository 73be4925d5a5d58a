"""Subjects of a set: those chosen in its form, and those only named in prompts by their handles, `@mug`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.engine import events as engine
from app.engine.base import ModelFacts
from app.errors import Conflict
from app.files import Kind
from app.models import ImageSet, SetSubject, State, Subject
from app.sets.ingredients.base import Batch, Redo, SetRequest
from app.sets.spec import MOST_SUBJECTS, SetSpec
from app.subjects import queries
from app.subjects.handles import mentioned

name = "subjects"


def problem(request: SetRequest) -> str | None:
    ids = [choice.id for choice in request.spec.subjects]
    chosen = queries.by_id(request.session, ids)
    handles = mentioned(_prompts(request.spec))
    named = queries.by_handle(request.session, handles)
    if unknown := _unknown(handles, named):
        return unknown
    if len(chosen) < len(set(ids)):
        return "A selected subject no longer exists. Choose again."
    if len(ids) > len(set(ids)):
        return "A subject was selected twice. Select it once, with its weight."
    every = chosen | {subject.id: subject for subject in named.values()}
    if len(every) > MOST_SUBJECTS:
        return f"A set has at most {MOST_SUBJECTS} subjects."
    return _unusable(every.values(), request.model)


def stored(request: SetRequest) -> tuple[SetSubject, ...]:
    """The chosen ones, then those only named in prompts."""
    chosen = {choice.id: SetSubject(**choice.model_dump()) for choice in request.spec.subjects}
    named = queries.by_handle(request.session, mentioned(_prompts(request.spec)))
    others = (SetSubject(id=subject.id) for subject in named.values() if subject.id not in chosen)
    return (*chosen.values(), *others)


def asked(session: Session, image_set: ImageSet) -> list[Mapping[str, Any]]:
    return [part.model_dump(mode="json") for part in image_set.subjects]


def redo_problem(redo: Redo) -> str | None:
    """Subjects belong to the whole set: a prompt can name those it has."""
    own = {subject.handle for subject, _ in queries.of_set(redo.session, redo.image_set)}
    others = [handle for handle in mentioned([redo.prompt]) if handle not in own]
    if not others:
        return None
    named = queries.by_handle(redo.session, others)
    return (
        _unknown(others, named)
        or _unusable(named.values(), redo.model)
        or f"@{others[0]} is not a subject of this set; create a new set with it."
    )


def for_engine(batch: Batch) -> tuple[engine.UnitSubject, ...]:
    """The subjects as adapters. Raises Conflict or Flawed if one of them has no whole file."""
    adapters = []
    for subject, weight in batch.subjects:
        if subject.sha256 is None:
            raise Conflict(f"@{subject.handle} has no LoRA file. Train it again.")
        lora = batch.files.whole(Kind.LORAS, subject.sha256, f"@{subject.handle}")
        adapters.append(engine.UnitSubject(lora, weight, subject.handle))
    return tuple(adapters)


def _prompts(spec: SetSpec) -> list[str]:
    return [*spec.prompts, *(region.prompt for region in spec.regions)]


def _unknown(handles: Sequence[str], named: Mapping[str, Subject]) -> str | None:
    unknown = next((handle for handle in handles if handle not in named), None)
    return unknown and f"There is no subject @{unknown}. Write its handle as the list of subjects shows it."


def _unusable(subjects: Iterable[Subject], model: ModelFacts) -> str | None:
    for subject in subjects:
        if subject.archived_at:
            return f"@{subject.handle} is archived. Restore it first, or choose another subject."
        if subject.model != model.name:
            return f"@{subject.handle} was made for {subject.model}, but the server now runs {model.name}."
        if subject.state != State.FINISHED:
            return f"@{subject.handle} is not ready: its training has not finished."
    return None
