"""One loaded demo model for all of these tests: loading is the slow part, and nothing may change it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from app.style_aligned import Event, ImageReady, Studio

LOOKS = Path(__file__).parents[1] / "data" / "looks"


@pytest.fixture(scope="session")
def looks() -> dict[str, Image.Image]:
    """Pictures that the demo model never saw, in four looks that it did."""
    return {file.stem: Image.open(file).convert("RGB") for file in sorted(LOOKS.glob("*.webp"))}


def ready(events: Iterator[Event]) -> list[ImageReady]:
    """The finished images, by position."""
    return sorted((e for e in events if isinstance(e, ImageReady)), key=lambda e: e.index)


@pytest.fixture(scope="session")
def studio() -> Studio:
    return Studio.load("demo", device="cpu")
