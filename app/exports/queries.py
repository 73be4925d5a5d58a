"""Read exports and their links."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, exists, false, func, literal, select, true, tuple_
from sqlalchemy.orm import Session, joinedload

from app.accounts.queries import signed_in, token_hash
from app.errors import DeadLink, NotFound
from app.exports.approved import HELD_BACK
from app.exports.contents import set_ids
from app.exports.set_facts import of_sets
from app.languages import gettext as _
from app.languages import ngettext
from app.models import (
    Export,
    ExportFile,
    ExportState,
    Image,
    ImageSet,
    Role,
    Share,
    User,
    Verdict,
    now,
)
from app.rights import queries as rights
from app.rights.standing import Held
from app.text import thin

SHARES_PAGE = 20  # links listed at a time


@dataclass(frozen=True)
class Changed:
    """How many pictures of an export would not be in it now, each counted under the first reason that applies."""

    deleted: int
    unapproved: int
    restrained: int  # from a reference without valid rights
    held_back: int = 0  # because they were reported

    @property
    def number(self) -> int:
        return self.deleted + self.unapproved + self.held_back + self.restrained

    def told(self, total: int) -> str:
        """ "1 of 3 pictures is no longer approved; 1 was deleted."."""
        unapproved, restrained, deleted = self.unapproved, self.restrained, self.deleted
        clauses: list[str] = []

        def of(number: int) -> str:
            return thin(number) if clauses else _of(number, total)

        if unapproved:
            clauses.append(
                ngettext(
                    "%(pictures)s is no longer approved",
                    "%(pictures)s are no longer approved",
                    unapproved,
                    pictures=of(unapproved),
                )
            )
        if self.held_back:
            clauses.append(
                ngettext(
                    "%(pictures)s was reported and is held back",
                    "%(pictures)s were reported and are held back",
                    self.held_back,
                    pictures=of(self.held_back),
                )
            )
        if restrained:
            clauses.append(
                ngettext(
                    "%(pictures)s comes from a reference without valid rights",
                    "%(pictures)s come from a reference without valid rights",
                    restrained,
                    pictures=of(restrained),
                )
            )
        if deleted:
            clauses.append(
                ngettext("%(pictures)s was deleted", "%(pictures)s were deleted", deleted, pictures=of(deleted))
            )
        return _("%(clauses)s.", clauses=_("; ").join(clauses))


def _of(number: int, total: int) -> str:
    """ "1 of 3 pictures"."""
    return ngettext("%(given)s of %(number)s picture", "%(given)s of %(number)s pictures", total, given=thin(number))


# Exports


def readable(user: User) -> ColumnElement[bool]:
    """A condition for exports that `user` may open: anyone's for managers and above; otherwise their own.

    Their own only count if all pictures are from their own sets: an export made as a manager is lost with that role.
    """
    own = (Export.made_by_id == user.id) & Export.of_others.is_(False)
    return true() if user.can(Role.MANAGER) else own & signed_in(user)


def get(session: Session, user: User, export_id: int) -> Export:
    """An export with everything its page shows. Raises NotFound."""
    found = session.scalar(
        select(Export)
        .where(Export.id == export_id, readable(user))
        .options(
            joinedload(Export.made_by),
            joinedload(Export.campaign),
            joinedload(Export.image_set).joinedload(ImageSet.campaign),
        )
    )
    if not found:
        raise NotFound(_("This export does not exist or has expired. Create it again."))
    return found


def may_open(session: Session, user: User, export_id: int) -> bool:
    """Whether `user` may open an export now."""
    return session.scalar(select(Export.id).where(Export.id == export_id, readable(user))) is not None


def recent(
    session: Session,
    user: User,
    *,
    campaign_id: int | None = None,
    set_id: int | None = None,
    before: int | None = None,
    limit: int = 20,
) -> list[Export]:
    """Exports, newest first, with their owners, of a campaign or a set; those before the export `before`."""
    statement = select(Export).where(readable(user)).order_by(Export.id.desc()).limit(limit)
    if campaign_id is not None:
        statement = statement.where(Export.campaign_id == campaign_id)
    if set_id is not None:
        statement = statement.where(Export.set_id == set_id)
    if before is not None:
        statement = statement.where(Export.id < before)
    return list(session.scalars(statement.options(joinedload(Export.made_by))))


def latest_options(session: Session, campaign_id: int | None) -> dict[str, Any] | None:
    """The last options in a campaign or one of its sets, the defaults of the next export."""
    in_campaign = select(ImageSet.id).where(ImageSet.campaign_id == campaign_id)
    statement = select(Export.options).where((Export.campaign_id == campaign_id) | Export.set_id.in_(in_campaign))
    return session.scalar(statement.order_by(Export.id.desc()).limit(1))


def same(session: Session, user: User, content: str) -> Export | None:
    """An export of `user` with the same pictures in the same form, unless it failed."""
    statement = select(Export).where(
        Export.content == content, Export.made_by_id == user.id, Export.state != ExportState.FAILED, readable(user)
    )
    return session.scalar(statement.order_by(Export.id.desc()).limit(1))


def waiting(session: Session) -> list[tuple[int, int]]:
    """The exports waiting for preparation, oldest first, each with its author's id."""
    states = (ExportState.PREPARING, ExportState.QUEUED)
    rows = session.execute(select(Export.id, Export.made_by_id).where(Export.state.in_(states)).order_by(Export.id))
    return [(export_id, user_id) for export_id, user_id in rows]


def waiting_besides(session: Session, export_id: int) -> int:
    """How many other exports this one takes turns with."""
    return sum(other != export_id for other, _ in waiting(session))


