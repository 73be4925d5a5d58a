"""What others do in a set while someone has one of its pictures in the review room, from the audit log.

Event numbers have no gaps and follow the order of commits, so one number says how much someone knows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session, joinedload

from app.accounts.queries import signed_in
from app.audit import words
from app.languages import N_, translated
from app.languages import gettext as _
from app.models import Act, AuditEvent, Campaign, Image, ImageSet, User, Verdict

MOST = 3  # sentences at a time: the latest
# What somebody did to a picture or its set.
DID = {
    Act.COMMENT: N_("%(name)s commented on %(thing)s."),
    Act.COMMENT_EDIT: N_("%(name)s edited a comment on %(thing)s."),
    Act.COMMENT_DELETE: N_("%(name)s deleted a comment on %(thing)s."),
    Act.COMMENT_RESTORE: N_("%(name)s restored a comment on %(thing)s."),
    Act.THREAD_RESOLVE: N_("%(name)s resolved a comment on %(thing)s."),
    Act.THREAD_REOPEN: N_("%(name)s reopened a comment on %(thing)s."),
    Act.SET_RENAME: N_("%(name)s renamed %(thing)s."),
    Act.SET_DELETE: N_("%(name)s deleted %(thing)s."),
    Act.SET_RESTORE: N_("%(name)s restored %(thing)s."),
    Act.SET_LOCK: N_("%(name)s locked the decisions of %(thing)s."),
    Act.SET_UNLOCK: N_("%(name)s unlocked the decisions of %(thing)s."),
    Act.IMAGE_REDO: N_("%(name)s redid %(thing)s."),
    Act.IMAGE_DISCARD: N_("%(name)s cancelled a new version of %(thing)s."),
    Act.IMAGE_DELETE: N_("%(name)s deleted %(thing)s."),
    Act.IMAGE_RESTORE: N_("%(name)s restored %(thing)s."),
}
DECIDED = {  # by the verdict in the event
    "approved": N_("%(name)s approved %(thing)s."),
    "changes_requested": N_("%(name)s asked for changes to %(thing)s."),
    "rejected": N_("%(name)s rejected %(thing)s."),
    "withdrawn": N_("%(name)s withdrew the decision on %(thing)s."),
    "undone": N_("%(name)s undid the decision on %(thing)s."),
}
YOURS = N_("%(name)s withdrew your decision on %(thing)s.")
THEIRS = N_("%(name)s withdrew %(whose)s’s decision on %(thing)s.")
MENTIONED = N_("%(name)s mentioned you in a comment on %(thing)s.")
TOLD = (Act.DECIDE, Act.CAMPAIGN_CHANGE, Act.IMAGE_FINISH, *DID)


@dataclass(frozen=True)
class News:
    """A sentence such as "Ito Kenji rejected this picture.", and who did it; nobody if the server did."""

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
    if event.act == Act.IMAGE_FINISH:
        return News("", _finished(event, image, versions))
    who = words.who(event)
    if event.act == Act.CAMPAIGN_CHANGE:
        return News(who, _ruled(event, who))
    return News(who, translated(_did(event, user)) % _parameters(event, who, image, versions))


def _finished(event: AuditEvent, image: Image, versions: dict[int, int]) -> str:
    if event.subject_id == image.id:
        return _("This picture is finished.")
    return _("Version %(number)s of this picture is finished.", number=versions[event.subject_id or 0])


def _ruled(event: AuditEvent, who: str) -> str:
    if own := event.details.get("approving_own_pictures"):
        if own == "not allowed":
            return _("%(name)s ruled that nobody approves their own pictures in this campaign.", name=who)
        return _("%(name)s ruled that people may approve their own pictures in this campaign.", name=who)
    needed = str(event.details.get("approvals", "")).split()[-1:]
    return _("%(name)s set the approvals needed in this campaign to %(number)s.", name=who, number="".join(needed))


def _did(event: AuditEvent, user: User) -> str:
    """The message for an act on a picture or its set, with the parameters of `_parameters`."""
    if event.act == Act.DECIDE:
        verdict, whose = event.details.get("verdict"), event.details.get("of")
        if verdict == Verdict.WITHDRAWN and whose:
            return YOURS if whose == user.name else THEIRS
        return DECIDED[str(verdict)]
    if event.act in (Act.COMMENT, Act.COMMENT_EDIT) and user.name in event.details.get("mentioned", ()):
        return MENTIONED
    return DID[Act(event.act)]


def _parameters(event: AuditEvent, who: str, image: Image, versions: dict[int, int]) -> dict[str, str]:
    if event.subject == ImageSet.__tablename__:
        thing = _("this set")
    elif event.subject_id == image.id:
        thing = _("this picture")
    else:
        thing = _("version %(number)s of this picture", number=versions[event.subject_id or 0])
    return {"name": who, "thing": thing, "whose": event.details.get("of", "")}


def _by_others(user: User, after: int) -> tuple[ColumnElement[bool], ...]:
    return AuditEvent.id > after, or_(AuditEvent.user_id.is_(None), AuditEvent.user_id != user.id)


def _about(table: type[Image | ImageSet | Campaign], ids: Iterable[int] | Select[int]) -> ColumnElement[bool]:
    return and_(AuditEvent.subject == table.__tablename__, AuditEvent.subject_id.in_(ids))
