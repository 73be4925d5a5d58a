"""Act on many pictures at once: decide, move, tag, star, delete, restore; and save searches.

Each picture is checked separately: a refused one is reported and does not block the others. The rest are changed in a
few statements for all, because nobody else can write at the same time; for the same reason thousands are not changed in
one transaction but a `PART` at a time.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete as delete_rows
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from app.accounts import authority
from app.accounts.service import may_change, need_active
from app.audit.service import record, record_all
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.gallery import queries
from app.gallery.matching import Search
from app.gallery.queries import KEPT_DAYS
from app.gallery.search import PictureFilter, normal_tag
from app.models import (
    Act,
    Campaign,
    Image,
    ImageTag,
    Role,
    SavedSearch,
    Star,
    State,
    User,
    Verdict,
    now,
)
from app.reviews import four_eyes
from app.reviews import queries as review_queries
from app.reviews import service as reviews
from app.sets import queries as sets
from app.sets.service import campaign_named
from app.sets.stack import restack_all
from app.text import clean_line, plural, thin

MOST = 2000  # pictures per act
PART = 200  # of these, per transaction: others can write in between
MOST_TAGS = 20  # per picture
TAG_LENGTH = 40  # characters
NAME_LENGTH = 60  # for a saved search
CAMPAIGN_LENGTH = 120
QUERY_LENGTH = 2000

LOCKED = "their set is locked"
NOT_YOURS = "only the set's owner or a manager may"


@dataclass
class Outcome:
    """The result of an act: the pictures it changed, and why not the others."""

    ids: list[int] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)  # pictures by the reason
    # Those of `ids` with another outcome than requested, by that outcome, in singular and plural.
    otherwise: Counter[tuple[str, str]] = field(default_factory=Counter)
    at: datetime | None = None  # the common time, for deleted pictures

    @property
    def total(self) -> int:
        return len(self.ids) + self.refused.total()

    def add(self, images: Iterable[Image]) -> None:
        self.ids += [image.id for image in images]

    def also(self, other: "Outcome") -> None:
        """Add the result of the same act on other pictures."""
        self.ids += other.ids
        self.refused += other.refused
        self.otherwise += other.otherwise
        self.at = other.at or self.at

    def told(self, did: str) -> str:
        """In sentences: "37 pictures were approved. 3 of 40 could not be approved: their set is locked."."""
        return " ".join(filter(None, (self.told_done(did), self.told_refused(did)))) or f"No pictures were {did}."

    def told_done(self, did: str) -> str:
        """Only the successes: "25 pictures were approved; 24 need one more approval."; "" if there were none."""
        as_asked = (f"was {did}", f"were {did}"), len(self.ids) - self.otherwise.total()
        parts: list[str] = []
        for (of_one, of_several), number in (as_asked, *self.otherwise.most_common()):
            if number:
                words = (of_one, of_several) if parts else (f"picture {of_one}", f"pictures {of_several}")
                parts.append(plural(number, *words))
        return "; ".join(parts) + "." * bool(parts)

    def told_refused(self, did: str) -> str:
        """Only the refusals; "" if there were none."""
        return " ".join(
            f"{thin(number)} of {thin(self.total)} could not be {did}: {reason}."
            for reason, number in self.refused.most_common()
        )


class PictureRefused(Exception):
    """An act is impossible with one picture; the message says why, as the end of a sentence."""


# Choosing pictures


def chosen(
    session: Session, user: User, ids: Sequence[int], wanted: PictureFilter | None = None, seen: int | None = None
) -> list[int]:
    """The pictures of an act: those `ids`, or, with `wanted`, all under that filter, of which the person saw `seen`.

    Raises Invalid if none or too many are chosen, and Conflict if the number has changed since.
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
        raise Conflict(f"{match} now, not {thin(seen or 0)}, so nothing was changed. Reload and check again.")
    if not number:
        raise Invalid("ids", "Select pictures first.")
    if number > MOST:
        most = plural(MOST, "picture")
        raise Invalid("ids", f"{plural(number, 'picture')} were selected; at most {most} can be changed at once.")
    return found


