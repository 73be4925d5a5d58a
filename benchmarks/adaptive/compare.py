"""Fit the adaptive strengths on the tuning pairs, and compare them on the others: `... compare FOLDER`.

Compared with every fixed strength:

- *by words*: per prompt, from how like the CLIP finds the reference and the prompt (one text, no picture);
- *by a first look*: per prompt, from the log-odds of m in the first two steps at strength 1, by group of layers;
- *by both*;
- *controller*: within the run, on the log-odds of m of each group of layers (`watching.Controller`).

The first three predict the score at each fixed strength by ridge regression and take the strength with the best. The
best strength of each pair in hindsight is shown as what no rule can exceed.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.adaptive.pictures import OFFSETS, STRENGTHS, lines

Floats = NDArray[np.float64]
Line = dict[str, Any]

PARTS = {"consistency": 1.0, "alignment": 1.0, "leakage": -1.0}  # of the score, with their signs
RIDGE = 1.0  # on standardised features
LOOKED = 2  # steps of the first look
RESAMPLED = 4000


@dataclass(frozen=True)
class Pairs:
    """Pairs with their scores."""

    lines: list[Line]
    fixed: Floats  # (P, S) scores at the fixed strengths
    controlled: Floats  # (P, O) scores under the controller; none: (P, 0)

    @property
    def references(self) -> NDArray[np.int64]:
        return np.array([line["reference"] for line in self.lines])


def spreads(tuning: Sequence[Line]) -> dict[str, float]:
    """The standard deviation of each part over the tuning pairs at all fixed strengths."""
    return {part: float(np.std([p[part] for line in tuning for p in line["pictures"]])) for part in PARTS}


def score(picture: dict[str, float], spread: dict[str, float]) -> float:
    return sum(sign * picture[part] / spread[part] for part, sign in PARTS.items())


def scored(found: list[Line], controlled: dict[int, Line], spread: dict[str, float]) -> Pairs:
    """The pairs with their scores; with the controller's, only those that it has made."""
    if controlled:
        found = [line for line in found if line["number"] in controlled]
    fixed = [[score(p, spread) for p in line["pictures"]] for line in found]
    steered = [
        [score(p, spread) for p in controlled[line["number"]]["pictures"]] if controlled else [] for line in found
    ]
    return Pairs(found, np.array(fixed), np.array(steered))


def words(line: Line) -> list[float]:
    return [line["text_likeness"]]


def first_look(line: Line) -> list[float]:
    one = STRENGTHS.index(1.0)
    return [odds[one] for step in line["odds"][:LOOKED] for odds in step.values()]


def both(line: Line) -> list[float]:
    return [*words(line), *first_look(line)]


class Ridge:
    """Predicts the score at each strength from features of a pair."""

    def __init__(self, features: Floats, scores: Floats) -> None:
        self.mean, self.std = features.mean(0), features.std(0) + 1e-9
        x = self._prepared(features)
        penalty = RIDGE * np.eye(x.shape[1])
        penalty[0, 0] = 0  # not on the constant
        self.weights = np.linalg.solve(x.T @ x + penalty, x.T @ scores)

    def _prepared(self, features: Floats) -> Floats:
        return np.column_stack([np.ones(len(features)), (features - self.mean) / self.std])

    def best(self, features: Floats) -> NDArray[np.int64]:
        """The strength, by place, with the best predicted score of each pair."""
        return np.asarray((self._prepared(features) @ self.weights).argmax(1))


def chosen(tuning: Pairs, others: Pairs, look: Callable[[Line], list[float]]) -> NDArray[np.int64]:
    fit = Ridge(np.array([look(line) for line in tuning.lines]), tuning.fixed)
    return fit.best(np.array([look(line) for line in others.lines]))


def interval(differences: Floats, references: NDArray[np.int64]) -> tuple[float, float, float]:
    """The mean and its 95 % bootstrap interval; pairs of one reference are resampled together."""
    random = np.random.default_rng(8)
    groups = [differences[references == each] for each in np.unique(references)]
    sums, counts = np.array([group.sum() for group in groups]), np.array([len(group) for group in groups])
    draws = random.integers(len(groups), size=(RESAMPLED, len(groups)))
    means = sums[draws].sum(1) / counts[draws].sum(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(differences.mean()), float(low), float(high)


def compare(folder: Path) -> dict[str, Any]:
    """All figures."""
    found = lines(folder, "fixed")
    steered = {line["number"]: line for line in lines(folder, "controlled")}
    is_tuning = [line["reference"] % 2 == 0 for line in found]
    spread = spreads([line for line, tuned in zip(found, is_tuning, strict=True) if tuned])
    tuning, others = (
        scored([line for line, tuned in zip(found, is_tuning, strict=True) if tuned is part], steered, spread)
        for part in (True, False)
    )
    rows = np.arange(len(others.lines))
    ways: dict[str, Floats] = {f"strength {s:g}": others.fixed[:, place] for place, s in enumerate(STRENGTHS)}
    taken: dict[str, list[int]] = {}
    for name, look in (("by words", words), ("by a first look", first_look), ("by both", both)):
        places = chosen(tuning, others, look)
        ways[name] = others.fixed[rows, places]
        taken[name] = np.bincount(places, minlength=len(STRENGTHS)).tolist()
    if steered:
        ways["controller"] = others.controlled[:, int(tuning.controlled.mean(0).argmax())]
    ways["best in hindsight"] = others.fixed.max(1)
    fixed = [f"strength {s:g}" for s in STRENGTHS]
    return {
        "pairs": {"tuning": len(tuning.lines), "held out": len(others.lines)},
        "references": {"tuning": len(set(tuning.references)), "held out": len(set(others.references))},
        "spread": spread,
        "tuning": dict(zip(fixed, tuning.fixed.mean(0).tolist(), strict=True)),
        "scores": {name: interval(scores, others.references) for name, scores in ways.items()},
        "parts": _parts(others, steered),
        "chosen": taken,
        "against": {
            name: {other: interval(scores - ways[other], others.references) for other in fixed}
            for name, scores in ways.items()
            if name not in fixed
        },
    }


def _parts(others: Pairs, steered: dict[int, Line]) -> dict[str, dict[str, float]]:
    """The means of what was measured, by strength, on the held-out pairs."""
    made = {f"strength {s:g}": [line["pictures"][place] for line in others.lines] for place, s in enumerate(STRENGTHS)}
    if steered:
        made |= {
            f"controller {offset:g}": [steered[line["number"]]["pictures"][place] for line in others.lines]
            for place, offset in enumerate(OFFSETS)
        }
    return {name: {part: float(np.mean([p[part] for p in each])) for part in each[0]} for name, each in made.items()}


def beats(against: dict[str, tuple[float, float, float]]) -> bool:
    """Whether the interval of every difference is above 0."""
    return all(low > 0 for _, low, _ in against.values())


def main() -> None:
    """Print the figures, and write them to `compared.json`."""
    folder = Path(sys.argv[1])
    figures = compare(folder)
    (folder / "compared.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps({name: figures[name] for name in ("pairs", "references", "spread", "tuning", "parts", "chosen")}))
    for name, (mean, low, high) in figures["scores"].items():
        print(f"{name:20} {mean:6.3f}  {low:6.3f} … {high:6.3f}")
    for name, against in figures["against"].items():
        told = ", ".join(
            f"{other} {mean:+.3f} ({low:+.3f} … {high:+.3f})" for other, (mean, low, high) in against.items()
        )
        print(f"{name}: {'beats every fixed strength' if beats(against) else 'does not'}: {told}")


if __name__ == "__main__":
    main()
