"""Lines of known width."""

import pytest
from PIL import Image

from app.quality.features import compared, features
from app.quality.measures import Measure
from app.quality.strokes import strokes
from tests.quality.drawn import lines, noisy, scene


@pytest.mark.parametrize("width", [4, 6, 10, 16])
@pytest.mark.parametrize(("ink", "paper"), [("black", "white"), ("white", "navy"), ("#803010", "#f0e0c0")])
def test_the_width_of_lines_is_told(width: int, ink: str, paper: str) -> None:
    found = strokes(lines(width, ink, paper))
    assert found is not None
    assert found.width * 512 == pytest.approx(width, rel=0.2)
    assert found.dark == (ink != "white")


def test_wider_lines_are_told_apart_at_any_size() -> None:
    fine, wide = lines(5), lines(10)
    for size in (1024, 300, 160):
        one, other = (strokes(picture.resize((size, size), Image.Resampling.LANCZOS)) for picture in (fine, wide))
        assert one is not None
        assert other is not None
        assert other.width / one.width == pytest.approx(2, rel=0.3)


def test_grain_makes_lines_no_thinner() -> None:
    clean = scene((120, 50, 30)).convert("RGB")
    clean.paste(lines(8, "#803010", "#f0e0c0").resize(clean.size))
    grainy = strokes(noisy(clean, 20))
    smooth = strokes(clean)
    assert grainy is not None
    assert smooth is not None
    assert grainy.width == pytest.approx(smooth.width, rel=0.15)


def test_a_picture_without_lines_has_none() -> None:
    assert strokes(Image.new("RGB", (128, 128), "teal")) is None
    disc = scene((200, 30, 40)).crop((40, 40, 210, 180))
    assert strokes(disc) is None
    assert strokes(noisy(disc, 8)) is None


def test_the_distance_is_how_much_wider_or_narrower_the_lines_are() -> None:
    fine, wide, plain = features(lines(5)), features(lines(10)), features(Image.new("RGB", (64, 64), "teal"))
    assert compared(fine, [fine], [])[Measure.STROKE_REFERENCE] == 0
    assert compared(fine, [wide], [])[Measure.STROKE_REFERENCE] == pytest.approx(100, abs=30)
    assert Measure.STROKE_REFERENCE not in compared(fine, [plain], [])
    assert Measure.STROKE_REFERENCE not in compared(plain, [fine], [])
