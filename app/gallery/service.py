"""Act on many pictures at once: decide, move, tag, star, delete, restore.

Each picture is checked separately: a refused one is reported and does not block the others. The rest are changed in a
few statements for all, because nobody else can write at the same time; for the same reason thousands are not changed in
one transaction but a `PART` at a time.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete as delete_rows
from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session, selectinload

from app import bin, undo
from app.accounts import authority
from app.accounts.service import may_change, need_active
from app.audit.service import record_all
from app.campaign_names import folder
from app.customs import sheets
from app.customs.sheets import Answers, Sheet
from app.errors import Conflict, Invalid
from app.gallery import queries
from app.gallery.matching import Search
from app.gallery.search import PictureFilter, normal_tag
from app.gallery.words import Did, Otherwise, otherwise
from app.languages import N_, formats, ngettext, translated
from app.languages import gettext as _
from app.models import (
    Act,
    Campaign,
    Decision,
    Image,
    ImageTag,
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
from app.sets import safety
from app.sets.service import campaign_named
from app.sets.stack import restack_all
from app.text import clean_line, thin

MOST = 2000  # pictures per act
PART = 200  # of these, per transaction: others can write in between
PART_ANSWERED = 40  # with checklists that were answered for each: then each has words of its own to store
MOST_TAGS = 20  # per picture
TAG_LENGTH = 40  # characters
CAMPAIGN_LENGTH = 120

LOCKED = N_("their set is locked")
NOT_YOURS = N_("only the set’s owner or a manager may")


@dataclass
class Outcome:
    """The result of an act: the pictures it changed, and why not the others."""

    ids: list[int] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)  # pictures by the reason
    otherwise: Counter[Otherwise] = field(default_factory=Counter)  # those of `ids` with another outcome than requested
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

    def told(self, did: Did, **named: str) -> str:
        """In sentences: "37 pictures were approved. 3 of 40 could not be approved: their set is locked."."""
        told = formats.sentences((self.told_done(did, **named), self.told_refused(did, **named)))
        return told or translated(did.none) % named

    def told_done(self, did: Did, **named: str) -> str:
        """Only the successes: "25 pictures were approved; 24 need one more approval."; "" if there were none."""
        as_asked = len(self.ids) - self.otherwise.total()
        parts = [did.done(as_asked, **named)] if as_asked else []
        for outcome, number in self.otherwise.most_common():
            parts.append(otherwise(outcome, number, alone=not parts))
        return _("%(clauses)s.", clauses=_("; ").join(parts)) if parts else ""

    def told_refused(self, did: Did, **named: str) -> str:
        """Only the refusals; "" if there were none."""
        told, total = translated(did.refused), thin(self.total)
        return formats.sentences(
            told % {"number": thin(number), "total": total, "reason": reason, **named}
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
        raise Conflict(
            ngettext(
                "%(number)s picture matches now, not %(seen)s, so nothing was changed. Reload and check again.",
                "%(number)s pictures match now, not %(seen)s, so nothing was changed. Reload and check again.",
                number,
                seen=thin(seen or 0),
            )
        )
    if not number:
        raise Invalid("ids", _("Select pictures first."))
    if number > MOST:
        raise Invalid(
            "ids",
            _(
                "%(number)s pictures were selected; at most %(most)s pictures can be changed at once.",
                number=thin(number),
                most=thin(MOST),
            ),
        )
    return found


def images(session: Session, user: User, ids: Sequence[int]) -> list[Image]:
    """Pictures with their sets and campaigns, in the order of `ids`, without those that are gone."""
    need_active(user)
    loaded = selectinload(Image.image_set), selectinload(Image.campaign)
    rows = {image.id: image for image in session.scalars(select(Image).where(Image.id.in_(ids)).options(*loaded))}
    return [rows[image_id] for image_id in ids if image_id in rows]


def requiring(session: Session, ids: Sequence[int]) -> bool:
    """Whether the campaign of one of these pictures requires checklists."""
    asking = select(Campaign.id).where(func.json_array_length(Campaign.checklists) > 0)
    return bool(session.scalar(select(exists().where(Image.id.in_(ids), Image.campaign_id.in_(asking)))))


def _able(
    session: Session, user: User, ids: Sequence[int], need: Callable[[Image], None]
) -> tuple[Outcome, list[Image]]:
    """The pictures that pass `need`, and the reasons it raises for the others."""
    done, able = Outcome(), []
    found = {image.id: image for image in images(session, user, ids)}
    for image_id in ids:
        image = found.get(image_id)
        try:
            if image is None:
                raise PictureRefused(_("they no longer exist"))
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
        raise PictureRefused(_("they were just deleted"))
    if not image.shown:
        raise PictureRefused(_("a newer version replaced them"))


def _need_right(user: User, image: Image) -> None:
    if not may_change(user, image.image_set):
        raise PictureRefused(translated(NOT_YOURS))
    if image.image_set.locked_at:
        raise PictureRefused(translated(LOCKED))


def _need_changeable(user: User, image: Image) -> None:
    _need_shown(image)
    _need_right(user, image)


# Deciding


def decide(
    session: Session,
    user: User,
    ids: Sequence[int],
    verdict: str,
    seen: int | None,
    reason: str = "",
    answers: Answers | None = None,
) -> Outcome:
    """Approve, request changes or reject, as `app.reviews.service.decide_many`; replaces one's own decision.

    `seen` is the id of the newest decision on any picture when `user` was shown these. A picture that someone else
    decided on after it is refused, with who did what. Where a campaign requires checklists, `answers` are the same for
    all of these pictures, or None for what `user` answered about each; those without enough of them are not approved.
    """

    flagged = safety.flagged(session, ids) if verdict == Verdict.APPROVED else set()

    def need(image: Image) -> None:
        _need_shown(image)
        if image.image_set.locked_at:
            raise PictureRefused(translated(LOCKED))
        if image.id in flagged:
            raise PictureRefused(_("the safety check flagged them, and a reviewer has to clear them first"))
        if verdict == Verdict.APPROVED and four_eyes.bars(user, image):
            name = folder(image.campaign.name)
            raise PictureRefused(_("you made them, and in %(name)s nobody approves their own pictures", name=name))

    done, able = _able(session, user, ids, need)
    answered = sheets.of(session, user, able, answers)
    if verdict == Verdict.APPROVED:
        able = _answered(done, able, answered)
    by_others = reviews.decide_many(session, user, able, verdict, seen, reason, answered)
    for other in by_others.values():
        done.refused[_decided(other)] += 1
    decided = [image for image in able if image.id not in by_others]
    if answers is not None:  # in place of what was answered singly
        sheets.forget(session, user, [image.id for image in decided])
    done.add(decided)
    rules = review_queries.rules(session, {image.campaign_id for image in decided})
    otherwise = (image for image in decided if image.decision != verdict)
    done.otherwise.update(_outcome(image, rules[image.campaign_id].needed) for image in otherwise)
    return done


def _answered(done: Outcome, able: Sequence[Image], answered: Mapping[int, Sheet]) -> list[Image]:
    """The pictures whose checklists, if they need any, are answered and fine; the others are refused."""
    passed = []
    for image in able:
        sheet = answered.get(image.id)
        if sheet and sheet.not_fine:
            done.refused[_("something in their checklists is not fine")] += 1
        elif sheet and sheet.open:
            names = formats.listed([each.name for each in sheet.lists if sheet.missing(each)])
            done.refused[
                _("%(campaign)s requires %(lists)s to be answered", campaign=folder(image.campaign.name), lists=names)
            ] += 1
        else:
            passed.append(image)
    return passed


def _decided(other: Decision) -> str:
    """Who just decided what on pictures."""
    name = other.user.name
    if other.verdict == Verdict.APPROVED:
        return _("%(name)s just approved them", name=name)
    if other.verdict == Verdict.CHANGES_REQUESTED:
        return _("%(name)s just asked for changes to them", name=name)
    if other.verdict == Verdict.REJECTED:
        return _("%(name)s just rejected them", name=name)
    return _("%(name)s just withdrew a decision on them", name=name)


def _outcome(image: Image, needed: int) -> Otherwise:
    """An image's outcome if it differs from the decision: a verdict, or how many approvals are missing."""
    if image.decision in (Verdict.CHANGES_REQUESTED, Verdict.REJECTED):
        return Verdict(image.decision)
    return needed - image.approvals


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
    target, new = _campaign(session, user, campaign)
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
    if moved:
        were = {str(before): [image.id for image in some] for before, some in moved.items()}
        undo.offer(session, user, "move", to=target.id, before=were, new=new)
    return done


