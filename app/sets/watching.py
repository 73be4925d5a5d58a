"""What the messages to a set's open page need besides its pictures, without what belongs to the set."""

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session, joinedload

from app.accounts.queries import I_AM_ACTIVE, asks
from app.errors import NotFound
from app.languages import gettext as _
from app.models import Image, ImageSet, State, Unit, User
from app.work.queue import WAITING

_ROW = select(ImageSet).where(ImageSet.id == bindparam("set_id"), I_AM_ACTIVE).options(joinedload(ImageSet.campaign))


def row(session: Session, user: User, set_id: int) -> ImageSet:
    """A set with its campaign, and without what else belongs to it, for its messages. Raises NotFound."""
    found = session.scalar(_ROW, asks(user) | {"set_id": set_id})
    if not found:
        raise NotFound(_("There is no such set."))
    return found


_OTHERS_WAITING = (
    select(func.count())
    .select_from(Unit)
    .join(Image, Image.unit_id == Unit.id)
    .where(Unit.state.in_(WAITING), Unit.set_id != bindparam("set_id"), Image.state == State.QUEUED, I_AM_ACTIVE)
    .group_by(Unit.owner_id)
)


def others_waiting(session: Session, user: User, set_id: int) -> list[int]:
    """How many pictures of other sets wait in the queue, for each of their owners."""
    return list(session.scalars(_OTHERS_WAITING, asks(user) | {"set_id": set_id}))
