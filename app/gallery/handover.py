"""Hand a leaving person's work over to someone else: their sets, styles, subjects, shared templates and searches.

Set by set, as other acts on many pictures. Who made a picture stays known: the former owner still counts as its maker,
and so does the new one, whose approvals of these pictures then no longer count where campaigns ask for four eyes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnExpressionArgument, select, update
from sqlalchemy.orm import Session, aliased

from app import undo
from app.accounts import queries as accounts
from app.accounts.people import need_admin
from app.accounts.typed import normal_email
from app.audit.service import record
from app.errors import Conflict, Invalid
from app.languages import ENGLISH, ngettext, speaking
from app.languages import gettext as _
from app.models import Act, FormTemplate, Image, ImageSet, SavedSearch, Style, Subject, Unit, User
from app.reviews import queries as review_queries
from app.reviews import service as reviews
from app.reviews.scoping import UNLOCKED
from app.text import listed
from app.undo import Undone

TABLES: dict[str, type[Style | Subject | FormTemplate | SavedSearch]] = {
    "style": Style,
    "subject": Subject,
    "template": FormTemplate,
    "search": SavedSearch,
}

COUNTED: dict[str, Callable[[int], str]] = {
    "set": lambda number: ngettext("%(number)s set", "%(number)s sets", number),
    "style": lambda number: ngettext("%(number)s style", "%(number)s styles", number),
    "subject": lambda number: ngettext("%(number)s subject", "%(number)s subjects", number),
    "template": lambda number: ngettext("%(number)s template", "%(number)s templates", number),
    "search": lambda number: ngettext("%(number)s search", "%(number)s searches", number),
}


@dataclass(frozen=True)
class Belongings:
    """Ids of what a person owns."""

    sets: Sequence[int]
    others: Mapping[str, Sequence[int]]

    @property
    def words(self) -> str:
        return listed([COUNTED[name](len(ids)) for name, ids in (("set", self.sets), *self.others.items()) if ids])


def work_of(session: Session, user: User, person_id: int, email: str) -> tuple[User, User, Belongings]:
    """Who hands over to whom, and what. Administrators only. Raises NotFound, Invalid and Conflict."""
    need_admin(user)
    person, to = accounts.person(session, person_id), session.scalar(select(User).filter_by(email=normal_email(email)))
    if not to or not to.active or to.id == person.id:
        raise Invalid("to", _("Enter the e-mail of another person with an active account."))
    sets = session.scalars(select(ImageSet.id).where(ImageSet.owner_id == person_id).order_by(ImageSet.id)).all()
    others = {
        name: session.scalars(
            select(table.id).where(table.owner_id == person_id, *_given(table, to.id)).order_by(table.id)
        ).all()
        for name, table in TABLES.items()
    }
    found = Belongings(sets, others)
    if not found.words:
        raise Conflict(_("%(name)s owns nothing that could be handed over.", name=person.name))
    return person, to, found


def hand_over_set(session: Session, user: User, set_id: int, person_id: int, to_id: int) -> None:
    """Give one set to someone else. Administrators only. Does nothing if it was given away since."""
    need_admin(user)
    image_set = session.get(ImageSet, set_id)
    if image_set is None or image_set.owner_id != person_id:
        return
    unmade = Image.set_id == set_id, Image.made_by_id.is_(None)
    made = list(session.scalars(select(Image.id).where(*unmade)))
    session.execute(update(Image).where(*unmade).values(made_by_id=person_id))
    _give_set(session, image_set, to_id)
    record(
        session,
        user,
        Act.ACCOUNT_TRANSFER,
        accounts.person(session, person_id),
        to=_name(session, to_id),
        set=image_set.name,
    )
    undo.offer(session, user, "set owner", set_id=set_id, before=person_id, after=to_id, made=made)


def hand_over_others(session: Session, user: User, work: Belongings, person_id: int, to_id: int) -> None:
    """Give styles, subjects, shared templates and searches to someone else. Administrators only."""
    need_admin(user)
    if not any(work.others.values()):
        return
    for name, ids in work.others.items():
        _give(session, name, ids, person_id, to_id)
    with speaking(ENGLISH):  # as it is stored
        told = Belongings((), work.others).words
    record(
        session, user, Act.ACCOUNT_TRANSFER, accounts.person(session, person_id), to=_name(session, to_id), what=told
    )
    given = {name: list(ids) for name, ids in work.others.items()}
    undo.offer(session, user, "owners", others=given, before=person_id, after=to_id)


def undo_set(session: Session, user: User, set_id: int, before: int, after: int, made: Sequence[int]) -> Undone:
    """Give a set back. Raises Forbidden, and Conflict if it has another owner by now."""
    need_admin(user)
    image_set = session.get(ImageSet, set_id)
    if image_set is None or image_set.owner_id != after:
        raise Conflict(_("A set was handed over again since, so it stays where it is."))
    session.execute(update(Image).where(Image.id.in_(made)).values(made_by_id=None))
    _give_set(session, image_set, before)
    person = accounts.person(session, before)
    record(session, user, Act.ACCOUNT_TRANSFER, person, to=person.name, set=image_set.name, undone=True)
    return Undone(_("%(name)s owns this work again.", name=person.name))


def undo_others(session: Session, user: User, others: Mapping[str, Sequence[int]], before: int, after: int) -> Undone:
    """Give them back: those that still have the owner whom they were given to."""
    need_admin(user)
    if not sum(_give(session, name, ids, after, before) for name, ids in others.items()):
        raise Conflict(_("These things were handed over again since, so they stay where they are."))
    person = accounts.person(session, before)
    record(session, user, Act.ACCOUNT_TRANSFER, person, to=person.name, undone=True)
    return Undone(_("%(name)s owns this work again.", name=person.name))


def _given(
    table: type[Style | Subject | FormTemplate | SavedSearch], to_id: int
) -> Sequence[ColumnExpressionArgument[bool]]:
    """Which of someone's rows are given: of templates and searches those that are shared and whose name is free."""
    if table is SavedSearch:
        return SavedSearch.shared, SavedSearch.name.not_in(
            select(SavedSearch.name).where(SavedSearch.owner_id == to_id)
        )
    if table is FormTemplate:
        theirs = aliased(FormTemplate)
        same = theirs.kind == FormTemplate.kind, theirs.name == FormTemplate.name, theirs.deleted_at.is_(None)
        taken = select(theirs.id).where(theirs.owner_id == to_id, *same).correlate(FormTemplate).exists()
        return FormTemplate.shared, FormTemplate.deleted_at.is_(None), ~taken
    return ()