def _campaign(session: Session, user: User, campaign: str | int) -> tuple[Campaign, bool]:
    """The campaign, and whether it was created for this."""
    if isinstance(campaign, int):
        return sets.campaign(session, user, campaign), False
    return campaign_named(session, user, campaign)


def _campaign_name(text: str) -> str:
    name = clean_line(text)
    if not name:
        raise Invalid("campaign_name", _("Choose a campaign or enter a new name."))
    if len(name) > CAMPAIGN_LENGTH:
        raise Invalid(
            "campaign_name",
            _("The campaign has %(number)s characters; at most %(most)s fit.", number=len(name), most=CAMPAIGN_LENGTH),
        )
    return name


# Stars and tags


def star(session: Session, user: User, ids: Sequence[int], on: bool = True) -> Outcome:
    """Star pictures for oneself, or remove the stars."""
    done, images = _each(session, user, ids, _need_shown)
    mine = Star.user_id == user.id, Star.image_id.in_(done.ids)
    if on:
        marked = set(session.scalars(select(Star.image_id).where(*mine)))
        changed = [image.id for image in images if image.id not in marked]
        session.add_all(Star(user_id=user.id, image_id=image_id) for image_id in changed)
    else:
        changed = list(session.scalars(delete_rows(Star).where(*mine).returning(Star.image_id)))
    if changed:
        undo.offer(session, user, "star", images=changed, on=on)
    session.flush()
    return done


