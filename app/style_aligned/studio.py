"""The studio: one loaded SDXL and everything it can do.

`Studio.reference` does the expensive part once; call `Studio.generate` as often as you like.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import compress
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from app.style_aligned.controlnet import KINDS, SDXL_CONTROLS, UNION_MODES, Control, Structure
from app.style_aligned.events import Event, ImageFailed, ImageReady, Preview, Step
from app.style_aligned.finite import NotFinite, finite_rows
from app.style_aligned.gathering import gathered
from app.style_aligned.job import MAX_SEED, Job, check_size, check_steps, listed, step_range, work_of
from app.style_aligned.keeping import Keeper, Point, sweep
from app.style_aligned.loading import (
    DEMO,
    DeviceChoice,
    ModelError,
    Placement,
    PrecisionChoice,
    Progress,
    load_controlnet,
    load_pipeline,
)
from app.style_aligned.maps import Seen, Watches
from app.style_aligned.panorama import Canvas, window_size
from app.style_aligned.pixels import decoded, encoded
from app.style_aligned.preview import PreviewMap
from app.style_aligned.prompts import TextEncoders
from app.style_aligned.reference import Method, NoiseLevels, Reference, SteppedTrack, latent_noise
from app.style_aligned.regions import Region, split
from app.style_aligned.sampler import SCHEDULERS, Brush, Conditioning, References, Sampler
from app.style_aligned.sharing import Sharing
from app.style_aligned.subjects import Adapted, Adapters
from app.style_aligned.weights import CheckedWeights

SDXL_CHUNKS = 4  # of a prompt, 300 tokens
SDXL_WIDTH = 2048  # width of the text embeddings that its UNet attends to


@dataclass(frozen=True)
class Defaults:
    """Settings that suit this model best."""

    size: tuple[int, int]
    steps: int
    guidance: float
    scheduler: str
    chunks: int
    """That are read of a prompt."""


class Studio:
    """One loaded SDXL pipeline. Not thread-safe: one call of `generate` at a time."""

    def __init__(
        self, pipeline: Any, place: Placement, name: str = "", cache: Path | None = None, weights: str = ""
    ) -> None:
        """Wrap a loaded `StableDiffusionXLPipeline`.

        `cache` is a folder for inverted references, and for which weights were checked; None caches nothing. What is
        kept there is of use for the same `weights`, a hash of them; without one, for the same name.
        """
        self.pipeline, self.place, self.name, self.cache = pipeline, place, name, cache
        self.identity = weights or name
        if cache:
            sweep(cache / "denoising")
        self._checked = CheckedWeights(cache)
        self.vae, self.unet = pipeline.vae, pipeline.unet
        if self.vae.dtype is torch.float16 and self.vae.config.force_upcast:
            self.vae.to(torch.float32)  # SDXL's own VAE overflows in half precision
        scheduler = pipeline.scheduler
        self.levels = NoiseLevels(scheduler.alphas_cumprod)
        self.sampler = Sampler(self.unet, self.levels, scheduler.config.prediction_type)
        self.adapters = Adapters(pipeline)
        self._controlnets: dict[str, Any] = {}  # by the names they were requested by
        self.factor: int = pipeline.vae_scale_factor  # px per latent
        self.size_multiple = self.factor  # px: sizes are in whole latents
        self._window_multiple = self.factor * 2 ** (len(self.unet.config.block_out_channels) - 1)
        self.texts = TextEncoders(pipeline, self.defaults.chunks)

    @classmethod
    def load(
        cls,
        model: str = "demo",
        device: DeviceChoice = "auto",
        precision: PrecisionChoice = "auto",
        cache: Path | None = None,
        progress: Progress = lambda what, fraction: None,
    ) -> "Studio":
        """Load `model`: "demo", a folder in diffusers format, a hub id, or a `.safetensors` file.

        `progress(what, fraction)` receives what is being loaded and the completed fraction. Raises ModelError with a
        one-sentence message if the model is missing, not an SDXL, not safetensors, or too large.
        """
        place = Placement.choose(device, precision)
        checked = CheckedWeights(cache)
        return cls(load_pipeline(model, place, progress, checked), place, model, cache, checked.identity)

    @cached_property
    def defaults(self) -> Defaults:
        """The UNet's training size, and numbers that suit its kind."""
        side = self.unet.config.sample_size * self.factor
        small = side < 512
        if small:  # its captions were short, and it makes more of a shortened prompt than of chunks
            return Defaults((side, side), 20, 4.0, "ddim", 1)
        return Defaults((side, side), 30, 5.0, "euler", SDXL_CHUNKS)

    def reference(
        self,
        picture: Image.Image,
        prompt: str = "",
        *,
        method: Method = "noise",
        weight: float = 1.0,
        seed: int = 0,
        subject: Image.Image | None = None,
    ) -> Reference:
        """Take the look of `picture`, of any size and mode; transparency becomes white.

        `prompt` says what it shows. `method` "noise" adds noise from `seed` to it (no cost); "ddim" inverts it, which
        preserves more of it at the cost of one pass. `weight`, above 0, is relative to other references. `subject` is a
        grey mask of its main subject, white there; without one it is found when it is needed. Raises ValueError.
        """
        if weight <= 0:
            raise ValueError(f"a reference's weight must be above 0; {weight:g} was given")
        if method not in ("noise", "ddim"):
            raise ValueError(f"method must be noise or ddim; {method!r} was given")
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        return Reference(picture.convert("RGB"), prompt, method, weight, seed, subject)

    @cached_property
    def controls(self) -> dict[str, str]:
        """The ControlNets that suit this model, by kind of map: a folder or a hub id. Loads nothing."""
        if self.unet.config.cross_attention_dim == SDXL_WIDTH:
            return dict(SDXL_CONTROLS)
        folders = {kind: DEMO / f"controlnet_{kind}" for kind in KINDS} if self.name == "demo" else {}
        return {kind: str(folder) for kind, folder in folders.items() if folder.is_dir()}

    def control(self, name: str, kind: str | None = None) -> Control:
        """Load a ControlNet for `Structure`, once: a kind in `controls` such as "edges", a folder or a hub id.

        `kind`, "edges", "silhouette" or "depth", says what its maps are; a ControlNet-Union needs it. Raises ModelError
        with a one-sentence message if it is missing, not safetensors, or made for another model.
        """
        if name in KINDS and name not in self.controls:
            raise ModelError(f"{self.name} has no ControlNet for {name} of its own; name a folder or a hub id.")
        kind = name if name in KINDS else kind
        source = self.controls.get(name, name)
        if source not in self._controlnets:
            self._controlnets[source] = load_controlnet(source, self.unet, self.factor, self.place, self._checked)
        net = self._controlnets[source]
        if not hasattr(net, "task_embedding"):
            return Control(net, source)
        if kind not in UNION_MODES:
            raise ModelError(f"{source} knows several kinds of map; say which it is given: {', '.join(UNION_MODES)}.")
        return Control(net, source, UNION_MODES[kind])

    def adapter(self, file: Path, weight: float = 1.0) -> Adapted:
        """Load a LoRA in safetensors for `generate`, once. The most recent ones stay loaded.

        `weight`, 0 to 2, sets its strength. Raises ModelError with a one-sentence message if the file is missing,
        damaged, not safetensors, or made for another model; ValueError for a weight out of range.
        """
        return Adapted(self.adapters.load(file), weight)

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
        structures: Sequence[Structure] = (),
        regions: Sequence[Region] = (),
        adapters: Sequence[Adapted] = (),
        seamless: bool = False,
        batch_size: int = 4,
        preview_every: int = 4,
        keep: bool = False,
        objects: Sequence[str] = (),
        maps: bool = False,
    ) -> Generator[Event, None, None]:
        """Make one image per prompt in the look of `reference`, yielding events as they happen.

        An image depends on its prompt, its seed and the reference, never on the rest of its batch. Without a reference,
        the first prompt's own image is the reference for the others, as in the paper's text-only sets.

        `prompts`, `negative_prompt` and those of references and regions can weigh words, "a (red:1.3) fox", as
        `app.weighted` reads them, and be as long as the model reads, `texts.most_chunks` chunks.

        `sharing` defaults to strength 1; with `sharing.strength` 0 this is plain SDXL. `seeds` default to 0, 1, 2, ...
        `size` is (width, height) in px, in multiples of `size_multiple`; a size much larger than the model's becomes a
        panorama of overlapping windows, and `seamless` makes its ends match. `guidance` of 1 or less means none.
        `scheduler` is a name in `SCHEDULERS`. A preview of each image comes every `preview_every` steps; 0: no
        previews.

        Images follow the maps of `structures`, use `adapters`, and show each of `regions` in its part, later ones over
        earlier ones. All of these affect the images, never the references, and can be combined.

        With `keep`, long work is kept in the cache about once a minute; after a crash, the same call resumes from there
        and gives the same images, bit for bit. Only a call without a reference starts over.

        `objects` are the words of each prompt that name what it shows, such as "red fox": `ImageReady.seen` then has
        its outline. With `maps`, it has how much each part drew from the reference. Neither changes an image.

        An image whose numbers overflow gives `ImageFailed`; the others continue. Closing the generator stops the work
        within one step. Raises ValueError, which names the wrong value, and NotFinite if the numbers of a reference
        overflow, or those of the image that all others take their look from.
        """
        job = self._job(
            prompts,
            seeds=seeds,
            sharing=sharing or Sharing(),
            size=size or self.defaults.size,
            seamless=seamless,
            steps=self.defaults.steps if steps is None else steps,
            guidance=self.defaults.guidance if guidance is None else guidance,
            scheduler=scheduler or self.defaults.scheduler,
            negative_prompt=negative_prompt,
            structures=structures,
            regions=regions,
            adapters=adapters,
            batch_size=batch_size,
            preview_every=preview_every,
            keep=keep,
            objects=objects,
            maps=maps,
        )
        yield from self._images(job, reference)

    def _images(self, job: Job, reference: Reference | Sequence[Reference] | None) -> Generator[Event, None, None]:
        """Take the looks of the references, then make the images, batch by batch."""
        places = list(range(len(job.prompts)))
        shares = any(job.sharing.strengths(len(places)))
        references: References | None = None
        if reference is not None and shares:
            references = yield from gathered(self, listed(reference), job.sharing, job)
        looks: list[References | None] = []  # of the regions
        for region in job.regions:
            given, sharing = region.reference, region.sharing or job.sharing
            looks.append(None if given is None else (yield from gathered(self, listed(given), sharing, job)))
        if reference is None and shares and len(places) > 1:
            references = yield from self._first_as_reference(job, looks)
            places = places[1:]
        for start in range(0, len(places), job.batch_size):
            batch = places[start : start + job.batch_size]
            keeper = self._keeper(batch, job, reference) if reference is not None or not shares else None
            yield from self._batch(batch, job, references, looks, keeper=keeper)

    def noise(self, seeds: Sequence[int], size: tuple[int, int]) -> Tensor:
        """The standard normal noise (N, C, h, w) that images with these seeds start from."""
        width, height = (side // self.factor for side in size)
        channels = self.unet.config.in_channels
        device, dtype = self.place.device, self.unet.dtype
        return torch.cat([latent_noise(seed, channels, height, width, device, dtype) for seed in seeds])

    def encode(self, picture: Image.Image) -> Tensor:
        """Encode an RGB picture to latents (1, C, h, w), the mean of the VAE's distribution."""
        return encoded(self.vae, picture, self.place.device).to(self.unet.dtype)

    def decode(self, latents: Tensor, canvas: Canvas | None = None) -> Image.Image:
        """Decode `latents` (1, C, h, w) to a picture, window by window of `canvas` (None: all at once).

        Raises NotFinite if the VAE overflows.
        """
        return decoded(self.vae, latents, canvas or Canvas.whole(*latents.shape[-2:]), self.factor)

    @cached_property
    def preview(self) -> PreviewMap:
        """The map from latents to small pictures, fitted to this VAE on first use."""
        return PreviewMap(self.encode, self.factor)

    def scheduler(self, name: str, steps: int) -> Any:
        """A new scheduler, set to `steps`, with this model's noise schedule."""
        scheduler = SCHEDULERS[name].from_config(self.pipeline.scheduler.config)
        scheduler.set_timesteps(steps, device=self.place.device)
        return scheduler

    @cached_property
    def steps(self) -> dict[str, range]:
        """The numbers of steps that each scheduler takes with this model's noise schedule."""
        return {name: step_range(partial(self.scheduler, name)) for name in SCHEDULERS}

    def condition(
        self, prompts: list[str], negative_prompt: str, guidance: float, size: tuple[int, int]
    ) -> Conditioning:
        """Encode prompts, for one branch, or for two with guidance."""
        return Conditioning(*self.texts.branches(prompts, negative_prompt if guidance > 1 else None), size)

    def _job(self, prompts: Sequence[str], *, seeds: Sequence[int] | None, seamless: bool, **asked: Any) -> Job:
        """Check the request."""
        self.adapters.check(asked["adapters"])
        size = asked["size"]
        check_size(size, self.size_multiple)
        if asked["scheduler"] in SCHEDULERS:
            check_steps(asked["scheduler"], asked["steps"], self.steps[asked["scheduler"]])
        window = window_size(size, self.defaults.size, self._window_multiple)
        (width, height), (wide, high) = ((side // self.factor for side in sides) for sides in (size, window))
        return Job(
            prompts=list(prompts),
            seeds=list(range(len(prompts))) if seeds is None else list(seeds),
            window=window,
            canvas=Canvas.covered(height, width, (high, wide), seamless),
            **asked,
        )

    def _batch(
        self,
        places: list[int],
        job: Job,
        references: References | None,
        looks: Sequence[References | None],
        trail: list[Tensor] | None = None,
        keeper: Keeper | None = None,
    ) -> Iterator[Event]:
        """Make the images at `places`. Appends what the UNet sees of them in each step to `trail`."""
        with keeper.until_done() if keeper else nullcontext():
            latents, seen = yield from self._denoised(places, job, references, looks, trail, keeper)
            for place, each, found in zip(places, latents.split(1), seen, strict=True):
                yield self._finished(place, each, job, found)

    def _denoised(
        self,
        places: list[int],
        job: Job,
        references: References | None,
        looks: Sequence[References | None],
        trail: list[Tensor] | None,
        keeper: Keeper | None,
    ) -> Generator[Event, None, tuple[Tensor, list[Seen]]]:
        """Denoise the images at `places`, from where a crash interrupted it.

        Returns the last latents (N, C, h, w), and what was seen of each image.
        """
        seeds = [job.seeds[i] for i in places]
        scheduler = self.scheduler(job.scheduler, job.steps)
        # Not the generators of the initial noise, which the scheduler's own noise must not repeat.
        generators = [torch.Generator("cpu").manual_seed(seed ^ MAX_SEED) for seed in seeds]
        begin = keeper.find() if keeper else None
        if begin:
            begin.restore(scheduler, generators)
        brushes = self._brushes(places, job, references, looks)
        watches = self._watches(places, job, brushes)
        steps = self.sampler.denoise(
            scheduler,
            self.noise(seeds, job.size),
            brushes,
            guidance=job.guidance,
            generators=generators,
            canvas=job.canvas,
            hints=[s.hint(places, job.size, self.factor, self.place.device) for s in job.structures],
            adapted=lambda: self._adapted(job),
            begin=begin,
            watches=watches.all,
        )
        latents = begin.latents if begin else torch.empty(0)
        for state in steps:
            latents = state.latents
            if keeper:
                keeper.note(partial(Point.of, state.step, latents, scheduler, generators), state.step)
            if trail is not None:
                trail.append(job.canvas.windows[0].cut(state.seen))
            yield Step(tuple(places), state.step, state.steps)
            if job.preview_every and state.step % job.preview_every == 0 and state.step < state.steps:
                good = finite_rows(state.clean).tolist()
                for place, clean in compress(zip(places, state.clean, strict=True), good):
                    yield Preview(place, self.preview(clean, job.size))
            if not finite_rows(latents).any():
                break  # the remaining steps would be useless
        return latents, watches.seen(len(scheduler.timesteps))

    def _watches(self, places: list[int], job: Job, brushes: Sequence[Brush]) -> Watches:
        """What watches the images at `places`, with the words that name what each brush paints."""
        texts = [[(job.prompts[i], job.objects[i] if job.objects else "") for i in places]]
        texts += [[(region.prompt, region.object)] * len(places) for region in job.regions]
        pairs = zip(texts, brushes, strict=True)
        words = [self.texts.marks(own, brush.conditioning.tokens) for own, brush in pairs]
        return Watches(self.unet, words, job.canvas, job.maps)

    def _keeper(self, places: list[int], job: Job, reference: Reference | Sequence[Reference] | None) -> Keeper | None:
        """What keeps the denoising of the images at `places`; None if nothing is to be kept."""
        if not (self.cache and job.keep):
            return None
        steps = len(self.scheduler(job.scheduler, job.steps).timesteps)
        model = f"{self.identity} {self.place}"
        return Keeper(
            self.cache / "denoising", lambda: work_of(job, places, listed(reference), model), steps, self.place.device
        )

    def _finished(self, place: int, latents: Tensor, job: Job, seen: Seen) -> ImageReady | ImageFailed:
        """Decode the image at `place` from its last latents (1, C, h, w).

        NaN would look like a finished black picture.
        """
        prompt, seed = job.prompts[place], job.seeds[place]
        try:
            if not finite_rows(latents).all():
                raise NotFinite("the numbers of the latents overflowed")
            return ImageReady(place, self.decode(latents, job.canvas), prompt, seed, latents, seen)
        except NotFinite as error:
            return ImageFailed(place, prompt, seed, error)

    def _brushes(
        self, places: list[int], job: Job, references: References | None, looks: Sequence[References | None]
    ) -> list[Brush]:
        """The images' own prompts and look, then the regions' over them."""

        def brush(prompts: list[str], look: References | None, sharing: Sharing, mask: Tensor | None) -> Brush:
            every = sharing.strengths(len(job.prompts))
            sharing = replace(sharing, strength=[every[i] for i in places])
            with self._adapted(job):
                conditioning = self.condition(prompts, job.negative_prompt, job.guidance, job.window)
            return Brush(conditioning, look, sharing, mask, look.ground if look else None)

        prompts = [job.prompts[i] for i in places]
        if not job.regions:
            return [brush(prompts, references, job.sharing, None)]
        rest, masks = split(job.regions, job.canvas.height, job.canvas.width)
        brushes = [replace(brush(prompts, references, job.sharing, rest), ground=None)]
        for region, look, mask in zip(job.regions, looks, masks, strict=True):
            sharing = region.sharing or job.sharing
            brushes.append(brush([region.prompt] * len(places), look or references, sharing, mask))
        return brushes

    def _adapted(self, job: Job) -> AbstractContextManager[None]:
        """Activate the job's adapters for the duration."""
        return self.adapters.active(job.adapters)

    def _first_as_reference(self, job: Job, looks: Sequence[References | None]) -> Generator[Event, None, References]:
        """Make the first image plainly and keep what the UNet saw of it; of a panorama, its first window."""
        trail: list[Tensor] = []
        clean: Tensor | None = None
        plain = replace(job, sharing=replace(job.sharing, strength=0.0))
        for event in self._batch([0], plain, None, looks, trail):
            yield event
            if isinstance(event, ImageFailed):
                raise NotFinite("the first picture, which gives the others their look, could not be generated")
            if isinstance(event, ImageReady):
                clean = job.canvas.windows[0].cut(event.latents)
        conditioning = self.condition([job.prompts[0]], job.negative_prompt, job.guidance, job.window)
        return References([SteppedTrack(trail)], [1.0], conditioning, clean=clean)
