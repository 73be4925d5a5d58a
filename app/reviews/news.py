"""What others do in a set while someone has one of its pictures in the review room, from the audit log.

Event numbers have no gaps and follow the order of commits, so one number says how much someone knows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session, joinedload

from app.accounts.queries import signed_in
from app.audit import words
from app.models import Act, AuditEvent, Campaign, Image, ImageSet, User, Verdict

MOST = 3  # sentences at a time: the latest
TOLD = (
    Act.DECIDE,
    Act.COMMENT,
    Act.THREAD_RESOLVE,
    Act.THREAD_REOPEN,
    Act.SET_LOCK,
    Act.SET_UNLOCK,
    Act.CAMPAIGN_CHANGE,
    Act.IMAGE_REDO,
    Act.IMAGE_DISCARD,
    Act.IMAGE_FINISH,
    Act.IMAGE_DELETE,
    Act.IMAGE_RESTORE,
)


@dataclass(frozen=True)
class News:
    """A sentence: "Ito Kenji" and "rejected this picture."; nobody and "Version 2 of this picture is finished."."""

    who: str
    words: str


def known(session: Session) -> int:
    """The number of the latest event, for a page rendered in the same session."""
    return session.scalar(select(func.max(AuditEvent.id))) or 0


def latest(session: Session, user: User, set_id: int) -> dict[int | None, int]:
    """The numbers of the latest events that affect the review of the set, by who caused them; None is the server."""
    of_set, campaigns = (select(column).where(Image.set_id == set_id) for column in (Image.id, Image.campaign_id))
    where = or_(_about(ImageSet, [set_id]), _about(Image, of_set), _about(Campaign, campaigns))
    newest = select(AuditEvent.user_id, func.max(AuditEvent.id)).where(where, signed_in(user))
    return dict(session.execute(newest.group_by(AuditEvent.user_id)).all())


def of_others(latest: Mapping[int | None, int], user: User) -> int:
    """The number of the latest event that `user` did not cause; 0 if there is none."""
    return max((number for person, number in latest.items() if person != user.id), default=0)


def told(session: Session, user: User, image: Image, after: int) -> list[News]:
    """The latest acts of others after event `after` on the picture, its versions, set and campaign, in order."""
    at_place = Image.set_id == image.set_id, Image.position == image.position
    versions = dict(session.execute(select(Image.id, Image.version).where(*at_place)).all())
    found = session.scalars(
        select(AuditEvent)
        .where(*_by_others(user, after), AuditEvent.act.in_(TOLD), signed_in(user))
        .where(
            or_(
                _about(ImageSet, [image.set_id]),
                _about(Image, versions),
                _about(Campaign, [image.campaign_id]),
            )
        )
        .options(joinedload(AuditEvent.user))
        .order_by(AuditEvent.id)
    )
    news = (_news(event, user, image, versions) for event in found)
    return list(dict.fromkeys(news))[-MOST:]


def _news(event: AuditEvent, user: User, image: Image, versions: dict[int, int]) -> News:
    if event.act == Act.CAMPAIGN_CHANGE:
        if own := event.details.get("approving_own_pictures"):
            nobody = "that nobody approves" if own == "not allowed" else "that people may approve"
            return News(words.who(event), f"ruled {nobody} their own pictures in this campaign.")
        needed = str(event.details.get("approvals", "")).split()[-1:]
        return News(words.who(event), f"set the approvals needed in this campaign to {''.join(needed)}.")
    if event.subject == ImageSet.__tablename__:
        thing = "this set"
    elif event.subject_id == image.id:
        thing = "this picture"
    else:
        thing = f"version {versions[event.subject_id or 0]} of this picture"
    if event.act == Act.IMAGE_FINISH:
        return News("", f"{thing[0].upper()}{thing[1:]} is finished.")
    whose = event.details.get("of")
    if event.act == Act.DECIDE and event.details.get("verdict") == Verdict.WITHDRAWN and whose:
        return News(words.who(event), f"withdrew {'your' if whose == user.name else f'{whose}’s'} decision on {thing}.")
    named = event.act == Act.COMMENT and user.name in event.details.get("mentioned", ())
    return News(words.who(event), f"{'mentioned you in a comment on' if named else words.did(event)} {thing}.")


def _by_others(user: User, after: int) -> tuple[ColumnElement[bool], ...]:
    return AuditEvent.id > after, or_(AuditEvent.user_id.is_(None), AuditEvent.user_id != user.id)


def _about(table: type[Image | ImageSet | Campaign], ids: Iterable[int] | Select[int]) -> ColumnElement[bool]:
    return and_(AuditEvent.subject == table.__tablename__, AuditEvent.subject_id.in_(ids))
