"""Measures of sets against slow definitions, on pictures whose answer is known; the table; the plot."""

from collections.abc import Sequence
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from app.evaluation.measuring import Embedders, measured
from app.evaluation.plot import MeanPoint, plot
from app.evaluation.prompts import StyleSet
from app.evaluation.published import comparable
from app.evaluation.report import table
from app.evaluation.tables import Mean, interval, rows
from app.quality.colour import Vectors
from app.quality.look import Look

COLOURS = {"red": (200, 0, 0), "green": (0, 200, 0), "blue": (0, 0, 200), "grey": (115, 115, 115)}


class Colour:
    """Embeds a picture as its mean colour, and a text as the colour that it names: all cosines are known."""

    name = "mean colour"

    def __init__(self, role: str, power: float = 1.0) -> None:
        self.role, self.power = role, power

    def picture(self, picture: Image.Image) -> Vectors:
        return self.unit(np.asarray(picture, np.float32).mean((0, 1)))

    def text(self, text: str) -> Vectors | None:
        return self.unit(np.array(COLOURS[text.split()[-1]], np.float32))

    def patches(self, picture: Image.Image) -> Vectors:
        return self.picture(picture)[None, None]

    def unit(self, x: np.ndarray) -> Vectors:
        x = x**self.power
        return (x / np.linalg.norm(x)).astype(np.float32)


def plain(*names: str) -> list[Image.Image]:
    return [Image.new("RGB", (32, 32), COLOURS[name]) for name in names]


def test_a_set_that_shows_what_was_asked_and_nothing_else() -> None:
    each = StyleSet("flat", ("a red", "a green", "a blue", "a grey"))
    found = measured(plain("red", "green", "blue", "grey"), each, Embedders(Colour("clip")))
    assert found["alignment"] == pytest.approx(1.0)
    assert found["leakage"] == pytest.approx((0 + 0 + 1 / 3**0.5) / 3)
    assert found["consistency"] == pytest.approx((0 + 0 + 0 + 3 / 3**0.5) / 6)


def test_a_set_that_copies_its_first_picture() -> None:
    each = StyleSet("flat", ("a red", "a green", "a blue", "a grey"))
    found = measured(plain("red", "red", "red", "red"), each, Embedders(Colour("clip")))
    assert found["consistency"] == found["leakage"] == pytest.approx(1.0)
    assert found["alignment"] == pytest.approx((1 + 0 + 0 + 1 / 3**0.5) / 4)
    assert found["look"] == 0


def test_each_measure_comes_from_its_embedder_and_agrees_with_its_definition() -> None:
    random = np.random.default_rng(1)
    pictures = [Image.fromarray(random.integers(0, 255, (32, 32, 3), np.uint8)) for _ in range(4)]
    each = StyleSet("noise", ("red", "green", "blue", "grey"))
    clip, dino, csd = Colour("clip"), Colour("dino", 3), Colour("csd", 5)
    found = measured(pictures, each, Embedders.of([csd, clip, dino]))

    def pairs(embedder: Colour) -> float:
        total, count = 0.0, 0
        for first in range(4):
            for second in range(first + 1, 4):
                total += float(embedder.picture(pictures[first]) @ embedder.picture(pictures[second]))
                count += 1
        return total / count

    assert found["consistency"] == pytest.approx(pairs(dino), abs=1e-5)
    assert found["csd"] == pytest.approx(pairs(csd), abs=1e-5)
    looks = [Look.of(picture) for picture in pictures]
    distances = [looks[i].distance(looks[j]) for i in range(4) for j in range(i + 1, 4)]
    assert found["look"] == pytest.approx(sum(distances) / 6)


def test_names_of_embedders_stand_by_their_measures() -> None:
    named = Embedders(Colour("clip")).names
    assert named == {
        "alignment": "mean colour",
        "consistency": "mean colour",
        "leakage": "mean colour",
        "look": "pixels",
    }
    assert not comparable(named)
    paper = {"alignment": "openai/clip-vit-base-patch32", "consistency": "facebook/dino-vitb8"}
    assert comparable(paper)
    assert not comparable(paper | {"consistency": "facebook/dinov2-base"})


