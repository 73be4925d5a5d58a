"""What the judgements of a blind test say, exactly: no approximation that fails for few judgements.

Without a real difference, each judgement that is no tie prefers A with probability 1/2, so the number that do is
binomial. The p-value is that of the two-sided binomial test; the interval is Clopper and Pearson's (1934), which covers
the true share in at least the stated fraction of tests. Both are sums of at most `MOST` terms, so the server needs no
SciPy for them (35 MB); the tests compare with SciPy's.
"""

from fractions import Fraction
from functools import lru_cache
from math import comb, exp, fsum, lgamma, log, log1p

MOST = 2000  # judgements of a test
LEVEL = 0.95
SIGNIFICANT = 0.05
HALVINGS = 60  # of the interval that contains a bound: to 1e-18


@lru_cache(maxsize=256)
def two_sided_p(successes: int, trials: int) -> float:
    """The probability of a split at least as uneven as `successes` of `trials`, if both sides are as likely; 0 to 1.

    1 for no trials. The distribution is symmetrical, so all definitions of "two-sided" agree.
    """
    _check(successes, trials)
    fewer = min(successes, trials - successes)
    tail = sum(comb(trials, number) for number in range(fewer + 1))
    return float(Fraction(min(2 * tail, 2**trials), 2**trials))  # integers, so nothing is rounded before the end


@lru_cache(maxsize=256)
def interval(successes: int, trials: int, level: float = LEVEL) -> tuple[float, float]:
    """Clopper and Pearson's interval of the true share; (0, 1) for no trials.

    Its lower bound is the share for which `successes` or more have the probability (1 - level) / 2, its upper bound the
    one for which `successes` or fewer have it.
    """
    _check(successes, trials)
    outside = (1 - level) / 2
    low = 0.0 if successes == 0 else _share_of_tail(successes, trials, outside)
    high = 1.0 if successes == trials else 1 - _share_of_tail(trials - successes, trials, outside)
    return low, high


def least_to_differ(trials: int) -> int | None:
    """The fewest of `trials` that a side must win to be significantly preferred; None if even all are too few."""
    return next((won for won in range(trials // 2 + 1, trials + 1) if two_sided_p(won, trials) < SIGNIFICANT), None)


def _share_of_tail(successes: int, trials: int, probability: float) -> float:
    """The share for which `successes` (at least 1) or more have this probability, which grows with the share."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _at_least(successes, trials, middle) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _at_least(successes: int, trials: int, share: float) -> float:
    """The probability of `successes` or more. `share` is neither 0 nor 1."""
    yes, no = log(share), log1p(-share)
    return fsum(
        exp(lgamma(trials + 1) - lgamma(each + 1) - lgamma(trials - each + 1) + each * yes + (trials - each) * no)
        for each in range(successes, trials + 1)
    )


def _check(successes: int, trials: int) -> None:
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is impossible; it takes 0 to {trials}")
