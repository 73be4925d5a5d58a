"""Read rights: of references, of styles, and of pictures made from them.

Everyone who is signed in sees all of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, case, func, literal, or_, select, true, tuple_
from sqlalchemy.orm import Session, aliased, joinedload

from app.accounts.queries import signed_in
from app.days import stamped, today, written, written_exactly
from app.errors import NotFound
from app.languages import gettext as _
from app.languages import pgettext, translated
from app.models import (
    Image,
    ImageSet,
    Reference,
    RightsFile,
    RightsRecord,
    Role,
    State,
    Style,
    StyleReference,
    StyleVersion,
    SubjectLikeness,
    User,
)
from app.rights.spec import USERS, RightsSpec
from app.rights.standing import Held, standing, worst
from app.text import listed

# At most one record belongs to a reference: its newest.
_NEWEST = select(func.max(RightsRecord.id)).where(RightsRecord.reference_id == Reference.id).correlate(Reference)
HOLDS = (RightsRecord.reference_id == Reference.id) & (RightsRecord.id == _NEWEST.scalar_subquery())
# New sets only use the newest version of a style.
_of_style = aliased(StyleVersion)
LATEST = (
    StyleVersion.number
    == (
        select(func.max(_of_style.number)).where(_of_style.style_id == StyleVersion.style_id).correlate(StyleVersion)
    ).scalar_subquery()
)


INTERNAL = {"person_for", "person_users"}  # who of the team may use a likeness is nobody else's concern
USES_PAGE = 24  # listed at a time


@dataclass(frozen=True)
class UseRow:
    """A style that uses a reference."""

    id: int
    code: str
    name: str
    archived: bool
    present: bool  # its newest version uses it


@dataclass(frozen=True)
class Change:
    """A reference's record compared with the previous one."""

    record: RightsRecord
    fields: list[tuple[str, str, str]]  # title, before, after


@dataclass(frozen=True)
class LaterChanges:
    """Changes that others recorded since someone opened the form of rights."""

    seen: RightsRecord | None  # the record the form started from; None: nothing was recorded
    later: list[RightsRecord]  # later records with other content, oldest first, with their authors
    fields: list[str]  # names of the fields that differ now

    @property
    def present(self) -> RightsRecord:
        return self.later[-1]

    def told(self, user: User) -> str:
        """Who changed what and when, in a sentence for `user`."""
        names = listed(list(dict.fromkeys(named(row.made_by, user) for row in self.later)))
        titles = [translated(RightsSpec.model_fields[name].title or name) for name in self.fields]
        what = listed([_("“%(title)s”", title=title) for title in titles])
        on, several = written_exactly(self.present.created_at), len(self.later) > 1
        if self.seen and several:
            return _("%(names)s just changed %(what)s of these rights, last on %(on)s.", names=names, what=what, on=on)
        if self.seen:
            return _("%(names)s just changed %(what)s of these rights, on %(on)s.", names=names, what=what, on=on)
        if several:
            return _("%(names)s just recorded these rights, last on %(on)s.", names=names, on=on)
        return _("%(names)s just recorded these rights, on %(on)s.", names=names, on=on)

    def merged(self, spec: RightsSpec) -> dict[str, str]:
        """The form to review: what was typed, and current values in untouched fields."""
        untouched = [name for name in self.fields if said(spec, name) == said(self.seen, name)]
        return {name: said(self.present if name in untouched else spec, name) for name in RightsSpec.model_fields}

    def current_values(self, spec: RightsSpec) -> dict[str, str]:
        """The current values to show next to the form's fields, by name."""
        before, typed, present = ({n: read(row, n) for n in self.fields} for row in (self.seen, spec, self.present))
        return {
            name: _("Changed by someone else and updated here. Before: %(value)s", value=before[name] or _("nothing"))
            if typed[name] == before[name]
            else _("Current value: %(value)s", value=present[name] or _("nothing"))
            for name in self.fields
            if typed[name] != present[name]
        }


@dataclass(frozen=True)
class UsedReference:
    """A reference of a set: how it is used, by which style, and the status of its right."""

    use: StyleReference
    style: Style
    held: Held


# References


def reference(session: Session, user: User, reference_id: int) -> Reference:
    """The reference with its uploader. Raises NotFound."""
    found = session.scalar(
        select(Reference)
        .where(Reference.id == reference_id, signed_in(user))
        .options(joinedload(Reference.uploaded_by))
    )
    if not found:
        raise NotFound(_("There is no such reference."))
    return found


def named(person: User, reader: User) -> str:
    """A person's name within a sentence that `reader` reads."""
    if person.id == reader.id:
        return pgettext("person in a sentence", "You")
    return pgettext("person in a sentence", "%(name)s", name=person.name)


