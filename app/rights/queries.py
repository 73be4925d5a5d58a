"""Read rights: of references, of styles, and of pictures made from them.

Everyone who is signed in sees all of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, true
from sqlalchemy.orm import Session, aliased, joinedload

from app.accounts.queries import signed_in
from app.days import today, written, written_exactly
from app.errors import NotFound
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
    User,
)
from app.rights.spec import RightsSpec
from app.rights.standing import ENDING_DAYS, Held, standing, worst
from app.text import listed

# At most one record belongs to a reference: its newest.
_NEWEST = select(func.max(RightsRecord.id)).where(RightsRecord.reference_id == Reference.id).correlate(Reference)
_HOLDS = (RightsRecord.reference_id == Reference.id) & (RightsRecord.id == _NEWEST.scalar_subquery())
# New sets only use the newest version of a style.
_of_style = aliased(StyleVersion)
_LATEST = (
    StyleVersion.number
    == (
        select(func.max(_of_style.number)).where(_of_style.style_id == StyleVersion.style_id).correlate(StyleVersion)
    ).scalar_subquery()
)


@dataclass(frozen=True)
class UseRow:
    """A style that uses a reference."""

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
        names = dict.fromkeys("You" if row.made_by_id == user.id else row.made_by.name for row in self.later)
        what = listed([f"“{RightsSpec.model_fields[name].title}”" for name in self.fields])
        did = f"just changed {what} of these rights" if self.seen else "just recorded these rights"
        on = written_exactly(self.present.created_at)
        return f"{listed(list(names))} {did}, {'last ' if len(self.later) > 1 else ''}on {on}."

    def merged(self, spec: RightsSpec) -> dict[str, str]:
        """The form to review: what was typed, and current values in untouched fields."""
        untouched = [name for name in self.fields if said(spec, name) == said(self.seen, name)]
        return {name: said(self.present if name in untouched else spec, name) for name in RightsSpec.model_fields}

    def current_values(self, spec: RightsSpec) -> dict[str, str]:
        """The current values to show next to the form's fields, by name."""
        before, typed, present = ({n: read(row, n) for n in self.fields} for row in (self.seen, spec, self.present))
        return {
            name: f"Changed by someone else and updated here. Before: {before[name] or 'nothing'}"
            if typed[name] == before[name]
            else f"Current value: {present[name] or 'nothing'}"
            for name in self.fields
            if typed[name] != present[name]
        }


@dataclass(frozen=True)
class UsedReference:
    """A reference of a set: how it is used, by which style, and the status of its right."""

    use: StyleReference
    style: Style
    held: Held


@dataclass(frozen=True)
class RightsNeed:
    """A reference in use whose rights end soon, have ended or were withdrawn."""

    kind: ClassVar[str] = "rights"

    held: Held
    styles: list[tuple[str, str]] = field(default_factory=list)  # code and name


# References


def reference(session: Session, user: User, reference_id: int) -> Reference:
    """The reference with its uploader. Raises NotFound."""
    found = session.scalar(
        select(Reference)
        .where(Reference.id == reference_id, signed_in(user))
        .options(joinedload(Reference.uploaded_by))
    )
    if not found:
        raise NotFound("There is no such reference.")
    return found


def held(session: Session, row: Reference, on: date | None = None) -> Held:
    """The status of the rights to a reference on a day, by default today."""
    return of_references(session, [row.id], on)[row.id]


def of_references(session: Session, reference_ids: Iterable[int], on: date | None = None) -> dict[int, Held]:
    rows = session.execute(
        select(Reference.id, Reference.original_name, RightsRecord)
        .outerjoin(RightsRecord, _HOLDS)
        .where(Reference.id.in_(set(reference_ids)))
        .options(joinedload(RightsRecord.made_by))
    )
    return {row[0]: Held(*row, standing(row[2], on or today())) for row in rows}


def not_held(session: Session, on: date | None = None) -> list[Held]:
    """The references without valid rights on a day, by default today."""
    on = on or today()
    dates = or_(RightsRecord.valid_until < on, RightsRecord.valid_from > on)
    ids = session.scalars(select(Reference.id).join(RightsRecord, _HOLDS).where(RightsRecord.withdrawn | dates)).all()
    return [held for held in of_references(session, ids, on).values() if not held.standing.usable]


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
        raise NotFound("This file does not exist; it may have been removed.")
    return found


def may_read(session: Session, user: User, reference_id: int, file_id: int) -> bool:
    """Whether a file exists and `user` may read it now."""
    found = _files([reference_id]).where(RightsFile.id == file_id, _may_read(user))
    return session.scalar(found.with_only_columns(RightsFile.id)) is not None


def _files(reference_ids: Iterable[int]) -> Select[RightsFile]:
    wanted = RightsFile.reference_id.in_(set(reference_ids)), RightsFile.removed_at.is_(None)
    return select(RightsFile).where(*wanted).order_by(RightsFile.id)


# Styles


def refusal(session: Session, version: StyleVersion, on: date | None = None) -> str | None:
    """Why a style version cannot be used on a day, in one sentence; None if it can."""
    return references_refusal(session, [part.reference_id for part in version.references], on)


def references_refusal(session: Session, reference_ids: Sequence[int], on: date | None = None) -> str | None:
    """Why references cannot be used on a day, in one sentence; None if they can."""
    return _refusal(list(of_references(session, reference_ids, on).values()))


def pictures_refusal(session: Session, hashes: Iterable[str]) -> str | None:
    """Why pictures cannot be used in any other way: one of them is a reference without valid rights."""
    ids = session.scalars(select(Reference.id).where(Reference.sha256.in_(set(hashes)))).all()
    return references_refusal(session, ids) if ids else None


