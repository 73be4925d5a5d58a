"""Read subjects. Everyone who is signed in sees and uses all of them: it is a team's tool."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import String, and_, column, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from app import matching
from app.accounts.queries import signed_in
from app.errors import NotFound
from app.languages import gettext as _
from app.models import ImageSet, State, Subject, SubjectPicture, SubjectSample, Unit, User
from app.prompts.handles import candidates, mentioned
from app.work import queue

PAGE = 24  # cards listed at a time


def listed(
    session: Session,
    user: User,
    archived: bool = False,
    after: int | None = None,
    limit: int = PAGE,
    words: str = "",
) -> list[Subject]:
    """Subjects that are not in the bin, with their owners and pictures, newest first: the archived ones, or the others.

    `after` is the id of the last one shown. With `words`, those whose name or handle has them, best matches first.
    """
    kept = Subject.archived_at.is_not(None) if archived else Subject.archived_at.is_(None)
    text = Subject.name.concat(" @").concat(Subject.handle)
    present = select(Subject).where(Subject.deleted_at.is_(None), kept, signed_in(user))
    return list(
        session.scalars(
            matching.listed(session, present, Subject, text, words, after)
            .options(joinedload(Subject.owner), selectinload(Subject.pictures))
            .limit(limit)
        )
    )


def get(session: Session, user: User, subject_id: int) -> Subject:
    """A subject with its owner, pictures and samples. Raises NotFound."""
    found = session.scalar(
        select(Subject)
        .where(Subject.id == subject_id, signed_in(user))
        .options(joinedload(Subject.owner), selectinload(Subject.pictures), selectinload(Subject.samples))
    )
    if not found:
        raise NotFound(_("There is no such subject."))
    return found


def retry_at(session: Session, user: User, subject_id: int) -> datetime | None:
    """When a training that failed is tried again; None if it does not wait for that."""
    return next(
        (unit.retry_at for unit in queue.backing_off(session, and_(Unit.subject_id == subject_id, signed_in(user)))),
        None,
    )


def choices(session: Session, user: User, model: str) -> list[Subject]:
    """The subjects available for a new set, by handle."""
    return list(
        session.scalars(
            select(Subject)
            .where(
                Subject.model == model,
                Subject.state == State.FINISHED,
                Subject.archived_at.is_(None),
                Subject.deleted_at.is_(None),
                signed_in(user),
            )
            .options(selectinload(Subject.pictures))
            .order_by(Subject.handle)
        )
    )


def of_set(session: Session, image_set: ImageSet) -> list[tuple[Subject, float]]:
    """The subjects of a set with their weights, in the set's order."""
    weights = {part.id: part.weight for part in image_set.subjects}
    found = by_id(session, weights)
    return [(found[id], weight) for id, weight in weights.items() if id in found]


def by_id(session: Session, ids: Iterable[int]) -> dict[int, Subject]:
    """Subjects by id; skips missing ones."""
    ids = list(ids)
    if not ids:
        return {}
    return {subject.id: subject for subject in session.scalars(select(Subject).where(Subject.id.in_(ids)))}


def by_handle(session: Session, handles: Sequence[str]) -> dict[str, Subject]:
    """Subjects by handle; skips missing ones."""
    if not handles:
        return {}
    # One parameter, however many there are.
    asked = func.json_each(json.dumps(handles)).table_valued(column("value", String))
    found = session.scalars(select(Subject).where(Subject.handle.in_(select(asked.c.value))))
    return {subject.handle: subject for subject in found}


def named_in(session: Session, texts: Sequence[str]) -> dict[str, Subject]:
    """The subjects that texts name, by handle."""
    known = by_handle(session, candidates(texts))
    return {handle: known[handle] for handle in mentioned(texts, known) if handle in known}


def picture(session: Session, user: User, subject_id: int, position: int) -> SubjectPicture:
    """The picture. Raises NotFound."""
    found = session.scalar(
        select(SubjectPicture).where(
            SubjectPicture.subject_id == subject_id, SubjectPicture.position == position, signed_in(user)
        )
    )
    if not found:
        raise NotFound(_("There is no such picture."))
    return found


def sample(session: Session, user: User, sample_id: int) -> SubjectSample:
    """The sample. Raises NotFound."""
    found = session.scalar(select(SubjectSample).where(SubjectSample.id == sample_id, signed_in(user)))
    if not found:
        raise NotFound(_("There is no such picture."))
    return found