def held(session: Session, row: Reference, on: date | None = None) -> Held:
    """The status of the rights to a reference on a day, by default today."""
    return of_references(session, [row.id], on)[row.id]


_OF_REFERENCES = (
    select(Reference.id, Reference.original_name, RightsRecord)
    .outerjoin(RightsRecord, HOLDS)
    .where(Reference.id.in_(bindparam("reference_ids", expanding=True)))
    .options(joinedload(RightsRecord.made_by))
)


def of_references(
    session: Session, reference_ids: Iterable[int], on: date | None = None, reader: User | None = None
) -> dict[int, Held]:
    """The status of each; `reader` is the person who wants to use them."""
    rows = session.execute(_OF_REFERENCES, {"reference_ids": list(set(reference_ids))})
    return {row[0]: Held(*row, standing(row[2], on or today()), reader) for row in rows}


def not_held(session: Session, on: date | None = None) -> list[Held]:
    """The references without valid rights on a day, by default today."""
    on = on or today()
    dates = or_(RightsRecord.valid_until < on, RightsRecord.valid_from > on)
    person = or_(RightsRecord.consent == "", RightsRecord.consent_until < on, RightsRecord.consent_from > on)
    ids = session.scalars(
        select(Reference.id)
        .join(RightsRecord, HOLDS)
        .where(RightsRecord.withdrawn | dates | ((RightsRecord.person != "") & person))
    ).all()
    if not ids:  # as usual
        return []
    return [held for held in of_references(session, ids, on).values() if not held.standing.usable]


def without_consent(session: Session) -> list[Held]:
    """The references of real people without valid rights or consent now: pictures from them are in no new export."""
    return [held for held in not_held(session) if held.record and held.record.person]


def changes(session: Session, user: User, reference_id: int) -> list[Change]:
    """The records of a reference, newest first, each with its changes and author."""
    rows = list(
        session.scalars(
            select(RightsRecord)
            .where(RightsRecord.reference_id == reference_id, signed_in(user))
            .options(joinedload(RightsRecord.made_by))
            .order_by(RightsRecord.id.desc())
        )
    )
    return [Change(row, changed(before, row)) for row, before in zip(rows, [*rows[1:], None], strict=False)]


def changed(before: RightsRecord | None, after: RightsRecord) -> list[tuple[str, str, str]]:
    """Title, old and new text of each field that differs; for the first record, of each field it has."""
    return [
        (RightsSpec.model_fields[name].title or name, read(before, name), read(after, name))
        for name in differing(before, after)
    ]


def differing(before: RightsRecord | None, after: RightsRecord | None) -> list[str]:
    """The names of the fields in which two records differ."""
    return [name for name in RightsSpec.model_fields if said(before, name) != said(after, name)]


def said(record: RightsRecord | RightsSpec | None, name: str) -> str:
    """A record's value for a field, as in a form."""
    return str(getattr(record, name, None) or "")


def read(record: RightsRecord | RightsSpec | None, name: str) -> str:
    """A record's value for a field, as shown to people: days are written out."""
    value = getattr(record, name, None)
    if name == "person_for":
        return translated(USERS.get(value or "", "")) if record and record.person else ""
    return written(value) if isinstance(value, date) else said(record, name)


def later_changes(session: Session, reference_id: int, seen: int | None) -> LaterChanges | None:
    """The changes since the record `seen` (None: all); None if nothing differs."""
    rows = list(
        session.scalars(
            select(RightsRecord)
            .where(RightsRecord.reference_id == reference_id)
            .options(joinedload(RightsRecord.made_by))
            .order_by(RightsRecord.id)
        )
    )
    known = next((row for row in rows if row.id == seen), None)
    since = [row for row in rows if not known or row.id > known.id]
    # A withdrawal or restoration states nothing new.
    later = [row for before, row in zip([known, *since], since, strict=False) if differing(before, row)]
    fields = differing(known, since[-1]) if since else []
    return LaterChanges(known, later, fields) if fields else None


def files(session: Session, user: User, reference_id: int) -> list[RightsFile]:
    """The current files on a reference's rights, oldest first; none for people who may not read them."""
    readable = _files([reference_id]).where(_may_read(user))
    return list(session.scalars(readable.options(joinedload(RightsFile.uploaded_by))))


def files_count(session: Session, user: User, reference_id: int) -> int:
    """How many files there are, for everyone."""
    found = _files([reference_id]).where(signed_in(user)).order_by(None)
    return session.scalar(found.with_only_columns(func.count())) or 0


