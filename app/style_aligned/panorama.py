"""Pictures larger than the UNet is good at: overlapping windows, denoised together.

Source: Bar-Tal, Yariv, Lipman, Dekel, "MultiDiffusion: Fusing Diffusion Paths for Controlled Image Generation", ICML
2023, arXiv 2302.08113, equation 5. Each step predicts every window by itself, and every latent takes the weighted mean
of what the windows over it say. The paper averages the latents after the scheduler's step; schedulers are linear in the
prediction, so averaging the predictions is the same, and a scheduler of any kind keeps a single state.

The UNet sees one window at a time, so memory does not grow with the picture.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import ceil

import torch
from torch import Tensor

OVERLAP = 0.5  # of two neighbouring windows, as a share of their side
WIDEST = 1.75  # of one window, width by height or the reverse: what SDXL was trained on
LARGE = 1.5  # times the area that a UNet was trained at: from there on windows are better than one view


@dataclass(frozen=True)
class Window:
    """A part of a picture, in latents or px. One that runs over the right edge goes on at the left one."""

    top: int
    left: int
    height: int
    width: int

    def cut(self, x: Tensor) -> Tensor:
        """This part of `x` (..., H, W): (..., height, width)."""
        parts = [x[..., self.top : self.top + self.height, columns] for columns in self._columns(x.shape[-1])]
        return parts[0] if len(parts) == 1 else torch.cat(parts, -1)

    def add(self, x: Tensor, part: Tensor) -> None:
        """Add `part` (..., height, width) to this part of `x` (..., H, W)."""
        done = 0
        for columns in self._columns(x.shape[-1]):
            width = columns.stop - columns.start
            x[..., self.top : self.top + self.height, columns] += part[..., done : done + width]
            done += width

    def times(self, factor: int) -> "Window":
        """The same part at `factor` times the resolution."""
        return Window(self.top * factor, self.left * factor, self.height * factor, self.width * factor)

    def _columns(self, width: int) -> list[slice]:
        right = self.left + self.width
        if right <= width:
            return [slice(self.left, right)]
        return [slice(self.left, width), slice(0, right - width)]


@dataclass(frozen=True)
class Canvas:
    """Latents of height x width, covered by windows of one size."""

    height: int
    width: int
    windows: tuple[Window, ...]

    @classmethod
    def whole(cls, height: int, width: int) -> "Canvas":
        """Seen in one piece."""
        return cls(height, width, (Window(0, 0, height, width),))

    @classmethod
    def covered(cls, height: int, width: int, window: tuple[int, int], seamless: bool = False) -> "Canvas":
        """Covered by windows of at most `window` (height, width). `seamless`: the right end goes on at the left one."""
        high, wide = min(window[0], height), min(window[1], width)
        tops = _starts(height, high)
        lefts = _around(width, wide) if seamless else _starts(width, wide)
        return cls(height, width, tuple(Window(top, left, high, wide) for top, left in product(tops, lefts)))

    def weight(self, window: Window) -> Tensor:
        """How much each place (height, width) of a window counts: less towards edges that have a neighbour."""
        rows = _ramp(window.height) if window.height < self.height else torch.ones(window.height)
        alone = len({other.left for other in self.windows}) == 1
        columns = torch.ones(window.width) if alone else _ramp(window.width)
        return rows[:, None] * columns


@dataclass
class Average:
    """The weighted mean of what several windows say of a picture."""

    canvas: Canvas
    total: Tensor | None = None  # (..., H, W), float32
    weights: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.weights = torch.zeros(self.canvas.height, self.canvas.width)

    def add(self, window: Window, part: Tensor, weight: Tensor) -> None:
        """Take `part` (..., height, width) of a window with `weight` (height, width), 0 or more."""
        weight = weight.to(part.device)
        if self.total is None:
            shape = *part.shape[:-2], self.canvas.height, self.canvas.width
            self.total = torch.zeros(shape, dtype=torch.float32, device=part.device)
            self.weights = self.weights.to(part.device)
        window.add(self.total, part * weight)
        window.add(self.weights, weight)

    def mean(self) -> Tensor:
        """(..., H, W), float32. Every place must have been covered with some weight."""
        if self.total is None:
            raise RuntimeError("nothing was added")
        return self.total / self.weights


def window_size(size: tuple[int, int], native: tuple[int, int], multiple: int) -> tuple[int, int]:
    """The part (width, height) of a picture of `size` that a UNet trained at `native` sees at once, all in px.

    The whole picture where it is not much larger. Else about the native area, longer where the picture is flat, in
    sides that are multiples of `multiple` and at most `WIDEST` to one.
    """
    area = native[0] * native[1]
    if size[0] * size[1] <= LARGE * area:
        return size
    short = min(*size, *native)
    long = min(area / short, WIDEST * short)
    width, height = (min(side, short if side == min(size) else int(long) // multiple * multiple) for side in size)
    return width, height


def decode(latents: Tensor, canvas: Canvas, factor: int, draw: Callable[[Tensor], Tensor]) -> Tensor:
    """Pixels (3, H, W), float32 on the CPU, of `latents` (1, C, h, w); `draw` decodes a window to (1, 3, ., .)."""
    large = Canvas(canvas.height * factor, canvas.width * factor, tuple(w.times(factor) for w in canvas.windows))
    picture = Average(large)
    for window, pixels in zip(canvas.windows, large.windows, strict=True):
        picture.add(pixels, draw(window.cut(latents))[0].float().cpu(), large.weight(pixels))
    return picture.mean()


def _starts(length: int, window: int) -> Sequence[int]:
    """Where windows begin that cover `length` from end to end."""
    room = length - window
    count = ceil(room / max(1, int(window * (1 - OVERLAP)))) + 1
    return [round(room * place / max(count - 1, 1)) for place in range(count)]


def _around(length: int, window: int) -> Sequence[int]:
    """Where windows begin that cover `length` as a ring; two at least, so that each covers the other's ends."""
    count = max(2, ceil(length / max(1, int(window * (1 - OVERLAP)))))
    return [length * place // count for place in range(count)]


def _ramp(length: int) -> Tensor:
    """A triangle over `length` places, above 0 and at most 1."""
    places = torch.arange(length) + 0.5
    return torch.minimum(places, length - places) * (2 / length)
