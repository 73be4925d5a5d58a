"""One loaded demo model for the tests that need no command."""

import pytest

from app.style_aligned import Studio


@pytest.fixture(scope="session")
def studio() -> Studio:
    return Studio.load("demo", device="cpu")
