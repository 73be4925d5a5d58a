"""One call of `Studio.generate` with all its settings, checked before anything runs."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from math import isfinite

import diffusers
import torch
from PIL import Image

from app.style_aligned.controlnet import Structure
from app.style_aligned.keeping import Work, digest
from app.style_aligned.panorama import Canvas
from app.style_aligned.reference import Reference
from app.style_aligned.regions import Region
from app.style_aligned.sampler import SCHEDULERS
from app.style_aligned.sharing import Sharing
from app.style_aligned.subjects import Adapted

MAX_SEED = 2**63 - 1
MAX_STEPS = 1000
BLANK = Image.new("RGB", (1, 1))  # ends a list of references
LONGEST = 16  # side ratio of a picture, either way


@dataclass(frozen=True)
class Job:
    """A checked request. Raises ValueError, which names the wrong value."""

    prompts: Sequence[str]
    seeds: Sequence[int]
    sharing: Sharing
    size: tuple[int, int]  # width, height in px
    window: tuple[int, int]  # the part of it that the UNet sees at once
    canvas: Canvas
    steps: int
    guidance: float
    scheduler: str
    negative_prompt: str
    structures: Sequence[Structure]
    regions: Sequence[Region]
    adapters: Sequence[Adapted]
    batch_size: int
    preview_every: int
    keep: bool = False
    objects: Sequence[str] = ()
    maps: bool = False

    def __post_init__(self) -> None:
        count = len(self.prompts)
        if not count:
            raise ValueError("at least one prompt is needed; none was given")
        if len(self.seeds) != count:
            raise ValueError(f"{count} seeds were expected, one per prompt; {len(self.seeds)} were given")
        if len(self.objects) not in (0, count):
            raise ValueError(f"{count} objects were expected, one per prompt; {len(self.objects)} were given")
        for seed in self.seeds:
            if not 0 <= seed <= MAX_SEED:
                raise ValueError(f"a seed must be between 0 and {MAX_SEED}; {seed} was given")
        for structure in self.structures:
            if len(structure.maps) not in (1, count):
                raise ValueError(f"1 or {count} maps were expected, one per prompt; {len(structure.maps)} were given")
        if not isfinite(self.guidance):
            raise ValueError(f"guidance must be a number; {self.guidance} was given")
        if not 1 <= self.steps <= MAX_STEPS:
            raise ValueError(f"steps must be between 1 and {MAX_STEPS}; {self.steps} was given")
        if self.scheduler not in SCHEDULERS:
            raise ValueError(f"the scheduler must be one of {', '.join(SCHEDULERS)}; {self.scheduler!r} was given")
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1; {self.batch_size} was given")
        self.sharing.strengths(count)  # refuses a wrong number of strengths


def step_range(set_to: Callable[[int], object]) -> range:
    """The numbers of steps to which `set_to` can set a scheduler: it raises for others.

    diffusers states no limits: PNDM begins with Runge-Kutta steps that need four, unless its configuration skips them,
    and LCM has as many as it was distilled to.
    """

    def takes(steps: int) -> bool:
        try:
            set_to(steps)
        except (ValueError, IndexError, RuntimeError, ZeroDivisionError):
            return False
        return True

    least = next(steps for steps in range(1, MAX_STEPS + 1) if takes(steps))
    if takes(MAX_STEPS):
        return range(least, MAX_STEPS + 1)
    return range(least, least + bisect_left(range(least, MAX_STEPS + 1), True, key=lambda steps: not takes(steps)))


def check_steps(scheduler: str, steps: int, taken: range) -> None:
    """Raise ValueError for a number of steps within the general limits that the scheduler does not take."""
    if 1 <= steps <= MAX_STEPS and steps not in taken:
        bound = f"at least {taken[0]}" if steps < taken[0] else f"at most {taken[-1]}"
        raise ValueError(f"{scheduler} takes {bound} steps; {steps} was given")


def check_size(size: tuple[int, int], multiple: int) -> None:
    """Raise ValueError for a width and height in px that the model cannot make."""
    width, height = size
    if min(size) <= 0 or width % multiple or height % multiple:
        raise ValueError(f"width and height must be multiples of {multiple} px; {width} x {height} was given")
    if max(size) > LONGEST * min(size):
        raise ValueError(
            f"a picture can be at most {LONGEST} times as long as it is high or wide; {width} x {height} was given"
        )


def work_of(job: Job, places: Sequence[int], references: Sequence[Reference], model: str) -> Work:
    """What a denoising of the images at `places` makes: hashes of all that its result depends on."""
    count = len(job.prompts)
    shared = [(job.sharing, references), *((r.sharing or job.sharing, listed(r.reference)) for r in job.regions)]
    common = [
        *(model, torch.__version__, diffusers.__version__),
        *(job.size, job.window, job.canvas, job.steps, job.guidance, job.scheduler, job.negative_prompt, job.adapters),
        *(replace(sharing, strength=1.0) for sharing, _ in shared),
        *(_look(look) for _, looks in shared for look in [*looks, Reference(BLANK)]),
        *((region.prompt, _pixels(region.mask)) for region in job.regions),
        *((each.control.name, each.control.mode, each.weight, each.steps) for each in job.structures),
    ]

    def own(place: int) -> str:
        maps = (each.maps[0 if len(each.maps) == 1 else place] for each in job.structures)
        strengths = (sharing.strengths(count)[place] for sharing, _ in shared)
        return digest(job.prompts[place], job.seeds[place], *strengths, *map(_pixels, maps))

    return Work(digest(*common), tuple(map(own, places)))


def _look(reference: Reference) -> str:
    subject = _pixels(reference.subject) if reference.subject else ""
    return reference.key(reference.method, reference.weight, reference.seed, subject)


def listed(reference: Reference | Sequence[Reference] | None) -> Sequence[Reference]:
    return [reference] if isinstance(reference, Reference) else reference or ()


def _pixels(picture: Image.Image) -> str:
    return digest(picture.mode, picture.size, sha256(picture.tobytes()).hexdigest())
