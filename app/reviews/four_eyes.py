"""Four eyes: campaigns in which nobody approves their own pictures.

A person's own pictures are those of their own sets, and versions that they made of others' pictures. Those that came
with Soroe, in a sample campaign, are nobody's own. Makers may reject their own and request changes, but not withdraw
what others decided on them. Their approval does not count while the campaign has this rule, whenever it was given.
"""

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from app.accounts.queries import MY_ID
from app.campaign_names import folder
from app.errors import Forbidden
from app.languages import formats
from app.languages import gettext as _
from app.models import Campaign, Decision, Image, ImageSet, Role, Sample, User, Verdict

NAMED = 2  # of those who can approve instead


class OwnPicture(Forbidden):
    """Someone tried to approve a picture that they made."""


def makers(image: Image) -> set[int]:
    """The makers of a picture, by id: the owner of its set, and the person who redid this version."""
    owner = [] if image.image_set.sample else [image.owner_id]
    return {*owner, *([image.made_by_id] if image.made_by_id else [])}


def uncounted(image: Image, four_eyes: bool) -> set[int]:
    """The ids of people whose approval of a picture does not count."""
    return makers(image) if four_eyes else set()


OWN = and_(
    or_(
        and_(Image.owner_id == MY_ID, Image.set_id.not_in(select(Sample.set_id))),
        Image.made_by_id.is_not_distinct_from(MY_ID),
    ),
    Image.campaign_id.in_(select(Campaign.id).where(Campaign.four_eyes)),
)
"""A condition for pictures that the person who asks made and may not approve. Never NULL."""


def bars(user: User, image: Image) -> bool:
    """Whether `user` may not approve a picture because they made it."""
    return user.id in makers(image) and image.campaign.four_eyes


def bars_from_set(user: User, image_set: ImageSet) -> bool:
    """Whether `user` may not approve a set's pictures because they made it; those of a sample nobody made."""
    return image_set.campaign.four_eyes and image_set.owner_id == user.id and not image_set.sample


def refusal(session: Session, user: User, image: Image) -> str:
    """Why `user` may not approve a picture, who can, and where to change that; "" if they may."""
    if not bars(user, image):
        return ""
    way_out = "" if image.decision == Verdict.APPROVED else _way_out(session, user, image)
    return formats.sentences((_rule(image), way_out))


def withdrawal_refusal(user: User, image: Image, decision: Decision) -> str:
    """Why `user`, a manager, may not withdraw another's decision on a picture, and who can; "" if they may."""
    if not bars(user, image):
        return ""
    way_out = _("Another manager can withdraw this decision.")
    if decision.user.can(Role.REVIEWER):
        way_out = _("%(name)s or another manager can withdraw this decision.", name=decision.user.name)
    return formats.sentences((_rule(image), way_out))


def _rule(image: Image) -> str:
    return _(
        "You made this picture, and in %(campaign)s nobody approves their own pictures.",
        campaign=folder(image.campaign.name),
    )


def _way_out(session: Session, user: User, image: Image) -> str:
    """Who can approve a picture instead of `user`, or what to do if there is nobody."""
    deciding = [role for role in Role if role.rank >= Role.REVIEWER.rank]
    able = select(User.name).where(User.active, User.role.in_(deciding), User.id.not_in(makers(image)))
    names = list(session.scalars(able.order_by(User.name, User.id).limit(NAMED + 1)))
    if len(names) > NAMED:
        return _("%(one)s, %(other)s and others can approve it.", one=names[0], other=names[1])
    if len(names) == NAMED:
        return _("%(one)s and %(other)s can approve it.", one=names[0], other=names[1])
    if names:
        return _("%(name)s can approve it.", name=names[0])
    if user.can(Role.ADMIN):
        return _(
            "There is no other reviewer yet: invite a reviewer under People, or change that under Reasons and "
            "approvals."
        )
    if user.can(Role.MANAGER):
        return _(
            "There is no other reviewer yet: ask an administrator to invite a reviewer, or change that under Reasons "
            "and approvals."
        )
    return _("There is no other reviewer yet: ask an administrator to invite a reviewer.")
