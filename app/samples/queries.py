"""Read a person's sample campaign."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.queries import I_AM_ACTIVE, MY_ID, asks
from app.models import Campaign, ImageSet, Sample, User


@dataclass(frozen=True)
class OpenSample:
    """A person's sample, as pages name it."""

    campaign_id: int
    campaign: str
    set_id: int


_OPEN = (
    select(Sample.campaign_id, Campaign.name, Sample.set_id)
    .join(Campaign, Campaign.id == Sample.campaign_id)
    .join(ImageSet, ImageSet.id == Sample.set_id)
    .where(Sample.user_id == MY_ID, Sample.removed_at.is_(None), ImageSet.owner_id == MY_ID, I_AM_ACTIVE)
    .where(ImageSet.deleted_at.is_(None))
)


def opened(session: Session, user: User) -> OpenSample | None:
    """The sample that `user` has open; None without one, or if its set is in the bin."""
    row = session.execute(_OPEN, asks(user)).first()
    return OpenSample(*row) if row else None


def sample_of(session: Session, user: User) -> Sample | None:
    """The row of what `user` opened and did not remove, although they may have deleted its set since."""
    return session.scalar(select(Sample).where(Sample.user_id == user.id, Sample.removed_at.is_(None)))
