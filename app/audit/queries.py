"""Read the audit log. Managers and administrators can read it.

A thing's own history is open to everyone who can see the thing.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload
from sqlalchemy.orm.interfaces import LoaderOption

from app import days
from app.errors import Forbidden
from app.languages import gettext as _
from app.models import (
    Act,
    AuditEvent,
    Base,
    Campaign,
    Export,
    FormTemplate,
    Image,
    ImageSet,
    Reference,
    Role,
    SavedSearch,
    Share,
    StructureMap,
    Style,
    StyleVersion,
    Subject,
    User,
)

SYSTEM = 0  # stands for Soroe itself and strangers where a person's id is expected

_NAMES: dict[str, Sequence[LoaderOption]] = {
    Image.__tablename__: [joinedload(Image.image_set)],
    StyleVersion.__tablename__: [joinedload(StyleVersion.style)],
    Share.__tablename__: [joinedload(Share.export)],
}


@dataclass(frozen=True)
class RecordFilter:
    """Filters for events; empty fields do not filter."""

    person: int | None = None  # an id, or SYSTEM
    act: str = ""  # an act, or the first word of several
    subject: tuple[str, int] | None = None  # a table and the row's id
    since: date | None = None  # the first day
    until: date | None = None  # the last day, included
    q: str = ""  # in the details, or in the name of the actor or the subject

    def __bool__(self) -> bool:
        return self != RecordFilter()


def of(session: Session, row: Base, limit: int = 50) -> list[AuditEvent]:
    """What happened to `row`, newest first, with who did it."""
    return list(
        session.scalars(
            select(AuditEvent)
            # Base has no id; every row that is the subject of an act has one.
            .where(AuditEvent.subject == row.__tablename__, AuditEvent.subject_id == row.id)  # type: ignore[attr-defined]
            .options(joinedload(AuditEvent.user))
            .order_by(AuditEvent.id.desc())
            .limit(limit)
        )
    )


def events(
    session: Session,
    user: User,
    wanted: RecordFilter,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[AuditEvent]:
    """Events with their actors, newest first: those just before event `before`, or just after event `after`."""
    need_manager(user)
    found = select(AuditEvent).outerjoin(AuditEvent.user).options(joinedload(AuditEvent.user)).limit(limit)
    found = found.where(*_conditions(wanted))
    if after is not None:
        later = session.scalars(found.where(AuditEvent.id > after).order_by(AuditEvent.id)).all()
        return list(reversed(later))
    if before is not None:
        found = found.where(AuditEvent.id < before)
    return list(session.scalars(found.order_by(AuditEvent.id.desc())))


def things(session: Session, found: Sequence[AuditEvent]) -> dict[tuple[str, int], Base]:
    """The subjects of events, by table and id, with everything their names need. Some may be gone."""
    ids: dict[str, set[int]] = defaultdict(set)
    for event in found:
        if event.subject_id is not None:
            ids[event.subject].add(event.subject_id)
    tables: dict[str, Any] = {mapper.class_.__tablename__: mapper.class_ for mapper in Base.registry.mappers}
    return {
        (name, row.id): row
        for name, wanted in ids.items()
        if name in tables
        for row in session.scalars(
            select(tables[name]).where(tables[name].id.in_(wanted)).options(*_NAMES.get(name, ()))
        )
    }


def people(session: Session, user: User) -> list[User]:
    """Everyone who may have done something, by name, including deactivated accounts."""
    need_manager(user)
    return list(session.scalars(select(User).order_by(User.name, User.id)))


def last_check(session: Session, user: User) -> AuditEvent | None:
    """When the chain was last checked on the page, by whom, and the result."""
    need_manager(user)
    return session.scalar(
        select(AuditEvent)
        .where(AuditEvent.act == Act.RECORD_CHECK)
        .options(joinedload(AuditEvent.user))
        .order_by(AuditEvent.id.desc())
        .limit(1)
    )


def need_manager(user: User) -> None:
    if not user.can(Role.MANAGER):
        raise Forbidden(_("The audit log is for managers and administrators. Ask one of them to look something up."))


def _conditions(wanted: RecordFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.person is not None:
        found.append(AuditEvent.user_id.is_(None) if wanted.person == SYSTEM else AuditEvent.user_id == wanted.person)
    if wanted.act:
        found.append(_is_act(AuditEvent.act, wanted.act))
    if wanted.subject:
        found.append(_happened_to(*wanted.subject))
    if wanted.since:
        found.append(AuditEvent.at >= days.begin(wanted.since))
    if wanted.until and wanted.until < date.max:
        found.append(AuditEvent.at < days.begin(wanted.until + timedelta(days=1)))
    found += [_mentions(word) for word in wanted.q.split()]
    return found


def _happened_to(table: str, row_id: int) -> ColumnElement[bool]:
    """Events of the row itself.

    For an export also those of its links, for a set also downloads of exports that include it.
    """
    itself = and_(AuditEvent.subject == table, AuditEvent.subject_id == row_id)
    match table:
        case Export.__tablename__:
            of_it = AuditEvent.details["export"].as_integer() == row_id
            return or_(itself, and_(AuditEvent.subject == Share.__tablename__, of_it))
        case ImageSet.__tablename__:
            named = func.json_each(AuditEvent.details, "$.sets").table_valued("value").alias("named")
            in_it = select(1).select_from(named).where(named.c.value == row_id).correlate(AuditEvent)
            return or_(itself, and_(AuditEvent.act == Act.EXPORT, exists(in_it)))
    return itself


def _is_act(column: InstrumentedAttribute[Act], act: str) -> ColumnElement[bool]:
    if ":" in act:
        return column == act
    return (column >= f"{act}:") & (column < f"{act};")  # ";" comes next after ":", so an index can be used


def _mentions(word: str) -> ColumnElement[bool]:
    """Match the details, the actor's name or the subject's, as `words.name_of` builds it."""

    def says(*columns: InstrumentedAttribute[str]) -> ColumnElement[bool]:
        return or_(*(column.icontains(word, autoescape=True) for column in columns))

    sets = select(ImageSet.id).where(says(ImageSet.name))
    styles = select(Style.id).where(says(Style.name, Style.code))
    exports = select(Export.id).where(says(Export.name))
    named: tuple[tuple[type[Any], ColumnElement[bool]], ...] = (
        (User, says(User.name, User.email)),
        (Campaign, says(Campaign.name)),
        (ImageSet, says(ImageSet.name)),
        (Image, Image.set_id.in_(sets)),
        (Style, says(Style.name, Style.code)),
        (StyleVersion, StyleVersion.style_id.in_(styles)),
        (Reference, says(Reference.original_name)),
        (StructureMap, says(StructureMap.original_name)),
        (Subject, says(Subject.name, Subject.handle)),
        (SavedSearch, says(SavedSearch.name)),
        (FormTemplate, says(FormTemplate.name)),
        (Export, says(Export.name)),
        (Share, or_(says(Share.note), Share.export_id.in_(exports))),
    )
    things = (
        and_(
            AuditEvent.subject == row.__tablename__,
            AuditEvent.subject_id.in_(select(row.id).where(which).correlate(None)),
        )
        for row, which in named
    )
    return or_(cast(AuditEvent.details, String).icontains(word, autoescape=True), says(User.name, User.email), *things)
