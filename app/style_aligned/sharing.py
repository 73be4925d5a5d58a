"""Record, then share: the settings (`Sharing`), and the layers of a UNet that apply them (`SharedLayers`).

Each denoising step runs the UNet on the references and records their keys, values and statistics, then runs it on the
targets, which attend to them. The references are never rows of the targets' batch. So this works with and without
classifier-free guidance and with any number of targets, and a target never sees the rest of its batch.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from app.style_aligned.attention import AttentionMemory, Influence, RecordingProcessor, SharingProcessor
from app.style_aligned.dimming import Dimming
from app.style_aligned.layers import ALL, Layers, self_attentions
from app.style_aligned.normalization import Moments, RecordingNorm, SharingNorm

MAX_STRENGTH = 2.0

Blend = Literal["weight", "sphere"]


@dataclass(frozen=True)
class Sharing:
    """How strongly, where and when targets attend to the reference.

    Raises ValueError, which names the wrong value, if a number is out of range.
    """

    strength: float | Sequence[float] = 1.0
    """0 to 2, for all targets or one each. 0 is plain SDXL, 1 the paper's text-only sets, 2 its real references."""
    scale: float = 1.0
    """0 to 2: multiplies the logits towards the reference. Below 1, less of a famous picture's content leaks."""
    shift: float = 0.0
    """-10 to 10: added to the scaled logits, on top of log(strength)."""
    adain_values: bool = False
    """Whether values also take on the reference's statistics."""
    share_group_norm: bool = False
    """Whether group norms span target and reference: the paper's setting for real references."""
    layers: Layers = ALL
    """The self-attention layers that share: `layers.ALL`, `layers.UP`, or names."""
    steps: tuple[float, float] = (0.0, 1.0)
    """The part of the denoising in which targets attend to the reference: 0 is the first step, 1 the last."""
    colour: float = 0.0
    """0 to 1: how far the predicted pictures take on the reference's colours (see `calibration`)."""
    colour_steps: tuple[float, float] = (0.0, 1.0)
    """The part of the denoising in which they do."""
    reference_queries: float = 0.0
    """0 to 1: how far the unconditional branch asks with the reference's queries, against its content. Takes memory."""
    subject_attention: float = 1.0
    """0 to 1: multiplies the attention to the reference's subject. Below 1, less of it leaks (see `dimming`)."""
    blend: Blend = "weight"
    """How several references combine: each attended to by "weight", or mixed into one on a "sphere"."""

    def __post_init__(self) -> None:
        for strength in self.strengths(1) if isinstance(self.strength, int | float) else self.strength:
            _check("strength", strength, 0.0, MAX_STRENGTH)
        _check("scale", self.scale, 0.0, 2.0)
        _check("shift", self.shift, -10.0, 10.0)
        check_part("steps", self.steps)
        for name in ("colour", "reference_queries", "subject_attention"):
            _check(name, getattr(self, name), 0.0, 1.0)
        check_part("colour_steps", self.colour_steps)
        if self.blend not in get_args(Blend):
            raise ValueError(f"blend must be {' or '.join(get_args(Blend))}; {self.blend!r} was given")

    @classmethod
    def for_picture(cls, strength: float | Sequence[float] = 1.0) -> "Sharing":
        """Settings for an uploaded picture: shared group norms, as in the paper, and AdaIN on values.

        Without them, the first, unshared noise determines how light a picture is. The docs have the figures.
        """
        return cls(strength, share_group_norm=True, adain_values=True)

    def strengths(self, count: int) -> list[float]:
        """One strength for each of `count` targets. Raises ValueError if another number was given."""
        if isinstance(self.strength, int | float):
            return [float(self.strength)] * count
        if len(self.strength) != count:
            raise ValueError(f"{count} strengths were expected, one an image; {len(self.strength)} were given")
        return [float(s) for s in self.strength]

    def active(self, step: int, steps: int) -> bool:
        """Whether targets attend to the reference in step `step`, 0 to `steps` - 1."""
        return within_part(self.steps, step, steps)

    @property
    def dims(self) -> bool:
        """Whether attention to the reference's subject is lowered."""
        return self.subject_attention < 1

    def calibrates(self, step: int, steps: int) -> bool:
        """Whether predicted pictures take on the reference's colours in step `step`, 0 to `steps` - 1."""
        return self.colour > 0 and within_part(self.colour_steps, step, steps)

    def influence(
        self,
        strengths: Sequence[float],
        weights: Sequence[float],
        device: torch.device,
        dimming: Dimming | None = None,
    ) -> Influence:
        """These settings as tensors, for targets with these strengths and references with these weights (above 0)."""
        strength = torch.tensor(strengths, dtype=torch.float32, device=device)
        return Influence(
            normalized(weights, device),
            strength,
            self.scale,
            self.shift,
            self.adain_values,
            self.reference_queries,
            dimming,
        )


