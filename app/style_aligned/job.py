"""One call of `Studio.generate` with all its settings, checked before anything runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from app.style_aligned.controlnet import Structure
from app.style_aligned.panorama import Canvas
from app.style_aligned.regions import Region
from app.style_aligned.sampler import SCHEDULERS
from app.style_aligned.sharing import Sharing
from app.style_aligned.subjects import Adapted

MAX_SEED = 2**63 - 1
MAX_STEPS = 1000
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

    def __post_init__(self) -> None:
        count = len(self.prompts)
        if not count:
            raise ValueError("at least one prompt is needed; none was given")
        if len(self.seeds) != count:
            raise ValueError(f"{count} seeds were expected, one per prompt; {len(self.seeds)} were given")
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


def check_size(size: tuple[int, int], multiple: int) -> None:
    """Raise ValueError for a width and height in px that the model cannot make."""
    width, height = size
    if min(size) <= 0 or width % multiple or height % multiple:
        raise ValueError(f"width and height must be multiples of {multiple} px; {width} x {height} was given")
    if max(size) > LONGEST * min(size):
        raise ValueError(
            f"a picture can be at most {LONGEST} times as long as it is high or wide; {width} x {height} was given"
        )
