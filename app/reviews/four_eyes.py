"""Four eyes: campaigns in which nobody approves their own pictures.

A person's own pictures are those of their own sets, and versions that they made of others' pictures. Makers may reject
their own and request changes. Their approval does not count while the campaign has this rule, whenever it was given.
"""

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from app.errors import Forbidden
from app.models import Campaign, Image, Role, User
from app.text import listed

NAMED = 2  # of those who can approve instead
HERE = "Reasons and approvals"


class OwnPicture(Forbidden):
    """Someone tried to approve a picture that they made."""


def makers(image: Image) -> set[int]:
    """The makers of a picture, by id: the owner of its set, and the person who redid this version."""
    return {image.owner_id, *([image.made_by_id] if image.made_by_id else [])}


def uncounted(image: Image, four_eyes: bool) -> set[int]:
    """The ids of people whose approval of a picture does not count."""
    return makers(image) if four_eyes else set()


def own(user: User) -> ColumnElement[bool]:
    """A condition for pictures that `user` made and may not approve. Never NULL."""
    asking = select(Campaign.id).where(Campaign.four_eyes)
    mine = or_(Image.owner_id == user.id, Image.made_by_id.is_not_distinct_from(user.id))
    return and_(mine, Image.campaign_id.in_(asking))


def bars(user: User, image: Image) -> bool:
    """Whether `user` may not approve a picture because they made it."""
    return user.id in makers(image) and image.campaign.four_eyes


def refusal(session: Session, user: User, image: Image) -> str:
    """Why `user` may not approve a picture, who can, and where to change that; "" if they may."""
    if not bars(user, image):
        return ""
    why = f"You made this picture, and in {image.campaign.name} nobody approves their own pictures."
    deciding = [role for role in Role if role.rank >= Role.REVIEWER.rank]
    able = select(User.name).where(User.active, User.role.in_(deciding), User.id.not_in(makers(image)))
    names = list(session.scalars(able.order_by(User.name, User.id).limit(NAMED + 1)))
    if len(names) > NAMED:
        names = [*names[:NAMED], "others"]
    if names:
        return f"{why} {listed(names)} can approve it."
    invite = "invite a reviewer under People" if user.can(Role.ADMIN) else "ask an administrator to invite a reviewer"
    change = f", or change that under {HERE}" if user.can(Role.MANAGER) else ""
    return f"{why} There is no other reviewer yet: {invite}{change}."
