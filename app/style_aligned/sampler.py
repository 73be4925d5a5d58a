"""The denoising loop, over diffusers' parts: any UNet like SDXL's, any of its schedulers, any guidance.

Everything that shapes an image is an argument. The loop is a generator: it yields after each step and stops cleanly
when closed.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
    PNDMScheduler,
    UniPCMultistepScheduler,
)
from torch import Tensor, nn

from app.style_aligned.calibration import Calibration
from app.style_aligned.controlnet import Hint, residuals
from app.style_aligned.dimming import Dimming
from app.style_aligned.keeping import Point
from app.style_aligned.layers import Layers
from app.style_aligned.maps import Recorder, merged
from app.style_aligned.panorama import Canvas, Patch
from app.style_aligned.reference import NoiseLevels, Track
from app.style_aligned.sharing import SharedLayers, Sharing, normalized

SCHEDULERS: dict[str, Any] = {
    "ddim": DDIMScheduler,
    "euler": EulerDiscreteScheduler,
    "euler-a": EulerAncestralDiscreteScheduler,
    "dpm++": DPMSolverMultistepScheduler,
    "unipc": UniPCMultistepScheduler,
    "heun": HeunDiscreteScheduler,
    "pndm": PNDMScheduler,
    "lcm": LCMScheduler,
}


GROUNDED = 0.4  # of the steps, at the start: brushes with a ground see nothing else outside their mask


@dataclass(frozen=True)
class Conditioning:
    """The UNet's inputs besides the latents, for N images in G guidance branches (unconditional first)."""

    tokens: Tensor  # (G, N, T, C), both text encoders' hidden states
    pooled: Tensor  # (G, N, P)
    size: tuple[int, int]  # width, height in px: SDXL's size conditioning, the real one

    @property
    def branches(self) -> int:
        return self.tokens.shape[0]

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of the UNet, rows in the order (G * N)."""
        width, height = self.size
        pooled = self.pooled.flatten(0, 1)
        time_ids = torch.tensor([[height, width, 0, 0, height, width]], dtype=pooled.dtype, device=pooled.device)
        added = {"text_embeds": pooled, "time_ids": time_ids.repeat(len(pooled), 1)}
        return {"encoder_hidden_states": self.tokens.flatten(0, 1), "added_cond_kwargs": added}


@dataclass(frozen=True)
class References:
    """What the targets attend to: one track and one weight per reference, and their prompts' conditioning."""

    tracks: Sequence[Track]
    weights: Sequence[float]
    conditioning: Conditioning
    ground: Tensor | None = None
    """(1, C, 1, 1): latents of the references' plain background colour."""
    clean: Tensor | None = None
    """(R, C, h, w): the references' x_0, for `Sharing.colour`."""
    dimming: Dimming | None = None
    """Where they show their subjects, for `Sharing.subject_attention`."""


@dataclass(frozen=True)
class Brush:
    """Prompts and a look that paint a picture or a part of it."""

    conditioning: Conditioning
    references: References | None = None
    sharing: Sharing | None = None
    """Includes a strength for each of the N images. Without it, or without references, this is plain SDXL."""
    mask: Tensor | None = None
    """(h, w), 0 to 1: how much each position belongs to this brush; None: 1 everywhere."""
    ground: Tensor | None = None
    """(1, C, 1, 1): latents of a plain colour, the only thing it sees outside its mask in the first steps."""

    def shares(self, step: int, steps: int) -> bool:
        """Whether the references are used in step `step`, 0 to `steps` - 1."""
        if not (self.references and self.sharing):
            return False
        count = self.conditioning.tokens.shape[1]
        return any(self.sharing.strengths(count)) and self.sharing.active(step, steps)

    def calibration(self, step: int, steps: int) -> Calibration | None:
        """How predicted pictures take on the references' colours in step `step`, 0 to `steps` - 1; None: not at all."""
        references, sharing = self.references, self.sharing
        if not (references and sharing and references.clean is not None and sharing.calibrates(step, steps)):
            return None
        device = references.clean.device
        strengths = torch.tensor(sharing.strengths(self.conditioning.tokens.shape[1]), device=device)
        weights = normalized(references.weights, device)
        return Calibration.to(references.clean, weights, sharing.colour * strengths.clamp(max=1))


@dataclass(frozen=True)
class Denoised:
    """The state after a step."""

    step: int  # 1 to steps
    steps: int
    latents: Tensor  # (N, C, h, w), in the scheduler's scale
    seen: Tensor  # (N, C, h, w): what the UNet saw, x_t
    clean: Tensor  # (N, C, h, w): x_0 as predicted in this step