def _may_read(user: User) -> ColumnElement[bool]:
    """A condition for the licences and consents that `user` may read: of their own uploads, or all for managers."""
    own = select(Reference.id).where(Reference.uploaded_by_id == user.id)
    return true() if user.can(Role.MANAGER) else RightsFile.reference_id.in_(own) & signed_in(user)


def files_of(session: Session, reference_ids: Iterable[int]) -> dict[int, list[RightsFile]]:
    """The files of several references."""
    found: defaultdict[int, list[RightsFile]] = defaultdict(list)
    for row in session.scalars(_files(reference_ids)):
        found[row.reference_id].append(row)
    return found


def file(session: Session, user: User, reference_id: int, file_id: int) -> RightsFile:
    """The file. Raises NotFound."""
    found = session.scalar(_files([reference_id]).where(RightsFile.id == file_id, _may_read(user)))
    if not found:
        raise NotFound(_("This file does not exist; it may have been removed."))
    return found


def may_read(session: Session, user: User, reference_id: int, file_id: int) -> bool:
    """Whether a file exists and `user` may read it now."""
    found = _files([reference_id]).where(RightsFile.id == file_id, _may_read(user))
    return session.scalar(found.with_only_columns(RightsFile.id)) is not None


def _files(reference_ids: Iterable[int]) -> Select[RightsFile]:
    wanted = RightsFile.reference_id.in_(set(reference_ids)), RightsFile.removed_at.is_(None)
    return select(RightsFile).where(*wanted).order_by(RightsFile.id)


# Styles


def refusal(session: Session, version: StyleVersion, on: date | None = None, reader: User | None = None) -> str | None:
    """Why a style version cannot be used on a day, by `reader` if given, in one sentence; None if it can."""
    return references_refusal(session, [part.reference_id for part in version.references], on, reader)


def references_refusal(
    session: Session, reference_ids: Sequence[int], on: date | None = None, reader: User | None = None
) -> str | None:
    """Why references cannot be used on a day, by `reader` if given, in one sentence; None if they can."""
    return _refusal(list(of_references(session, reference_ids, on, reader).values()))


def pictures_refusal(session: Session, hashes: Iterable[str], reader: User | None = None) -> str | None:
    """Why pictures cannot be used in any other way: one of them is a reference without valid rights."""
    ids = session.scalars(select(Reference.id).where(Reference.sha256.in_(set(hashes)))).all()
    return references_refusal(session, ids, reader=reader) if ids else None


_OF_SUBJECTS = select(SubjectLikeness.reference_id).where(
    SubjectLikeness.subject_id.in_(bindparam("subject_ids", expanding=True))
)


def of_subjects(session: Session, subject_ids: Iterable[int], reader: User | None = None) -> list[Held]:
    """The rights to the references of the real people whom subjects show."""
    wanted = list(set(subject_ids))
    ids = session.scalars(_OF_SUBJECTS, {"subject_ids": wanted}).all() if wanted else []
    return list(of_references(session, ids, reader=reader).values()) if ids else []


def subjects_refusal(session: Session, subject_ids: Iterable[int], reader: User | None = None) -> str | None:
    """Why subjects cannot be used, by `reader` if given, in one sentence; None if they can."""
    return _refusal(of_subjects(session, subject_ids, reader))


def of_version(session: Session, version: StyleVersion, on: date | None = None) -> list[Held]:
    """The status of the rights to a style version's references, in order."""
    ids = [part.reference_id for part in version.references]
    found = of_references(session, ids, on)
    return [found[reference_id] for reference_id in dict.fromkeys(ids)]


_PARTS = (
    select(StyleReference, Style)
    .join(StyleVersion, StyleVersion.id == StyleReference.version_id)
    .join(Style, Style.id == StyleVersion.style_id)
    .where(StyleReference.version_id.in_(bindparam("version_ids", expanding=True)))
    .options(joinedload(StyleReference.reference))
    .order_by(StyleReference.position)
)


def parts_of_set(session: Session, image_set: ImageSet, reader: User | None = None) -> list[UsedReference]:
    """All references of a set, each once: its style's in order, then those of its regions' styles."""
    version_ids = image_set.version_ids
    rows = session.execute(_PARTS, {"version_ids": version_ids}).all()
    found = of_references(session, [use.reference_id for use, _ in rows], reader=reader)
    parts: dict[int, UsedReference] = {}
    for use, style in sorted(rows, key=lambda row: version_ids.index(row[0].version_id)):
        parts.setdefault(use.reference_id, UsedReference(use, style, found[use.reference_id]))
    return list(parts.values())


def of_set(session: Session, image_set: ImageSet, reader: User | None = None) -> list[Held]:
    """The status today of the rights to all references of a set, in the same order."""
    return [part.held for part in parts_of_set(session, image_set, reader)]


