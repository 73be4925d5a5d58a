"""Turn given pictures into what targets attend to: encode, invert, mix, and find their subjects."""

from collections.abc import Generator, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from app import atomic
from app.style_aligned.dimming import Dimming
from app.style_aligned.events import Event, Inversion
from app.style_aligned.finite import NotFinite, finite_rows, is_finite
from app.style_aligned.job import Job
from app.style_aligned.reference import (
    INVERSION_GUIDANCE,
    BlendedTrack,
    NoisedTrack,
    Reference,
    TimedTrack,
    Track,
    ddim_inversion,
    spherical_mean,
)
from app.style_aligned.regions import ground_of
from app.style_aligned.sampler import Conditioning, References
from app.style_aligned.sharing import Sharing
from app.style_aligned.subject_mask import subject_of

if TYPE_CHECKING:
    from app.style_aligned.studio import Studio


def gathered(
    studio: "Studio", given: Sequence[Reference], sharing: Sharing, job: Job
) -> Generator[Event, None, References]:
    """What targets attend to, for pictures that they share by `sharing`; reports inversions.

    Raises NotFinite if numbers overflow.
    """
    tracks: list[Track] = []
    latents: list[Tensor] = []
    for reference in given:
        clean = reference.latents(job.window, studio.encode)
        if not finite_rows(clean).all():
            raise NotFinite("the VAE’s numbers overflowed while it read a reference", decoding=True)
        latents.append(clean)
        if reference.method == "noise":
            noise = studio.noise([reference.seed], job.window)
            tracks.append(NoisedTrack(clean, noise, studio.levels))
        else:
            tracks.append((yield from inverted(studio, reference, clean, job)))
    conditioning = studio.condition([r.prompt for r in given], job.negative_prompt, job.guidance, job.window)
    ground = torch.stack([ground_of(clean) for clean in latents]).mean(0)
    clean = torch.cat(latents)
    dimming = Dimming(_subjects(studio, given, clean, job), sharing.subject_attention) if sharing.dims else None
    references = References(tracks, [r.weight for r in given], conditioning, ground, clean, dimming)
    return blended(references) if sharing.blend == "sphere" and len(given) > 1 else references


def blended(references: References) -> References:
    """Several references as one, mixed on a sphere by weight. A place counts as subject where it is one's subject."""
    weights, conditioning = references.weights, references.conditioning
    share = torch.tensor(weights, dtype=torch.float64) / sum(weights)

    def mean(x: Tensor) -> Tensor:  # (G, R, ...) to (G, 1, ...)
        by = share.to(x.device, x.dtype).view(1, -1, *[1] * (x.dim() - 2))
        return (x * by).sum(1, keepdim=True)

    clean, dimming = references.clean, references.dimming
    return References(
        [BlendedTrack(references.tracks, weights)],
        [1.0],
        Conditioning(mean(conditioning.tokens), mean(conditioning.pooled), conditioning.size),
        references.ground,
        None if clean is None else spherical_mean(clean.split(1), weights),
        Dimming(dimming.masks.amax(0, keepdim=True), dimming.factor) if dimming else None,
    )


def _subjects(studio: "Studio", given: Sequence[Reference], clean: Tensor, job: Job) -> Tensor:
    """Masks (R, h, w), 0 to 1, of the subjects of references with these latents: theirs, or found."""
    height, width = clean.shape[-2:]
    masks = (each.subject_mask((height, width), partial(subject_of, studio, each, job.window)) for each in given)
    return torch.stack([mask.to(clean.device) for mask in masks])


def inverted(studio: "Studio", reference: Reference, clean: Tensor, job: Job) -> Generator[Event, None, TimedTrack]:
    """Invert the reference by DDIM, or read the inversion from the cache."""
    timesteps = [float(t) for t in studio.scheduler(job.scheduler, job.steps).timesteps]
    file = (
        studio.cache / f"{reference.key(studio.identity, str(studio.place), job.window, timesteps)}.safetensors"
        if studio.cache
        else None
    )
    if file and file.exists():
        stored = {float(t): x.to(clean.device, clean.dtype) for t, x in load_file(file).items()}
        if all(is_finite(x) for x in stored.values()):
            file.touch()  # those used longest ago are removed first
            return TimedTrack(stored)
    conditioning = studio.condition([reference.prompt], "", INVERSION_GUIDANCE, job.window)
    track: dict[float, Tensor] = {}
    for track in ddim_inversion(
        clean, timesteps, studio.levels, lambda x, t: studio.sampler.predict(x, t, conditioning, INVERSION_GUIDANCE)
    ):
        yield Inversion(len(track), len(set(timesteps)))
    if not all(is_finite(x) for x in track.values()):
        raise NotFinite("the numbers overflowed while a reference was inverted")
    if file:
        with suppress(OSError, SafetensorError), atomic.writing(file) as temporary:  # a full disk costs only time
            save_file({str(t): x.cpu().contiguous() for t, x in track.items()}, temporary)
    return TimedTrack(track)
