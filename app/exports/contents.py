"""Read the contents of an export: its files, in chunks, and the decisions on their pictures."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice
from typing import TypeVar

from sqlalchemy import ColumnElement, ColumnExpressionArgument, false, func, or_, select, tuple_
from sqlalchemy.orm import Session, aliased, joinedload

from app.customs import queries as customs
from app.exports.options import pixels
from app.models import (
    BrandScore,
    Campaign,
    ChecklistSheet,
    Decision,
    ExportFile,
    Image,
    ImageSet,
    PictureMeasures,
    Verdict,
)
from app.reviews.standing import counted, standing

T = TypeVar("T")
CHUNK = 500  # rows read at a time, so that memory does not grow with an export


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file of an export, with data about its picture."""

    position: int
    name: str
    size: str
    key: str | None
    bytes: int | None
    sha256: str | None
    lost: bool
    image_id: int
    set_id: int
    place: int  # of the image in its set
    version: int  # of the image at that position
    prompt: str
    drawn_as: str | None  # what the model got for the prompt, if not the prompt itself
    seed: int
    strength: float
    image_sha256: str
    made_at: datetime
    decision_id: int
    campaign: str
    numbers: dict[str, float] | None = None  # what was measured, by measure
    flags: dict[str, float] | None = None  # the bounds that it is beyond, by measure
    embedders: dict[str, str] | None = None  # the models that took part, by role
    on_brand: float | None = None  # 0 to 100; None: no rules, or not known
    brand_parts: dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A file as listed in the zip."""

    name: str
    key: str
    sha256: str
    bytes: int
    crc32: int


@dataclass(frozen=True)
class DecisionRow:
    verdict: Verdict
    by: str
    at: datetime
    stands: bool  # neither withdrawn nor replaced by another of the same person
    sheet: ChecklistSheet | None = None  # the checklists that it was made on, as answered


def batched(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """`items` in tuples of `size`; the last one may be shorter."""
    rest = iter(items)
    while batch := tuple(islice(rest, size)):
        yield batch


def files(session: Session, export_id: int, *which: ColumnElement[bool]) -> Iterator[FileRow]:
    """The files of an export in order, read in chunks."""
    after = 0
    while rows := files_after(session, export_id, after, *which):
        after = rows[-1].position
        yield from rows


def files_after(session: Session, export_id: int, after: int, *which: ColumnElement[bool]) -> list[FileRow]:
    """The next files of an export after a position."""
    rows = session.execute(
        select(
            ExportFile.position,
            ExportFile.name,
            ExportFile.size,
            ExportFile.key,
            ExportFile.bytes,
            ExportFile.sha256,
            ExportFile.lost,
            Image.id,
            Image.set_id,
            Image.position,
            Image.version,
            Image.prompt,
            Image.drawn_as,
            Image.seed,
            Image.used_strength,
            Image.sha256,
            func.coalesce(Image.finished_at, Image.created_at, type_=Image.created_at.type),
            ExportFile.decision_id,
            Campaign.name,
            PictureMeasures.numbers,
            PictureMeasures.flags,
            PictureMeasures.embedders,
            BrandScore.score,
            BrandScore.parts,
        )
        .join(Image, Image.id == ExportFile.image_id)
        .outerjoin(PictureMeasures, PictureMeasures.image_id == Image.id)
        .join(Campaign, Campaign.id == Image.campaign_id)
        .outerjoin(BrandScore, BrandScore.image_id == Image.id)
        .where(ExportFile.export_id == export_id, ExportFile.position > after, *which)
        .order_by(ExportFile.position)
        .limit(CHUNK)
    )
    return [FileRow(*tuple(row)) for row in rows]


def members(session: Session, export_id: int, *which: ColumnElement[bool]) -> Iterator[MemberRow]:
    """The files in the zip, in order."""
    rows = session.execute(
        select(ExportFile.name, ExportFile.key, ExportFile.sha256, ExportFile.bytes, ExportFile.crc32)
        .where(ExportFile.export_id == export_id, ExportFile.lost == false(), *which)
        .order_by(ExportFile.position)
        .execution_options(yield_per=CHUNK)
    )
    return (MemberRow(name, key or "", sha256 or "", size or 0, crc32 or 0) for name, key, sha256, size, crc32 in rows)


@dataclass(frozen=True, slots=True)
class SharedRow:
    """A picture of an export as a guest sees it: its first file, or another one, in another size."""

    position: int  # of the file in the export
    name: str
    key: str
    sha256: str
    bytes: int
    prompt: str
    width: int  # px, of the file
    height: int


def shared(
    session: Session, export_id: int, *which: ColumnElement[bool], limit: int, newest_first: bool = False
) -> list[SharedRow]:
    """The pictures of an export in order, each by the first of its files, or the last before a position."""
    first = select(func.min(ExportFile.position)).where(ExportFile.export_id == export_id, ExportFile.lost == false())
    order = ExportFile.position.desc() if newest_first else ExportFile.position
    return _rows(session, export_id, order, limit, ExportFile.position.in_(first.group_by(ExportFile.image_id)), *which)


def sizes(session: Session, export_id: int, position: int) -> list[SharedRow]:
    """All files of the picture of which one is at a position, in order."""
    picture = select(ExportFile.image_id).filter_by(export_id=export_id, position=position).scalar_subquery()
    here = ExportFile.image_id == picture, ExportFile.lost == false()
    return _rows(session, export_id, ExportFile.position, None, *here)


def _rows(
    session: Session,
    export_id: int,
    order: ColumnExpressionArgument[int],
    limit: int | None,
    *which: ColumnElement[bool],
) -> list[SharedRow]:
    rows = session.execute(
        select(ExportFile, Image.prompt, ImageSet.width, ImageSet.height)
        .join(Image, Image.id == ExportFile.image_id)
        .join(ImageSet, ImageSet.id == Image.set_id)
        .where(ExportFile.export_id == export_id, *which)
        .order_by(order)
        .limit(limit)
    )
    return [
        SharedRow(
            file.position,
            file.name,
            file.key or "",
            file.sha256 or "",
            file.bytes or 0,
            prompt,
            *(pixels(file.size) or (width, height)),
        )
        for file, prompt, width, height in rows
    ]


def made(session: Session, export_id: int) -> tuple[int, int]:
    """How many files of an export are made or known to be lost, and how many of these are lost."""
    ended = or_(ExportFile.key.is_not(None), ExportFile.lost)
    statement = select(func.count(), func.count().filter(ExportFile.lost)).select_from(ExportFile)
    done, lost = session.execute(statement.where(ExportFile.export_id == export_id, ended)).one()
    return done, lost


def set_ids(session: Session, export_id: int) -> list[int]:
    """The sets whose pictures are in an export."""
    statement = select(Image.set_id).join(ExportFile, ExportFile.image_id == Image.id)
    return list(session.scalars(statement.where(ExportFile.export_id == export_id).distinct()))


def decisions(session: Session, files: Sequence[FileRow]) -> dict[int, list[DecisionRow]]:
    """The decisions on each picture up to its approval, oldest first, by image id."""
    approval = aliased(Decision)
    pairs = {(each.image_id, each.decision_id) for each in files}
    rows = session.scalars(
        select(Decision)
        .join(approval, approval.image_id == Decision.image_id)
        .where(tuple_(approval.image_id, approval.id).in_(pairs), Decision.id <= approval.id)
        .options(joinedload(Decision.user))
        .order_by(Decision.image_id, Decision.id)
    ).all()
    sheets = customs.sheets(session, {row.sheet_id for row in rows if row.sheet_id})
    return {
        image_id: _decision_rows(list(decided), sheets)
        for image_id, decided in groupby(rows, key=lambda row: row.image_id)
    }


def _decision_rows(decided: Sequence[Decision], sheets: Mapping[int, ChecklistSheet]) -> list[DecisionRow]:
    stand = {each.id for each in standing(decided)}
    return [
        DecisionRow(each.verdict, each.user.name, each.created_at, each.id in stand, sheets.get(each.sheet_id or 0))
        for each in counted(decided)
    ]


def lost_names(session: Session, export_id: int, limit: int = 20) -> list[str]:
    """The names of files whose picture is lost."""
    statement = select(ExportFile.name).where(ExportFile.export_id == export_id, ExportFile.lost)
    return list(session.scalars(statement.order_by(ExportFile.position).limit(limit)))


def first_names(session: Session, export_id: int, limit: int = 3) -> list[str]:
    statement = select(ExportFile.name).where(ExportFile.export_id == export_id)
    return list(session.scalars(statement.order_by(ExportFile.position).limit(limit)))


def used_files(session: Session, hashes: Sequence[str]) -> set[str]:
    """Those of `hashes` that belong to a file of some export."""
    found = session.scalars(select(ExportFile.sha256).where(ExportFile.sha256.in_(hashes)).distinct())
    return {sha256 for sha256 in found if sha256}
