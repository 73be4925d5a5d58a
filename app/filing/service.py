"""Rename, move, archive and delete sets, campaigns, styles and subjects; and delete references.

For owners and managers. What is archived is left out of lists and choices, and whatever uses it keeps it. What is
deleted is in the bin for 30 days:

- a set with all its pictures, unless its decisions are locked. What was not finished is cancelled;
- a campaign with all its sets, if none of them is locked and no picture of another set was moved into it;
- a style and a subject alone: sets that use them keep their pictures, and can redo them until then;
- a reference, if no style and no set uses it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import bin, undo
from app.accounts import authority
from app.accounts.service import need_active
from app.audit.service import record, record_all
from app.campaign_names import NO_CAMPAIGN, folder
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.filing import pictures
from app.filing.kinds import KINDS, Filed, Named, Things, name_of, own_name, owner_id, owner_name
from app.filing.queries import references_in_use
from app.languages import gettext as _
from app.languages import in_every_language, ngettext
from app.languages.formats import sentences
from app.models import Act, Campaign, Image, ImageSet, Reference, Role, Style, Subject, User, now
from app.reviews import service as reviews
from app.sets import queries as sets
from app.sets import units
from app.sets.service import campaign_named
from app.text import clean_line
from app.work.queue import OPEN

NAME_LENGTH = 120  # characters


# Names and campaigns


def rename(session: Session, user: User, noun: str, row_id: int, name: str) -> Named:
    """Give it another name; the last one counts, and the audit log has all. Raises Invalid, Forbidden and Conflict.

    A subject keeps its handle, because prompts say it.
    """
    kind = _kind(noun)
    row, act = _with_act(_changeable(session, user, kind, row_id), kind.rename)
    name = clean_line(name)
    _check_name(session, row, name)
    if name not in (row.name, own_name(row)):
        before, row.name = row.name, name
        record(session, user, act, row, name=name, before=before)
        undo.offer(session, user, "name", noun=noun, row_id=row.id, before=before, after=name)
    return row


def _check_name(session: Session, row: Filed, name: str) -> None:
    if not name:
        raise Invalid("name", _("Enter a name."))
    if len(name) > NAME_LENGTH:
        raise Invalid(
            "name", _("The name has %(number)s characters; at most %(most)s fit.", number=len(name), most=NAME_LENGTH)
        )
    if isinstance(row, Campaign):
        same = session.scalar(select(Campaign).where(Campaign.name == name, Campaign.id != row.id))
        if same and same.deleted_at:
            raise Invalid(
                "name", _("There is already a campaign '%(name)s' in the bin. Choose another name.", name=name)
            )
        if same:
            raise Invalid("name", _("There is already a campaign '%(name)s'. Choose another name.", name=name))


def move(session: Session, user: User, set_id: int, campaign: str) -> ImageSet:
    """Move a set to a campaign, which is created if needed, with those of its pictures that were in its former one.

    The new campaign's approval rules apply immediately. Raises Invalid, Forbidden, and Conflict for a locked set.
    """
    image_set = sets.get(session, user, set_id)
    need_movable(user, image_set)
    name = clean_line(campaign)
    if not name:
        raise Invalid("campaign_name", _("Choose a campaign or enter a new name."))
    if len(name) > NAME_LENGTH:
        raise Invalid(
            "campaign_name",
            _("The campaign has %(number)s characters; at most %(most)s fit.", number=len(name), most=NAME_LENGTH),
        )
    try:
        target, new = campaign_named(session, user, name)
    except Invalid as error:
        raise Invalid("campaign_name", str(error)) from error
    session.flush()
    before = image_set.campaign_id
    if target.id != before:
        there = session.scalars(select(Image.id).where(Image.set_id == set_id, Image.campaign_id == before)).all()
        move_with(session, user, image_set, there, target)
        data = {"before": before, "after": target.id, "pictures": list(there), "new": new}
        undo.offer(session, user, "set campaign", set_id=set_id, **data)
    return image_set


def need_movable(user: User, image_set: ImageSet) -> None:
    """Raise Forbidden, and Conflict if the set is in the bin or its decisions are locked."""
    _need_changeable(user, image_set)
    if image_set.locked_at:
        locked = _("The decisions of %(name)s are locked, so it cannot be moved.", name=image_set.name)
        raise Conflict(sentences((locked, unlock_first(user))))


def unlock_first(user: User) -> str:
    return _("Unlock them first.") if user.can(Role.MANAGER) else _("Ask a manager to unlock them.")


def move_with(session: Session, user: User, image_set: ImageSet, ids: Collection[int], target: Campaign) -> None:
    """Move a set and these of its pictures to a campaign."""
    images = session.scalars(select(Image).where(Image.id.in_(ids))).all()
    before, image_set.campaign = image_set.campaign, target
    for image in images:
        image.campaign = target
    reviews.settle(session, [image for image in images if image.shown])
    record(session, user, Act.SET_MOVE, image_set, to=target.name, before=before.name, pictures=len(images))


# The archive


def archive(session: Session, user: User, noun: str, row_id: int) -> Named:
    """Leave it out of lists and choices. Raises Conflict if it is archived or still being trained."""
    row, act = archivable(session, user, noun, row_id)
    if row.archived_at:
        raise Conflict(_("%(name)s is already archived.", name=name_of(row)))
    need_dispensable(row)
    row.archived_at, row.archived_as = now(), Role(user.role)
    record(session, user, act, row, archived=True)
    undo.offer(session, user, "archive", noun=noun, row_id=row.id, before=None, after=authority.archived(row))
    return row


def unarchive(session: Session, user: User, noun: str, row_id: int) -> Named:
    """Restore it from the archive. What a manager archived, owners cannot."""
    row, act = archivable(session, user, noun, row_id)
    if not row.archived_at:
        raise Conflict(_("%(name)s is not archived.", name=name_of(row)))
    authority.need_power(user, row.archived_as, _("archived %(name)s", name=name_of(row)), _("restore it"))
    before = authority.archived(row)
    row.archived_at = row.archived_as = None
    record(session, user, act, row, archived=False)
    undo.offer(session, user, "archive", noun=noun, row_id=row.id, before=before, after=None)
    return row


def archivable(session: Session, user: User, noun: str, row_id: int) -> tuple[Named, Act]:
    """What `user` may archive or restore, and the act. Raises NotFound, Forbidden, and Conflict if it is in the bin."""
    kind = _kind(noun)
    return _with_act(_changeable(session, user, kind, row_id), kind.archive)


# The bin


def delete(session: Session, user: User, noun: str, row_id: int) -> int:
    """Put it into the bin, and count the pictures of which the generation was stopped. Raises Forbidden and Conflict.

    Restoring it queues those again.
    """
    kind = _kind(noun)
    row = _changeable(session, user, kind, row_id)
    at = now()
    image_sets = need_deletable(session, user, row)
    set_ids = [each.id for each in image_sets]
    stopped = pictures.stop(session, set_ids, at) if set_ids else 0
    if set_ids:
        pictures.delete(session, set_ids, user, at)
    for each in {*image_sets, row}:
        bin.put(each, user, at)
    others = [each for each in image_sets if each is not row]
    record_all(session, user, Act.SET_DELETE, others)
    record(session, user, kind.delete, row, **({"sets": set_ids} if others else {}))
    undo.offer(session, user, "bin", noun=noun, row_id=row.id, at=at.isoformat())
    return stopped


def need_deletable(session: Session, user: User, row: Filed) -> Sequence[ImageSet]:
    """The sets that go into the bin with what `user` may change. Raises Forbidden and Conflict if it must stay."""
    need_dispensable(row)
    if isinstance(row, Reference) and (used := references_in_use(session, [row.id])):
        raise Conflict(
            _("%(name)s is used by %(thing)s, so it cannot be deleted.", name=name_of(row), thing=used[row.id])
        )
    return _deleted_with(session, user, row)


def _deleted_with(session: Session, user: User, row: Filed) -> Sequence[ImageSet]:
    """The sets that go into the bin with it: itself, or those of a campaign. Raises Conflict if one may not."""
    if isinstance(row, ImageSet):
        found: Sequence[ImageSet] = [row]
    elif isinstance(row, Campaign):
        found = session.scalars(
            select(ImageSet).where(ImageSet.campaign_id == row.id, ImageSet.deleted_at.is_(None))
        ).all()
        theirs = [each for each in found if not (user.can(Role.MANAGER) or each.owner_id == user.id)]
        if theirs:
            raise Forbidden(
                ngettext(
                    "%(number)s set of other people in %(name)s: only managers delete those.",
                    "%(number)s sets of other people in %(name)s: only managers delete those.",
                    len(theirs),
                    name=row.name,
                )
            )
        if moved := pictures.of_elsewhere(session, row.id):
            raise Conflict(
                ngettext(
                    "%(number)s picture of a set in another campaign was moved to %(name)s. Move it first.",
                    "%(number)s pictures of sets in other campaigns were moved to %(name)s. Move them first.",
                    moved,
                    name=row.name,
                )
            )
    else:
        return []
    if locked := next((each for each in found if each.locked_at), None):
        words = _("The decisions of %(name)s are locked, so it cannot be deleted.", name=locked.name)
        raise Conflict(sentences((words, unlock_first(user))))
    return found


def restore(session: Session, user: User, noun: str, row_id: int) -> int:
    """Restore it from the bin with what was deleted with it. Raises Conflict.

    Queues the pictures again that the deletion stopped, where they were in the queue, and counts them; not those of a
    set whose rights ended since: its page then offers to retry them.

    For owners and managers, with the same role as who deleted it or a higher one.
    """
    kind = _kind(noun)
    row = kind.get(session, user, row_id)
    if not _allowed(user, row):
        raise Forbidden(_("Only %(name)s or a manager can restore this.", name=owner_name(row)))
    if not row.deleted_at:
        raise Conflict(_("%(name)s is not in the bin.", name=name_of(row)))
    if bin.over(row):
        raise Conflict(
            _(
                "%(name)s was in the bin for %(days)s days, so it cannot be restored.",
                name=name_of(row),
                days=bin.kept_days(),
            )
        )
    authority.need_power(user, row.deleted_as, _("deleted %(name)s", name=name_of(row)), _("restore it"))
    if isinstance(row, ImageSet) and row.campaign.deleted_at:
        raise Conflict(
            _(
                "The campaign %(name)s of this set is in the bin. Restore the campaign first.",
                name=name_of(row.campaign),
            )
        )
    at = row.deleted_at
    image_sets = _restored_with(session, row, at)
    if set_ids := [each.id for each in image_sets]:
        pictures.restore(session, set_ids, at)
    for each in {*image_sets, row}:
        bin.take_out(each)
    if isinstance(row, Style):
        _restore_references(session, user, row)
    session.flush()
    granted = [each.id for each in image_sets if units.has_rights(session, each)]
    queued = units.queue_again(session, granted, at)
    others = [each for each in image_sets if each is not row]
    record_all(session, user, Act.SET_RESTORE, others)
    record(session, user, kind.restore, row)
    return queued


def _restore_references(session: Session, user: User, style: Style) -> None:
    """Take the references of a style out of the bin: they could be deleted while it was there itself."""
    parts = [part.reference for version in style.versions for part in version.references]
    binned = list({each.id: each for each in parts if each.deleted_at}.values())
    for each in binned:
        bin.take_out(each)
    record_all(session, user, Act.REFERENCE_RESTORE, binned)


def _restored_with(session: Session, row: Filed, at: datetime) -> Sequence[ImageSet]:
    if isinstance(row, ImageSet):
        return [row]
    if isinstance(row, Campaign):
        together = ImageSet.campaign_id == row.id, ImageSet.deleted_at == at
        return session.scalars(select(ImageSet).where(*together)).all()
    return []


# Checks


def _kind(noun: str) -> Things:
    if noun not in KINDS:
        raise NotFound(_("There is no such thing."))
    return KINDS[noun]


def _with_act(row: Filed, act: Act | None) -> tuple[Named, Act]:
    """The row and the act that is to be recorded. Raises Forbidden for a reference, which has none."""
    if isinstance(row, Reference) or act is None:
        raise Forbidden(_("A reference can only be deleted and restored."))
    return row, act


def _changeable(session: Session, user: User, kind: Things, row_id: int) -> Filed:
    row = kind.get(session, user, row_id)
    _need_changeable(user, row)
    return row


def _need_changeable(user: User, row: Filed) -> None:
    if not _allowed(user, row):
        raise Forbidden(_("Only %(name)s or a manager can change this.", name=owner_name(row)))
    need_outside_bin(row)


def need_outside_bin(row: Filed) -> None:
    if row.deleted_at:
        raise Conflict(_("%(name)s is in the bin. Restore it first.", name=name_of(row)))


def _allowed(user: User, row: Filed) -> bool:
    need_active(user)
    return may_change(user, row)


def may_change(user: User, row: Filed) -> bool:
    """Whether `user` may change it: its owner, and managers."""
    return user.active and (owner_id(row) == user.id or user.can(Role.MANAGER))


def need_dispensable(row: Filed) -> None:
    """Raise Conflict for what must be neither archived nor deleted now."""
    if isinstance(row, Subject) and row.state in OPEN:
        raise Conflict(_("The training of this subject is not finished. Cancel it first."))
    if isinstance(row, Campaign) and row.name in in_every_language(NO_CAMPAIGN):
        raise Conflict(
            _("%(name)s takes the new sets without a campaign, so it stays. Rename it first.", name=folder(row.name))
        )
