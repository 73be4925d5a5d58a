"""The formats that the form of a set offers: sizes named by their use, in pixels that the model can make."""

from dataclasses import dataclass
from math import ceil, floor, log

from app.engine.base import ModelFacts
from app.languages import N_
from app.sets.spec import MIN_SIDE

# What people use pictures for, in SDXL's nearest training sizes, then larger ones, which become panoramas. Other
# models get the same shapes in their own pixels.
FORMATS = (
    (N_("Square"), "1:1", 1024, 1024),
    (N_("Portrait"), "4:5", 896, 1152),
    (N_("Poster"), "2:3", 832, 1216),
    (N_("Story"), "9:16", 768, 1344),
    (N_("Photo"), "3:2", 1216, 832),
    (N_("Wide"), "16:9", 1344, 768),
    (N_("Feed, large"), "4:5", 1080, 1352),
    (N_("Story, large"), "9:16", 1080, 1920),
    (N_("Wide, large"), "16:9", 1920, 1088),
    (N_("Banner"), "32:9", 2560, 720),
    (N_("Leaderboard"), "8:1", 2912, 360),
)


@dataclass(frozen=True)
class FormatChoice:
    """A size of pictures, named by its use and its nominal ratio."""

    name: str
    ratio: str
    width: int  # px
    height: int

    @property
    def value(self) -> str:
        return size_value(self.width, self.height)


def formats(model: ModelFacts) -> list[FormatChoice]:
    """The formats in pixels that this model can make, each size once."""
    area = model.default_size[0] * model.default_size[1]
    found: dict[str, FormatChoice] = {}
    for name, ratio, wide, high in FORMATS:
        scale = max(area**0.5 / 1024, least_side(model) / min(wide, high))
        if max(wide, high) * scale > model.max_side or wide * high * scale**2 > model.max_pixels:
            continue
        made = FormatChoice(name, ratio, *nearest_size(wide * scale, high * scale, model))
        found.setdefault(made.value, made)
    return list(found.values())


def least_side(model: ModelFacts) -> int:
    """The minimum side of a picture, px."""
    return ceil(MIN_SIDE / model.size_multiple) * model.size_multiple


def nearest_size(width: float, height: float, model: ModelFacts) -> tuple[int, int]:
    """The nearest shape among sizes whose sides are the allowed multiples just below and above."""
    multiple = model.size_multiple

    def around(side: float) -> set[int]:
        steps = floor(side / multiple), ceil(side / multiple)
        return {min(step * multiple, model.max_side // multiple * multiple) for step in steps}

    shapes = ((wide, high) for wide in sorted(around(width)) for high in sorted(around(height)))
    return min(shapes, key=lambda size: abs(log(size[0] / size[1] * height / width)))


def size_value(width: int, height: int) -> str:
    return f"{width}x{height}"
