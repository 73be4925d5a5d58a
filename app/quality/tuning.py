"""Choose a setting by drafts: how consistent, how close to its words and how free of leakage each one is, and the knee.

A setting's scores are means over its drafts, one of each prompt:

- `consistency`: likeness in look, the mean of that to the nearest reference and of that to the other drafts; by CSD if
  there is one, else DINO, else CLIP, -1 to 1;
- `alignment`: between the picture and what its prompt names, by CLIP, -1 to 1;
- `leakage`: how much of the reference's subject shows up, -1 to 1; None if it cannot be known.

The knee is the setting with the largest sum of consistency, alignment and (negative) leakage after each was scaled to 0
to 1 over the settings: on the curve of two of them, the point farthest from the line through its ends (Satopää et al.,
"Finding a 'Kneedle' in a Haystack", 2011). A score that hardly differs (`LEAST`) does not count; of equals, the weaker
strength is taken, then the one that was tried first; no sharing is never it. If no score differs between the settings
that share, they cannot be told apart, and there is no knee.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from app.quality.features import Features, compared
from app.quality.measures import Measure

LIKENESS = ("csd", "dino", "clip")  # which embedding judges the look, best first
LEAST = 0.004  # between the best and the worst setting: below this, a score says nothing


@dataclass(frozen=True)
class Scores:
    """How good one setting is. Higher is better, except for leakage."""

    consistency: float
    alignment: float
    leakage: float | None


@dataclass(frozen=True)
class Tried:
    """A setting that was tried, with its scores."""

    strength: float
    scores: Scores


def judged_by(drafts: Sequence[Features]) -> str:
    """The name of the model that judges the look; "" if none does."""
    known = drafts[0].made_by if drafts else {}
    return next((known[role] for role in LIKENESS if role in known), "")


def scored(drafts: Sequence[Features], references: Sequence[Features]) -> Scores | None:
    """The scores of a setting by its drafts; None if nothing can judge them."""
    measured = [compared(draft, references, [other for other in drafts if other is not draft]) for draft in drafts]
    role = next((role for role in LIKENESS if all(role in draft.vectors for draft in drafts)), None)
    if not drafts or role is None:
        return None
    look = _means(measured, Measure(f"{role}_reference"), Measure(f"{role}_set"))
    alignment = _means(measured, Measure.TEXT_ALIGNMENT)
    leakage = _means(measured, Measure.LEAKAGE)
    if not look or not alignment:
        return None
    return Scores(fmean(look), alignment[0], leakage[0] if leakage else None)


def _means(measured: Sequence[Mapping[Measure, float]], *measures: Measure) -> list[float]:
    """The mean of each measure that is known of all drafts."""
    return [
        fmean(each[measure] for each in measured)
        for measure in measures
        if measured and all(measure in each for each in measured)
    ]


def knee(tried: Sequence[Tried]) -> int | None:
    """The index of the best compromise; None if there is nothing to choose from, or no score to tell by."""
    shared = [place for place, each in enumerate(tried) if each.strength > 0]
    values = [
        [each.scores.consistency for each in tried],
        [each.scores.alignment for each in tried],
        [-(each.scores.leakage or 0.0) for each in tried],
    ]
    apart = any(_differ([part[place] for place in shared]) for part in values if shared)
    if not shared or (len(shared) > 1 and not apart):
        return None
    total = [sum(parts) for parts in zip(*map(_scaled, values), strict=True)]
    return max(shared, key=lambda place: (round(total[place], 3), -tried[place].strength))


def _scaled(values: Sequence[float]) -> list[float]:
    """0 for the worst, 1 for the best; all 0 if they hardly differ."""
    low, high = min(values), max(values)
    return [(value - low) / (high - low) if _differ(values) else 0.0 for value in values]


def _differ(values: Sequence[float]) -> bool:
    """Whether a score says anything."""
    return max(values) - min(values) >= LEAST
