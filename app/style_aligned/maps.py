"""What the attention of a run shows: where its pictures draw from the reference, where their subject is, how they look.

Each is read from numbers that the layers compute anyway, while the UNet paints the targets, and changes nothing. Logits
are never stored: attention to a few chosen values is one more fused attention, with those values in place of V.

- `MergeRecorder` keeps m, the fraction of attention that goes to the reference (`app.style_aligned.attention`).
- `SubjectRecorder` keeps the cross-attention of the subject's words, which outlines it. Source: Tang et al., "What the
  DAAM: Interpreting Stable Diffusion Using Cross Attention", ACL 2023, arXiv 2210.04885.
- `LayoutRecorder` keeps a coarse self-attention map: how much each of 8 x 8 cells looks at each other one.
  `app.quality.layout` compares pictures by them.

Shapes as in `app.style_aligned.attention`: G guidance branches, N targets, H heads, L tokens, D channels per head.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import ceil
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from app.style_aligned.attention import attend
from app.style_aligned.panorama import Canvas, Patch
from app.style_aligned.sharing import within_part

FINE = 32  # tokens a side, at the UNet's training size: layers of middling resolution have at most so many
LATE = (0.5, 1.0)  # the part of the denoising in which the subject's outline is read
CELLS = 8  # a side, of a coarse self-attention map
LARGEST_MAP = 64  # of a kept map


class Recorder:
    """Sees every call of the UNet that paints targets. The base class sees nothing."""

    def merged(self, name: str, m: Tensor) -> None:
        """Receive the merge weight m (G * N, H, L) of the self-attention layer `name`, during a `call`."""

    @contextmanager
    def call(self, step: int, steps: int, brush: int, patch: Patch) -> Iterator[None]:
        """Surround the call in step `step`, 0 to `steps` - 1, that paints `patch` of all N targets with a brush."""
        yield


@dataclass(frozen=True)
class Seen:
    """What was seen of one picture as it was painted."""

    subject: Image.Image | None = None
    """The outline of its subject, grey, of the latents' size."""
    layout: Tensor | None = None
    """A coarse self-attention map; see `LayoutRecorder`."""
    style: "StyleMap | None" = None

    @property
    def layout_picture(self) -> Image.Image | None:
        """The self-attention map in grey, by its square root, so that small values keep more digits."""
        return None if self.layout is None else _grey(self.layout.clamp(0, 1).sqrt())


class Watches:
    """All that watches the denoising of a few pictures."""

    def __init__(self, unet: Any, words: Sequence[Tensor], canvas: Canvas, style: bool) -> None:
        """`words` as for `SubjectRecorder`; `style`: whether to keep the merge weights."""
        shape = canvas.height, canvas.width
        self.subject = SubjectRecorder(unet, words, shape)
        self.layout = LayoutRecorder(unet, len(words[0]), len(words) == len(canvas.windows) == 1)
        self.style = MergeRecorder(unet, len(words[0]), shape) if style else None
        self.all: list[Recorder] = [self.subject, self.layout, *([self.style] if self.style else [])]

    def seen(self, steps: int) -> list[Seen]:
        """What was seen of each picture in a denoising of `steps`."""
        masks, layouts = self.subject.masks(), self.layout.layouts()
        styles = self.style.maps(steps) if self.style else [None] * len(masks)
        return [
            Seen(_grey(mask) if mask is not None else None, layout, style)
            for mask, layout, style in zip(masks, layouts, styles, strict=True)
        ]


def _grey(mask: Tensor) -> Image.Image:
    return Image.fromarray((mask * 255).round().byte().cpu().numpy())


def merged(watches: Sequence[Recorder]) -> Callable[[str, Tensor], None] | None:
    """What tells every one of `watches` that wants the merge weights; None if none does, which saves computing them."""
    told = [watch.merged for watch in watches if type(watch).merged is not Recorder.merged]

    def tell(name: str, m: Tensor) -> None:
        for each in told:
            each(name, m)

    return tell if told else None


@dataclass(frozen=True)
class Layers:
    """The attention layers of one kind and resolution."""

    modules: Sequence[Any]
    level: int
    """Their tokens are 2 ** `level` latents wide and high."""

    def shape(self, patch: Patch) -> tuple[int, int]:
        """Rows and columns of tokens in a patch."""
        window = patch.window
        return ceil(window.height / 2**self.level), ceil(window.width / 2**self.level)


def middling(unet: Any, kind: str) -> Layers:
    """The finest attention layers, `kind` "attn1" (self) or "attn2" (cross), with at most FINE tokens a side."""
    found: dict[int, list[Any]] = {}
    for name, module in unet.named_modules():
        if name.endswith(kind) and hasattr(module, "to_q"):
            found.setdefault(level_of(unet, name), []).append(module)
    fitting = [level for level in found if unet.config.sample_size / 2**level <= FINE]
    level = min(fitting) if fitting else max(found)
    return Layers(found[level], level)


def level_of(unet: Any, name: str) -> int:
    """How often latents are halved before the layer `name`."""
    part, place, *_ = name.split(".")
    last = len(unet.config.block_out_channels) - 1
    match part:
        case "down_blocks":
            return int(place)
        case "up_blocks":
            return last - int(place)
    return last


