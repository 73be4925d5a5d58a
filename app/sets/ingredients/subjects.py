"""Subjects of a set: those chosen in its form, and those only named in prompts by their handles, `@mug`."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.blocked import queries as blocked
from app.engine import events as engine
from app.engine.base import ModelFacts
from app.errors import Conflict
from app.files import Kind
from app.languages import gettext as _
from app.models import ImageSet, SetSubject, State, Subject, User
from app.prompts.handles import HANDLE_LENGTH, mentioned
from app.prompts.syntax import spoken
from app.rights import queries as rights
from app.sets.ingredients.base import Batch, Redo, SetRequest
from app.sets.spec import MOST_SUBJECTS, SetSpec
from app.subjects import queries
from app.text import shorten

name = "subjects"


def problem(request: SetRequest) -> str | None:
    ids = [choice.id for choice in request.spec.subjects]
    chosen = queries.by_id(request.session, ids)
    prompts = _prompts(request.spec)
    named = queries.named_in(request.session, prompts)
    if unknown := _unknown(mentioned(prompts, named), named):
        return unknown
    if len(chosen) < len(set(ids)):
        return _("A selected subject no longer exists. Choose again.")
    if len(ids) > len(set(ids)):
        return _("A subject was selected twice. Select it once, with its weight.")
    every = chosen | {subject.id: subject for subject in named.values()}
    if len(every) > MOST_SUBJECTS:
        return _("A set has at most %(number)s subjects.", number=MOST_SUBJECTS)
    return (
        _unusable(every.values(), request.model)
        or _blocked(request.session, request.user, every.values(), _drawn(request.spec))
        or rights.subjects_refusal(request.session, every, request.user)
    )


def _blocked(session: Session, user: User, subjects: Collection[Subject], prompts: Iterable[str]) -> str | None:
    """That the model would read a blocked word in place of a handle, or together with what is next to it."""
    for subject in subjects:
        if why := blocked.problem(session, user, [subject.phrase]):
            return _("@%(handle)s: %(problem)s", handle=subject.handle, problem=why)
    phrases = {subject.handle: subject.phrase for subject in subjects}
    said = ((prompt, spoken(prompt, phrases)) for prompt in prompts)
    return blocked.problem(session, user, [read for prompt, read in said if read != prompt])


def stored(request: SetRequest) -> tuple[SetSubject, ...]:
    """The chosen ones, then those only named in prompts."""
    chosen = {choice.id: SetSubject(**choice.model_dump()) for choice in request.spec.subjects}
    named = queries.named_in(request.session, _prompts(request.spec))
    others = (SetSubject(id=subject.id) for subject in named.values() if subject.id not in chosen)
    return (*chosen.values(), *others)


def asked(session: Session, image_set: ImageSet) -> list[Mapping[str, Any]]:
    return [part.model_dump(mode="json") for part in image_set.subjects]


def redo_problem(redo: Redo) -> str | None:
    """Subjects belong to the whole set: a prompt can name those it has."""
    subjects = [subject for subject, _weight in queries.of_set(redo.session, redo.image_set)]
    if why := _blocked(redo.session, redo.user, subjects, [redo.drawn]):
        return why
    own = {subject.handle for subject in subjects}
    others = [f"@{handle}" for handle in mentioned([redo.prompt], own) if handle not in own]
    if not others:
        return None
    named = queries.named_in(redo.session, others)
    others = mentioned(others, named)
    return (
        _unknown(others, named)
        or _unusable(named.values(), redo.model)
        or _("@%(handle)s is not a subject of this set; create a new set with it.", handle=others[0])
    )


def for_engine(batch: Batch) -> tuple[engine.UnitSubject, ...]:
    """The subjects as adapters. Raises Conflict or Flawed if one of them has no whole file."""
    adapters = []
    for subject, weight in batch.subjects:
        if subject.purged_at:
            raise Conflict(_("@%(handle)s was deleted for good. Create a new set without it.", handle=subject.handle))
        if subject.sha256 is None:
            raise Conflict(_("@%(handle)s has no LoRA file. Train it again.", handle=subject.handle))
        lora = batch.files.whole(Kind.LORAS, subject.sha256, f"@{subject.handle}")
        adapters.append(engine.UnitSubject(lora, weight, subject.handle))
    return tuple(adapters)


def _prompts(spec: SetSpec) -> list[str]:
    return [*spec.prompts, *(region.prompt for region in spec.regions)]


def _drawn(spec: SetSpec) -> list[str]:
    return [spec.drawn_as.get(prompt, prompt) for prompt in _prompts(spec)]


def _unknown(handles: Sequence[str], named: Mapping[str, Subject]) -> str | None:
    unknown = next((handle for handle in handles if handle not in named), None)
    return unknown and _(
        "There is no subject @%(handle)s. Write its handle as the list of subjects shows it.",
        handle=shorten(unknown, HANDLE_LENGTH),
    )


def _unusable(subjects: Iterable[Subject], model: ModelFacts) -> str | None:
    for subject in subjects:
        if subject.deleted_at:
            return _(
                "@%(handle)s was deleted. Restore it from the bin, or choose another subject.", handle=subject.handle
            )
        if subject.archived_at:
            return _("@%(handle)s is archived. Restore it first, or choose another subject.", handle=subject.handle)
        if subject.model != model.name:
            return _(
                "@%(handle)s was made for %(model)s, but the server now runs %(current)s.",
                handle=subject.handle,
                model=subject.model,
                current=model.name,
            )
        if subject.state != State.FINISHED:
            return _("@%(handle)s is not ready: its training has not finished.", handle=subject.handle)
    return None