def test_the_interval_is_that_of_slow_resampling() -> None:
    values = np.random.default_rng(5).normal(0.5, 0.1, 40)
    random = np.random.default_rng(99)
    means = sorted(float(np.mean([values[random.integers(40)] for _ in range(40)])) for _ in range(4000))
    found = interval(values)
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(means[100], abs=0.005)
    assert found.high == pytest.approx(means[3900], abs=0.005)
    assert interval([0.25] * 7) == pytest.approx((0.25, 0.25, 0.25))


def sets(*alignments: float | None) -> list[dict[str, float] | None]:
    return [None if each is None else {"alignment": each, "look": 1 - each} for each in alignments]


def test_differences_are_taken_on_the_same_sets() -> None:
    """A setting that fails where all others are bad does not look better for it."""
    first, second = rows({"base": sets(0.1, 0.8, 0.9), "other": sets(None, 0.7, 0.8)}, "base")
    assert (second.sets, second.failed) == (2, 1)
    assert second.measures["alignment"].mean == pytest.approx(0.75)
    assert second.against["alignment"] == pytest.approx((-0.1, -0.1, -0.1))
    assert not first.against
    assert [row.name for row in rows({"base": sets(0.5), "broken": sets(None)}, "base")] == ["base"]


def test_the_table_has_published_lines_that_say_so() -> None:
    head, ours, *published = table(rows({"mine": sets(0.5, 0.7)}, "mine"), {"alignment": "a clip", "look": "pixels"})
    assert head[:7] == ["source", "setting", "sets", "failed", "alignment", "alignment low", "alignment high"]
    assert ours[:5] == ["ours", "mine", 2, 0, 0.6]
    assert "a clip" in ours
    assert all(str(line[0]).startswith("published: Hertz") and line[6] == "" for line in published)
    assert published[0][1:5] == ["StyleAligned", 100, 0, 0.287]


def exact(value: float) -> Mean:
    return Mean(value, value - 0.01, value + 0.01)


def drawn(points: Sequence[MeanPoint]) -> ElementTree.Element:
    return ElementTree.fromstring(plot(points, "x", "y", "what it shows"))  # noqa: S314  # our own


def test_points_stand_where_their_values_are() -> None:
    svg = drawn(
        [
            MeanPoint("low", exact(0.2), exact(0.1)),
            MeanPoint("high", exact(0.4), exact(0.3)),
            MeanPoint("<&", exact(0.3), exact(0.2), False),
        ]
    )
    tag = "{http://www.w3.org/2000/svg}"
    low, high = ((float(each.get("cx", 0)), float(each.get("cy", 0))) for each in svg.findall(f"{tag}circle"))
    assert low[0] < high[0]
    assert low[1] > high[1]
    (square,) = [each for each in svg.findall(f"{tag}rect") if each.get("width") == "8"]
    assert float(square.get("x", 0)) + 4 == pytest.approx((low[0] + high[0]) / 2, abs=0.1)
    said = [each.text for each in svg.iter(f"{tag}text")]
    assert {"low", "high", "<&", "x", "y"} <= set(said)


def test_names_of_crowded_points_do_not_cover_each_other() -> None:
    svg = drawn([MeanPoint(f"point {place}", exact(0.2), exact(0.5)) for place in range(12)])
    names = [each for each in svg.iter("{http://www.w3.org/2000/svg}text") if (each.text or "").startswith("point")]
    heights = sorted(float(each.get("y", 0)) for each in names)
    assert min(b - a for a, b in pairwise(heights)) >= 14
    assert heights[0] > 0
    assert heights[-1] < 460


def test_a_long_name_is_not_cut() -> None:
    name = "as an upload, subject dimmed"
    svg = drawn([MeanPoint(name, exact(0.2), exact(0.5))])
    (text,) = [each for each in svg.iter("{http://www.w3.org/2000/svg}text") if each.text == name]
    width = float(svg.get("viewBox", "").split()[2])
    assert width - float(text.get("x", 0)) >= 7 * len(name)  # px; as wide as DejaVu Sans


def test_a_single_setting_can_be_drawn() -> None:
    assert drawn([MeanPoint("only", Mean(0.5, 0.5, 0.5), Mean(0.5, 0.5, 0.5))]) is not None
