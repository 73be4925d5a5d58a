"""Sets to train on: pictures of one look, the first of which gives the others their look.

A UNet of this size draws objects with the very layers that sharing reaches, so the reference's object leaks along with
its look. Some steps therefore train it under sharing: it learns to take from the reference what the caption leaves
open, and nothing that the caption says. SDXL is large enough not to need this.

The result is averaged with the weights from before (`Plan.kept`); without them it takes the look less surely.
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

TARGETS = 3  # of each reference
EMPTY = 0.10  # sets without any words, for guidance
UNTOLD = 0.5  # references without words, as a picture that somebody uploads
TOLD = Mix(empty=0.0, no_look=0.8, look_only=0.0)  # mostly the look is the reference's to say


@dataclass(frozen=True)
class Sets:
    """Rows of the data and their captions; the targets of one reference follow each other."""

    references: Tensor  # (G,)
    targets: Tensor  # (G * N,)
    reference_captions: list[str]
    captions: list[str]

    @property
    def count(self) -> int:
        """G"""
        return len(self.references)

    @property
    def size(self) -> int:
        """N"""
        return len(self.targets) // len(self.references)


class SetDrawing:
    """Draws sets from the pictures of a split of ``data``, each look as often as the others."""

    def __init__(self, data: Pictures, split: str = TRAIN) -> None:
        self.data = data
        rows: dict[str, list[int]] = {}
        for row, scene in enumerate(data.scenes):
            if scene.split == split:
                rows.setdefault(scene.look, []).append(row)
        self.by_look = [torch.tensor(rows[look]) for look in sorted(rows)]

    def __call__(self, draw: Draw, pictures: int) -> Sets:
        """Sets of ``pictures`` altogether, or a few less."""
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
        """Of ``(G, N)`` rows, one after the other; none for the silent of G."""
        return [
            "" if quiet else caption(self.data.scenes[row], draw.numpy, mix)
            for line, quiet in zip(rows.tolist(), silent.tolist(), strict=True)
            for row in line
        ]
