"""The one denoising loop, over diffusers' parts: any UNet of SDXL's kind, any of its schedulers, any guidance.

Everything that shapes an image comes in as an argument. The loop is a generator: it yields after each step and stops
cleanly when it is closed.
"""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
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

from app.style_aligned.reference import NoiseLevels, Track
from app.style_aligned.sharing import SharedLayers, Sharing

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


@dataclass(frozen=True)
class Conditioning:
    """What the UNet is told besides the latents, for N images in G guidance branches (unconditional first)."""

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
    """What the targets attend to: one track and one weight a reference, and their prompts' conditioning."""

    tracks: Sequence[Track]
    weights: Sequence[float]
    conditioning: Conditioning


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
    """A UNet with everything about it that stays the same from one call to the next."""

    unet: nn.Module
    levels: NoiseLevels
    prediction_type: str = "epsilon"
    layers: dict[tuple[str, bool], SharedLayers] = field(default_factory=dict, repr=False)

    def denoise(
        self,
        scheduler: Any,
        noise: Tensor,
        conditioning: Conditioning,
        *,
        guidance: float,
        generators: list[torch.Generator],
        references: References | None = None,
        sharing: Sharing | None = None,
    ) -> Iterator[Denoised]:
        """Denoise `noise` (N, C, h, w), standard normal, with a `scheduler` whose timesteps are set.

        `guidance` matters only with two branches. `generators`, one an image, feed schedulers that draw noise in each
        step. Images attend to `references` as `sharing` says; without either, or at strength 0, this is plain SDXL.
        """
        timesteps = scheduler.timesteps
        latents = noise * scheduler.init_noise_sigma
        strengths = sharing.strengths(len(noise)) if sharing else []
        extra = {"generator": generators} if "generator" in inspect.signature(scheduler.step).parameters else {}
        for step, t in enumerate(timesteps):
            seen = scheduler.scale_model_input(latents, t)
            if references and sharing and any(strengths) and sharing.active(step, len(timesteps)):
                output = self._shared(seen, step, t, conditioning, references, sharing, strengths)
            else:
                output = self._predict(seen, t, conditioning)
            output = guide(output, guidance)
            clean = self.clean(seen, output, float(t))
            latents = scheduler.step(output, t, latents, **extra, return_dict=False)[0].to(noise.dtype)
            yield Denoised(step + 1, len(timesteps), latents, seen, clean)

    def predict(self, x: Tensor, t: float, conditioning: Conditioning, guidance: float) -> Tensor:
        """The guided noise in `x` (N, C, h, w) at timestep `t`, whatever the UNet was trained to predict."""
        output = guide(self._predict(x, t, conditioning), guidance)
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

    def _shared(
        self,
        x: Tensor,
        step: int,
        t: Tensor,
        conditioning: Conditioning,
        references: References,
        sharing: Sharing,
        strengths: list[float],
    ) -> Tensor:
        """One step in two calls of the UNet: record the references, then predict for targets that share with them."""
        layers = self._layers(sharing)
        with layers.record(conditioning.branches) as recording:
            x_references = torch.cat([track.at(step, float(t)) for track in references.tracks]).to(x.dtype)
            self._predict(x_references, t, references.conditioning)
        influence = sharing.influence(strengths, references.weights, x.device)
        with layers.share(recording, influence):
            return self._predict(x, t, conditioning)

    def _layers(self, sharing: Sharing) -> SharedLayers:
        key = (sharing.layers, sharing.share_group_norm)
        if key not in self.layers:
            self.layers[key] = SharedLayers(self.unet, *key)
        return self.layers[key]

    def _predict(self, x: Tensor, t: Tensor | float, conditioning: Conditioning) -> Tensor:
        """The UNet's output (G, N, C, h, w) for `x` (N, C, h, w) in every guidance branch."""
        branches = conditioning.branches
        output: Tensor = self.unet(x.repeat(branches, 1, 1, 1), t, **conditioning.arguments(), return_dict=False)[0]
        return output.unflatten(0, (branches, -1))


def guide(output: Tensor, guidance: float) -> Tensor:
    """Classifier-free guidance: (G, N, ...) to (N, ...). With one branch, that branch."""
    if len(output) == 1:
        return output[0]
    unconditional, conditional = output
    return unconditional + guidance * (conditional - unconditional)
