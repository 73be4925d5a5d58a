"""Shared layers that report the merge weight m, and a controller that steers it, per group of layers.

m is the fraction of attention that goes to the reference (`app.style_aligned.attention`). Its log-odds are

    lse_reference + shift - lse_self

so a shift changes their mean in a layer by exactly itself, apart from what earlier layers did.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn

from app.style_aligned.attention import (
    AttentionMemory,
    Influence,
    SharingProcessor,
    adain,
    attend,
    join,
    merge,
    project,
)
from app.style_aligned.layers import ALL
from app.style_aligned.normalization import SharingNorm
from app.style_aligned.sharing import Recording, SharedLayers, _replaced

GROUPS = ("down", "mid", "up")
GAIN = 0.5  # of the controller: how much of an error it corrects in each step
FARTHEST = 2.0  # log-odds: its largest shift


def group_of(layer: str) -> str:
    """The group of a layer's name, such as "up_blocks.1.attentions.0...attn1"."""
    return next(group for group in GROUPS if layer.startswith(group))


class WatchedProcessor(SharingProcessor):
    """Shares with one reference, with more shift for its group, and reports the mean log-odds of m of each target."""

    def __init__(self, memory: AttentionMemory, influence: Influence, shift: Tensor) -> None:
        super().__init__(memory, influence)
        self.shift = shift  # (N,)
        self.odds = torch.empty(0)  # (N,)

    def __call__(self, attn: Attention, hidden_states: Tensor, *_: object, **__: object) -> Tensor:
        memory, by = self.memory, self.influence
        groups, targets = memory.key.shape[0], len(self.shift)
        query, key, value = project(attn, hidden_states, groups)  # each (G, N, H, L, D)
        blend = by.blend.to(query.dtype)
        query, key = adain(query, by.mix(memory.queries), blend), adain(key, by.mix(memory.keys), blend)
        value = adain(value, by.mix(memory.values), blend)
        own = attend(query.flatten(0, 1), key.flatten(0, 1), value.flatten(0, 1), attn.scale)

        def folded(x: Tensor) -> Tensor:
            return x.expand(groups, targets, *x.shape[2:]).flatten(0, 1)

        seen = attend(query.flatten(0, 1), folded(memory.key), folded(memory.value), attn.scale)
        shifts = by.shifts + self.shift.view(1, -1, 1, 1)  # (1, N, 1, 1)
        shifts = shifts.expand(groups, -1, -1, -1).flatten(0, 1)
        self.odds = (seen.lse + shifts - own.lse).unflatten(0, (groups, -1)).mean((0, 2, 3))
        return join(attn, merge(own, seen, shifts).out)


@dataclass
class Controller:
    """Steers the mean log-odds of m of every target and group towards a target for each step."""

    wanted: Mapping[str, list[float]]
    """By group, a target for each step; none: only watches."""
    offsets: Tensor  # (N,): added to the targets
    shifts: dict[str, Tensor] = field(default_factory=dict)
    seen: list[dict[str, list[float]]] = field(default_factory=list)
    """By step and group: the mean log-odds of each target."""

    def shift(self, group: str) -> Tensor:
        return self.shifts.get(group, torch.zeros_like(self.offsets))

    def tell(self, odds: Mapping[str, Tensor]) -> None:
        """Take the mean log-odds (N,) of each group in a step, and change the shifts for the next."""
        step = len(self.seen)
        self.seen.append({group: each.tolist() for group, each in odds.items()})
        for group, each in odds.items():
            if group in self.wanted:
                following = min(step + 1, len(self.wanted[group]) - 1)
                # The next step's error as far as it can be known: what this one had, against what that one should.
                error = self.wanted[group][following] + self.offsets - each
                self.shifts[group] = (self.shift(group) + GAIN * error).clamp(-FARTHEST, FARTHEST)


class WatchedLayers(SharedLayers):
    """Shared layers that a controller watches and steers: set `controller` before a call of the studio."""

    controller: Controller

    def __init__(self, unet: nn.Module) -> None:
        super().__init__(unet, ALL, True)

    @contextmanager
    def share(
        self, recording: Recording, influence: Influence, merged: Callable[[str, Tensor], object] | None = None
    ) -> Iterator[None]:
        """As usual, watched and steered by the controller; `merged` gets nothing."""
        made = {
            name: WatchedProcessor(recording.attention[name], influence, self.controller.shift(group_of(name)))
            for name in self.attention
        }
        with ExitStack() as undo:
            for name, attention in self.attention.items():
                undo.enter_context(_replaced(attention, "processor", made[name]))
            for name, norm in self.norms.items():
                (moments,) = recording.norms[name]
                undo.enter_context(_replaced(norm, "forward", SharingNorm(norm, moments, recording.groups, influence)))
            yield
        odds: dict[str, list[Tensor]] = defaultdict(list)
        for name, processor in made.items():
            odds[group_of(name)].append(processor.odds)
        self.controller.tell({group: torch.stack(each).mean(0) for group, each in odds.items()})
