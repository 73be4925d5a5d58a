"""The knee of a trade-off, on curves whose answer is known."""

import pytest

from app.quality.tuning import Scores, Tried, knee


def curve(*points: tuple[float, float, float, float | None]) -> list[Tried]:
    return [Tried(strength, Scores(look, words, leak)) for strength, look, words, leak in points]


def test_the_knee_is_where_the_look_has_come_and_the_words_have_not_gone() -> None:
    tried = curve((0.0, 0.40, 0.30, 0.1), (0.5, 0.70, 0.29, 0.1), (1.0, 0.75, 0.22, 0.1), (2.0, 0.78, 0.10, 0.1))
    assert knee(tried) == 1


def test_leakage_counts_against_a_setting() -> None:
    points = [(0.0, 0.4, 0.3, 0.1), (0.7, 0.6, 0.28, 0.1), (1.0, 0.75, 0.27, 0.6)]
    assert knee(curve(*points)) == 1
    assert knee(curve(*[(*point[:3], None) for point in points])) == 2


def test_the_weaker_of_equals_is_taken_then_the_one_tried_first() -> None:
    tried = curve(
        (0.0, 0.5, 0.3, 0.1), (1.0, 0.7, 0.3, 0.1), (0.4, 0.701, 0.3, 0.1), (0.4, 0.7, 0.3, 0.1), (2.0, 0.6, 0.3, 0.1)
    )
    assert knee(tried) == 2


def test_there_is_no_knee_where_nothing_tells_the_settings_that_share_apart() -> None:
    """Not even if no sharing is far from them."""
    assert knee(curve((0.0, 0.1, 0.1, 0.9), (0.4, 0.501, 0.302, 0.1), (1.0, 0.502, 0.301, 0.101))) is None


def test_no_sharing_is_never_the_answer() -> None:
    assert knee(curve((0.0, 0.9, 0.9, 0.0), (1.0, 0.1, 0.1, 0.9))) == 1
    assert knee(curve((0.0, 0.9, 0.9, 0.0))) is None
    assert knee([]) is None


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_the_unit_of_a_score_does_not_matter(scale: float) -> None:
    points = [(0.0, 0.40, 0.30, None), (0.5, 0.70, 0.29, None), (1.0, 0.75, 0.22, None)]
    assert knee(curve(*[(s, a * scale, b, c) for s, a, b, c in points])) == 1
