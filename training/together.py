"""Train one model with several processes on one machine:
``torchrun --standalone --nproc-per-node 2 -m -- training.models.unet DATA --threads 1 ...``.

Each process takes steps on its own pictures and all average their gradients, so one step covers as many batches as
there are processes. Models of this size gain little from a second thread, but twice as much from a second process.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, distributed, nn


def join() -> None:
    """Join the process group if torchrun started several processes. This process leaves it when it ends."""
    if distributed.is_torchelastic_launched():
        distributed.init_process_group("gloo")
        # Its threads must end before the interpreter, or they occasionally abort a process that has finished its work.
        atexit.register(distributed.destroy_process_group)


def count() -> int:
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """The number of this process; process 0 measures, logs and saves."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def first_says(value: bool) -> bool:
    """Return the first process's value in all processes.

    Clocks differ, and a process that continued without the others would wait forever.
    """
    if count() == 1:
        return value
    said = torch.tensor(value)
    distributed.broadcast(said, 0)
    return bool(said)


@contextmanager
def first_goes_first() -> Iterator[None]:
    """Run the ``with`` block in the first process, then in the others, which find its results."""
    if rank():
        distributed.barrier()
    yield
    if not rank() and count() > 1:
        distributed.barrier()


def average_gradients(weights: Sequence[nn.Parameter]) -> None:
    """Average gradients over all processes, in one message. A weight has a gradient in all processes or in none."""
    if count() == 1:
        return
    gradients: list[Tensor] = [weight.grad for weight in weights if weight.grad is not None]
    together = torch.cat([gradient.flatten() for gradient in gradients]).div_(count())
    distributed.all_reduce(together)
    for gradient, mean in zip(gradients, together.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))