def _give(session: Session, name: str, ids: Sequence[int], before: int, after: int) -> int:
    """Give rows from one person to another, and count them."""
    table = TABLES[name]
    # A name may have been taken since.
    theirs = select(table.id).where(table.id.in_(ids), table.owner_id == before, *_given(table, after))
    given = session.scalars(theirs).all()
    session.execute(update(table).where(table.id.in_(given)).values(owner_id=after))
    if table is Subject:
        session.execute(update(Unit).where(Unit.subject_id.in_(given)).values(owner_id=after))
    return len(given)


def _give_set(session: Session, image_set: ImageSet, owner_id: int) -> None:
    of_set = Image.set_id == image_set.id, UNLOCKED
    approved = {image.id for image in review_queries.approved_by_makers(session, *of_set)}
    image_set.owner_id = owner_id
    session.execute(update(Image).where(Image.set_id == image_set.id).values(owner_id=owner_id))
    session.execute(update(Unit).where(Unit.set_id == image_set.id).values(owner_id=owner_id))
    session.flush()
    session.expire_all()
    approved |= {image.id for image in review_queries.approved_by_makers(session, *of_set)}
    reviews.settle(session, session.scalars(select(Image).where(Image.id.in_(approved))).all())


def _name(session: Session, person_id: int) -> str:
    return accounts.person(session, person_id).name
