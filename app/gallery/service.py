"""What is done with many pictures at once: decide, move, tag, star, delete, restore; and searches that are kept.

Each picture is taken by itself: what cannot be done with one is told, and does not hold up the others.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete as delete_rows
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.accounts.service import may_change, need_active
from app.audit.service import record
from app.errors import Conflict, Forbidden, Invalid, NotFound, UserError
from app.files import Files, Kind
from app.gallery import queries
from app.gallery.queries import KEPT_DAYS, Search
from app.gallery.search import PictureFilter, normal_tag
from app.models import (
    Act,
    Campaign,
    Image,
    ImageSet,
    ImageTag,
    Role,
    SavedSearch,
    Star,
    State,
    User,
    Verdict,
    now,
)
from app.reviews import queries as review_queries
from app.reviews import service as reviews
from app.sets import queries as sets
from app.sets.service import campaign_named
from app.sets.stack import restack
from app.text import clean_line, plural, thin

MOST = 2000  # pictures in one act
MOST_TAGS = 20  # of a picture
TAG_LENGTH = 40  # characters
NAME_LENGTH = 60  # of a saved search
CAMPAIGN_LENGTH = 120
QUERY_LENGTH = 2000

LOCKED = "their set is locked"
NOT_YOURS = "only the owner of their set or a manager may"


@dataclass
class Done:
    """What came of an act: the pictures it was done with, and why not with the others."""

    ids: list[int] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)  # pictures by the reason
    by_set: dict[int, list[int]] = field(default_factory=dict)  # the same ids by their sets
    at: datetime | None = None  # the moment that all have in common, of those that were deleted

    @property
    def total(self) -> int:
        return len(self.ids) + self.refused.total()

    def told(self, did: str) -> str:
        """In sentences: "37 pictures were approved. 3 of 40 could not be approved: their set is locked."."""
        done = len(self.ids)
        first = f"{plural(done, 'picture was', 'pictures were')} {did}."
        return " ".join(filter(None, (first if done else "", self.told_refused(did)))) or f"No picture was {did}."

    def told_refused(self, did: str) -> str:
        """Only what could not be done; "" when all was."""
        return " ".join(
            f"{thin(number)} of {thin(self.total)} could not be {did}: {reason}."
            for reason, number in self.refused.most_common()
        )


class Refused(Exception):
    """An act cannot be done with one picture; the message says why, as the end of a sentence."""


# Which pictures


def chosen(
    session: Session, user: User, ids: Sequence[int], wanted: PictureFilter | None = None, seen: int | None = None
) -> list[int]:
    """The pictures that an act is about: those `ids`, or, with `wanted`, all under that filter, of which the person was
    shown the number `seen`.

    Raises Invalid when none is chosen or too many are, and Conflict when the number has changed by now.
    """
    need_active(user)
    if wanted is None:
        found = list(dict.fromkeys(ids))
        number = len(found)
    else:
        search = Search.of(session, user, wanted)
        found = queries.ids(session, search, MOST + 1)
        number = len(found) if len(found) <= MOST else queries.count(session, search)
    if wanted is not None and seen != number:
        match = plural(number, "picture matches", "pictures match")
        raise Conflict(f"{match} by now, not {thin(seen or 0)}, so nothing was changed. Look again.")
    if not number:
        raise Invalid("ids", "Choose the pictures first.")
    if number > MOST:
        most = plural(MOST, "picture")
        raise Invalid("ids", f"{plural(number, 'picture')} were chosen; at most {most} can be changed at once.")
    return found


def _each(session: Session, user: User, ids: Sequence[int], act: Callable[[Image], None]) -> Done:
    """Do something with each picture; of those that are not there, in the bin or replaced, it says so."""
    need_active(user)
    done = Done()
    rows = session.scalars(
        select(Image).where(Image.id.in_(ids)).options(joinedload(Image.image_set).joinedload(ImageSet.owner))
    )
    images = {image.id: image for image in rows}
    for image_id in ids:
        image = images.get(image_id)
        try:
            if image is None:
                raise Refused("they are not there any more")
            act(image)
        except Refused as reason:
            done.refused[str(reason)] += 1
        else:
            done.ids.append(image_id)
            done.by_set.setdefault(images[image_id].set_id, []).append(image_id)
    return done


def _need_shown(image: Image) -> None:
    if image.deleted_at:
        raise Refused("they were deleted meanwhile")
    if not image.shown:
        raise Refused("a newer version replaced them")


def _need_right(user: User, image: Image) -> None:
    if not may_change(user, image.image_set):
        raise Refused(NOT_YOURS)
    if image.image_set.locked_at:
        raise Refused(LOCKED)


# Deciding


def decide(session: Session, user: User, ids: Sequence[int], verdict: str, reason: str = "") -> Done:
    """Approve, request changes or reject, as `app.reviews.service.decide`; a decision of the same person is replaced.

    Each person's decision stands beside the others', so one that came in meanwhile is not lost by this.
    """
    if not user.can(Role.REVIEWER):
        raise Forbidden("Only reviewers decide on pictures. You can write comments instead.")
    if verdict not in reviews.VERDICTS:
        raise Invalid("verdict", f"The verdict is one of {', '.join(reviews.VERDICTS)}; {verdict[:40]!r} was given.")
    known = [each.words for each in review_queries.reasons(session)]
    if verdict == Verdict.REJECTED and known and reason not in known:
        raise Invalid("reason", "A rejection needs a reason; choose one of the team's list.")

    def act(image: Image) -> None:
        _need_shown(image)
        if image.image_set.locked_at:
            raise Refused(LOCKED)
        latest = review_queries.latest(session, image.id)
        try:
            reviews.decide(session, user, image.id, verdict, latest.id if latest else None, reason)
        except UserError as error:
            raise Refused(_within(str(error))) from error

    return _each(session, user, ids, act)


def _within(sentence: str) -> str:
    """A sentence as the end of another."""
    return sentence[:1].lower() + sentence[1:].rstrip(".")


# Moving


def move(session: Session, user: User, ids: Sequence[int], campaign: str | int) -> Done:
    """Put pictures into another campaign, by its id or its name, which is made if there is none. For the owner of the
    set, and managers. What the new campaign asks for by way of approvals counts at once.
    """
    need_active(user)
    target = _campaign(session, user, campaign)
    session.flush()

    def act(image: Image) -> None:
        _need_shown(image)
        _need_right(user, image)
        if image.campaign_id == target.id:
            return
        before = image.campaign_id
        image.campaign_id = target.id
        reviews.settle(session, image)
        record(session, user, Act.IMAGE_MOVE, image, to=target.name, before=session.get_one(Campaign, before).name)

    return _each(session, user, ids, act)


def _campaign(session: Session, user: User, campaign: str | int) -> Campaign:
    if isinstance(campaign, int):
        return sets.campaign(session, user, campaign)
    name = clean_line(campaign)
    if not name:
        raise Invalid("campaign", "Choose a campaign, or write the name of a new one.")
    if len(name) > CAMPAIGN_LENGTH:
        raise Invalid("campaign", f"The campaign has {len(name)} characters; at most {CAMPAIGN_LENGTH} fit.")
    return campaign_named(session, user, name)


# Stars and tags


def star(session: Session, user: User, ids: Sequence[int], on: bool = True) -> Done:
    """Mark pictures for oneself, or take the mark off."""
    marked = set(session.scalars(select(Star.image_id).where(Star.user_id == user.id, Star.image_id.in_(ids))))

    def act(image: Image) -> None:
        _need_shown(image)
        if on and image.id not in marked:
            session.add(Star(user_id=user.id, image_id=image.id))

    done = _each(session, user, ids, act)
    if not on:
        session.execute(delete_rows(Star).where(Star.user_id == user.id, Star.image_id.in_(done.ids)))
    session.flush()
    return done


def tag(session: Session, user: User, ids: Sequence[int], text: str) -> Done:
    """Put a tag on pictures, for everybody; on those that have it, nothing changes. Raises Invalid."""
    name = _tag(text)
    has = queries.tags_of(session, ids)

    def act(image: Image) -> None:
        _need_shown(image)
        if name in has[image.id]:
            return
        if len(has[image.id]) >= MOST_TAGS:
            raise Refused(f"a picture has at most {MOST_TAGS} tags")
        session.add(ImageTag(image_id=image.id, tag=name, added_by_id=user.id))
        record(session, user, Act.IMAGE_TAG, image, tag=name)

    done = _each(session, user, ids, act)
    session.flush()
    return done


def untag(session: Session, user: User, ids: Sequence[int], text: str) -> Done:
    """Take a tag off pictures; from those without it, nothing changes."""
    name = _tag(text)
    has = queries.tags_of(session, ids)

    def act(image: Image) -> None:
        _need_shown(image)
        if name in has[image.id]:
            session.execute(delete_rows(ImageTag).where(ImageTag.image_id == image.id, ImageTag.tag == name))
            record(session, user, Act.IMAGE_TAG, image, removed=name)

    return _each(session, user, ids, act)


def _tag(text: str) -> str:
    name = normal_tag(text)
    if not name:
        raise Invalid("tag", "Write the tag.")
    if len(name) > TAG_LENGTH:
        raise Invalid("tag", f"The tag has {len(name)} characters; at most {TAG_LENGTH} fit.")
    return name


# The bin


def delete(session: Session, user: User, ids: Sequence[int]) -> Done:
    """Put pictures into the bin, all at one moment, by which they can be brought back. For the owner of the set, and
    managers. The version before, if there is one, is shown instead.
    """
    at = now()

    def act(image: Image) -> None:
        _need_shown(image)
        _need_right(user, image)
        image.deleted_at, image.deleted_by_id, image.shown = at, user.id, False
        session.flush()
        restack(session, image.set_id, image.position)
        record(session, user, Act.IMAGE_DELETE, image)

    done = _each(session, user, ids, act)
    done.at = at
    return done


def restore(session: Session, user: User, ids: Sequence[int]) -> Done:
    """Bring pictures back from the bin. For the owner of the set, and managers."""

    def act(image: Image) -> None:
        if image.deleted_at is None:
            raise Refused("they are not in the bin")
        if image.purged_at or image.deleted_at <= now() - timedelta(days=KEPT_DAYS):
            raise Refused(f"their {KEPT_DAYS} days are over")
        _need_right(user, image)
        image.deleted_at = image.deleted_by_id = None
        image.shown = image.state == State.FINISHED and not image.superseded
        session.flush()
        restack(session, image.set_id, image.position)
        record(session, user, Act.IMAGE_RESTORE, image)

    return _each(session, user, ids, act)


def purge(session: Session, files: Files, limit: int = 100) -> int:
    """Remove the files of up to `limit` pictures that were in the bin for 30 days; how many pictures.

    Their rows stay, for the record. A file that another picture has too is left. Safe to repeat after a crash.
    """
    over = queries.to_purge(session, now() - timedelta(days=KEPT_DAYS), limit)
    for image in over:
        if image.sha256 and not queries.still_used(session, image.sha256, image.id):
            files.remove(Kind.IMAGES, image.sha256)
        image.purged_at = now()
        record(session, None, Act.IMAGE_PURGE, image)
    session.flush()
    return len(over)


# Saved searches


def save_search(session: Session, user: User, name: str, query: str, shared: bool = False) -> SavedSearch:
    """Keep a search under a name; one's own of the same name is replaced. Raises Invalid."""
    need_active(user)
    kept = PictureFilter.of_query(query).query
    Invalid.check(
        {
            "query": None if kept and len(kept) <= QUERY_LENGTH else _no_search(kept),
            "name": _name_problem(name),
        }
    )
    name = clean_line(name)
    search = _own(session, user, name) or SavedSearch(owner_id=user.id, name=name)
    search.query, search.shared = kept, shared
    session.add(search)
    session.flush()
    return search


