"""Pictures larger than the UNet was trained for: overlapping windows, denoised together.

Source: Bar-Tal, Yariv, Lipman, Dekel, "MultiDiffusion: Fusing Diffusion Paths for Controlled Image Generation", ICML
2023, arXiv 2302.08113, equation 5. Each step predicts every window separately, and every latent is the weighted mean of
the predictions of the windows over it. The paper averages the latents after the scheduler's step. Schedulers are linear
in the prediction, so averaging the predictions is equivalent, and any scheduler keeps a single state.

The UNet sees one window at a time, so memory does not grow with the picture.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import ceil, pi

import torch
from torch import Tensor

OVERLAP = 0.5  # of two neighbouring windows, as a fraction of their side
WIDEST = 4  # of one window, width to height or height to width: the longest that SDXL was trained on
LARGE = 1.5  # times the UNet's training area: above this, windows are better than one view


@dataclass(frozen=True)
class Window:
    """A part of a picture, in latents or px. One that extends past the right edge wraps around to the left."""

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
class Patch:
    """A window to paint, and how much each of its positions counts."""

    window: Window
    weight: Tensor  # (height, width), 0 to 1


@dataclass(frozen=True)
class Canvas:
    """Latents or px of height x width, covered by windows of one size."""

    height: int
    width: int
    windows: tuple[Window, ...]

    @classmethod
    def whole(cls, height: int, width: int) -> "Canvas":
        """A canvas seen in one piece."""
        return cls(height, width, (Window(0, 0, height, width),))

    @classmethod
    def covered(cls, height: int, width: int, window: tuple[int, int], seamless: bool = False) -> "Canvas":
        """Cover a canvas with windows of at most `window` (height, width).

        `seamless`: windows wrap around from right to left.
        """
        high, wide = min(window[0], height), min(window[1], width)
        tops = _starts(height, high)
        lefts = _around(width, wide) if seamless else _starts(width, wide)
        return cls(height, width, tuple(Window(top, left, high, wide) for top, left in product(tops, lefts)))

    def times(self, factor: int) -> "Canvas":
        """The same canvas at `factor` times the resolution."""
        windows = tuple(window.times(factor) for window in self.windows)
        return Canvas(self.height * factor, self.width * factor, windows)

    def weight(self, window: Window) -> Tensor:
        """The weight of each position (height, width) of a window: less near edges, which other windows see better."""
        rows = _ramp(window.height) if self._several("top") else torch.ones(window.height)
        columns = _ramp(window.width) if self._several("left") else torch.ones(window.width)
        return rows[:, None] * columns

    def patches(self, masks: Sequence[Tensor | None]) -> list[list[Patch]]:
        """Divide the canvas among patches, for each of `masks` (height, width), 0 or more; None is 1 everywhere.

        Weights sum to 1 at every position, over all windows and masks. A part that fits into a window is placed in the
        middle of one, so that its object is laid out there. Raises ValueError if a position belongs to no mask.
        """
        whole = torch.ones(self.height, self.width)
        total = sum((whole if mask is None else mask for mask in masks), torch.zeros_like(whole))
        if not total.all():
            raise ValueError("a part of the picture is covered by nothing")
        return [self._painted(mask, (whole if mask is None else mask) / total) for mask in masks]

    def _painted(self, mask: Tensor | None, fraction: Tensor) -> list[Patch]:
        """Divide `fraction` (height, width) among the windows over `mask`, without empty ones."""
        canvas = self if mask is None else self._over(mask)
        seen = torch.zeros(self.height, self.width)
        for window in canvas.windows:
            window.add(seen, canvas.weight(window))
        weights = [canvas.weight(w) / w.cut(seen) * w.cut(fraction) for w in canvas.windows]
        return [Patch(w, weight) for w, weight in zip(canvas.windows, weights, strict=True) if weight.any()]

    def _over(self, mask: Tensor) -> "Canvas":
        """These windows; but along a side where `mask` fits into one window, only that one, centred on the mask."""
        window = self.windows[0]
        tops, lefts = ({getattr(window, side) for window in self.windows} for side in ("top", "left"))
        ring = any(window.left + window.width > self.width for window in self.windows)
        rows, columns = mask.amax(1).nonzero(), mask.amax(0).nonzero()
        if len(rows) and rows[-1] - rows[0] < window.height:
            tops = {_centred(rows, window.height, self.height)}
        if len(columns) and columns[-1] - columns[0] < window.width:
            lefts = {_centred(columns, window.width, self.width, ring)}
        places = product(sorted(tops), sorted(lefts))
        return replace(self, windows=tuple(replace(window, top=top, left=left) for top, left in places))

    def _several(self, side: str) -> bool:
        return len({getattr(window, side) for window in self.windows}) > 1


def window_size(size: tuple[int, int], native: tuple[int, int], multiple: int) -> tuple[int, int]:
    """The part (width, height) of a picture of `size` that a UNet trained at `native` sees at once, all in px.

    The whole picture unless it is much larger. Otherwise about the native area, longer if the picture is flat, with
    sides that are multiples of `multiple` and at most `WIDEST` to one.
    """
    area = native[0] * native[1]
    if size[0] * size[1] <= LARGE * area and max(size) <= WIDEST * min(size):
        return size
    short = min(*size, *native)
    long = min(area / short, WIDEST * short)
    width, height = (min(side, short if side == min(size) else int(long) // multiple * multiple) for side in size)
    return width, height


def decode(latents: Tensor, canvas: Canvas, factor: int, draw: Callable[[Tensor], Tensor]) -> Tensor:
    """Decode `latents` (1, C, h, w) to pixels (3, H, W), float32 on the CPU.

    `draw` decodes a window to (1, 3, ., .).
    """
    large = canvas.times(factor)
    picture, total = torch.zeros(3, large.height, large.width), torch.zeros(large.height, large.width)
    for window, pixels in zip(canvas.windows, large.windows, strict=True):
        weight = large.weight(pixels)
        pixels.add(picture, draw(window.cut(latents))[0].float().cpu() * weight)
        pixels.add(total, weight)
    return picture.div_(total)


def _starts(length: int, window: int) -> Sequence[int]:
    """Where windows start that cover `length` from end to end."""
    room = length - window
    count = ceil(room / max(1, int(window * (1 - OVERLAP)))) + 1
    return [round(room * place / max(count - 1, 1)) for place in range(count)]


def _around(length: int, window: int) -> Sequence[int]:
    """Where windows start that cover `length` as a ring; at least two, so that each covers the other's ends."""
    count = max(2, ceil(length / max(1, int(window * (1 - OVERLAP)))))
    return [length * place // count for place in range(count)]


def _centred(places: Tensor, window: int, length: int, ring: bool = False) -> int:
    """Where a window starts that centres on `places` (ascending), within `length` unless it is a ring."""
    first = int(places[0] + places[-1] + 1 - window) // 2
    return first % length if ring else min(max(first, 0), length - window)


def _ramp(length: int) -> Tensor:
    """A bell over `length` positions, above 0 and at most 1: a Hann window; two that overlap by half sum to 1.

    It is flat at both ends, so that neither the picture nor its slope jumps where a window begins.
    """
    return torch.sin((torch.arange(length) + 0.5) * (pi / length)).square()