def set_refusal(session: Session, image_set: ImageSet, held: list[Held] | None = None) -> str | None:
    """Why nothing more can be made for a set, in one sentence; None if it can. `held`: of its references, if known."""
    subjects = of_subjects(session, [part.id for part in image_set.subjects])
    return _refusal([*(of_set(session, image_set) if held is None else held), *subjects])


def _refusal(helds: list[Held]) -> str | None:
    first = worst(helds)
    return first.refusal if first else None


def of_styles(session: Session, user: User, style_ids: Iterable[int], on: date | None = None) -> dict[int, Held]:
    """The most restrictive right in the newest version of each style, by style id."""
    used: defaultdict[int, list[int]] = defaultdict(list)
    for style_id, reference_id in session.execute(
        select(StyleVersion.style_id, StyleReference.reference_id)
        .join(StyleReference, StyleReference.version_id == StyleVersion.id)
        .where(StyleVersion.style_id.in_(set(style_ids)), LATEST, signed_in(user))
    ):
        used[style_id].append(reference_id)
    found = of_references(session, {each for ids in used.values() for each in ids}, on, user)
    restrained = {style_id: worst([found[each] for each in ids]) for style_id, ids in used.items()}
    return {style_id: held for style_id, held in restrained.items() if held}


def uses(
    session: Session, user: User, reference_id: int, after: int | None = None, limit: int = USES_PAGE
) -> list[UseRow]:
    """The styles that use a reference in any version, those available to new sets first.

    `after` is the id of the last one shown.
    """
    archived, present = Style.archived_at.is_not(None), func.max(case((LATEST, 1), else_=0))
    every = (
        select(Style.id, Style.code, Style.name, archived, present)
        .join(StyleVersion, StyleVersion.style_id == Style.id)
        .join(StyleReference, StyleReference.version_id == StyleVersion.id)
        .where(StyleReference.reference_id == reference_id, signed_in(user))
        .group_by(Style.id)
    )
    order = archived, -present, -Style.id
    shown = every.order_by(*order).limit(limit)
    if last := session.execute(every.where(Style.id == after)).first() if after is not None else None:
        shown = shown.having(tuple_(*order) > tuple_(literal(last[3]), literal(-last[4]), literal(-last[0])))
    return [UseRow(each, code, name, bool(old), bool(now)) for each, code, name, old, now in session.execute(shown)]


# Pictures


def made_from(*reference_ids: int) -> ColumnElement[bool]:
    """A condition for sets whose pictures take their look from one of these references, even if only in a region.

    And for those with a subject that shows the real person of one.
    """
    versions = select(StyleReference.version_id).where(StyleReference.reference_id.in_(reference_ids))
    subjects = select(SubjectLikeness.subject_id).where(SubjectLikeness.reference_id.in_(reference_ids))
    return or_(ImageSet.has_version(versions), ImageSet.has_subject(subjects))


def newest_pictures(session: Session, user: User, reference_id: int, limit: int = 12) -> list[Image]:
    """The newest pictures made from a reference."""
    return list(session.scalars(_pictures(user, reference_id).order_by(Image.id.desc()).limit(limit)))


def pictures_count(session: Session, user: User, reference_id: int) -> int:
    """How many pictures were made from a reference, without earlier versions."""
    return session.scalar(_pictures(user, reference_id).with_only_columns(func.count())) or 0


def earlier_versions_count(session: Session, user: User, reference_id: int) -> int:
    """How many earlier versions of pictures, since replaced, were made from a reference."""
    earlier = _made(user, reference_id).where(Image.superseded, Image.deleted_at.is_(None))
    return session.scalar(earlier.with_only_columns(func.count())) or 0


def _pictures(user: User, reference_id: int) -> Select[Image]:
    return _made(user, reference_id).where(Image.shown)


def _made(user: User, reference_id: int) -> Select[Image]:
    return (
        select(Image)
        .join(ImageSet, ImageSet.id == Image.set_id)
        .where(Image.state == State.FINISHED, made_from(reference_id), signed_in(user))
    )


def stated(held: Held, documents: Sequence[RightsFile]) -> dict[str, Any] | None:
    """Rights in full, as JSON; None if nothing is recorded."""
    row = held.record
    if row is None:
        return None
    fields = {name: getattr(row, name) for name in RightsSpec.model_fields if name not in INTERNAL}
    return {
        "standing": held.standing.kind,
        **{name: value.isoformat() if isinstance(value, date) else value for name, value in fields.items()},
        "withdrawn": row.withdrawn,
        "reason": row.reason,
        "recorded by": row.made_by.name,
        "recorded at": stamped(row.created_at),
        "files": [{"name": each.name, "sha256": each.sha256, "bytes": each.bytes} for each in documents],
    }
