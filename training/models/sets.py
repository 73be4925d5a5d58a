"""Training sets: pictures in one look, the first of which is the reference for the others.

A UNet of this size draws objects with the same layers that sharing affects, so it copies the reference's object along
with its look. Some steps therefore train it under sharing: it learns to take only those properties from the reference
that the caption does not give. SDXL is large enough not to need this.

The result is averaged with the initial weights (`Plan.kept`); otherwise it copies the look less reliably.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.data.pictures import Pictures
from training.data.scenes import TRAIN, Mix, caption
from training.loop import Draw

TARGETS = 3  # per reference
EMPTY = 0.10  # sets without any captions, for guidance
UNTOLD = 0.5  # references without a caption, like uploaded pictures
TOLD = Mix(empty=0.0, no_look=0.8, look_only=0.0)  # targets rarely name the look: the reference gives it


@dataclass(frozen=True)
class Sets:
    """Rows of the data and their captions: ``G`` references with ``N`` targets each, which are consecutive."""

    references: Tensor  # (G,)
    targets: Tensor  # (G * N,)
    reference_captions: list[str]
    captions: list[str]

    @property
    def count(self) -> int:
        """The number of sets, ``G``."""
        return len(self.references)

    @property
    def size(self) -> int:
        """The number of targets per set, ``N``."""
        return len(self.targets) // len(self.references)


class SetDrawing:
    """Draws sets from the pictures of a split of ``data``, with all looks equally likely."""

    def __init__(self, data: Pictures, split: str = TRAIN) -> None:
        self.data = data
        rows: dict[str, list[int]] = {}
        for row, scene in enumerate(data.scenes):
            if scene.split == split:
                rows.setdefault(scene.look, []).append(row)
        self.by_look = [torch.tensor(rows[look]) for look in sorted(rows)]

    def __call__(self, draw: Draw, pictures: int) -> Sets:
        """Draw sets that have ``pictures`` pictures together, or a few less."""
        looks = torch.randint(len(self.by_look), (max(1, pictures // (1 + TARGETS)),), generator=draw.cpu)
        references, targets = torch.stack(
            [draw.rows(self.by_look[look], 1 + TARGETS) for look in looks.tolist()]
        ).split([1, TARGETS], 1)
        silent = draw.numpy.random(len(looks)) < EMPTY
        untold = silent | (draw.numpy.random(len(looks)) < UNTOLD)
        return Sets(
            references.flatten(),
            targets.flatten(),
            self._captions(references, untold, Mix(empty=0.0), draw),
            self._captions(targets, silent, TOLD, draw),
        )

    def _captions(self, rows: Tensor, silent: NDArray[np.bool_], mix: Mix, draw: Draw) -> list[str]:
        """The captions of ``(G, N)`` rows in one list; empty for those of the ``G`` sets that are ``silent``."""
        return [
            "" if quiet else caption(self.data.scenes[row], draw.numpy, mix)
            for line, quiet in zip(rows.tolist(), silent.tolist(), strict=True)
            for row in line
        ]
