"""Read drafts. Each is for its own person alone."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Draft, DraftFile, User


def of_form(session: Session, user: User, place: str) -> list[Draft]:
    """A person's drafts of the form at `place`, newest first."""
    return of_forms(session, user, (place,)).get(place, [])


def of_forms(session: Session, user: User, places: Collection[str]) -> dict[str, list[Draft]]:
    """A person's drafts of these forms, newest first, by place."""
    wanted = select(Draft).where(Draft.user_id == user.id, Draft.place.in_(places))
    found: dict[str, list[Draft]] = {}
    for draft in session.scalars(wanted.order_by(Draft.updated_at.desc(), Draft.id.desc())):
        found.setdefault(draft.place, []).append(draft)
    return found


def uploaded(session: Session, user: User, place: str, sha256s: Collection[str]) -> DraftFile | None:
    """The newest of these files that this person uploaded to a draft of the form at `place`."""
    own = select(DraftFile).join(Draft).where(Draft.user_id == user.id, Draft.place == place, DraftFile.name != "")
    return session.scalar(own.where(DraftFile.sha256.in_(sha256s)).order_by(Draft.updated_at.desc()).limit(1))


def by_key(session: Session, user: User, key: str) -> Draft | None:
    return session.scalar(select(Draft).where(Draft.key == key, Draft.user_id == user.id))