def tag(session: Session, user: User, ids: Sequence[int], text: str) -> Outcome:
    """Put a tag on pictures, for everyone; skips those that have it. Raises Invalid."""
    name = _tag(text)
    has = queries.tags_of(session, ids)

    def need(image: Image) -> None:
        _need_shown(image)
        if name not in has[image.id] and len(has[image.id]) >= MOST_TAGS:
            raise PictureRefused(_("a picture has at most %(number)s tags", number=MOST_TAGS))

    done, images = _each(session, user, ids, need)
    without = [image for image in images if name not in has[image.id]]
    session.add_all(ImageTag(image_id=image.id, tag=name, added_by_id=user.id) for image in without)
    record_all(session, user, Act.IMAGE_TAG, without, tag=name)
    if without:
        undo.offer(session, user, "tag", tag=name, images=[image.id for image in without])
    session.flush()
    return done


def untag(session: Session, user: User, ids: Sequence[int], text: str) -> Outcome:
    """Remove a tag from pictures; skips those without it."""
    name = _tag(text)
    has = queries.tags_of(session, ids)
    done, images = _each(session, user, ids, _need_shown)
    having = [image for image in images if name in has[image.id]]
    theirs = ImageTag.tag == name, ImageTag.image_id.in_([image.id for image in having])
    removed = delete_rows(ImageTag).where(*theirs).returning(ImageTag.image_id, ImageTag.added_by_id)
    added = [tuple(row) for row in session.execute(removed)]
    record_all(session, user, Act.IMAGE_TAG, having, removed=name)
    if added:
        undo.offer(session, user, "untag", tag=name, added=added)
    return done


def _tag(text: str) -> str:
    name = normal_tag(text)
    if not name:
        raise Invalid("tag_name", _("Enter a tag."))
    if len(name) > TAG_LENGTH:
        raise Invalid(
            "tag_name", _("The tag has %(number)s characters; at most %(most)s fit.", number=len(name), most=TAG_LENGTH)
        )
    return name


# The bin


def delete(session: Session, user: User, ids: Sequence[int], at: datetime | None = None) -> Outcome:
    """Move pictures to the bin, all with one time, `at` or now, by which they can be restored.

    For the owner of the set, and managers. The previous version, if there is one, is shown instead.
    """
    done, images = _each(session, user, ids, lambda image: _need_changeable(user, image))
    done.at = at or now()
    for image in images:
        bin.put(image, user, done.at)
        image.shown = False
    restack(session, images)
    record_all(session, user, Act.IMAGE_DELETE, images)
    if images:
        undo.offer(session, user, "deletion", at=done.at.isoformat(), images=done.ids)
    return done


def restore(session: Session, user: User, ids: Sequence[int]) -> Outcome:
    """Restore pictures from the bin.

    For the owner of the set, and managers; only managers for what a manager deleted.
    """

    def need(image: Image) -> None:
        if image.deleted_at is None:
            raise PictureRefused(_("they are not in the bin"))
        if image.image_set.deleted_at:
            raise PictureRefused(_("their set is in the bin, and they come back with it"))
        if bin.over(image):
            raise PictureRefused(_("they were in the bin for %(days)s days", days=bin.kept_days()))
        _need_right(user, image)
        if not authority.may_undo(user, image.deleted_as):
            whom = authority.undone_by(image.deleted_as)
            raise PictureRefused(
                _("they were deleted by one of the %(people)s, and only %(people)s can restore them", people=whom)
            )

    done, images = _each(session, user, ids, need)
    if images:
        were = {str(each.id): (each.deleted_at, each.deleted_by_id, each.deleted_as) for each in images}
        told = {key: (at.isoformat(), by, role) for key, (at, by, role) in were.items() if at}
        undo.offer(session, user, "restoration", images=told)
    for image in images:
        bin.take_out(image)
        image.shown = image.state == State.FINISHED and not image.superseded
    restack(session, images)
    record_all(session, user, Act.IMAGE_RESTORE, images)
    return done


def restack(session: Session, images: Sequence[Image]) -> None:
    """Show what is now the newest version, where pictures went into the bin or came back."""
    session.flush()
    restack_all(session, {(image.set_id, image.position) for image in images})


def over(session: Session, limit: int) -> list[int]:
    """Up to `limit` pictures, by id, that were in the bin for 30 days and still have their files."""
    return [image.id for image in queries.to_purge(session, limit)]


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
