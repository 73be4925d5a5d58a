"""Read what was measured. Everyone who is signed in sees all of it: it is a team's tool."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from app.accounts.queries import I_AM_ACTIVE, asks
from app.measures import words
from app.measures.versions import missing
from app.models import Image, PictureFeatures, PictureMeasures, SetMeasures, User, Verdict
from app.quality import layout
from app.quality.measures import DEFINITIONS, Measure

COMPARED = 24  # pictures of a set, by their layouts: all pairs take a hundredth of a second
NAMES = {str(measure) for measure in DEFINITIONS}


@dataclass(frozen=True)
class MeasuredPicture:
    """A picture of a set, with its numbers and the bounds that it is beyond, by measure."""

    id: int
    position: int
    prompt: str
    decision: Verdict | None
    due: bool
    problem: str | None
    numbers: Mapping[str, float]
    flags: Mapping[str, float]
    embedders: Mapping[str, str]  # the models that took part, by role
    made_with: str

    @property
    def missing_words(self) -> str:
        """Which models could not be loaded, in a sentence; "" if all were."""
        return words.missing(missing(self.made_with))

    @cached_property
    def reasons(self) -> list[str]:
        """Why it is flagged, a sentence each."""
        return words.reasons(self.numbers, self.flags)

    @property
    def problem_words(self) -> str:
        """Why it was not measured; "" if it was, or will be."""
        return words.problem(self.problem) if self.problem else ""

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        """Its numbers as people read them: what it is, the value, and the reason if it is flagged by it."""
        return [
            (
                words.label(measure),
                words.value(measure, self.numbers[measure]),
                words.reason(measure, self.numbers[measure], self.flags[measure]) if measure in self.flags else "",
            )
            for measure in map(str, Measure)
            if measure in self.numbers
        ]


COLUMNS = (
    Image.id,
    Image.position,
    Image.prompt,
    Image.decision,
    PictureMeasures.due,
    PictureMeasures.problem,
    PictureMeasures.numbers,
    PictureMeasures.flags,
    PictureMeasures.embedders,
    PictureMeasures.made_with,
)
_MEASURED = select(*COLUMNS).join(PictureMeasures, PictureMeasures.image_id == Image.id).where(I_AM_ACTIVE)
_OF_SET = _MEASURED.where(Image.set_id == bindparam("set_id"), Image.shown).order_by(Image.position)
_OF_IMAGE = _MEASURED.where(Image.id == bindparam("image_id"))
_SET = select(SetMeasures).where(SetMeasures.set_id == bindparam("set_id"))
_LAYOUTS = (
    select(PictureFeatures.layout)
    .join(Image, Image.id == PictureFeatures.image_id)
    .where(Image.set_id == bindparam("set_id"), Image.shown, PictureFeatures.layout.is_not(None))
    .order_by(Image.position)
    .limit(bindparam("most"))
)
_NUMBERS = select(PictureMeasures.image_id, PictureMeasures.numbers, PictureMeasures.flags).where(
    PictureMeasures.image_id.in_(bindparam("ids", expanding=True)), PictureMeasures.due.is_(False)
)


def of_set(session: Session, user: User, set_id: int) -> list[MeasuredPicture]:
    """The shown pictures of a set, in its order."""
    return [MeasuredPicture(*cast(Any, row)) for row in session.execute(_OF_SET, asks(user) | {"set_id": set_id})]


def of_image(session: Session, user: User, image_id: int) -> MeasuredPicture | None:
    """A picture; None if it was never shown, or removed for good."""
    row = session.execute(_OF_IMAGE, asks(user) | {"image_id": image_id}).first()
    return MeasuredPicture(*cast(Any, row)) if row else None


def whole_set(session: Session, set_id: int) -> SetMeasures | None:
    """The numbers of a set as a whole; None if none of its pictures was ever shown."""
    return session.scalar(_SET, {"set_id": set_id})


def alike(session: Session, set_id: int) -> float | None:
    """How alike the first pictures of a set are laid out, 0 to 1 (`app.quality.layout`); None if that is not known."""
    found = session.scalars(_LAYOUTS, {"set_id": set_id, "most": COMPARED})
    return layout.alike([each for each in found if each])


def numbers_of(session: Session, image_ids: Collection[int]) -> dict[int, tuple[dict[str, float], list[str]]]:
    """The numbers of pictures, and the measures by which they are flagged, by id; without those not measured."""
    return {
        image_id: ({name: numbers[name] for name in map(str, Measure) if name in numbers}, sorted(flags))
        for image_id, numbers, flags in session.execute(_NUMBERS, {"ids": list(image_ids)})
    }
