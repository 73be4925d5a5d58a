"""The pictures of the sample are real: what its rows say gives the same pictures, in English and in Japanese."""

import io
from pathlib import Path
from threading import Event as Flag

import numpy as np
import pytest
from PIL import Image as Picture
from sqlalchemy.orm import Session

from app.engine.events import ImageReady
from app.files import Files, Kind
from app.languages import speaking
from app.models import ImageSet
from app.samples import service
from app.sets.units import engine_work
from app.settings import Settings
from tests.factory import Factory

ALIKE = 4.0  # of 255, as a mean: another processor rounds otherwise


@pytest.mark.parametrize("language", ["en", "ja"])
def test_redoing_gives_the_same_picture(
    session: Session, make: Factory, files: Files, tmp_path: Path, language: str
) -> None:
    from app.engine.runner import Runner  # not for tests without a model: torch takes seconds to import

    with speaking(language):
        sample = service.open_sample(session, make.user(), service.store(files))
    image_set = session.get_one(ImageSet, sample.set_id)
    some = [image_set.images[number] for number in (0, 9)]
    work = engine_work(session, 1, image_set, image_set.style_version, some, image_set.strength, files, None)
    runner = Runner.load(Settings(data=tmp_path / "model", device="cpu"))
    made = {event.image_id: event.png for event in runner.run(work, Flag()) if isinstance(event, ImageReady)}
    for image in some:
        drawn, stored = pixels(made[image.id]), pixels(files.read(Kind.IMAGES, image.sha256 or ""))
        assert np.abs(drawn - stored).mean() < ALIKE, image.prompt


def pixels(png: bytes) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    return np.asarray(Picture.open(io.BytesIO(png)).convert("RGB"), dtype=np.float64)
