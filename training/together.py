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
    """Meet the other processes, where torchrun started several. They part when this process ends."""
    if distributed.is_torchelastic_launched():
        distributed.init_process_group("gloo")
        # Its threads have to end before the interpreter does: now and then they abort a process that has done its work.
        atexit.register(distributed.destroy_process_group)


def count() -> int:
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """0 for the one that measures, logs and saves."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def first_says(value: bool) -> bool:
    """What the first process says, in all of them: clocks differ, and whoever went on alone would wait for ever."""
    if count() == 1:
        return value
    said = torch.tensor(value)
    distributed.broadcast(said, 0)
    return bool(said)


@contextmanager
def first_goes_first() -> Iterator[None]:
    """Within, the first process is alone; the others follow and find what it has made."""
    if rank():
        distributed.barrier()
    yield
    if not rank() and count() > 1:
        distributed.barrier()


def average_gradients(weights: Sequence[nn.Parameter]) -> None:
    """Over all processes, in one message. Weights without a gradient have none in any of them."""
    if count() == 1:
        return
    gradients: list[Tensor] = [weight.grad for weight in weights if weight.grad is not None]
    together = torch.cat([gradient.flatten() for gradient in gradients]).div_(count())
    distributed.all_reduce(together)
    for gradient, mean in zip(gradients, together.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))