def _able(
    session: Session, user: User, ids: Sequence[int], need: Callable[[Image], None]
) -> tuple[Outcome, list[Image]]:
    """The pictures that pass `need`, and the reasons it raises for the others."""
    need_active(user)
    done, able = Outcome(), []
    rows = session.scalars(
        select(Image).where(Image.id.in_(ids)).options(selectinload(Image.image_set), selectinload(Image.campaign))
    )
    images = {image.id: image for image in rows}
    for image_id in ids:
        image = images.get(image_id)
        try:
            if image is None:
                raise PictureRefused("they no longer exist")
            need(image)
        except PictureRefused as reason:
            done.refused[str(reason)] += 1
        else:
            able.append(image)
    return done, able


def _each(
    session: Session, user: User, ids: Sequence[int], need: Callable[[Image], None]
) -> tuple[Outcome, list[Image]]:
    """As `_able`, if the act then applies to all of them."""
    done, able = _able(session, user, ids, need)
    done.add(able)
    return done, able


def _need_shown(image: Image) -> None:
    if image.deleted_at:
        raise PictureRefused("they were just deleted")
    if not image.shown:
        raise PictureRefused("a newer version replaced them")


def _need_right(user: User, image: Image) -> None:
    if not may_change(user, image.image_set):
        raise PictureRefused(NOT_YOURS)
    if image.image_set.locked_at:
        raise PictureRefused(LOCKED)


def _need_changeable(user: User, image: Image) -> None:
    _need_shown(image)
    _need_right(user, image)


# Deciding


def decide(
    session: Session, user: User, ids: Sequence[int], verdict: str, seen: int | None, reason: str = ""
) -> Outcome:
    """Approve, request changes or reject, as `app.reviews.service.decide_many`; replaces one's own decision.

    `seen` is the id of the newest decision on any picture when `user` was shown these. A picture that someone else
    decided on after it is refused, with who did what.
    """

    def need(image: Image) -> None:
        _need_shown(image)
        if image.image_set.locked_at:
            raise PictureRefused(LOCKED)
        if verdict == Verdict.APPROVED and four_eyes.bars(user, image):
            raise PictureRefused(f"you made them, and in {image.campaign.name} nobody approves their own pictures")

    done, able = _able(session, user, ids, need)
    by_others = reviews.decide_many(session, user, able, verdict, seen, reason)
    for other in by_others.values():
        done.refused[f"{other.user.name} just {reviews.DID[Verdict(other.verdict)]} them"] += 1
    decided = [image for image in able if image.id not in by_others]
    done.add(decided)
    rules = review_queries.rules(session, {image.campaign_id for image in decided})
    otherwise = (image for image in decided if image.decision != verdict)
    done.otherwise.update(_outcome(image, rules[image.campaign_id].needed) for image in otherwise)
    return done


def _outcome(image: Image, needed: int) -> tuple[str, str]:
    """An image's outcome if it differs from the decision, in singular and plural."""
    if image.decision == Verdict.CHANGES_REQUESTED:
        return "still has changes requested", "still have changes requested"
    if image.decision == Verdict.REJECTED:
        return "is still rejected", "are still rejected"
    missing = needed - image.approvals
    more = "one more approval" if missing == 1 else f"{missing} more approvals"
    return f"needs {more}", f"need {more}"


# Moving


def move(session: Session, user: User, ids: Sequence[int], campaign: str | int) -> Outcome:
    """Move pictures to another campaign, by its id or its name, which is created if needed.

    For the owner of the set, and managers. The new campaign's approval rules apply immediately.
    """
    need_active(user)
    campaign = sets.campaign(session, user, campaign).id if isinstance(campaign, int) else _campaign_name(campaign)
    done, images = _each(session, user, ids, lambda image: _need_changeable(user, image))
    if not images:  # then no new campaign is needed
        return done
    target = _campaign(session, user, campaign)
    session.flush()
    moved = defaultdict(list)  # by previous campaign
    for image in images:
        if image.campaign_id != target.id:
            moved[image.campaign_id].append(image)
            image.campaign_id = target.id
    reviews.settle(session, [image for some in moved.values() for image in some])
    names = dict(session.execute(select(Campaign.id, Campaign.name).where(Campaign.id.in_(moved))).all())
    for before, some in moved.items():
        record_all(session, user, Act.IMAGE_MOVE, some, to=target.name, before=names[before])
    return done


