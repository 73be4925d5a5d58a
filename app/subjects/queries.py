"""Read subjects. Everyone who is signed in sees and uses all of them: it is a team's tool."""

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.accounts.queries import signed_in
from app.errors import NotFound
from app.models import ImageSet, State, Subject, SubjectPicture, SubjectSample, User


def every(session: Session, user: User) -> list[Subject]:
    """All subjects with their owners and pictures, newest first."""
    return list(
        session.scalars(
            select(Subject)
            .where(signed_in(user))
            .options(joinedload(Subject.owner), selectinload(Subject.pictures))
            .order_by(Subject.id.desc())
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
        raise NotFound("There is no such subject.")
    return found


def choices(session: Session, user: User, model: str) -> list[Subject]:
    """The subjects available for a new set, by handle."""
    return list(
        session.scalars(
            select(Subject)
            .where(
                Subject.model == model,
                Subject.state == State.FINISHED,
                Subject.archived_at.is_(None),
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
    found = session.scalars(select(Subject).where(Subject.handle.in_(handles)))
    return {subject.handle: subject for subject in found}


def picture(session: Session, user: User, subject_id: int, position: int) -> SubjectPicture:
    """The picture. Raises NotFound."""
    found = session.scalar(
        select(SubjectPicture).where(
            SubjectPicture.subject_id == subject_id, SubjectPicture.position == position, signed_in(user)
        )
    )
    if not found:
        raise NotFound("There is no such picture.")
    return found


def sample(session: Session, user: User, sample_id: int) -> SubjectSample:
    """The sample. Raises NotFound."""
    found = session.scalar(select(SubjectSample).where(SubjectSample.id == sample_id, signed_in(user)))
    if not found:
        raise NotFound("There is no such picture.")
    return found
