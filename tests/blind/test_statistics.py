"""The statistics of blind tests, against their definitions and against SciPy."""

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binomtest

from app.blind.statistics import HALVINGS, LEVEL, interval, least_to_differ, two_sided_p

SPLITS = st.integers(1, 300).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))


def probability(number: int, trials: int, share: Fraction) -> Fraction:
    return comb(trials, number) * share**number * (1 - share) ** (trials - number)


@given(st.integers(1, 40).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))))
def test_p_is_the_probability_of_what_is_no_likelier(split: tuple[int, int]) -> None:
    won, trials = split
    every = [probability(number, trials, Fraction(1, 2)) for number in range(trials + 1)]
    assert two_sided_p(won, trials) == float(sum(each for each in every if each <= every[won]))


@given(SPLITS)
def test_both_are_scipys(split: tuple[int, int]) -> None:
    won, trials = split
    theirs = binomtest(won, trials)
    assert two_sided_p(won, trials) == pytest.approx(theirs.pvalue, rel=1e-9)
    assert interval(won, trials) == pytest.approx(tuple(theirs.proportion_ci(LEVEL, "exact")), abs=1e-9)


@given(SPLITS)
def test_the_bounds_leave_half_of_the_rest_on_each_side(split: tuple[int, int]) -> None:
    """Clopper and Pearson's definition, by sums of exact fractions."""
    won, trials = split
    low, high = (Fraction(bound).limit_denominator(10**12) for bound in interval(won, trials))
    if won > 0:
        assert float(sum(probability(each, trials, low) for each in range(won, trials + 1))) == pytest.approx(
            (1 - LEVEL) / 2, rel=1e-5
        )
    if won < trials:
        assert float(sum(probability(each, trials, high) for each in range(won + 1))) == pytest.approx(
            (1 - LEVEL) / 2, rel=1e-5
        )


@given(SPLITS)
def test_nothing_depends_on_which_side_is_called_a(split: tuple[int, int]) -> None:
    won, trials = split
    low, high = interval(won, trials)
    assert interval(trials - won, trials) == pytest.approx((1 - high, 1 - low), abs=1e-12)
    assert two_sided_p(won, trials) == two_sided_p(trials - won, trials)


def test_the_edges() -> None:
    assert interval(0, 0) == (0, 1)
    assert two_sided_p(0, 0) == 1
    assert interval(0, 5) == (0, pytest.approx(beta.ppf(0.975, 1, 5)))
    assert interval(5, 5)[1] == 1
    assert 2.0**-HALVINGS < 1e-15
    assert interval(1999, 2000)[0] == pytest.approx(beta.ppf(0.025, 1999, 2), rel=1e-9)
    with pytest.raises(ValueError, match="3 of 2"):
        two_sided_p(3, 2)


def test_what_a_side_must_win() -> None:
    assert [least_to_differ(trials) for trials in (0, 5, 6, 20, 40)] == [None, None, 6, 15, 27]
    for trials in (20, 40, 100):
        least = least_to_differ(trials)
        assert least is not None
        assert two_sided_p(least, trials) < 0.05 <= two_sided_p(least - 1, trials)
