"""The studio: one loaded SDXL and everything that can be asked of it.

`Studio.reference` does the costly part once, `Studio.generate` is called as often as wanted.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from app.style_aligned.loading import DeviceChoice, Place, PrecisionChoice, Progress, load_pipeline
from app.style_aligned.preview import PreviewMap
from app.style_aligned.reference import (
    INVERSION_GUIDANCE,
    Method,
    NoisedTrack,
    NoiseLevels,
    Reference,
    SteppedTrack,
    TimedTrack,
    Track,
    ddim_inversion,
    latent_noise,
)
from app.style_aligned.sampler import SCHEDULERS, Conditioning, References, Sampler
from app.style_aligned.sharing import Sharing

MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class Inversion:
    """Step `step` of `steps` of inverting the reference is done; the images come after."""

    step: int
    steps: int


@dataclass(frozen=True)
class Step:
    """Step `step` of `steps` is done for the images at these places in the list of prompts."""

    images: tuple[int, ...]
    step: int
    steps: int


@dataclass(frozen=True)
class Preview:
    """What the image at `index` will be, as far as can be told: small, blurred, in its final shape."""

    index: int
    picture: Image.Image


@dataclass(frozen=True)
class ImageReady:
    """The finished image of the prompt at `index`."""

    index: int
    picture: Image.Image
    prompt: str
    seed: int
    latents: Tensor  # (1, C, h, w)


Event = Inversion | Step | Preview | ImageReady


@dataclass(frozen=True)
class Defaults:
    """What this model is best used with."""

    size: tuple[int, int]
    steps: int
    guidance: float
    scheduler: str


@dataclass(frozen=True)
class _Job:
    """What is the same for all batches of one call of `generate`."""

    size: tuple[int, int]
    steps: int
    guidance: float
    scheduler: str
    negative_prompt: str
    sharing: Sharing
    preview_every: int


class Studio:
    """One loaded SDXL pipeline. Not thread-safe: one call of `generate` at a time."""

    def __init__(self, pipeline: Any, place: Place, name: str = "", cache: Path | None = None) -> None:
        """Wrap a loaded `StableDiffusionXLPipeline`. `cache` is a folder for inverted references; None keeps none."""
        self.pipeline, self.place, self.name, self.cache = pipeline, place, name, cache
        self.vae, self.unet = pipeline.vae, pipeline.unet
        if self.vae.dtype is torch.float16 and self.vae.config.force_upcast:
            self.vae.to(torch.float32)  # SDXL's own VAE overflows in half precision
        scheduler = pipeline.scheduler
        self.levels = NoiseLevels(scheduler.alphas_cumprod)
        self.sampler = Sampler(self.unet, self.levels, scheduler.config.prediction_type)
        self.factor: int = pipeline.vae_scale_factor  # px a latent
        self.size_multiple = self.factor * 2 ** (len(self.unet.config.block_out_channels) - 1)

    @classmethod
    def load(
        cls,
        model: str = "demo",
        device: DeviceChoice = "auto",
        precision: PrecisionChoice = "auto",
        cache: Path | None = None,
        progress: Progress = lambda what, share: None,
    ) -> "Studio":
        """Load `model`: "demo", a folder in diffusers format, a hub id, or a `.safetensors` file.

        `progress(what, share)` is told what is being loaded and the share that is done. Raises ModelError, whose
        message is one sentence, when the model is missing, not an SDXL, not safetensors, or too large.
        """
        place = Place.choose(device, precision)
        return cls(load_pipeline(model, place, progress), place, model, cache)

    @cached_property
    def defaults(self) -> Defaults:
        """The size that the UNet was trained at, and numbers that suit its kind."""
        side = self.unet.config.sample_size * self.factor
        small = side < 512
        return Defaults((side, side), 20 if small else 30, 4.0 if small else 5.0, "ddim" if small else "euler")

    def reference(
        self, picture: Image.Image, prompt: str = "", *, method: Method = "noise", weight: float = 1.0, seed: int = 0
    ) -> Reference:
        """Take the look of `picture`, of any size and mode, transparency over white.

        `prompt` says what it shows. `method` "noise" lays noise of `seed` over it (no cost); "ddim" inverts it, which
        keeps more of it at the price of one pass. `weight`, above 0, counts beside other references. Raises ValueError.
        """
        if weight <= 0:
            raise ValueError(f"a reference's weight must be above 0; {weight:g} was given")
        if method not in ("noise", "ddim"):
            raise ValueError(f"method must be noise or ddim; {method!r} was given")
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        return Reference(picture.convert("RGB"), prompt, method, weight, seed)

    @torch.inference_mode()
    def generate(
        self,
        prompts: Sequence[str],
        *,
        reference: Reference | Sequence[Reference] | None = None,
        sharing: Sharing | None = None,
        seeds: Sequence[int] | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        size: tuple[int, int] | None = None,
        scheduler: str | None = None,
        negative_prompt: str = "",
        batch_size: int = 4,
        preview_every: int = 4,
    ) -> Generator[Event, None, None]:
        """Make one image a prompt in the look of `reference`, yielding events as they come.

        An image depends on its prompt, its seed and the reference, never on its neighbours. Without a reference the
        first prompt's own image is the reference of the others, as in the paper's text-only sets.

        `sharing` defaults to strength 1; with `sharing.strength` 0 this is plain SDXL. `seeds` default to 0, 1, 2, ...
        `size` is (width, height) in px, multiples of `size_multiple`. `guidance` of 1 or less means none. `scheduler`
        is a name in `SCHEDULERS`. A preview of each image comes after every `preview_every` steps; 0 for none.
        Closing the generator stops the work within one step. Raises ValueError with the value that was wrong.
        """
        prompts = list(prompts)
        seeds = list(range(len(prompts))) if seeds is None else list(seeds)
        sharing = sharing or Sharing()
        defaults = self.defaults
        job = _Job(
            size or defaults.size,
            defaults.steps if steps is None else steps,
            defaults.guidance if guidance is None else guidance,
            scheduler or defaults.scheduler,
            negative_prompt,
            sharing,
            preview_every,
        )
        self._check(prompts, seeds, batch_size, job)
        strengths = sharing.strengths(len(prompts))
        places = list(range(len(prompts)))
        references: References | None = None
        if reference is not None and any(strengths):
            given = [reference] if isinstance(reference, Reference) else list(reference)
            references = yield from self._references(given, job)
        elif reference is None and any(strengths) and len(prompts) > 1:
            references = yield from self._first_as_reference(prompts[0], seeds[0], job)
            places = places[1:]
        for start in range(0, len(places), batch_size):
            batch = places[start : start + batch_size]
            yield from self._batch(batch, prompts, seeds, [strengths[i] for i in batch], job, references)

    def noise(self, seeds: Sequence[int], size: tuple[int, int]) -> Tensor:
        """The standard normal noise (N, C, h, w) that images with these seeds begin from."""
        width, height = (side // self.factor for side in size)
        channels = self.unet.config.in_channels
        device, dtype = self.place.device, self.unet.dtype
        return torch.cat([latent_noise(seed, channels, height, width, device, dtype) for seed in seeds])

    def encode(self, picture: Image.Image) -> Tensor:
        """Latents (1, C, h, w) of an RGB picture, the mean of the VAE's distribution."""
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
        pixels = pixels.to(self.place.device, self.vae.dtype) / 127.5 - 1
        latents: Tensor = self.vae.encode(pixels).latent_dist.mean * self.vae.config.scaling_factor
        return latents.to(self.unet.dtype)

    def decode(self, latents: Tensor) -> Image.Image:
        """The picture of `latents` (1, C, h, w)."""
        pixels = self.vae.decode(latents.to(self.vae.dtype) / self.vae.config.scaling_factor, return_dict=False)[0]
        pixels = ((pixels[0].float() + 1) * 127.5).round().clamp(0, 255)
        return Image.fromarray(pixels.byte().permute(1, 2, 0).cpu().numpy())

    @cached_property
    def preview(self) -> PreviewMap:
        """Latents to small pictures, fitted to this VAE at first use."""
        return PreviewMap(self.encode)

    def scheduler(self, name: str, steps: int) -> Any:
        """A fresh scheduler, set to `steps`, with this model's noise schedule."""
        scheduler = SCHEDULERS[name].from_config(self.pipeline.scheduler.config)
        scheduler.set_timesteps(steps, device=self.place.device)
        return scheduler

    def condition(
        self, prompts: list[str], negative_prompt: str, guidance: float, size: tuple[int, int]
    ) -> Conditioning:
        """Encode prompts for one branch, or for two when there is guidance, as the pipeline itself would."""
        tokens, no_tokens, pooled, no_pooled = self.pipeline.encode_prompt(
            prompts,
            device=self.place.device,
            do_classifier_free_guidance=guidance > 1,
            negative_prompt=[negative_prompt] * len(prompts) if negative_prompt else None,
        )
        if guidance > 1:
            return Conditioning(torch.stack([no_tokens, tokens]), torch.stack([no_pooled, pooled]), size)
        return Conditioning(tokens[None], pooled[None], size)

    def _batch(
        self,
        places: list[int],
        prompts: list[str],
        seeds: list[int],
        strengths: list[float],
        job: _Job,
        references: References | None,
        trail: list[Tensor] | None = None,
    ) -> Iterator[Event]:
        """Make the images at `places`. What the UNet sees of them in each step is appended to `trail`."""
        own_seeds = [seeds[i] for i in places]
        conditioning = self.condition([prompts[i] for i in places], job.negative_prompt, job.guidance, job.size)
        steps = self.sampler.denoise(
            self.scheduler(job.scheduler, job.steps),
            self.noise(own_seeds, job.size),
            conditioning,
            guidance=job.guidance,
            # Not the generators of the first noise, which the scheduler's own must not repeat.
            generators=[torch.Generator("cpu").manual_seed(seed ^ MAX_SEED) for seed in own_seeds],
            references=references,
            sharing=replace(job.sharing, strength=strengths),
        )
        for state in steps:
            if trail is not None:
                trail.append(state.seen)
            yield Step(tuple(places), state.step, state.steps)
            if job.preview_every and state.step % job.preview_every == 0 and state.step < state.steps:
                for place, clean in zip(places, state.clean, strict=True):
                    yield Preview(place, self.preview(clean, job.size))
        for place, latents in zip(places, state.latents.split(1), strict=True):
            yield ImageReady(place, self.decode(latents), prompts[place], seeds[place], latents)

    def _references(self, given: list[Reference], job: _Job) -> Generator[Event, None, References]:
        """What the targets attend to, from pictures; inversions are reported."""
        tracks: list[Track] = []
        for reference in given:
            clean = reference.latents(job.size, self.encode)
            if reference.method == "noise":
                noise = self.noise([reference.seed], job.size)
                tracks.append(NoisedTrack(clean, noise, self.levels))
            else:
                tracks.append((yield from self._inverted(reference, clean, job)))
        conditioning = self.condition([r.prompt for r in given], job.negative_prompt, job.guidance, job.size)
        return References(tracks, [r.weight for r in given], conditioning)

    def _inverted(self, reference: Reference, clean: Tensor, job: _Job) -> Generator[Event, None, TimedTrack]:
        """The reference's DDIM inversion, from the cache where it lies there."""
        timesteps = [float(t) for t in self.scheduler(job.scheduler, job.steps).timesteps]
        file = (
            self.cache / f"{reference.key(self.name, str(self.place), job.size, timesteps)}.safetensors"
            if self.cache
            else None
        )
        if file and file.exists():
            stored = load_file(file)
            return TimedTrack({float(t): x.to(clean.device, clean.dtype) for t, x in stored.items()})
        conditioning = self.condition([reference.prompt], "", INVERSION_GUIDANCE, job.size)
        track: dict[float, Tensor] = {}
        for track in ddim_inversion(
            clean, timesteps, self.levels, lambda x, t: self.sampler.predict(x, t, conditioning, INVERSION_GUIDANCE)
        ):
            yield Inversion(len(track), len(set(timesteps)))
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            partial = file.with_suffix(".partial")
            save_file({str(t): x.cpu().contiguous() for t, x in track.items()}, partial)
            partial.replace(file)
        return TimedTrack(track)

    def _first_as_reference(self, prompt: str, seed: int, job: _Job) -> Generator[Event, None, References]:
        """Make the first image plainly and keep what the UNet saw of it."""
        trail: list[Tensor] = []
        yield from self._batch([0], [prompt], [seed], [0.0], job, None, trail)
        conditioning = self.condition([prompt], job.negative_prompt, job.guidance, job.size)
        return References([SteppedTrack(trail)], [1.0], conditioning)

    def _check(self, prompts: list[str], seeds: list[int], batch_size: int, job: _Job) -> None:
        """Refuse what cannot work, before anything runs."""
        if not prompts:
            raise ValueError("at least one prompt is needed; none was given")
        if len(seeds) != len(prompts):
            raise ValueError(f"{len(prompts)} seeds were expected, one a prompt; {len(seeds)} were given")
        for seed in seeds:
            if not 0 <= seed <= MAX_SEED:
                raise ValueError(f"a seed must be between 0 and {MAX_SEED}; {seed} was given")
        for side in job.size:
            if side <= 0 or side % self.size_multiple:
                width, height = job.size
                raise ValueError(
                    f"width and height must be multiples of {self.size_multiple} px; {width} x {height} was given"
                )
        if not 1 <= job.steps <= 1000:
            raise ValueError(f"steps must be between 1 and 1000; {job.steps} was given")
        if job.scheduler not in SCHEDULERS:
            raise ValueError(f"the scheduler must be one of {', '.join(SCHEDULERS)}; {job.scheduler!r} was given")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1; {batch_size} was given")
