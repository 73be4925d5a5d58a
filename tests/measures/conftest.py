"""A measurer with a real database, real files and a real process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from PIL import Image as Picture
from PIL import ImageDraw
from sqlalchemy import select

from app import slow
from app.database import Database
from app.files import Files, Kind
from app.measures import worker
from app.measures.jobs import Answer, Job
from app.measures.measurer import Measurer
from app.measures.process import MeasuringProcess
from app.models import Image, ImageSet, PictureMeasures, State
from app.sets import units
from app.settings import Settings
from app.work import queue
from tests.factory import MODEL, Factory, encoded

Make = Callable[[], "contextmanager[Factory]"]


def scene(colour: str, size: tuple[int, int] = (128, 96), x: int = 40) -> bytes:
    """A disc of a colour on a light ground."""
    picture = Picture.new("RGB", size, "#eee8dd")
    ImageDraw.Draw(picture).ellipse((x, 20, x + 50, 70), fill=colour)
    return encoded(picture)


@pytest.fixture
def making(database: Database, files: Files) -> Callable[[], "contextmanager[Factory]"]:
    """Rows with their files, committed."""
    factory: list[Factory] = []

    @contextmanager
    def make() -> Iterator[Factory]:
        with slow.permitted(), database.write() as session:
            made = Factory(session, files)
            if factory:
                made._numbers = factory[0]._numbers
            factory.append(made)
            yield made

    return make


def finished(make: Factory, colours: list[str], reference: str = "#c03020") -> ImageSet:
    """A finished set with a picture of each colour, in a style with a reference of one."""
    style = make.style(reference=make.reference(data=scene(reference, x=10)))
    prompts = "\n".join(f"thing {number}" for number, _ in enumerate(colours))
    image_set = make.image_set(style=style, prompts=prompts, count=1)
    make.session.flush()
    finish(make, image_set, colours)
    return image_set


def finish(make: Factory, image_set: ImageSet, colours: list[str]) -> None:
    """Finish what is queued of a set, in these colours."""
    images = make.session.scalars(
        select(Image).where(Image.set_id == image_set.id, Image.state == State.QUEUED).order_by(Image.position)
    )
    for image, colour in zip(images, colours, strict=False):
        assert image.unit
        image.unit.state, image.unit.tries, image.state = State.GENERATING, 1, State.GENERATING
        make.session.flush()
        data = scene(colour, x=20 + 5 * (image.position % 8))
        units.finish_image(
            make.session, image.unit.id, image.id, make.files.put(Kind.IMAGES, data), len(data), seconds=0.5
        )
    for unit in {image.unit for image in image_set.images if image.unit and image.state == State.FINISHED}:
        if all(image.state == State.FINISHED for image in unit.images):
            queue.end_unit(make.session, unit.id)
    make.session.flush()
    make.session.refresh(image_set)
    _ = image_set.images, image_set.owner, image_set.style_version.references


class InThisProcess(MeasuringProcess):
    """Does the same jobs here, without the models that take seconds to load."""

    def start(self) -> None:
        pass

    def run(self, job: Job) -> Answer:
        return worker.done(job, ())


@pytest.fixture
def measurer(settings: Settings, database: Database, files: Files) -> Measurer:
    """Everything but the process."""
    return without_process(settings, database, files)


def without_process(settings: Settings, database: Database, files: Files) -> Measurer:
    measurer = Measurer(settings, database, files, lambda: MODEL)
    measurer.process = InThisProcess(settings, measurer.background.stopping)
    return measurer


@pytest.fixture
def real(settings: Settings, database: Database, files: Files) -> Iterator[Measurer]:
    """With the process, as the server has it, except for the models that take seconds to load."""
    measurer = Measurer(settings.model_copy(update={"measures": "off"}), database, files, lambda: MODEL)
    yield measurer
    measurer.background.stopping.set()
    measurer.process.close()


def rows_of(database: Database, set_id: int) -> list[PictureMeasures]:
    """What is measured of the pictures of a set, in their order."""
    with database.read() as session:
        return list(
            session.scalars(
                select(PictureMeasures)
                .join(Image, Image.id == PictureMeasures.image_id)
                .where(Image.set_id == set_id)
                .order_by(Image.position, Image.version)
            )
        )
