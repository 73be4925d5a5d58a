"""One loaded demo model for all of these tests: loading is the slow part, and nothing may change it."""

from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from app.style_aligned import Event, ImageReady, Studio
from tests.demo import SMALL

LOOKS = Path(__file__).parents[1] / "data" / "looks"


@pytest.fixture(scope="session")
def looks() -> dict[str, Image.Image]:
    """Pictures that the demo model never saw, in four looks that it did."""
    return {file.stem: Image.open(file).convert("RGB") for file in sorted(LOOKS.glob("*.webp"))}


def ready(events: Iterator[Event]) -> list[ImageReady]:
    """The finished images, by position."""
    return sorted((e for e in events if isinstance(e, ImageReady)), key=lambda e: e.index)


@pytest.fixture(scope="session")
def whole_studio() -> Studio:
    return Studio.load("demo", device="cpu")


@pytest.fixture(scope="session")
def small_studio(whole_studio: Studio) -> Studio:
    """The same model, drawing small pictures unless asked for others."""
    small = copy(whole_studio)
    small.defaults = replace(small.defaults, size=SMALL)
    return small


@pytest.fixture(scope="session")
def studio(whole_studio: Studio) -> Studio:
    """Modules that only compare pictures with each other, whatever they show, take the small one instead."""
    return whole_studio
