"""Undo acts on many pictures, and on saved searches. Each picture is checked: those changed since stay as they are."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, selectinload

from app.accounts.service import may_change, need_active
from app.audit.service import record, record_all
from app.errors import Conflict, Forbidden
from app.gallery import queries, service
from app.languages import N_, translated
from app.languages import gettext as _
from app.models import Act, Campaign, Image, ImageTag, Role, SavedSearch, Star, User
from app.reviews import service as reviews
from app.sets.service import forget_campaign
from app.undo import Undone

GONE = N_("they were permanently deleted")
MOVED = N_("they were moved again")
NO_CAMPAIGN = N_("their campaign was deleted since")
TAGGED = N_("their tags were changed again")
BINNED = N_("they were deleted or restored again")


def move(session: Session, user: User, to: int, before: Mapping[str, Sequence[int]], new: bool = False) -> Undone:
    """Move pictures back. `before`: their ids by their campaign until then. `new`: the act created the campaign."""
    target = session.get(Campaign, to)
    if target is None:
        raise Conflict(_("The campaign was removed since, so it was not undone."))
    home = {image_id: int(campaign) for campaign, ids in before.items() for image_id in ids}
    there = Campaign.id.in_(set(home.values())), Campaign.deleted_at.is_(None)
    names = dict(session.execute(select(Campaign.id, Campaign.name).where(*there)).all())

    def stays(image: Image) -> str:
        return MOVED if image.campaign_id != to else "" if home[image.id] in names else NO_CAMPAIGN

    done, images = _able(session, user, home, stays, changing=True)
    for image in images:
        image.campaign_id = home[image.id]
    reviews.settle(session, images)
    for campaign_id, name in names.items():
        some = [image for image in images if image.campaign_id == campaign_id]
        record_all(session, user, Act.IMAGE_MOVE, some, to=name, before=target.name)
    if new:
        forget_campaign(session, user, target)
    return done


def tag(session: Session, user: User, tag: str, images: Collection[int]) -> Undone:
    """Remove a tag that was just added."""
    mine = ImageTag.tag == tag, ImageTag.image_id.in_(images), ImageTag.added_by_id == user.id
    there = set(session.scalars(select(ImageTag.image_id).where(*mine)))
    done, able = _able(session, user, images, lambda image: "" if image.id in there else TAGGED)
    of_these = ImageTag.tag == tag, ImageTag.image_id.in_([image.id for image in able])
    session.execute(delete(ImageTag).where(*of_these))
    record_all(session, user, Act.IMAGE_TAG, able, removed=tag)
    return done


def untag(session: Session, user: User, tag: str, added: Sequence[tuple[int, int]]) -> Undone:
    """Put a tag back, as by those who had added it: `added` are the ids of pictures and people."""
    by = dict(added)
    has = set(session.scalars(select(ImageTag.image_id).where(ImageTag.tag == tag, ImageTag.image_id.in_(by))))
    done, able = _able(session, user, by, lambda image: TAGGED if image.id in has else "")
    session.add_all(ImageTag(image_id=image.id, tag=tag, added_by_id=by[image.id]) for image in able)
    record_all(session, user, Act.IMAGE_TAG, able, tag=tag)
    session.flush()
    return done


def star(session: Session, user: User, images: Collection[int], on: bool) -> Undone:
    """Remove (`on`) or put back one's own stars."""
    done, able = _able(session, user, images, lambda image: "")
    ids = [image.id for image in able]
    mine = Star.user_id == user.id, Star.image_id.in_(ids)
    there = set(session.scalars(select(Star.image_id).where(*mine)))
    if on:
        session.execute(delete(Star).where(*mine))
    else:
        session.add_all(Star(user_id=user.id, image_id=each) for each in ids if each not in there)
    session.flush()
    return done


def deletion(session: Session, user: User, at: str, images: Collection[int]) -> Undone:
    """Restore from the bin what was deleted at that time."""
    moment = datetime.fromisoformat(at)
    done, able = _able(session, user, images, lambda image: "" if image.deleted_at == moment else BINNED)
    outcome = service.restore(session, user, [image.id for image in able])
    done.pictures = len(outcome.ids)
    done.refused += outcome.refused
    return done


def restoration(session: Session, user: User, images: Mapping[str, tuple[str, int, str]]) -> Undone:
    """Put pictures back into the bin, as they were there: by id, since when, by whom, and in which role."""
    was = {int(image_id): values for image_id, values in images.items()}
    done, able = _able(session, user, was, lambda image: BINNED if image.deleted_at else "", changing=True)
    for image in able:
        at, by, role = was[image.id]
        image.deleted_at, image.deleted_by_id, image.deleted_as = datetime.fromisoformat(at), by, Role(role)
        image.shown = False
    service.restack(session, able)
    record_all(session, user, Act.IMAGE_DELETE, able)
    return done


def search(
    session: Session, user: User, search: int, before: dict[str, Any] | None, after: dict[str, Any] | None
) -> Undone:
    """Put a saved search back as it was: None where there was none."""
    need_active(user)
    row = session.get(SavedSearch, search)
    if queries.values_of(row) != after:
        raise Conflict(_("This search was changed since, so it was not undone. Reload the page."))
    known = before or after or {}
    if known["owner_id"] != user.id and not (user.can(Role.MANAGER) and known["shared"]):
        raise Forbidden(_("Only its owner or a manager can change this search."))
    if (before or {}).get("shared") or (after or {}).get("shared"):
        act = Act.SEARCH_SAVE if before and before["shared"] else Act.SEARCH_DELETE
        record(session, user, act, row or SavedSearch(id=search), name=known["name"], undone=True)
    if before is None:
        session.delete(row)
        return Undone(_("Search %(name)s is gone again.", name=known["name"]))
    row = row or SavedSearch(id=search)
    for name, value in before.items():
        setattr(row, name, datetime.fromisoformat(value) if name == "created_at" else value)
    session.add(row)
    session.flush()
    return Undone(_("Search %(name)s is as before.", name=row.name))


def _able(
    session: Session, user: User, ids: Collection[int], refusal: Callable[[Image], str], changing: bool = False
) -> tuple[Undone, list[Image]]:
    """The pictures that can be put back, and why not the others. `changing`: only for owners and managers."""
    need_active(user)
    rows = session.scalars(select(Image).where(Image.id.in_(ids)).options(selectinload(Image.image_set)))
    done, able = Undone(), []
    for image in rows.all():
        reason = GONE if image.purged_at else refusal(image)
        if not reason and changing and not may_change(user, image.image_set):
            reason = service.NOT_YOURS
        if not reason and changing and image.image_set.locked_at:
            reason = service.LOCKED
        if reason:
            done.refused[translated(reason)] += 1
        else:
            able.append(image)
    done.pictures = len(able)
    return done, able
