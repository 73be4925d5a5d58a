"""Rows for tests, made by the services themselves where possible."""

import io
from itertools import count
from typing import Any

from PIL import Image as Picture
from sqlalchemy.orm import Session

from app.engine.base import ModelFacts
from app.files import Files, Kind
from app.models import (
    Image,
    ImageSet,
    MapKind,
    PictureMeasures,
    Reference,
    RightsRecord,
    Role,
    SetMeasures,
    State,
    StructureMap,
    Style,
    Subject,
    Unit,
    User,
    Verdict,
)
from app.reviews import queries as review_queries
from app.reviews import service as reviews
from app.rights import service as rights
from app.rights.spec import RightsSpec
from app.sets import service as sets
from app.sets import units
from app.sets.spec import SetSpec
from app.structures import service as structures
from app.styles import service as styles
from app.styles.spec import ReferenceSpec, StyleSpec
from app.subjects import service as subjects
from app.subjects import training
from app.subjects.spec import SubjectSpec
from app.work import queue
from tests import reuse
from tests.engine.painter import Painter

MODEL = ModelFacts(
    name="demo",
    default_size=(256, 256),
    size_multiple=32,
    max_side=512,
    max_pixels=512 * 512,
    schedulers=("euler", "ddim"),
    default_steps=20,
    default_guidance=5.0,
    device="cpu, float32",
    controls=("edges", "silhouette"),
    scheduler_steps={"ddim": (2, 50)},
)
PASSWORD = "a long enough password"
PASSWORD_HASH = reuse.QUICK.hash(PASSWORD)


def png(colour: object = "teal", size: tuple[int, int] = (96, 64), mode: str = "RGB") -> bytes:
    """A picture of one colour."""
    return encoded(Picture.new(mode, size, colour))  # type: ignore[arg-type]


def encoded(picture: Picture.Image, kind: str = "PNG", **options: object) -> bytes:
    written = io.BytesIO()
    picture.save(written, kind, **options)
    return written.getvalue()


