"""Painted masks of regions, stored while the form of a set is filled in."""

from sqlalchemy.orm import Session

from app.audit.service import record
from app.errors import Invalid
from app.files import Files, Kind, Room
from app.grounds import GROUNDS
from app.languages import gettext as _
from app.models import Act, User
from app.pictures import Limits, clean_upload
from app.quotas.service import take_upload

SEEN = 128  # of 255: a mask with nothing this white shows nothing


def keep(files: Files, data: bytes, limits: Limits, room: Room | None = None) -> str:
    """Store a painted mask, white inside the region, and return the SHA-256 of its PNG. Transparent parts are outside.

    Raises Invalid, what `room` raises, and CannotSave.
    """
    mask = clean_upload(data, limits, ground=GROUNDS["black"], grey=True, small=True)
    if mask.lightest < SEEN:
        raise Invalid("picture", _("The mask is empty. Paint the area of the region."))
    return files.put(Kind.MAPS, mask.png, mask.small, room)


def note(session: Session, user: User, mask: str, size: int, held: int) -> None:
    """Record that `user` uploaded a painted mask of `size` bytes, of which `held` are stored. Raises Spent, Full."""
    take_upload(session, user, "picture", size, held)
    record(session, user, Act.MASK_UPLOAD, user, mask=mask)