def of_version(session: Session, version: StyleVersion, on: date | None = None) -> list[Held]:
    """The status of the rights to a style version's references, in order."""
    ids = [part.reference_id for part in version.references]
    found = of_references(session, ids, on)
    return [found[reference_id] for reference_id in dict.fromkeys(ids)]


def parts_of_set(session: Session, image_set: ImageSet) -> list[UsedReference]:
    """All references of a set, each once: its style's in order, then those of its regions' styles."""
    version_ids = image_set.version_ids
    rows = session.execute(
        select(StyleReference, Style)
        .join(StyleVersion, StyleVersion.id == StyleReference.version_id)
        .join(Style, Style.id == StyleVersion.style_id)
        .where(StyleReference.version_id.in_(version_ids))
        .options(joinedload(StyleReference.reference))
        .order_by(StyleReference.position)
    ).all()
    found = of_references(session, [use.reference_id for use, _ in rows])
    parts: dict[int, UsedReference] = {}
    for use, style in sorted(rows, key=lambda row: version_ids.index(row[0].version_id)):
        parts.setdefault(use.reference_id, UsedReference(use, style, found[use.reference_id]))
    return list(parts.values())


def of_set(session: Session, image_set: ImageSet) -> list[Held]:
    """The status today of the rights to all references of a set, in the same order."""
    return [part.held for part in parts_of_set(session, image_set)]


def set_refusal(session: Session, image_set: ImageSet) -> str | None:
    """Why nothing more can be made for a set, in one sentence; None if it can."""
    return _refusal(of_set(session, image_set))


def _refusal(helds: list[Held]) -> str | None:
    first = worst(helds)
    return first.refusal if first else None


def of_styles(session: Session, user: User, style_ids: Iterable[int], on: date | None = None) -> dict[int, Held]:
    """The most restrictive right in the newest version of each style, by style id."""
    used: defaultdict[int, list[int]] = defaultdict(list)
    for style_id, reference_id in session.execute(
        select(StyleVersion.style_id, StyleReference.reference_id)
        .join(StyleReference, StyleReference.version_id == StyleVersion.id)
        .where(StyleVersion.style_id.in_(set(style_ids)), _LATEST, signed_in(user))
    ):
        used[style_id].append(reference_id)
    found = of_references(session, {each for ids in used.values() for each in ids}, on)
    restrained = {style_id: worst([found[each] for each in ids]) for style_id, ids in used.items()}
    return {style_id: held for style_id, held in restrained.items() if held}


def uses(session: Session, user: User, reference_id: int) -> list[UseRow]:
    """The styles that use a reference in any version, those available to new sets first."""
    present = func.max(case((_LATEST, 1), else_=0))
    rows = session.execute(
        select(Style.code, Style.name, Style.archived_at.is_not(None), present)
        .join(StyleVersion, StyleVersion.style_id == Style.id)
        .join(StyleReference, StyleReference.version_id == StyleVersion.id)
        .where(StyleReference.reference_id == reference_id, signed_in(user))
        .group_by(Style.id)
        .order_by(Style.archived_at.is_not(None), present.desc(), Style.id.desc())
    )
    return [UseRow(code, name, bool(archived), bool(now)) for code, name, archived, now in rows]


# Pictures


def made_from(*reference_ids: int) -> ColumnElement[bool]:
    """A condition for sets whose pictures take their look from one of these references, even if only in a region."""
    versions = select(StyleReference.version_id).where(StyleReference.reference_id.in_(reference_ids))
    return ImageSet.has_version(versions)


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


# What needs attention


def needs(session: Session, user: User, on: date | None = None) -> list[RightsNeed]:
    """References available to new sets whose rights end soon, have ended or were withdrawn, most urgent first.

    Includes those of `user`'s styles and uploads; all for managers.
    """
    on = on or today()
    whose = true() if user.can(Role.MANAGER) else or_(Style.owner_id == user.id, Reference.uploaded_by_id == user.id)
    ends = RightsRecord.valid_until <= on + timedelta(days=ENDING_DAYS)
    rows = session.execute(
        select(Reference.id, Style.code, Style.name)
        .join(RightsRecord, _HOLDS)
        .join(StyleReference, StyleReference.reference_id == Reference.id)
        .join(StyleVersion, and_(StyleVersion.id == StyleReference.version_id, _LATEST))
        .join(Style, Style.id == StyleVersion.style_id)
        .where(Style.archived_at.is_(None), RightsRecord.withdrawn | ends, whose, signed_in(user))
        .order_by(Style.id.desc())
    ).all()
    found = of_references(session, {row[0] for row in rows}, on)
    ordered = sorted(found.values(), key=lambda held: (held.standing.day or on, held.reference_id), reverse=True)
    # Those still valid come first, while there is time to act. Then those that ended, latest first.
    ordered.sort(key=lambda held: (not held.standing.usable, held.standing.days_left or 0))
    return [
        RightsNeed(held, list(dict.fromkeys((code, name) for id, code, name in rows if id == held.reference_id)))
        for held in ordered
    ]


def stated(held: Held, documents: Sequence[RightsFile]) -> dict[str, Any] | None:
    """Rights in full, as JSON; None if nothing is recorded."""
    row = held.record
    if row is None:
        return None
    fields = {name: getattr(row, name) for name in RightsSpec.model_fields}
    return {
        "standing": held.standing.kind,
        **{name: value.isoformat() if isinstance(value, date) else value for name, value in fields.items()},
        "withdrawn": row.withdrawn,
        "reason": row.reason,
        "recorded by": row.made_by.name,
        "recorded at": row.created_at.isoformat(timespec="seconds"),
        "files": [{"name": each.name, "sha256": each.sha256, "bytes": each.bytes} for each in documents],
    }