class Factory:
    def __init__(self, session: Session, files: Files) -> None:
        self.session = session
        self.files = files
        self._numbers = count(1)

    def user(self, role: Role = Role.DESIGNER, name: str = "", **values: Any) -> User:
        number = next(self._numbers)
        user = User(
            email=f"{number}@example.com",
            name=name or f"Person {number}",
            role=role,
            password_hash=PASSWORD_HASH,
            active=True,
        )
        for field, value in values.items():
            setattr(user, field, value)
        self.session.add(user)
        self.session.flush()
        return user

    def reference(self, user: User | None = None, data: bytes | None = None) -> Reference:
        """An uploaded picture; a different one per call."""
        number = next(self._numbers)
        data = data or png((number % 256, number // 256, 90))
        user = user or self.user()
        kept = styles.keep_picture(user, self.files, data)
        reference = styles.upload_reference(self.session, user, kept, f"{number}.png")
        self.session.flush()
        return reference

    def draft(self, reference: Reference | None = None, **values: Any) -> StyleSpec:
        part = ReferenceSpec(reference_id=(reference or self.reference()).id)
        return StyleSpec.parse({"name": "Retro sunburst", "references": (part,), **values})

    def style(self, user: User | None = None, reference: Reference | None = None, **values: Any) -> Style:
        user = user or self.user()
        style = styles.create(self.session, user, self.draft(reference or self.reference(user), **values))
        self.session.flush()
        return style

    def right(self, reference: Reference, **values: Any) -> RightsRecord:
        """Rights recorded by the uploader of the reference."""
        draft = RightsSpec.parse({"owned_by": "Mori Design Studio", "licence": "Commissioned", **values})
        standing = rights.queries.held(self.session, reference).record
        made = rights.save(self.session, reference.uploaded_by, reference, draft, standing.id if standing else None)
        self.session.flush()
        return made

    def spec(self, style: Style | None = None, **values: object) -> SetSpec:
        form = {"style": (style or self.style()).code, "prompts": "a fox\na teapot", **values}
        return SetSpec.from_form({name: str(value) for name, value in form.items()}, MODEL)

    def image_set(
        self, user: User | None = None, style: Style | None = None, unit_size: int = 4, **values: Any
    ) -> ImageSet:
        """A queued set; `values` are fields of the form."""
        user = user or self.user()
        return sets.create(self.session, user, self.spec(style, **values), MODEL, unit_size)

    def subject_draft(self, count: int = 3, **values: Any) -> SubjectSpec:
        """A draft with stored pictures, each of its own colour."""
        kept = [
            self.files.put(Kind.SUBJECTS, png((next(self._numbers) % 256, number * 40 % 256, 33), (128, 128)))
            for number in range(count)
        ]
        form = {"name": "Blue mug", "class_words": "mug", "steps": 6, "pictures": tuple(kept), **values}
        return SubjectSpec.from_form(form, MODEL.training)

    def subject(self, user: User | None = None, **values: Any) -> Subject:
        """A subject waiting to be trained."""
        draft = self.subject_draft(**values)
        kept = subjects.sizes(self.files, draft.pictures)
        subject = subjects.create_from_pictures(self.session, user or self.user(), kept, draft, MODEL)
        self.session.flush()
        return subject

    def finished_subject(self, user: User | None = None, **values: Any) -> Subject:
        """A trained subject with one sample."""
        subject = self.subject(user, **values)
        unit = self.session.query(Unit).filter_by(subject_id=subject.id).one()
        unit.state, unit.tries, subject.state = State.GENERATING, 1, State.GENERATING
        self.session.flush()
        sample = self.files.put(Kind.SUBJECTS, png("orange", (64, 64)))
        training.add_sample(self.session, unit.id, 3, sample)
        lora = f"lora {subject.handle}".encode()
        training.finish(self.session, unit.id, self.files.put_lora(lora), len(lora))
        queue.end_unit(self.session, unit.id)
        self.session.flush()
        return subject

    def structure_map(self, user: User | None = None) -> StructureMap:
        """An edge map of a square."""
        drawing = Picture.new("RGB", (128, 128), "white")
        drawing.paste("black", (40, 40, 90, 90))
        user = user or self.user()
        kept, _ = structures.draw(user, self.files, encoded(drawing), MapKind.EDGES, size=(128, 128), engine=Painter())
        made = structures.add(self.session, user, kept, "square.png")
        self.session.flush()
        return made

    def finish(self, image_set: ImageSet) -> list[Image]:
        """Make all of a set's queued pictures, each of its own colour, as a dispatcher would."""
        for unit in self.session.query(Unit).filter_by(set_id=image_set.id, state=State.QUEUED).order_by(Unit.id):
            unit.state, unit.tries, unit.started_at = State.GENERATING, 1, image_set.created_at
            for image in unit.images:
                image.state = State.GENERATING
            self.session.flush()
            for image in unit.images:
                data = png((image.id % 256, image.id // 256, 200))
                sha256 = self.files.put(Kind.IMAGES, data)
                units.finish_image(self.session, unit.id, image.id, sha256, len(data), 0.5)
            queue.end_unit(self.session, unit.id)
        self.session.flush()
        return list(image_set.images)

    def finished_set(self, user: User | None = None, style: Style | None = None, **values: Any) -> ImageSet:
        image_set = self.image_set(user, style, **values)
        self.finish(image_set)
        return image_set

    def measured(self, image_set: ImageSet) -> None:
        """Give the first three pictures of a finished set numbers, and a flag, as if they had been measured."""
        for image in image_set.images[:3]:
            row = self.session.get_one(PictureMeasures, image.id)
            row.due, row.measured_at, row.flagged = False, image.finished_at, True
            row.numbers = {"hue_reference": 31.0 + image.position, "palette_reference": 4.0, "clip_reference": 0.9}
            row.flags, row.embedders = {"hue_reference": 20.0}, {"clip": "bundled CLIP"}
        whole = self.session.get_one(SetMeasures, image_set.id)
        whole.numbers, whole.total, whole.compared_at = {"hue_reference": 33.0}, 3, image_set.created_at
        self.session.flush()

    def decide(self, image: Image, verdict: Verdict = Verdict.APPROVED, reviewer: User | None = None) -> None:
        """Give an image an outcome: a manager withdraws what other people decided."""
        reviewer = reviewer or self.user(Role.REVIEWER)
        for other in review_queries.standing(self.session, reviewer, image.id):
            if other.user_id != reviewer.id:
                reviews.withdraw(self.session, self.user(Role.MANAGER), other.id)
        if verdict is not Verdict.WITHDRAWN:
            latest = review_queries.latest(self.session, image.id)
            reason = next((each.words for each in review_queries.reasons(self.session)), "")
            reviews.decide(self.session, reviewer, image.id, verdict, latest.id if latest else None, reason)
        self.session.flush()
