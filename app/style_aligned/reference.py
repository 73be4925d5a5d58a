"""Where the reference's latents come from: `Reference`, and its noisy latents for every step (`Track`).

With any scheduler, a UNet of this family sees x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps; schedulers with another
scale convert to it just before the call. A reference uses only that scale and never meets the scheduler, so it works
with any scheduler and any number of steps.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

Method = Literal["noise", "ddim"]

INVERSION_GUIDANCE = 2.0  # the authors' setting for real references


class NoiseLevels:
    """abar_t for any t, integer or not, from a scheduler's `alphas_cumprod`."""

    def __init__(self, alphas_cumprod: Tensor) -> None:
        self._alphas = alphas_cumprod.double().cpu().numpy()

    def __call__(self, t: float) -> float:
        """abar_t, interpolated between integer steps; below the first step, the first's."""
        return float(np.interp(t, np.arange(len(self._alphas)), self._alphas))


@dataclass(frozen=True)
class Reference:
    """A picture whose look to use, ready for any number of calls. Made by `Studio.reference`."""

    picture: Image.Image  # RGB, of any size: cropped around its centre to the shape of the images
    prompt: str = ""
    """What it shows and how, such as "a teapot, watercolor"."""
    method: Method = "noise"
    weight: float = 1.0
    """Above 0: its weight relative to other references."""
    seed: int = 0
    """Of the noise added to it, the same in every step."""
    subject: Image.Image | None = None
    """A mask of its main subject, white there, of the picture's shape; None: found when it is needed."""
    _cache: dict[tuple[int, int], Tensor] = field(default_factory=dict, repr=False, compare=False)
    _masks: dict[tuple[int, int], Tensor] = field(default_factory=dict, repr=False, compare=False)

    def fitted(self, size: tuple[int, int]) -> Image.Image:
        """The picture resized to cover `size` (width, height) and cropped around its centre."""
        return ImageOps.fit(self.picture, size, Image.Resampling.LANCZOS)

    def latents(self, size: tuple[int, int], encode: Callable[[Image.Image], Tensor]) -> Tensor:
        """x_0 (1, C, h, w) of the picture at `size`, encoded at the first call and cached."""
        if size not in self._cache:
            self._cache[size] = encode(self.fitted(size))
        return self._cache[size]

    def subject_mask(self, shape: tuple[int, int], find: Callable[[], Tensor]) -> Tensor:
        """Where its subject is, 0 to 1, among latents of `shape` (height, width): `subject`, fitted like the picture.

        Without one, what `find` gives at the first call.
        """
        if shape not in self._masks and self.subject:
            fitted = ImageOps.fit(self.subject.convert("L"), shape[::-1], Image.Resampling.BOX)
            self._masks[shape] = torch.from_numpy(np.array(fitted, np.float32) / 255)
        elif shape not in self._masks:
            self._masks[shape] = find()
        return self._masks[shape]

    def key(self, *more: object) -> str:
        """A cache key for what depends on this picture, its prompt and `more`: hexadecimal SHA-256."""
        digest = hashlib.sha256(repr((self.picture.size, self.prompt, *more)).encode())
        digest.update(self.picture.tobytes())
        return digest.hexdigest()


class Track(Protocol):
    """The noisy latents of one reference, for every step of a denoising."""

    def at(self, step: int, t: float) -> Tensor:
        """x_t (1, C, h, w) for step number `step`, with timestep `t`."""
        ...


@dataclass(frozen=True)
class NoisedTrack:
    """`noise`: one fixed noise over the picture, at the level of each step. No UNet calls."""

    clean: Tensor  # (1, C, h, w)
    noise: Tensor
    levels: NoiseLevels

    def at(self, step: int, t: float) -> Tensor:
        alpha = self.levels(t)
        return self.clean * alpha**0.5 + self.noise * (1 - alpha) ** 0.5


@dataclass(frozen=True)
class TimedTrack:
    """`ddim`: the latents that DDIM inversion passed through, by timestep."""

    latents: dict[float, Tensor]

    def at(self, step: int, t: float) -> Tensor:
        return self.latents[t]


@dataclass(frozen=True)
class BlendedTrack:
    """Several references as one: their noisy latents mixed on a sphere, by weight."""

    tracks: Sequence[Track]
    weights: Sequence[float]

    def at(self, step: int, t: float) -> Tensor:
        return spherical_mean([track.at(step, t) for track in self.tracks], self.weights)


@dataclass(frozen=True)
class SteppedTrack:
    """`text`: what the UNet saw at each step of another image's denoising, by step."""

    latents: list[Tensor]

    def at(self, step: int, t: float) -> Tensor:
        return self.latents[step]


def ddim_inversion(
    clean: Tensor, timesteps: list[float], levels: NoiseLevels, predict: Callable[[Tensor, float], Tensor]
) -> Iterator[dict[float, Tensor]]:
    """Run DDIM backwards from x_0 to noise, yielding the growing {t: x_t} after each of `timesteps`.

    `predict(x_t, t)` returns the guided noise. Song et al., "Denoising Diffusion Implicit Models", section 4.3,
    equation 13 read from right to left: the noise at t replaces the noise at the next t, so more steps invert
    better.
    """
    track: dict[float, Tensor] = {}
    x, alpha = clean, levels(0)
    for t in sorted(set(timesteps)):
        noise = predict(x, t)
        x0 = (x - (1 - alpha) ** 0.5 * noise) / alpha**0.5
        alpha = levels(t)
        x = alpha**0.5 * x0 + (1 - alpha) ** 0.5 * noise
        track[t] = x
        yield track


def spherical_mean(latents: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Mix latents, each (1, C, h, w), by `weights` above 0, along the arcs between them.

    A plain mean of two noises has less variance than either, which the UNet would take for a blurred picture; an arc
    keeps it. Each one is mixed into the mean of those before it, so with three or more their order matters slightly.
    Source: Borgi, Maiano, Amerini, "Z-SASLM: Zero-Shot Style-Aligned SLI Blending Latent Manipulation", CVPR 2025
    workshops, arXiv 2503.23234.
    """
    mixed, total = latents[0], weights[0]
    for each, weight in zip(latents[1:], weights[1:], strict=True):
        total += weight
        mixed = slerp(mixed, each, weight / total)
    return mixed


def slerp(first: Tensor, second: Tensor, part: float) -> Tensor:
    """The point at `part`, 0 to 1, of the arc from `first` to `second`, as vectors of all their numbers.

    Their lengths may differ; nearly parallel ones are mixed linearly.
    """
    a, b = first.double().flatten(), second.double().flatten()
    cosine = (a @ b / (a.norm() * b.norm())).clamp(-1, 1)
    angle = torch.arccos(cosine)
    if torch.sin(angle) < 1e-4:
        return torch.lerp(first, second, part)
    mixed = (torch.sin((1 - part) * angle) * a + torch.sin(part * angle) * b) / torch.sin(angle)
    return mixed.view_as(first).to(first.dtype)


def latent_noise(seed: int, channels: int, height: int, width: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Standard normal noise (1, channels, height, width), drawn on the CPU so that a seed means the same everywhere."""
    generator = torch.Generator("cpu").manual_seed(seed)
    return torch.randn(1, channels, height, width, generator=generator).to(device, dtype)