def _campaign(session: Session, user: User, campaign: str | int) -> Campaign:
    if isinstance(campaign, int):
        return sets.campaign(session, user, campaign)
    return campaign_named(session, user, campaign)


def _campaign_name(text: str) -> str:
    name = clean_line(text)
    if not name:
        raise Invalid("campaign", "Choose a campaign or enter a new name.")
    if len(name) > CAMPAIGN_LENGTH:
        raise Invalid("campaign", f"The campaign has {len(name)} characters; at most {CAMPAIGN_LENGTH} fit.")
    return name


# Stars and tags


def star(session: Session, user: User, ids: Sequence[int], on: bool = True) -> Outcome:
    """Star pictures for oneself, or remove the stars."""
    done, images = _each(session, user, ids, _need_shown)
    mine = Star.user_id == user.id, Star.image_id.in_(done.ids)
    if on:
        marked = set(session.scalars(select(Star.image_id).where(*mine)))
        session.add_all(Star(user_id=user.id, image_id=image.id) for image in images if image.id not in marked)
    else:
        session.execute(delete_rows(Star).where(*mine))
    session.flush()
    return done


def tag(session: Session, user: User, ids: Sequence[int], text: str) -> Outcome:
    """Put a tag on pictures, for everyone; skips those that have it. Raises Invalid."""
    name = _tag(text)
    has = queries.tags_of(session, ids)

    def need(image: Image) -> None:
        _need_shown(image)
        if name not in has[image.id] and len(has[image.id]) >= MOST_TAGS:
            raise PictureRefused(f"a picture has at most {MOST_TAGS} tags")

    done, images = _each(session, user, ids, need)
    without = [image for image in images if name not in has[image.id]]
    session.add_all(ImageTag(image_id=image.id, tag=name, added_by_id=user.id) for image in without)
    record_all(session, user, Act.IMAGE_TAG, without, tag=name)
    session.flush()
    return done


def untag(session: Session, user: User, ids: Sequence[int], text: str) -> Outcome:
    """Remove a tag from pictures; skips those without it."""
    name = _tag(text)
    has = queries.tags_of(session, ids)
    done, images = _each(session, user, ids, _need_shown)
    having = [image for image in images if name in has[image.id]]
    theirs = ImageTag.tag == name, ImageTag.image_id.in_([image.id for image in having])
    session.execute(delete_rows(ImageTag).where(*theirs))
    record_all(session, user, Act.IMAGE_TAG, having, removed=name)
    return done


def _tag(text: str) -> str:
    name = normal_tag(text)
    if not name:
        raise Invalid("tag", "Enter a tag.")
    if len(name) > TAG_LENGTH:
        raise Invalid("tag", f"The tag has {len(name)} characters; at most {TAG_LENGTH} fit.")
    return name


# The bin


def delete(session: Session, user: User, ids: Sequence[int], at: datetime | None = None) -> Outcome:
    """Move pictures to the bin, all with one time, `at` or now, by which they can be restored.

    For the owner of the set, and managers. The previous version, if there is one, is shown instead.
    """
    done, images = _each(session, user, ids, lambda image: _need_changeable(user, image))
    done.at = at or now()
    for image in images:
        image.deleted_at, image.deleted_by_id, image.deleted_as = done.at, user.id, user.role
        image.shown = False
    _restack(session, images)
    record_all(session, user, Act.IMAGE_DELETE, images)
    return done


