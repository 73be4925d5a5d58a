"""A Studio in the tests' own process, for what work makes; `test_local.py` tests the process around it."""

from collections.abc import Callable
from pathlib import Path
from threading import Event as Flag
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from app.engine.events import Crop, Event, Unit, UnitImage, UnitReference, Work
from app.settings import Settings
from tests.demo import SIDE

if TYPE_CHECKING:
    from app.engine.runner import Runner

Made = Callable[[Work], list[Event]]


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> "Runner":
    from app.engine.runner import Runner  # not for tests without a model: torch takes seconds to import

    return Runner.load(Settings(data=tmp_path_factory.mktemp("runner"), device="cpu"))


@pytest.fixture(scope="module")
def made(runner: "Runner") -> Made:
    """All events of a unit or a training."""
    return lambda work: list(runner.run(work, Flag()))


@pytest.fixture
def unit(tmp_path: Path) -> Unit:
    path = tmp_path / "reference.png"
    picture = Image.new("RGB", (200, 100), "crimson")
    picture.paste("navy", (100, 0, 200, 100))
    picture.save(path)
    images = (UnitImage(7, "a fox", 1), UnitImage(8, "a teapot", 2))
    reference = UnitReference(path, Crop(0.5, 0.0, 0.5, 1.0))
    how = {"negative_prompt": "", "width": SIDE, "height": SIDE, "steps": 8, "guidance": 4.0, "scheduler": "ddim"}
    return Unit(1, images, (reference,), "noise", 1.0, 1.0, True, True, **how)