@contextmanager
def _projections(layers: Layers, take: Callable[[Any, Tensor, Tensor], None]) -> Iterator[None]:
    """Call `take(layer, query, key)` with what each layer projects, (rows, L, H * D) each, for the duration."""
    with ExitStack() as undo:
        for attn in layers.modules:
            queries: list[Tensor] = []

            def keep(_module: nn.Module, _args: Any, query: Tensor, queries: list[Tensor] = queries) -> None:
                queries[:] = [query]

            def use(
                _module: nn.Module, _args: Any, key: Tensor, attn: Any = attn, queries: list[Tensor] = queries
            ) -> None:
                take(attn, queries.pop(), key)

            undo.callback(attn.to_q.register_forward_hook(keep).remove)
            undo.callback(attn.to_k.register_forward_hook(use).remove)  # asked for after the queries
        yield


def attended(attn: Any, query: Tensor, key: Tensor, values: Tensor) -> Tensor:
    """What each query receives of `values`, on average over the heads: (N, L, V) float32.

    `query` (N, Lq, H * D), `key` (N, Lk, H * D), `values` (N, Lk, V). Exactly softmax(Q K^T / sqrt(d)) @ values, D of
    the V channels at a time, since fused attention wants as many channels in values as in keys.
    """
    query, key = (x.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for x in (query, key))
    channels = query.shape[-1]
    parts: list[Tensor] = []
    for part in values.to(query.dtype).split(channels, -1):
        padded = F.pad(part, (0, channels - part.shape[-1]))[:, None].expand(-1, attn.heads, -1, -1).contiguous()
        parts.append(attend(query, key, padded, attn.scale).out.float().mean(1)[..., : part.shape[-1]])
    return torch.cat(parts, -1)


class SubjectRecorder(Recorder):
    """Where the words that name the subject are attended to, late in the denoising.

    All of a picture counts: each brush with its own words, each window of a panorama with its weight.
    """

    def __init__(self, unet: Any, words: Sequence[Tensor], shape: tuple[int, int]) -> None:
        """`words`, for each brush: (N, T), 1 for the tokens of the subject's words, else 0. `shape`: of the latents."""
        self.layers = middling(unet, "attn2")
        self.words = words
        self.total = torch.zeros(len(words[0]), *shape, device=words[0].device)
        self.calls = 0

    @contextmanager
    def call(self, step: int, steps: int, brush: int, patch: Patch) -> Iterator[None]:
        words = self.words[brush]
        if not within_part(LATE, step, steps) or not words.any():
            yield
            return
        found: list[Tensor] = []

        def take(attn: Any, query: Tensor, key: Tensor) -> None:
            last = slice(-len(words), None)  # the branch with the prompt
            found.append(attended(attn, query[last], key[last], words[..., None])[..., 0])

        with _projections(self.layers, take):
            yield
        tokens = torch.stack(found).mean(0).unflatten(1, self.layers.shape(patch))  # (N, rows, columns)
        size = patch.window.height, patch.window.width
        seen = F.interpolate(tokens[:, None], size, mode="bilinear", align_corners=False)[:, 0]
        patch.window.add(self.total, seen * patch.weight)
        self.calls += 1

    def masks(self) -> list[Tensor | None]:
        """The subject of each picture, solid, (h, w) 0 to 1; None if its words are unknown or were not seen."""
        known = torch.stack([words.any(1) for words in self.words]).any(0).tolist()
        return [
            filled(outline(each)) if self.calls and seen else None for each, seen in zip(self.total, known, strict=True)
        ]


def outline(attention: Tensor) -> Tensor:
    """A soft mask (h, w) from attention (h, w): 0.5 at Otsu's threshold, 0 and 1 at the means of both sides.

    Otsu, "A threshold selection method from gray-level histograms", 1979: the threshold that leaves the least variance
    within the two sides.
    """
    ordered = attention.flatten().double().sort().values
    count = torch.arange(1, len(ordered), device=ordered.device, dtype=torch.float64)
    below = ordered.cumsum(0)[:-1]
    low, high = below / count, (ordered.sum() - below) / (len(ordered) - count)
    best = int((count * (len(ordered) - count) * (high - low).square()).argmax())
    threshold = (ordered[best] + ordered[best + 1]) / 2
    spread = (high[best] - low[best]).clamp(min=1e-12)
    return ((attention - threshold) / spread + 0.5).clamp(0, 1).float()


def filled(mask: Tensor) -> Tensor:
    """A mask (h, w) without holes: attention is strongest along contours, but subjects are solid.

    The least value to which the mask rises on any way from a position to the edge of the picture, right, left, up and
    down (morphological reconstruction by erosion).
    """
    reached = torch.ones_like(mask)
    reached[0], reached[-1], reached[:, 0], reached[:, -1] = mask[0], mask[-1], mask[:, 0], mask[:, -1]
    while True:
        before = reached
        for _ in range(8):
            low = -reached[None, None]
            near = torch.maximum(F.max_pool2d(low, (3, 1), 1, (1, 0)), F.max_pool2d(low, (1, 3), 1, (0, 1)))
            reached = torch.maximum(mask, -near[0, 0])
        if torch.equal(reached, before):
            return reached