def rename_search(session: Session, user: User, search_id: int, name: str) -> SavedSearch:
    """Raises NotFound, Forbidden, Invalid, and Conflict when another search of the person has that name."""
    search = _search(session, user, search_id, "rename")
    Invalid.check({"name": _name_problem(name)})
    name = clean_line(name)
    other = _own(session, search.owner, name)
    if other and other.id != search.id:
        raise Conflict(f"There is a search {name!r} already. Choose another name.")
    search.name = name
    return search


def delete_search(session: Session, user: User, search_id: int) -> SavedSearch:
    """One's own; managers also what somebody shares. Raises NotFound and Forbidden."""
    search = _search(session, user, search_id, "delete")
    session.delete(search)
    return search


def _search(session: Session, user: User, search_id: int, act: str) -> SavedSearch:
    search = session.get(SavedSearch, search_id)
    if not search or not (search.shared or search.owner_id == user.id):
        raise NotFound("There is no such search; perhaps somebody deleted it.")
    if search.owner_id != user.id and not user.can(Role.MANAGER):
        raise Forbidden(f"Only {search.owner.name} or a manager can {act} this search.")
    return search


def _own(session: Session, user: User, name: str) -> SavedSearch | None:
    return session.scalar(select(SavedSearch).where(SavedSearch.owner_id == user.id, SavedSearch.name == name))


def _name_problem(name: str) -> str | None:
    name = clean_line(name)
    if not name:
        return "Write a name for the search."
    if len(name) > NAME_LENGTH:
        return f"The name has {len(name)} characters; at most {NAME_LENGTH} fit."
    return None


def _no_search(query: str) -> str:
    if not query:
        return "There is nothing to save: filter the pictures first."
    return "This search has too many filters to be saved. Use fewer."
