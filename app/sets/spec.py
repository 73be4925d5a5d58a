"""The specification of a set, for the page's form and the command line: fields, limits and messages.

`app.sets.service.create` checks what depends on the database.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from app.engine.base import ModelFacts
from app.errors import Invalid
from app.specs import Line, Spec, read_json
from app.text import clean_line, plural, thin

MOST_PROMPTS = 500
MOST_PICTURES = 1000  # per set
PROMPT_LENGTH = 500  # characters
MIN_SIDE = 64  # px
MOST_SIDE = 2**20  # px; far more than any model makes
CUSTOM = "custom"  # in the form's size field: use the width and height fields
SEEDS = 2**31  # seeds are below this: it fits a 32-bit column, and a person can still read it out
MOST_STRUCTURES = 4
MOST_SUBJECTS = 8
MOST_REGIONS = 8
LEAST_BOX = 0.05  # of the picture's side: a smaller box is an accident
ROUNDING = 1e-3  # of a side: the page sends fractions with four digits
MOST_KEYS = 20  # per part; the largest has five
MOST_PARTS = 2 * max(MOST_STRUCTURES, MOST_SUBJECTS, MOST_REGIONS)  # read per field


def prompt_lines(text: object) -> object:
    """Split a text into prompts, one per line: trimmed, without blank lines.

    Raises ValueError, which names the wrong line.
    """
    lines = text.splitlines() if isinstance(text, str) else text
    if not isinstance(lines, Sequence) or not all(isinstance(line, str) for line in lines):
        raise ValueError("Write the prompts as text, one per line.")
    prompts = {number: clean_line(line) for number, line in enumerate(lines, start=1)}
    prompts = {number: prompt for number, prompt in prompts.items() if prompt}
    long = [number for number, prompt in prompts.items() if len(prompt) > PROMPT_LENGTH]
    if long:
        first, others = long[0], len(long) - 1
        also = "Another line is" if others == 1 else f"{others} other lines are"
        more = f" {also} too long as well." if others else ""
        length = len(prompts[first])
        raise ValueError(f"Line {first} is too long: {length} characters; at most {PROMPT_LENGTH} fit.{more}")
    if not prompts:
        raise ValueError("Write at least one prompt, one per line.")
    if len(prompts) > MOST_PROMPTS:
        raise ValueError(
            f"There are {len(prompts)} prompts; a set takes at most {MOST_PROMPTS}. Split them into two sets."
        )
    return tuple(prompts.values())


def json_list(value: object) -> object:
    """Parse a list from a form's hidden JSON field. Raises ValueError."""
    if not isinstance(value, str):
        return value
    try:
        found = read_json(value or "[]")
    except ValueError as error:
        raise ValueError("The page sent something unreadable; reload it.") from error
    # Otherwise thousands would be checked and reported before their number is.
    parts = found[:MOST_PARTS] if isinstance(found, list) else found
    if isinstance(parts, list) and any(isinstance(part, dict) and len(part) > MOST_KEYS for part in parts):
        raise ValueError("The page sent something unreadable; reload it.")
    return parts


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


class StructureSettings(_Part):
    """How closely and when images follow a map."""

    control: str = Field(title="A structure's kind")  # the kind of map, which selects the ControlNet
    weight: float = Field(default=1.0, title="A structure's weight", ge=0, le=2)
    start: float = Field(default=0.0, title="A structure's start", ge=0, le=1)  # the part of the denoising in which
    end: float = Field(default=1.0, title="A structure's end", ge=0, le=1)  # it counts

    def problem(self, maps: int, prompts: int) -> str | None:
        """Why this number of maps does not fit this number of prompts, in a sentence; None if it does."""
        if maps not in (1, prompts):
            there, wanted = plural(maps, "map"), plural(prompts, "prompt")
            return f"There are {there} of {self.control} for {wanted}; give one for all, or one for each prompt."
        if self.start > self.end:
            return f"A structure starts before it ends; from {self.start:g} to {self.end:g} was given."
        return None


class StructureChoice(StructureSettings):
    """A map that images follow, or one map per prompt."""

    # Their ids: one for all prompts, or one each.
    maps: tuple[int, ...] = Field(title="A structure's map", min_length=1, max_length=MOST_PROMPTS)


class SubjectSettings(_Part):
    """A subject's weight."""

    weight: float = Field(default=1.0, title="A subject's weight", ge=0, le=2)


class SubjectChoice(SubjectSettings):
    """A subject stored on the server."""

    id: int = Field(title="A subject")