@dataclass(frozen=True)
class Sampler:
    """A UNet with everything that stays the same between calls."""

    unet: nn.Module
    levels: NoiseLevels
    prediction_type: str = "epsilon"
    layers: dict[tuple[Layers, bool], SharedLayers] = field(default_factory=dict, repr=False)

    def denoise(
        self,
        scheduler: Any,
        noise: Tensor,
        brushes: Sequence[Brush],
        *,
        guidance: float,
        generators: list[torch.Generator],
        canvas: Canvas | None = None,
        hints: Sequence[Hint] = (),
        adapted: Callable[[], AbstractContextManager[None]] = nullcontext,
        begin: Point | None = None,
        watches: Sequence[Recorder] = (),
    ) -> Iterator[Denoised]:
        """Denoise `noise` (N, C, h, w), standard normal, with a `scheduler` whose timesteps are set.

        Each of `brushes` paints its part of all N images; one without a mask paints everything. `guidance` only matters
        with two branches. `generators`, one per image, serve schedulers that draw noise in each step. The UNet sees the
        windows of `canvas` one by one (None: the whole picture at once). `hints` are structures that images follow, and
        within `adapted()` the UNet has its adapters; both affect only the images, never their references. With `begin`,
        it continues from there, with a scheduler and generators that were restored to it. `watches` see each call of
        the UNet for the images.
        """
        timesteps = scheduler.timesteps
        latents = begin.latents if begin else noise * scheduler.init_noise_sigma
        canvas = canvas or Canvas.whole(*noise.shape[-2:])
        patches = [
            [Patch(patch.window, patch.weight.to(noise.device)) for patch in own]
            for own in canvas.patches([brush.mask for brush in brushes])
        ]
        extra = {"generator": generators} if "generator" in inspect.signature(scheduler.step).parameters else {}
        for step in range(begin.step if begin else 0, len(timesteps)):
            t = timesteps[step]
            seen = scheduler.scale_model_input(latents, t)
            present = [hint for hint in hints if hint.active(step, len(timesteps))]
            painted = torch.zeros(noise.shape, dtype=torch.float32, device=noise.device)
            for place, (brush, own) in enumerate(zip(brushes, patches, strict=True)):
                shared = own and brush.shares(step, len(timesteps))
                with self._sharing(brush, step, t, watches) if shared else nullcontext(), adapted():
                    x = self._grounded(seen, noise, t, brush) if step < GROUNDED * len(timesteps) else seen
                    calibration = brush.calibration(step, len(timesteps))
                    part = torch.zeros_like(painted) if calibration else painted
                    calls = [partial(watch.call, step, len(timesteps), place) for watch in watches]
                    self._paint(part, x, t, brush, own, guidance, present, calls)
                if calibration:
                    painted += self._calibrated(part, x, float(t), covered(own, noise), calibration)
            output = painted.to(noise.dtype)
            clean = self.clean(seen, output, float(t))
            latents = scheduler.step(output, t, latents, **extra, return_dict=False)[0].to(noise.dtype)
            yield Denoised(step + 1, len(timesteps), latents, seen, clean)

    def predict(self, x: Tensor, t: float, conditioning: Conditioning, guidance: float) -> Tensor:
        """Predict the guided noise in `x` (N, C, h, w) at timestep `t`, for any prediction type."""
        output = guide(self.call(x, t, conditioning), guidance)
        alpha = self.levels(t)
        if self.prediction_type == "epsilon":
            return output
        return (x - alpha**0.5 * self.clean(x, output, t)) / (1 - alpha) ** 0.5

    def clean(self, x: Tensor, output: Tensor, t: float) -> Tensor:
        """x_0 from x_t and the UNet's output at `t`."""
        alpha = self.levels(t)
        match self.prediction_type:
            case "epsilon":
                return (x - (1 - alpha) ** 0.5 * output) / alpha**0.5
            case "v_prediction":
                return alpha**0.5 * x - (1 - alpha) ** 0.5 * output
            case _:
                return output

    def output(self, x: Tensor, clean: Tensor, t: float) -> Tensor:
        """The UNet's output at `t` from x_t and x_0: the inverse of `clean`."""
        alpha = self.levels(t)
        match self.prediction_type:
            case "epsilon":
                return (x - alpha**0.5 * clean) / (1 - alpha) ** 0.5
            case "v_prediction":
                return (alpha**0.5 * x - clean) / (1 - alpha) ** 0.5
            case _:
                return clean

    def _grounded(self, x: Tensor, noise: Tensor, t: Tensor, brush: Brush) -> Tensor:
        """`x` (N, C, h, w) inside the brush's mask; outside it only its ground, as noisy as `x`.

        Source: MultiDiffusion, section 4.2, "Fidelity to tight masks": what is laid out in the first steps then stays
        inside the mask.
        """
        if brush.mask is None or brush.ground is None:
            return x
        alpha = self.levels(float(t))
        ground = alpha**0.5 * brush.ground + (1 - alpha) ** 0.5 * noise
        return torch.lerp(ground.to(x.dtype), x, brush.mask.to(x.device, x.dtype))

    def _paint(
        self,
        painted: Tensor,
        x: Tensor,
        t: Tensor,
        brush: Brush,
        patches: Sequence[Patch],
        guidance: float,
        hints: Sequence[Hint],
        calls: Sequence[Callable[[Patch], AbstractContextManager[None]]],
    ) -> None:
        """Add the brush's guided and weighted predictions for `x`, patch by patch, to `painted` (N, C, h, w)."""
        for patch in patches:
            window = patch.window
            with ExitStack() as watched:
                for call in calls:
                    watched.enter_context(call(patch))
                output = self.call(window.cut(x), t, brush.conditioning, [hint.within(window) for hint in hints])
            window.add(painted, guide(output, guidance) * patch.weight)

    def _calibrated(self, painted: Tensor, x: Tensor, t: float, weight: Tensor, calibration: Calibration) -> Tensor:
        """A brush's weighted predictions (N, C, h, w) for `x`, with the x_0 that they imply calibrated.

        `weight` (h, w) is what they were multiplied by. Targets with an amount of 0 stay as they are, bit for bit.
        """
        x = x.float()
        clean = self.clean(x, painted / torch.where(weight > 0, weight, 1), t)
        calibrated = self.output(x, calibration(clean, weight), t) * weight
        return torch.where(calibration.amount > 0, calibrated, painted)

    @contextmanager
    def _sharing(self, brush: Brush, step: int, t: Tensor, watches: Sequence[Recorder]) -> Iterator[None]:
        """Record the brush's references at this step, and let targets share with them for the duration."""
        references, sharing, conditioning = brush.references, brush.sharing, brush.conditioning
        if references is None or sharing is None:
            raise ValueError("a brush without references has nothing to share")
        layers = self._layers(sharing)
        with layers.record(conditioning.branches, sharing.reference_queries > 0) as recording:
            x = torch.cat([track.at(step, float(t)) for track in references.tracks])
            self.call(x.to(conditioning.tokens.dtype), t, references.conditioning)
        strengths = sharing.strengths(conditioning.tokens.shape[1])
        influence = sharing.influence(strengths, references.weights, x.device, references.dimming)
        with layers.share(recording, influence, merged(watches)):
            yield

    def _layers(self, sharing: Sharing) -> SharedLayers:
        key = (tuple(sharing.layers), sharing.share_group_norm)
        if key not in self.layers:
            self.layers[key] = SharedLayers(self.unet, *key)
        return self.layers[key]

    def call(self, x: Tensor, t: Tensor | float, conditioning: Conditioning, hints: Sequence[Hint] = ()) -> Tensor:
        """The UNet's output (G, N, C, h, w) for `x` (N, C, h, w) in every guidance branch."""
        rows = x.repeat(conditioning.branches, 1, 1, 1)
        arguments = conditioning.arguments()
        extra = residuals(hints, rows, t, arguments) if hints else {}
        output: Tensor = self.unet(rows, t, **arguments, **extra, return_dict=False)[0]
        return output.unflatten(0, (conditioning.branches, -1))


def covered(patches: Sequence[Patch], like: Tensor) -> Tensor:
    """How much the patches' weights add up to at each position of `like` (..., h, w): (h, w), 0 to 1."""
    total = torch.zeros(like.shape[-2:], device=like.device)
    for patch in patches:
        patch.window.add(total, patch.weight)
    return total


def guide(output: Tensor, guidance: float) -> Tensor:
    """Apply classifier-free guidance: (G, N, ...) to (N, ...). A single branch is returned as it is."""
    if len(output) == 1:
        return output[0]
    unconditional, conditional = output
    return unconditional + guidance * (conditional - unconditional)
