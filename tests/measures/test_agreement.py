"""The area under the ROC curve, against its definition, and the bound that agrees best."""

from itertools import pairwise, product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.measures.agreement import LEAST, area, curve, fit, outcome
from app.quality.measures import Definition

DISTANCE = Definition("°", 0, 180, "high", 0, 40)
LIKENESS = Definition("", -1, 1, "low", 2, None)
VALUES = st.lists(st.integers(0, 20).map(float), min_size=1, max_size=30)


@given(approved=VALUES, rejected=VALUES)
def test_the_area_is_how_often_a_rejected_one_is_worse(approved: list[float], rejected: list[float]) -> None:
    pairs = list(product(approved, rejected))
    by_definition = sum((bad > good) + 0.5 * (bad == good) for good, bad in pairs) / len(pairs)
    assert area(approved, rejected, DISTANCE) == pytest.approx(by_definition)
    assert area(approved, rejected, LIKENESS) == pytest.approx(1 - by_definition)


@given(approved=VALUES, rejected=VALUES)
def test_the_area_lies_under_the_curve(approved: list[float], rejected: list[float]) -> None:
    points = curve(approved, rejected, DISTANCE)
    assert points[0] == (0, 0)
    assert points[-1] == (1, 1)
    assert points == sorted(points)
    under = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(points))
    assert area(approved, rejected, DISTANCE) == pytest.approx(under)


def test_without_both_kinds_nothing_is_known() -> None:
    assert area([], [1.0], DISTANCE) is None
    assert area([1.0], [], DISTANCE) is None


def test_an_outcome_counts_each_picture_once() -> None:
    found = outcome([10.0, 20.0, 50.0], [30.0, 60.0], DISTANCE, 40)
    assert (found.hit, found.missed, found.false, found.passed) == (1, 1, 1, 2)
    assert found.youden == pytest.approx(1 / 2 - 1 / 3)
    nothing = outcome([10.0], [60.0], DISTANCE, None)
    assert (nothing.hit, nothing.false, nothing.youden) == (0, 0, 0)


def test_a_bound_between_the_two_kinds_is_found() -> None:
    approved, rejected = [float(n) for n in range(5, 25)], [float(n) for n in range(31, 51)]
    bound = fit(approved, rejected, DISTANCE)
    assert bound is not None
    assert 24 <= bound < 31
    assert outcome(approved, rejected, DISTANCE, bound).youden == 1
    likeness = fit([0.9 - n / 100 for n in range(12)], [0.5 + n / 100 for n in range(12)], LIKENESS)
    assert likeness is not None
    assert 0.61 < likeness <= 0.79


@given(
    approved=st.lists(st.integers(0, 90).map(float), min_size=LEAST, max_size=40),
    rejected=st.lists(st.integers(0, 90).map(float), min_size=LEAST, max_size=40),
)
@example(approved=[0.0] * 10, rejected=[0.0] * 8 + [1.0, 2.0])  # half a digit between them
def test_no_other_bound_separates_better(approved: list[float], rejected: list[float]) -> None:
    bound = fit(approved, rejected, DISTANCE)
    if bound is None:
        return
    best = max(outcome(approved, rejected, DISTANCE, float(each)).youden for each in range(-1, 92))
    assert outcome(approved, rejected, DISTANCE, bound).youden == pytest.approx(best)


def test_nothing_is_fitted_to_few_decisions_or_none_that_it_tells_apart() -> None:
    assert fit([1.0] * 50, [90.0] * (LEAST - 1), DISTANCE) is None
    assert fit([1.0] * (LEAST - 1), [90.0] * 50, DISTANCE) is None
    mixed = [float(n) for n in range(30)]
    assert fit(mixed, mixed, DISTANCE) is None
    assert fit([5.0] * 20, [5.0] * 20, DISTANCE) is None
    assert fit([90.0] * 20, [5.0] * 20, DISTANCE) is None, "people like what it calls worse"