def four_fractions(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    if not all(0 <= side <= 1 for side in box):
        raise ValueError("A region's box is its left, top, width and height, each from 0 to 1.")
    return box


Box = Annotated[tuple[float, float, float, float], AfterValidator(four_fractions)]


class RegionSettings(_Part):
    """A part of every image, and its prompt."""

    prompt: Line = Field(title="A region's prompt", min_length=1, max_length=PROMPT_LENGTH)
    box: Box | None = Field(default=None, title="A region's box")  # left, top, width, height, as fractions
    strength: float | None = Field(default=None, title="A region's strength", ge=0, le=2)  # None: the style's

    def box_problem(self) -> str | None:
        """What is wrong with its box, if it has one, as the end of a sentence."""
        left, top, width, height = self.box or (0, 0, 1, 1)
        if left + width > 1 + ROUNDING or top + height > 1 + ROUNDING:
            return "reaches beyond the picture"
        if min(width, height) < LEAST_BOX:
            return f"is too small: a box is at least {100 * LEAST_BOX:g} % of the picture wide and high"
        return None


class RegionChoice(RegionSettings):
    """A box or a mask, in the set's style or another."""

    mask: str | None = Field(default=None, title="A region's mask", pattern="^[0-9a-f]{64}$")  # SHA-256 of a stored PNG
    style_code: Line = ""  # empty: the set's own


class PictureSpec(Spec):
    """The specification of pictures, on a server or by a command."""

    prompts: Annotated[tuple[str, ...], BeforeValidator(prompt_lines)] = Field(title="Prompts")
    count: int = Field(default=1, title="Variations", ge=1, le=16)
    width: int = Field(title="Width", ge=0, le=MOST_SIDE)  # px; the model's limits are stricter
    height: int = Field(title="Height", ge=0, le=MOST_SIDE)
    steps: int = Field(title="Steps", ge=1, le=100)
    guidance: float = Field(title="Guidance", ge=0, le=30)
    seed: int | None = Field(default=None, title="Seed", ge=0, le=SEEDS - 1)  # None: random
    scheduler: str = Field(title="Scheduler")
    strength: float | None = Field(default=None, title="Strength", ge=0, le=2)  # None: the style's
    negative_prompt: Line = Field(default="", title="Negative prompt", max_length=1000)
    seamless: bool = Field(default=False, title="Seamless")  # the ends of the picture match

    @classmethod
    def from_form(cls, form: Mapping[str, Any], model: ModelFacts) -> Self:
        """Parse a form's fields, with the model's defaults for empty ones. Raises Invalid."""
        size = form.get("size") or "{}x{}".format(*model.default_size)
        if size == CUSTOM:
            size = f"{form.get('width', '')}x{form.get('height', '')}"
        width, _, height = size.lower().replace("×", "x").partition("x")
        values: dict[str, object] = {
            "steps": model.default_steps,
            "guidance": model.default_guidance,
            "scheduler": model.schedulers[0],
            **{name: value for name, value in form.items() if value != "" and name in cls.model_fields},
            "style_code": form.get("style", ""),
            "prompts": form.get("prompts", "") or "\n",
            "width": width.strip() or "?",
            "height": height.strip() or "?",
        }
        try:
            return cls.parse(values)
        except Invalid as invalid:
            Invalid.check(_by_form_field(dict(invalid.errors), size))
            raise

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        return self.width, self.height

    def count_problem(self) -> str | None:
        """Why these are too many pictures, in a sentence; None if they are not."""
        pictures = len(self.prompts) * self.count
        if pictures <= MOST_PICTURES:
            return None
        prompts, most = plural(len(self.prompts), "prompt"), thin(MOST_PICTURES)
        return f"{prompts} × {self.count} are {plural(pictures, 'picture')}; a set has at most {most}."

    def problems(self, model: ModelFacts) -> dict[str, str | None]:
        """Why the model cannot make these pictures: a sentence or None per field of the form."""
        side = _side_problem("Width", self.width, model) or _side_problem("Height", self.height, model)
        return {
            "count": self.count_problem(),
            "size": side or _shape_problem(self.width, self.height, model),
            "scheduler": None
            if self.scheduler in model.schedulers
            else f"The scheduler must be one of {', '.join(model.schedulers)}; {self.scheduler[:40]!r} was given.",
        }


class SetSpec(PictureSpec):
    """The specification of a set on a server."""

    name: Line = Field(default="", title="Name", max_length=120)
    campaign: Line = Field(default="", title="Campaign", max_length=120)
    style_code: Line = Field(title="Style")
    structures: Annotated[tuple[StructureChoice, ...], BeforeValidator(json_list)] = Field(
        default=(), title="Structure", max_length=MOST_STRUCTURES
    )
    subjects: Annotated[tuple[SubjectChoice, ...], BeforeValidator(json_list)] = Field(
        default=(), title="Subjects", max_length=MOST_SUBJECTS
    )
    regions: Annotated[tuple[RegionChoice, ...], BeforeValidator(json_list)] = Field(
        default=(), title="Regions", max_length=MOST_REGIONS
    )


def _side_problem(side: str, pixels: int, model: ModelFacts) -> str | None:
    multiple = model.size_multiple
    least = -(-MIN_SIDE // multiple) * multiple
    most = model.max_side // multiple * multiple
    if least <= pixels <= most and pixels % multiple == 0:
        return None
    nearest = min(max(round(pixels / multiple) * multiple, least), most)
    return (
        f"{side} must be a multiple of {multiple} px from {least} to {most}; {pixels} was given, {nearest} is nearest."
    )


def _shape_problem(width: int, height: int, model: ModelFacts) -> str | None:
    long, short = max(width, height), min(width, height)
    if long > model.longest * short:
        return (
            f"A picture is at most {model.longest} times as long as it is high or wide;"
            f" {width} × {height} is {long / short:.3g} times as long."
        )
    if width * height > model.max_pixels:
        return f"A picture has at most {model.max_pixels / 1e6:.3g} megapixels here; {width} × {height} is more."
    return None


def _by_form_field(errors: dict[str, str], size: str) -> dict[str, str | None]:
    if errors.pop("width", None) or errors.pop("height", None):
        errors["size"] = f"The size is width x height in pixels, such as 1024x768; {size[:40]!r} was given."
    errors.pop("height", None)
    if errors.pop("style_code", None):
        errors["style"] = "Choose a style."
    return dict(errors)
