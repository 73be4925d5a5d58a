"""More processes that make sets, each with the model, on the next GPU if there are several."""

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

from app.evaluation.making import EvaluationPlan, Sets, make_sets
from app.style_aligned import Studio
from app.style_aligned.loading import DeviceChoice, PrecisionChoice

VISIBLE = "CUDA_VISIBLE_DEVICES"


@contextmanager
def helpers(
    count: int, folder: Path, plan: EvaluationPlan, device: DeviceChoice, precision: PrecisionChoice
) -> Iterator[Sequence[BaseProcess]]:
    """`count` processes that make sets of the plan; they end with the block, and if this process dies."""
    context = multiprocessing.get_context("spawn")
    arguments = (folder, plan, device, precision, count + 1, os.getpid())
    started = [context.Process(target=_help, args=(place + 1, *arguments), daemon=True) for place in range(count)]
    try:
        for process in started:
            process.start()
        yield started
    finally:
        for process in started:
            if process.pid:
                process.terminate()
                process.join()


def share_machine(place: int, processes: int) -> None:
    """Give the process at `place`, 0 the first, its GPU or its part of the processor's cores."""
    import torch

    gpus = os.environ[VISIBLE].split(",") if VISIBLE in os.environ else list(map(str, range(torch.cuda.device_count())))
    if len(gpus) > 1 and processes > 1:
        os.environ[VISIBLE] = gpus[place % len(gpus)]
    if processes > 1:
        torch.set_num_threads(max(1, torch.get_num_threads() // processes))


def _help(
    place: int,
    folder: Path,
    plan: EvaluationPlan,
    device: DeviceChoice,
    precision: PrecisionChoice,
    processes: int,
    parent: int,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the first process's, which ends this one
    share_machine(place, processes)
    studio = Studio.load(plan.model, device, precision)

    def told() -> None:
        if os.getppid() != parent:  # it was killed
            raise SystemExit(1)

    make_sets(studio, Sets.of(folder, plan, studio), told)
