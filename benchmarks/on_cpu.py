"""What `app.style_aligned.on_cpu` saves: sets with it and without, alternately in one run.

`OMP_NUM_THREADS=1 python -m benchmarks.on_cpu` reports the processor time of one set of four with the demo model.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from unittest import mock

from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor

from app.style_aligned import Studio, on_cpu
from benchmarks.set_of_four import PROMPTS, REFERENCE


def suits_never(_: Tensor) -> bool:
    """Leaves every layer and statistic to PyTorch's own; a mock that counts its calls would take time itself."""
    return False


def seconds(make: Callable[[], object]) -> float:
    """The processor time of a call."""
    began = time.process_time()
    make()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--times", type=int, default=5)
    asked = parser.parse_args()
    studio = Studio.load("demo", device="cpu")
    reference = studio.reference(Image.open(REFERENCE))

    def one_set() -> None:
        list(studio.generate(PROMPTS, reference=reference, steps=asked.steps))

    one_set()  # warms up
    taken: dict[str, list[float]] = {"PyTorch’s own": [], "on_cpu": []}
    for _ in range(asked.times):
        with mock.patch.object(on_cpu, "_suits", suits_never):
            taken["PyTorch’s own"].append(seconds(one_set))
        taken["on_cpu"].append(seconds(one_set))
    table = Table("", "s of processor time", title=f"Set of {len(PROMPTS)} in {asked.steps} steps")
    for name, each in taken.items():
        table.add_row(name, f"{statistics.median(each):.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
