"""Store what was measured, and flag by the bounds that a style has at that moment."""

from collections.abc import Collection, Mapping, Sequence
from statistics import fmean

from sqlalchemy import bindparam, delete, select, true, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from app.effects import Happened
from app.measures.bounds import Bounds, bounds_of
from app.measures.jobs import MeasuredFile
from app.measures.waiting import WaitingPicture, WaitingReference
from app.models import (
    FlagsDue,
    Image,
    ImageSet,
    PictureFeatures,
    PictureMeasures,
    Reference,
    ReferenceFeatures,
    SetMeasures,
    StyleReference,
    now,
)
from app.quality.measures import DEFINITIONS, Measure


def flags_of(numbers: Mapping[str, float], bounds: Bounds) -> dict[str, float]:
    """The bounds that a picture is beyond, by measure."""
    return {
        measure: bound
        for measure, bound in bounds.items()
        if bound is not None and measure in numbers and DEFINITIONS[Measure(measure)].beyond(numbers[measure], bound)
    }


def keep_picture(session: Session, picture: WaitingPicture, found: MeasuredFile, made_with: str) -> None:
    """Store the features and the numbers of a picture; those within the set come when the set is compared."""
    flags = flags_of(found.numbers, bounds_of(session, picture.style_id))
    there = session.scalar(
        update(PictureMeasures)
        .where(PictureMeasures.image_id == picture.id)
        .values(
            due=False,
            tries=0,
            problem=None,
            made_with=made_with,
            numbers=found.numbers,
            flags=flags,
            flagged=bool(flags),
            embedders=found.embedders,
            measured_at=now(),
        )
        .returning(PictureMeasures.image_id)
    )
    if there is None:  # it was removed for good in the meantime
        return
    values = {"image_id": picture.id, "data": found.features}
    session.execute(
        insert(PictureFeatures).values(values).on_conflict_do_update(index_elements=["image_id"], set_=values)
    )
    _count_change(session, picture.set_id)


def keep_problem(session: Session, picture: WaitingPicture, problem: str, made_with: str) -> None:
    """Note why a picture cannot be measured; it is not tried again until its file is healed or the measures change."""
    session.execute(
        update(PictureMeasures)
        .where(PictureMeasures.image_id == picture.id)
        .values(due=False, tries=0, problem=problem, made_with=made_with, numbers={}, flags={}, flagged=False)
    )
    session.execute(update(PictureFeatures).where(PictureFeatures.image_id == picture.id).values(data=None))
    _count_change(session, picture.set_id)


def expect_again(session: Session, image_ids: Collection[int]) -> None:
    """Have pictures measured again."""
    session.execute(
        update(PictureMeasures).where(PictureMeasures.image_id.in_(image_ids)).values(due=True, tries=0, problem=None)
    )


def count_try(session: Session, picture: WaitingPicture) -> None:
    session.execute(
        update(PictureMeasures).where(PictureMeasures.image_id == picture.id).values(tries=picture.tries + 1)
    )


def keep_reference(session: Session, reference: WaitingReference, problem: str | None) -> None:
    """Store the features of a reference, unless its style was removed in the meantime."""
    known = session.get(ReferenceFeatures, (reference.version_id, reference.position))
    row = known or ReferenceFeatures(version_id=reference.version_id, position=reference.position)
    row.made_with, row.data, row.problem = reference.made_with, reference.data, problem
    session.add(row)


_NUMBERS = (
    update(PictureMeasures)
    .where(PictureMeasures.image_id == bindparam("picture"), PictureMeasures.due != true())
    .values(numbers=bindparam("new_numbers"), flags=bindparam("new_flags"), flagged=bindparam("is_flagged"))
)


def keep_numbers(session: Session, style_id: int, numbers: Mapping[int, dict[str, float]]) -> None:
    """Store the numbers of pictures by id."""
    bounds = bounds_of(session, style_id)
    rows = []
    for image_id, found in numbers.items():
        flags = flags_of(found, bounds)
        rows.append({"picture": image_id, "new_numbers": found, "new_flags": flags, "is_flagged": bool(flags)})
    session.connection().execute(_NUMBERS, rows)


def keep_set(session: Session, set_id: int, changes: int, numbers: Sequence[Mapping[str, float]], sampled: int) -> None:
    """Store the means of a set's pictures; `changes` is what it had when they were read."""
    means = {
        str(measure): round(fmean(known), 6)
        for measure in Measure
        if (known := [each[measure] for each in numbers if measure in each])
    }
    session.execute(
        update(SetMeasures)
        .where(SetMeasures.set_id == set_id)
        .values(
            compared_changes=changes,
            numbers=means,
            total=len(numbers),
            sampled=sampled,
            compared_at=now(),
        )
    )


def skip_set(session: Session, set_id: int, changes: int) -> None:
    """Leave the numbers of a set as they are until it changes again."""
    session.execute(update(SetMeasures).where(SetMeasures.set_id == set_id).values(compared_changes=changes))


def _count_change(session: Session, set_id: int) -> None:
    session.execute(update(SetMeasures).where(SetMeasures.set_id == set_id).values(changes=SetMeasures.changes + 1))


def flag_again(session: Session, style_id: int, after: int, part: int) -> None:
    """Flag the next `part` pictures of a style by its bounds, in the order of their ids."""
    rows = session.execute(
        select(PictureMeasures.image_id, PictureMeasures.numbers)
        .join(Image, Image.id == PictureMeasures.image_id)
        .where(Image.style_id == style_id, Image.id > after, PictureMeasures.due != true())
        .order_by(Image.id)
        .limit(part)
    ).all()
    if rows:
        keep_numbers(session, style_id, dict(rows))
    if len(rows) < part:
        session.execute(delete(FlagsDue).where(FlagsDue.style_id == style_id))
    else:
        session.execute(update(FlagsDue).where(FlagsDue.style_id == style_id).values(after=rows[-1][0]))


# Consequences of acts, in their transactions


def forget(session: Session, happened: Happened) -> None:
    """Remove what was measured of pictures that are removed for good."""
    ids = [row.id for row in happened.rows if isinstance(row, Image)]
    for table in (PictureFeatures, PictureMeasures):
        session.execute(delete(table).where(table.image_id.in_(ids)))


def expect_healed(session: Session, happened: Happened) -> None:
    """Measure pictures and references again whose file was missing or damaged."""
    sha256 = happened.details.get("sha256")
    of_file = select(Image.id).where(Image.sha256 == sha256)
    session.execute(
        update(PictureMeasures)
        .where(PictureMeasures.image_id.in_(of_file), PictureMeasures.problem.is_not(None))
        .values(due=True, problem=None)
    )
    _expect_references(session, sha256)


def _expect_references(session: Session, sha256: str | None) -> None:
    """Compare the sets again that went without this reference."""
    uses = (
        select(ReferenceFeatures)
        .join(
            StyleReference,
            (StyleReference.version_id == ReferenceFeatures.version_id)
            & (StyleReference.position == ReferenceFeatures.position),
        )
        .join(Reference, Reference.id == StyleReference.reference_id)
        .where(Reference.sha256 == sha256, ReferenceFeatures.problem.is_not(None))
    )
    rows = session.scalars(uses).all()
    for row in rows:
        row.made_with, row.problem = "", None
    of_styles = select(ImageSet.id).where(ImageSet.style_version_id.in_({row.version_id for row in rows}))
    session.execute(
        update(SetMeasures).where(SetMeasures.set_id.in_(of_styles)).values(changes=SetMeasures.changes + 1)
    )
