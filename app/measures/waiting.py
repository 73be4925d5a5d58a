"""What is to be measured or compared next."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, exists, func, select, true, update
from sqlalchemy.orm import Session

from app.database import Database
from app.models import (
    FlagsDue,
    Image,
    ImageSet,
    PictureFeatures,
    PictureMeasures,
    Reference,
    ReferenceFeatures,
    SetMeasures,
    State,
    StyleReference,
    StyleVersion,
    Unit,
)
from app.prompts.reader import Reader
from app.subjects import queries as subjects

GROWTH = 1.25  # times the pictures compared before: a set that is still being made is compared again


class WaitingPicture(NamedTuple):
    id: int
    set_id: int
    style_id: int
    sha256: str
    text: str  # the words of its prompt that name the main subject
    tries: int
    subject: bytes | None
    pixels: int
    seamless: bool


class WaitingReference(NamedTuple):
    version_id: int
    position: int
    sha256: str
    name: str
    crop: tuple[float, float, float, float]
    made_with: str
    data: bytes | None


class MeasuredSet(NamedTuple):
    """What is compared in a set, in the order of its pictures."""

    style_id: int
    changes: int
    image_ids: Sequence[int]
    features: Sequence[bytes]


_DUE = (
    select(
        Image.id,
        Image.set_id,
        Image.style_id,
        Image.sha256,
        func.coalesce(Image.drawn_as, Image.prompt),
        PictureMeasures.tries,
        PictureFeatures.subject,
        ImageSet.width * ImageSet.height,
        ImageSet.seamless,
    )
    .select_from(PictureMeasures)
    .join(Image, Image.id == PictureMeasures.image_id)
    .join(ImageSet, ImageSet.id == Image.set_id)
    .outerjoin(PictureFeatures, PictureFeatures.image_id == Image.id)
    .where(PictureMeasures.due == true(), Image.sha256.is_not(None), Image.purged_at.is_(None))
    .order_by(PictureMeasures.image_id.desc())
    .limit(1)
)


def picture(session: Session, reader: Reader) -> WaitingPicture | None:
    """The newest picture that is to be measured; `reader` is the model's."""
    row = session.execute(_DUE).first()
    if not row:
        return None
    found = WaitingPicture(*cast(Any, row))
    image_set = session.get_one(ImageSet, found.set_id)
    return found._replace(text=_subject_words(session, image_set, image_set.said(found.text), reader))


def _subject_words(session: Session, image_set: ImageSet, prompt: str, reader: Reader) -> str:
    """What a prompt names; a subject by the kind of thing it is, since CLIP never read its trigger words."""
    kinds = {each.handle: each.class_words or each.phrase for each, _ in subjects.of_set(session, image_set)}
    return reader.subject(prompt, kinds) or prompt


def references(session: Session, set_id: int) -> list[WaitingReference]:
    """The references of a set, with what is known of them."""
    of_reference = (ReferenceFeatures.version_id == StyleReference.version_id) & (
        ReferenceFeatures.position == StyleReference.position
    )
    rows = session.execute(
        select(StyleReference, Reference.sha256, Reference.original_name, ReferenceFeatures)
        .join(ImageSet, ImageSet.style_version_id == StyleReference.version_id)
        .join(Reference, Reference.id == StyleReference.reference_id)
        .outerjoin(ReferenceFeatures, of_reference)
        .where(ImageSet.id == set_id)
        .order_by(StyleReference.position)
    )
    return [
        WaitingReference(
            each.version_id,
            each.position,
            sha256,
            name,
            (each.crop_x, each.crop_y, each.crop_width, each.crop_height),
            known.made_with if known else "",
            known.data if known else None,
        )
        for each, sha256, name, known in rows
    ]


def is_making(session: Session) -> bool:
    """Whether the model works on anything."""
    return bool(session.scalar(select(exists().where(Unit.state == State.GENERATING))))


_DUE_SETS = select(SetMeasures.set_id).where(SetMeasures.changes > SetMeasures.compared_changes)


def changed_set(session: Session) -> int | None:
    """The newest set that is to be compared again, when no picture is left to measure."""
    for set_id in session.scalars(_DUE_SETS.order_by(SetMeasures.set_id.desc())):
        if is_ready(session, set_id):
            return set_id
    return None


def is_ready(session: Session, set_id: int) -> bool:
    """Whether to compare a changed set now: all of it is measured, or a quarter more than the last time.

    So a set of any size is compared a few times while it is made, not once per picture.
    """
    row = session.get(SetMeasures, set_id)
    if not row or row.changes <= row.compared_changes:
        return False
    shown = select(func.count()).select_from(Image).join(PictureMeasures, PictureMeasures.image_id == Image.id)
    of_set = Image.set_id == set_id, Image.shown
    measured = session.scalar(shown.where(*of_set, PictureMeasures.due != true())) or 0
    coming = Image.set_id == set_id, Image.state.in_((State.QUEUED, State.GENERATING))
    complete = not session.scalar(shown.where(*of_set, PictureMeasures.due == true())) and not session.scalar(
        select(exists().where(*coming))
    )
    return complete or measured >= max(1, GROWTH * row.total)


def measured_set(session: Session, set_id: int) -> MeasuredSet:
    style_id = session.scalar(
        select(StyleVersion.style_id)
        .join(ImageSet, ImageSet.style_version_id == StyleVersion.id)
        .where(ImageSet.id == set_id)
    )
    changes = session.scalar(select(SetMeasures.changes).where(SetMeasures.set_id == set_id))
    rows = session.execute(
        select(Image.id, PictureFeatures.data)
        .join(PictureMeasures, PictureMeasures.image_id == Image.id)
        .join(PictureFeatures, PictureFeatures.image_id == Image.id)
        .where(Image.set_id == set_id, Image.shown, PictureMeasures.due != true(), PictureFeatures.data.is_not(None))
        .order_by(Image.position, Image.id)
    ).all()
    return MeasuredSet(style_id or 0, changes or 0, [row[0] for row in rows], [row[1] for row in rows if row[1]])


def style_to_flag(session: Session) -> tuple[int, int] | None:
    """A style with new bounds, and the last of its pictures that is flagged by them."""
    row = session.execute(select(FlagsDue.style_id, FlagsDue.after).limit(1)).first()
    return (row[0], row[1]) if row else None


def is_any(session: Session, made_with: Collection[str]) -> bool:
    """Whether any picture was measured in one of these ways."""
    return bool(session.scalar(select(exists().where(PictureMeasures.made_with.in_(made_with)))))


def outdate(database: Database, made_with: Collection[str], part: int) -> bool:
    """Note some of the pictures that were measured in another way, to be measured again; False if none are left."""
    return _expect(database, PictureMeasures.made_with.not_in(made_with), part)


def expect(database: Database, made_with: Collection[str], part: int) -> bool:
    """Note some of those that were measured in one of these ways, to be measured again; False if none are left."""
    return _expect(database, PictureMeasures.made_with.in_(made_with), part)


def _expect(database: Database, which: ColumnElement[bool], part: int) -> bool:
    with database.read() as session:
        found = select(PictureMeasures.image_id).where(which, PictureMeasures.due != true()).limit(part)
        ids = list(session.scalars(found))
    if ids:
        with database.write() as session:
            session.execute(
                update(PictureMeasures).where(PictureMeasures.image_id.in_(ids)).values(due=True, tries=0, problem=None)
            )
    return len(ids) == part