def normalized(weights: Sequence[float], device: torch.device) -> Tensor:
    """References' weights (R,), each above 0, as float32 with sum 1."""
    weight = torch.tensor(weights, dtype=torch.float32, device=device)
    return weight / weight.sum()


def check_part(name: str, part: tuple[float, float]) -> None:
    """Raise ValueError unless `part` is a start and an end, from 0 (the first step) to 1 (the last)."""
    start, end = part
    if not 0 <= start <= end <= 1:
        raise ValueError(f"{name} must be two rising numbers between 0 and 1; {part} was given")


def within_part(part: tuple[float, float], step: int, steps: int) -> bool:
    """Whether step `step`, 0 to `steps` - 1, is in `part` of the denoising."""
    start, end = part
    return start <= step / max(steps - 1, 1) <= end


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must be between {low:g} and {high:g}; {value:g} was given")


@dataclass
class Recording:
    """What the layers recorded of the references in one step."""

    groups: int  # guidance branches
    attention: dict[str, AttentionMemory] = field(default_factory=dict)
    norms: dict[str, list[Moments]] = field(default_factory=dict)


class SharedLayers:
    """The self-attention and group-norm layers of one UNet: plain, except during a `record` or a `share`.

    Each layer gets its previous state back at the end, also after an error, so other users of the UNet never notice.
    """

    def __init__(self, unet: nn.Module, layers: Layers = ALL, group_norms: bool = False) -> None:
        self.attention = self_attentions(unet, layers)
        self.norms: dict[str, nn.GroupNorm] = {
            name: module for name, module in unet.named_modules() if group_norms and isinstance(module, nn.GroupNorm)
        }

    @contextmanager
    def record(self, groups: int, queries: bool = False) -> Iterator[Recording]:
        """Record the references, which calls of the UNet see in `groups` branches.

        With `queries`, keep those of the unconditional branch too. The recording is complete at the end.
        """
        recording = Recording(groups, norms={name: [] for name in self.norms})
        processors = {name: RecordingProcessor(groups, queries) for name in self.attention}
        with ExitStack() as undo:
            for name, attention in self.attention.items():
                undo.enter_context(_replaced(attention, "processor", processors[name]))
            for name, norm in self.norms.items():
                undo.enter_context(_replaced(norm, "forward", RecordingNorm(norm, recording.norms[name])))
            yield recording
        recording.attention = {name: processor.memory for name, processor in processors.items()}

    @contextmanager
    def share(
        self, recording: Recording, influence: Influence, merged: Callable[[str, Tensor], object] | None = None
    ) -> Iterator[None]:
        """Let the targets of UNet calls, in the recording's branches, attend to the recording.

        `merged` receives the name and the merge weight m (G * N, H, L) of every layer, in every call.
        """
        with ExitStack() as undo:
            for name, attention in self.attention.items():
                note = partial(merged, name) if merged else None
                processor = SharingProcessor(recording.attention[name], influence, note)
                undo.enter_context(_replaced(attention, "processor", processor))
            for name, norm in self.norms.items():
                (moments,) = recording.norms[name]
                shared = SharingNorm(norm, moments, recording.groups, influence)
                undo.enter_context(_replaced(norm, "forward", shared))
            yield


@contextmanager
def _replaced(owner: Any, attribute: str, value: Any) -> Iterator[None]:
    """Set `owner.attribute` to `value` for the duration, then restore the instance's or the class's own."""
    before = owner.__dict__.get(attribute)
    owner.__dict__[attribute] = value
    try:
        yield
    finally:
        if before is None:
            del owner.__dict__[attribute]
        else:
            owner.__dict__[attribute] = before
