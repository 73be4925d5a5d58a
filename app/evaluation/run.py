"""One evaluation from start to end: make, measure, report."""

import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from app.evaluation.helpers import helpers
from app.evaluation.making import EvaluationPlan, Sets, make_sets
from app.evaluation.measuring import Embedders, measure
from app.evaluation.report import Results
from app.style_aligned import Studio
from app.style_aligned.loading import DeviceChoice, PrecisionChoice

Told = Callable[[int, int], object]  # what is done, of how much


def make_all(
    studio: Studio,
    folder: Path,
    plan: EvaluationPlan,
    processes: int,
    device: DeviceChoice,
    precision: PrecisionChoice,
    told: Told,
) -> Sets:
    """Make all sets in `folder` with `processes` processes, this one included, and return them.

    Can be interrupted at any moment and run again. Raises ValueError for settings that the model cannot take.
    """
    sets, total = Sets.of(folder, plan, studio), len(plan.tasks)

    def tell() -> None:
        told(total - sets.missing(), total)

    tell()
    with helpers(processes - 1, folder, plan, device, precision) as others:
        make_sets(studio, sets, tell)
        _wait(others, tell)
    make_sets(studio, sets, tell)  # what a process that died had begun
    return sets


def _wait(others: Sequence[BaseProcess], tell: Callable[[], object]) -> None:
    """Wait until the other processes have finished the sets that they began."""
    while any(process.is_alive() for process in others):
        time.sleep(0.2)
        tell()


def report(sets: Sets, embedders: Embedders, told: Told) -> Results:
    """Measure all sets and write the report into their folder."""
    done = 0

    def tell() -> None:
        nonlocal done
        done += 1
        told(done, len(sets.plan.tasks))

    results = Results(sets, measure(sets, embedders, tell), embedders.names)
    if not results.rows:
        raise ValueError("no set could be made, so there is nothing to report")
    results.save(sets.folder)
    return results