class LayoutRecorder(Recorder):
    """A coarse self-attention map of each picture, from the middle step: how much each cell looks at each other one.

    Of each target's own queries and keys, before they take on the reference's statistics. Left out for panoramas and
    pictures with regions, which no single call paints.
    """

    def __init__(self, unet: Any, count: int, whole: bool) -> None:
        """For `count` targets; `whole`: one call paints all of each."""
        self.layers = middling(unet, "attn1")
        self.count, self.whole = count, whole
        self.seen: Tensor | None = None  # (N, CELLS**2, CELLS**2), rows sum to 1

    @contextmanager
    def call(self, step: int, steps: int, brush: int, patch: Patch) -> Iterator[None]:
        if not self.whole or step != steps // 2:
            yield
            return
        cells = cells_of(*self.layers.shape(patch)).to(patch.weight.device)
        found: list[Tensor] = []

        def take(attn: Any, query: Tensor, key: Tensor) -> None:
            last = slice(-self.count, None)  # the branch with the prompt
            looks = attended(attn, query[last], key[last], cells.expand(self.count, -1, -1))
            found.append(cells.T @ looks / cells.sum(0).clamp(min=1)[:, None])

        with _projections(self.layers, take):
            yield
        self.seen = torch.stack(found).mean(0)

    def layouts(self) -> list[Tensor | None]:
        """The map of each picture, (CELLS**2, CELLS**2); None if it was not seen."""
        return list(self.seen) if self.seen is not None else [None] * self.count


def cells_of(rows: int, columns: int) -> Tensor:
    """Which of CELLS x CELLS cells each of rows x columns tokens is in: (rows * columns, CELLS**2), one 1 a row."""
    down, right = (torch.arange(length) * CELLS // length for length in (rows, columns))
    return F.one_hot((down[:, None] * CELLS + right).flatten(), CELLS**2).float()


@dataclass(frozen=True)
class StyleMap:
    """How much of its attention each part of a picture gave to the reference: m, for every step and group of layers."""

    groups: tuple[str, ...]
    """In the order of the UNet, with the resolution to which latents are reduced: "down 1", "middle 2", "up 1"."""
    m: Tensor
    """(steps, groups, rows, columns), 0 to 1, with at most LARGEST_MAP rows and columns."""

    def shortened(self, most: int) -> "StyleMap":
        """With at most `most` steps, each the mean of some that follow each other."""
        parts = self.m.tensor_split(min(most, len(self.m)))
        return StyleMap(self.groups, torch.stack([part.mean(0) for part in parts]))

    def sheet(self) -> Image.Image:
        """All maps in one grey picture: a row for each group, a column for each step."""
        return _grey(self.m.permute(1, 2, 0, 3).flatten(2).flatten(0, 1))


class MergeRecorder(Recorder):
    """The merge weight of each picture by group of layers and step, averaged over heads and layers."""

    def __init__(self, unet: Any, count: int, shape: tuple[int, int]) -> None:
        """For `count` targets with latents of this shape."""
        self.unet, self.count, self.shape = unet, count, shape
        self.kept: dict[tuple[int, str], Tensor] = {}  # by step and group: (N, h, w) in uneven weights
        self._call: dict[str, list[Tensor]] | None = None  # by group: (N, L), of each layer

    def merged(self, name: str, m: Tensor) -> None:
        if self._call is not None:
            part = {"down_blocks": "down", "up_blocks": "up"}.get(name.split(".")[0], "middle")
            group = f"{part} {2 ** level_of(self.unet, name)}"
            self._call.setdefault(group, []).append(m[-self.count :].float().mean(1))

    @contextmanager
    def call(self, step: int, steps: int, brush: int, patch: Patch) -> Iterator[None]:
        self._call = {}
        try:
            yield
            for group, found in self._call.items():
                layers = Layers((), int(group.split()[1]).bit_length() - 1)
                tokens = torch.stack(found).mean(0).unflatten(1, layers.shape(patch))
                size = patch.window.height, patch.window.width
                seen = F.interpolate(tokens[:, None], size, mode="bilinear", align_corners=False)[:, 0]
                canvas = self.kept.setdefault((step, group), torch.zeros(self.count, *self.shape, device=seen.device))
                patch.window.add(canvas, seen * patch.weight)
        finally:
            self._call = None

    def maps(self, steps: int) -> list[StyleMap]:
        """The map of each picture; 0 in steps that shared nothing."""
        groups = tuple(dict.fromkeys(group for _, group in self.kept))
        scale = min(1.0, LARGEST_MAP / max(self.shape))
        size = [max(1, round(side * scale)) for side in self.shape]
        found = torch.zeros(self.count, steps, len(groups), *size)
        for (step, group), canvas in self.kept.items():
            small = F.interpolate(canvas[:, None], size, mode="area")[:, 0]
            found[:, step, groups.index(group)] = small.clamp(0, 1).cpu()
        return [StyleMap(groups, m) for m in found]