def changed(session: Session, export_ids: Sequence[int]) -> dict[int, Changed]:
    """What was decided, held back, withdrawn or deleted since these exports were requested; only those with changes."""
    deleted = Image.deleted_at.is_not(None)
    unapproved = Image.decision.is_distinct_from(Verdict.APPROVED)
    restrained = restrained_now(rights.not_held(session))
    kind = case((deleted, "deleted"), (unapproved, "unapproved"), (HELD_BACK, "held_back"), (restrained, "restrained"))
    rows = session.execute(
        select(ExportFile.export_id, kind, func.count(ExportFile.image_id.distinct()))
        .join(Image, Image.id == ExportFile.image_id)
        .where(ExportFile.export_id.in_(export_ids), kind.is_not(None))
        .group_by(ExportFile.export_id, kind)
    )
    none = {"deleted": 0, "unapproved": 0, "restrained": 0}
    found: defaultdict[int, dict[str, int]] = defaultdict(none.copy)
    for export_id, name, number in rows:
        found[export_id][name] = number
    return {export_id: Changed(**numbers) for export_id, numbers in found.items()}


def restrained_now(unheld: Sequence[Held]) -> ColumnElement[bool]:
    """A condition for images that come from one of these references."""
    if not unheld:
        return false()
    return Image.set_id.in_(select(ImageSet.id).where(rights.made_from(*(held.reference_id for held in unheld))))


def references(session: Session, export_id: int) -> list[Held]:
    """The references from which an export has pictures, or of whose people, each once."""
    facts = of_sets(session, set_ids(session, export_id)).values()
    sources = {source.held.reference_id: source.held for each in facts for source in each.sources}
    people = {held.reference_id: held for each in facts for held, _documents in each.people}
    return list((people | sources).values())


def restraining(session: Session, export_id: int) -> list[Held]:
    """The references without a valid right from which an export has pictures."""
    return [held for held in references(session, export_id) if not held.standing.usable]


def has_held_back(session: Session, export_id: int) -> bool:
    """Whether an export has a picture that was reported, and that a manager holds back."""
    held = select(ExportFile.image_id).join(Image, Image.id == ExportFile.image_id).where(HELD_BACK)
    return session.scalar(held.where(ExportFile.export_id == export_id).limit(1)) is not None


def unstated(session: Session, export_id: int) -> list[Held]:
    """The references from which an export has pictures, and whose rights nobody has recorded."""
    return [held for held in references(session, export_id) if held.standing.kind == "unstated"]


def outdated(session: Session, before: datetime) -> list[int]:
    """The ids of exports made before a moment without an open link."""
    linked = exists().where(Share.export_id == Export.id, Share.revoked_at.is_(None), Share.expires_at > now())
    return list(session.scalars(select(Export.id).where(Export.created_at < before, ~linked)))


def counts(session: Session) -> dict[ExportState, int]:
    """How many exports are in each state."""
    rows = session.execute(select(Export.state, func.count()).group_by(Export.state))
    return dict.fromkeys(ExportState, 0) | {ExportState(state): number for state, number in rows}


def unlisted(session: Session, export_id: int | None = None) -> list[int]:
    """The ids of exports whose list of files is incomplete, or only one export if it is such."""
    which = Export.id == export_id if export_id is not None else true()
    return list(session.scalars(select(Export.id).where(Export.state == ExportState.LISTING, which)))


# Links


def open_shares(session: Session, user: User, after: int | None = None, limit: int = SHARES_PAGE) -> list[Share]:
    """Current links to exports that `user` may open, the next to end first; `after` is the id of the last one shown."""
    order = Share.expires_at, Share.id
    statement = select(Share).where(*_open(user)).order_by(*order).limit(limit)
    if last := session.get(Share, after) if after is not None else None:
        statement = statement.where(tuple_(*order) > tuple_(literal(last.expires_at, Share.expires_at.type), last.id))
    return list(session.scalars(statement.options(joinedload(Share.export), joinedload(Share.made_by))))


def shares_of(session: Session, export_id: int, after: int | None = None, limit: int = SHARES_PAGE) -> list[Share]:
    """The links to an export, newest first; `after` is the id of the last one shown."""
    statement = select(Share).where(Share.export_id == export_id).order_by(Share.id.desc()).limit(limit)
    if after is not None:
        statement = statement.where(Share.id < after)
    return list(session.scalars(statement.options(joinedload(Share.made_by))))


def open_by_export(session: Session, export_ids: Sequence[int]) -> dict[int, int]:
    """How many open links these exports have, by id; those without are left out."""
    current = Share.export_id.in_(export_ids), *_still_open()
    counts = select(Share.export_id, func.count()).where(*current).group_by(Share.export_id)
    return dict(session.execute(counts).all())


def open_shares_count(session: Session, user: User) -> int:
    """How many links `open_shares` lists in total."""
    return session.scalar(select(func.count()).select_from(Share).where(*_open(user))) or 0


def _open(user: User) -> tuple[ColumnElement[bool], ...]:
    return Share.export.has(readable(user)), *_still_open()


def _still_open() -> tuple[ColumnElement[bool], ...]:
    return Share.revoked_at.is_(None), Share.expires_at > now()


def share(session: Session, token: str) -> Share:
    """The open link for `token`, with its export. Raises NotFound if it has ended, is revoked or unknown."""
    found = session.scalar(
        select(Share)
        .where(Share.token_hash == token_hash(token))
        .options(joinedload(Share.export), joinedload(Share.made_by))
    )
    if not found or not found.open or not found.answered_for:
        raise DeadLink(_("This link has expired or was revoked. Ask the person who sent it for a new one."))
    return found
