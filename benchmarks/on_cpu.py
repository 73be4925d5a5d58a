"""What `app.style_aligned.on_cpu` saves: sets with it and without, alternately in one run.

`OMP_NUM_THREADS=1 python -m benchmarks.on_cpu` reports the processor time of one set of four with the demo model.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from app.style_aligned import Studio, attention, normalization, on_cpu

REFERENCE = Path(__file__).parents[1] / "tests" / "data" / "looks" / "poster-pear.webp"
PROMPTS = ["a fox", "a teapot", "a house", "a tulip"]


@contextmanager
def usual() -> Iterator[None]:
    """PyTorch's own linear layers and statistics."""

    def var_mean(x: Tensor, axis: int, correction: int = 1) -> tuple[Tensor, Tensor]:
        return torch.var_mean(x, axis, correction=correction, keepdim=True)

    quick, quick_linear = on_cpu.var_mean, on_cpu.OneDNNLinear.forward
    on_cpu.OneDNNLinear.forward = nn.Linear.forward  # type: ignore[method-assign, assignment]
    attention.var_mean = normalization.var_mean = var_mean  # type: ignore[attr-defined]
    try:
        yield
    finally:
        on_cpu.OneDNNLinear.forward = quick_linear  # type: ignore[method-assign]
        attention.var_mean = normalization.var_mean = quick  # type: ignore[attr-defined]


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
        with usual():
            taken["PyTorch’s own"].append(seconds(one_set))
        taken["on_cpu"].append(seconds(one_set))
    table = Table("", "s of processor time", title=f"Set of {len(PROMPTS)} in {asked.steps} steps")
    for name, each in taken.items():
        table.add_row(name, f"{statistics.median(each):.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
