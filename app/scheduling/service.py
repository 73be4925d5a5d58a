"""Change the order of the queue, pause work in it, and pause all of it.

Managers order everything, other people what is theirs, within the turns that they have. Those who may change a set or
subject pause and resume it; what a manager paused, managers resume. Only administrators pause the queue.
"""

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts import authority
from app.accounts.service import may_change, need_active
from app.audit.service import record
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.languages import N_, pgettext, translated
from app.languages import gettext as _
from app.models import Act, ImageSet, QueuePause, Role, Subject, User, now
from app.scheduling.queries import MOVABLE
from app.sets import queries as sets
from app.sets.aside import Aside
from app.subjects import queries as subjects
from app.text import clean_line
from app.work import line, order
from app.work.kinds import all_kinds
from app.work.order import QueuedTopic
from app.work.topics import Topic

REASON_LENGTH = 200  # characters

Place = Literal["top", "up", "down", "last"] | Topic
"""Where to: a step, or before another topic."""

STARTED = N_("Nothing of this is waiting now; it was started, finished or cancelled.")


def move(session: Session, user: User, topic: Topic, to: Place) -> bool:
    """Move what waits of a set or a training: among everything for managers, among their own for other people.

    Returns whether that changed the order. Raises NotFound, Forbidden, and Conflict if it, or the topic that it shall
    precede, no longer waits.
    """
    row = _row(session, user, topic)
    everything = [each for each in order.waiting(session) if each.topic.noun in MOVABLE]
    among = [each for each in everything if user.can(Role.MANAGER) or each.owner_id == user.id]
    moving = _find(among, topic)
    others = [each for each in among if each is not moving]
    index = _index(others, _neighbours(session, among, moving), among.index(moving), to)
    if index == among.index(moving):
        return False
    if user.can(Role.MANAGER):
        order.put_before(session, others, topic, index)
    else:
        topics = [each.topic for each in others]
        order.reorder(session, [*topics[:index], topic, *topics[index:]])
    record(session, user, Act.WORK_MOVE, row, place=index + 1, before=among.index(moving) + 1)
    return True


def _find(among: Sequence[QueuedTopic], topic: Topic) -> QueuedTopic:
    found = next((each for each in among if each.topic == topic), None)
    if found is None:
        raise Conflict(translated(STARTED))
    return found


def _neighbours(
    session: Session, among: Sequence[QueuedTopic], moving: QueuedTopic
) -> tuple[QueuedTopic | None, QueuedTopic | None]:
    """What a step up and a step down pass.

    People see what runs first, and what is paused last. So what is left of either is no step, though it has a place.
    """
    apart = order.running(session) | line.paused_topics(session)
    steps = [each for each in among if each is moving or each.topic not in apart]
    at = steps.index(moving)
    return steps[at - 1] if at else None, steps[at + 1] if at + 1 < len(steps) else None


def _index(
    others: Sequence[QueuedTopic],
    neighbours: tuple[QueuedTopic | None, QueuedTopic | None],
    now_at: int,
    to: Place,
) -> int:
    above, below = neighbours
    match to:
        case "up" if above:
            return others.index(above)
        case "top" | "up":
            return 0
        case "down":
            return others.index(below) + 1 if below else now_at
        case "last":
            return len(others)
        case Topic():
            return others.index(_find(others, to))


def pause(session: Session, user: User, topic: Topic) -> None:
    """Generate nothing more of a set or subject until it is resumed. Raises NotFound, Forbidden and Conflict.

    Pictures that the engine has begun are finished; a training stops at its next step, and resumes there. New pictures
    of a paused set wait too.
    """
    row = _row(session, user, topic)
    if order.paused(session, topic)[0]:
        raise Conflict(_("This is already paused."))
    if not order.pause(session, topic, user.role):
        raise Conflict(_("There is nothing to pause: what is left of this is already being generated."))
    record(session, user, Act.WORK_PAUSE, row)


def resume(session: Session, user: User, topic: Topic) -> None:
    """The opposite of `pause`, with the same role or a higher one."""
    row = _row(session, user, topic)
    paused, paused_as = order.paused(session, topic)
    if not paused:
        raise Conflict(_("This is not paused."))
    authority.need_power(user, paused_as, _("paused this"), _("resume it"))
    order.resume(session, topic)
    record(session, user, Act.WORK_RESUME, row)


def cancel(session: Session, user: User, topic: Topic) -> None:
    """Stop drafts, or a map, for the one who asked for them and for managers; sets and subjects have their own pages.

    Raises NotFound, Forbidden, and Conflict if nothing of it waits or runs.
    """
    kind = next((each for each in all_kinds() if each.noun == topic.noun), None)
    if not isinstance(kind, Aside):
        raise NotFound(_("There is no such work."))
    kind.cancel(session, user, topic.id)


def pause_queue(session: Session, user: User, reason: str) -> None:
    """Claim nothing until the queue is resumed. Administrators only. Raises Forbidden, Invalid and Conflict."""
    _need_admin(user, _("Only administrators pause the queue. You can pause your own sets."))
    reason = clean_line(reason)
    if not reason:
        raise Invalid("reason", _("Say why the queue is paused; everyone who waits reads it."))
    if len(reason) > REASON_LENGTH:
        raise Invalid(
            "reason",
            pgettext(
                "queue",
                "The reason has %(number)s characters; at most %(most)s fit.",
                number=len(reason),
                most=REASON_LENGTH,
            ),
        )
    if _current(session):
        raise Conflict(_("The queue is already paused."))
    pausing = QueuePause(reason=reason, paused_by_id=user.id)
    session.add(pausing)
    record(session, user, Act.QUEUE_PAUSE, pausing, reason=reason)


def resume_queue(session: Session, user: User) -> None:
    """The opposite of `pause_queue`."""
    _need_admin(user, _("Only administrators resume the queue. You can pause your own sets."))
    current = _current(session)
    if not current:
        raise Conflict(_("The queue is not paused."))
    current.ended_at = now()
    order.wake(session)
    record(session, user, Act.QUEUE_RESUME, current)


def _current(session: Session) -> QueuePause | None:
    return session.scalar(select(QueuePause).where(QueuePause.ended_at.is_(None)))


def _need_admin(user: User, refusal: str) -> None:
    need_active(user)
    if not user.can(Role.ADMIN):
        raise Forbidden(refusal)


def _row(session: Session, user: User, topic: Topic) -> ImageSet | Subject:
    """The set or subject, if `user` may change it."""
    row: ImageSet | Subject
    if topic.noun == "set":
        row = sets.get(session, user, topic.id)
    elif topic.noun == "subject":
        row = subjects.get(session, user, topic.id)
    else:
        raise NotFound(_("There is no such work."))
    if not may_change(user, row):
        raise Forbidden(_("Only %(name)s or a manager can do this.", name=row.owner.name))
    return row
