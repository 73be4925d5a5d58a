"""Which stored files the rows need: the one place that lists every column with the name of a file."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, column, func, literal, null, select
from sqlalchemy.orm import Session

from app.drafts.service import KINDS as DRAFT_KINDS
from app.files import PICTURES, Kind
from app.languages import N_
from app.models import (
    DraftFile,
    Image,
    ImageSet,
    Reference,
    RightsFile,
    StructureMap,
    Subject,
    SubjectPicture,
    SubjectSample,
)


@dataclass(frozen=True, slots=True)
class NeededFile:
    """A file that a row names."""

    row_id: int  # of the first such row
    name: str  # in English: "the reference sunset.png"
    bytes: int | None  # None: the row does not say


Needed = dict[Kind, dict[str, NeededFile]]
"""By kind and SHA-256."""


def needed(session: Session) -> Needed:
    """Every file that some row needs."""
    found: Needed = {kind: {} for kind in Kind}
    for kind, label, statement in _STATEMENTS:
        for sha256, row_id, name, size in session.execute(statement):
            found[kind].setdefault(sha256, NeededFile(row_id, label % {"name": name, "number": name}, size))
    return found


def still_needed(session: Session, kind: Kind, sha256s: Collection[str]) -> set[str]:
    """Those of these files that some row needs."""
    found: set[str] = set()
    for each, _, statement in _STATEMENTS:
        if each is kind:
            name = statement.selected_columns[0]
            found |= set(session.scalars(statement.with_only_columns(name).where(name.in_(sha256s))))
    return found


def pictured(found: Needed) -> dict[str, Kind]:
    """The pictures that need thumbnails: their kind by SHA-256."""
    return {sha256: kind for kind in reversed(PICTURES) for sha256 in found[kind]}


_region = func.json_each(ImageSet.regions).table_valued(column("value")).alias("region")
_mask = func.json_extract(_region.c.value, "$.mask")
_handle = select(Subject.handle).where(Subject.id == SubjectPicture.subject_id).scalar_subquery()
_handle_of_sample = select(Subject.handle).where(Subject.id == SubjectSample.subject_id).scalar_subquery()

_purged_subjects = select(Subject.id).where(Subject.purged_at.is_not(None))

# A name, an id, words for people, and the size in bytes.
_STATEMENTS: tuple[tuple[Kind, str, Select[*tuple[Any, ...]]], ...] = (
    (
        Kind.REFERENCES,
        N_("the reference %(name)s"),
        select(Reference.sha256, Reference.id, Reference.original_name, Reference.bytes).where(
            Reference.purged_at.is_(None)
        ),
    ),
    (
        Kind.IMAGES,
        N_("picture %(number)s"),
        select(Image.sha256, Image.id, Image.id, Image.bytes).where(
            Image.sha256.is_not(None), Image.purged_at.is_(None)
        ),
    ),
    (
        Kind.MAPS,
        N_("the map %(name)s"),
        select(StructureMap.sha256, StructureMap.id, StructureMap.original_name, null()),
    ),
    (
        Kind.MAPS,
        N_("a mask of set %(number)s"),
        select(_mask, ImageSet.id, ImageSet.id, null())
        .join(_region, literal(True))
        .where(_mask.is_not(None), ImageSet.purged_at.is_(None)),
    ),
    *(
        (
            kind,
            N_("the draft %(number)s"),
            select(DraftFile.sha256, DraftFile.draft_id, DraftFile.draft_id, null()).where(DraftFile.kind == kind),
        )
        for kind in DRAFT_KINDS
    ),
    (
        Kind.SUBJECTS,
        N_("a training picture of %(name)s"),
        select(SubjectPicture.sha256, SubjectPicture.subject_id, _handle, null()).where(
            SubjectPicture.subject_id.not_in(_purged_subjects)
        ),
    ),
    (
        Kind.SUBJECTS,
        N_("a sample of %(name)s"),
        select(SubjectSample.sha256, SubjectSample.id, _handle_of_sample, null()).where(
            SubjectSample.subject_id.not_in(_purged_subjects)
        ),
    ),
    (
        Kind.LORAS,
        N_("the subject %(name)s"),
        select(Subject.sha256, Subject.id, Subject.handle, Subject.bytes).where(
            Subject.sha256.is_not(None), Subject.purged_at.is_(None)
        ),
    ),
    (
        Kind.RIGHTS,
        N_("the rights file %(name)s"),
        select(RightsFile.sha256, RightsFile.id, RightsFile.name, RightsFile.bytes),
    ),
)