def restore(session: Session, user: User, ids: Sequence[int]) -> Outcome:
    """Restore pictures from the bin.

    For the owner of the set, and managers; only managers for what a manager deleted.
    """

    def need(image: Image) -> None:
        if image.deleted_at is None:
            raise PictureRefused("they are not in the bin")
        if image.purged_at or image.deleted_at <= now() - timedelta(days=KEPT_DAYS):
            raise PictureRefused(f"they were in the bin for {KEPT_DAYS} days")
        _need_right(user, image)
        if not authority.may_undo(user, image.deleted_as):
            whom = authority.undone_by(image.deleted_as)
            raise PictureRefused(f"they were deleted by one of the {whom}, and only {whom} can restore them")

    done, images = _each(session, user, ids, need)
    for image in images:
        image.deleted_at = image.deleted_by_id = image.deleted_as = None
        image.shown = image.state == State.FINISHED and not image.superseded
    _restack(session, images)
    record_all(session, user, Act.IMAGE_RESTORE, images)
    return done


def _restack(session: Session, images: Sequence[Image]) -> None:
    session.flush()
    restack_all(session, {(image.set_id, image.position) for image in images})


def over(session: Session, limit: int) -> list[int]:
    """Up to `limit` pictures, by id, that were in the bin for 30 days and still have their files."""
    return [image.id for image in queries.to_purge(session, now() - timedelta(days=KEPT_DAYS), limit)]


def purged(session: Session, ids: Sequence[int]) -> list[str]:
    """Note that these pictures are removed for good. Their rows stay, for the audit log.

    Returns the names of the files to remove after the commit: those that no other picture uses.
    """
    images = session.scalars(select(Image).where(Image.id.in_(ids), Image.purged_at.is_(None))).all()
    for image in images:
        image.purged_at = now()
    record_all(session, None, Act.IMAGE_PURGE, images)
    session.flush()
    sha256s = {image.sha256 for image in images if image.sha256}
    return sorted(sha256s - queries.still_used(session, sha256s, ids))


# Saved searches


def save_search(session: Session, user: User, name: str, query: str, shared: bool = False) -> SavedSearch:
    """Save a search under a name; replaces one's own of the same name. Raises Invalid."""
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
    was_shared = bool(search.shared)
    search.query, search.shared = kept, shared
    session.add(search)
    session.flush()
    if shared or was_shared:  # private searches concern nobody else
        record(session, user, Act.SEARCH_SAVE if shared else Act.SEARCH_DELETE, search, name=name, search=kept)
    return search


def rename_search(session: Session, user: User, search_id: int, name: str) -> SavedSearch:
    """Rename a search. Raises NotFound, Forbidden, Invalid, and Conflict if the person has another with that name."""
    search = _search(session, user, search_id, "rename")
    Invalid.check({"name": _name_problem(name)})
    name = clean_line(name)
    other = _own(session, search.owner, name)
    if other and other.id != search.id:
        raise Conflict(f"There is already a search {name!r}. Choose another name.")
    if search.shared and search.name != name:
        record(session, user, Act.SEARCH_RENAME, search, before=search.name)
    search.name = name
    return search


def delete_search(session: Session, user: User, search_id: int) -> SavedSearch:
    """Delete one's own search; managers also shared ones. Raises NotFound and Forbidden."""
    search = _search(session, user, search_id, "delete")
    if search.shared:
        record(session, user, Act.SEARCH_DELETE, search, name=search.name, search=search.query)
    session.delete(search)
    return search


def _search(session: Session, user: User, search_id: int, act: str) -> SavedSearch:
    search = session.get(SavedSearch, search_id)
    if not search or not (search.shared or search.owner_id == user.id):
        raise NotFound("This search does not exist; it may have been deleted.")
    if search.owner_id != user.id and not user.can(Role.MANAGER):
        raise Forbidden(f"Only {search.owner.name} or a manager can {act} this search.")
    return search


def _own(session: Session, user: User, name: str) -> SavedSearch | None:
    return session.scalar(select(SavedSearch).where(SavedSearch.owner_id == user.id, SavedSearch.name == name))


def _name_problem(name: str) -> str | None:
    name = clean_line(name)
    if not name:
        return "Enter a name for the search."
    if len(name) > NAME_LENGTH:
        return f"The name has {len(name)} characters; at most {NAME_LENGTH} fit."
    return None


def _no_search(query: str) -> str:
    if not query:
        return "There is nothing to save. Add a filter first."
    return "This search has too many filters to save. Use fewer."
