"""What a set is asked to be: the fields of the page, the API and the command line, checked by themselves.

What the model and the database must agree to is checked by `app.sets.service.create`.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.engine.base import ModelFacts
from app.errors import Invalid
from app.specs import Line, Spec, read_json
from app.text import clean_line

MOST_PROMPTS = 500
MOST_PICTURES = 1000  # a set
PROMPT_LENGTH = 500  # characters
MIN_SIDE = 64  # px
MOST_SIDE = 2**20  # px; far more than any model makes
CUSTOM = "custom"  # in the form's field of the size: the fields of the width and the height say it
SEEDS = 2**31  # seeds are below this: what a column of 32 bits holds, and a person can still read out
MOST_STRUCTURES = 4
MOST_SUBJECTS = 8
MOST_REGIONS = 8
MOST_KEYS = 20  # of a part; the largest has five
MOST_PARTS = 2 * max(MOST_STRUCTURES, MOST_SUBJECTS, MOST_REGIONS)  # that are read of one field


def prompt_lines(text: object) -> object:
    """Prompts from a text, one a line: trimmed, blank lines dropped. Raises ValueError that names the wrong line."""
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
    """A list from a form's hidden field, which holds it as JSON. Raises ValueError."""
    if not isinstance(value, str):
        return value
    try:
        found = read_json(value or "[]")
    except ValueError as error:
        raise ValueError("The page sent something unreadable; reload it.") from error
    # Of thousands, each would be checked and told of before their number is.
    parts = found[:MOST_PARTS] if isinstance(found, list) else found
    if isinstance(parts, list) and any(isinstance(part, dict) and len(part) > MOST_KEYS for part in parts):
        raise ValueError("The page sent something unreadable; reload it.")
    return parts


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


Share = Annotated[float, Field(ge=0, le=1)]


class StructureChoice(_Part):
    """A map that images follow, or one map a prompt."""

    control: str  # the map's kind, which names the ControlNet
    maps: tuple[int, ...] = Field(min_length=1, max_length=MOST_PROMPTS)  # ids: one for all prompts, or one each
    weight: float = Field(default=1.0, ge=0, le=2)
    start: Share = 0.0  # the part of the denoising in which it counts
    end: Share = 1.0


class SubjectChoice(_Part):
    """A subject, and how strongly it counts."""

    id: int
    weight: float = Field(default=1.0, ge=0, le=2)


class RegionChoice(_Part):
    """A part of every image: what it shows, and in which style."""

    prompt: Line = Field(min_length=1, max_length=PROMPT_LENGTH)
    box: tuple[Share, Share, Share, Share] | None = None  # left, top, width, height, as shares
    mask: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")  # SHA-256 of a kept PNG
    style_code: Line = ""  # empty: the set's own
    strength: float | None = Field(default=None, ge=0, le=2)  # None: the style's


class SetSpec(Spec):
    """What a set is asked to be."""

    name: Line = Field(default="", title="Name", max_length=120)
    campaign: Line = Field(default="", title="Campaign", max_length=120)
    style_code: Line = Field(title="Style")
    prompts: Annotated[tuple[str, ...], BeforeValidator(prompt_lines)] = Field(title="Prompts")
    count: int = Field(default=1, title="Variations", ge=1, le=16)
    width: int = Field(title="Width", ge=0, le=MOST_SIDE)  # px; the model knows better
    height: int = Field(title="Height", ge=0, le=MOST_SIDE)
    steps: int = Field(title="Steps", ge=1, le=100)
    guidance: float = Field(title="Guidance", ge=0, le=30)
    seed: int | None = Field(default=None, title="Seed", ge=0, le=SEEDS - 1)  # None: drawn
    scheduler: str = Field(title="Scheduler")
    strength: float | None = Field(default=None, title="Strength", ge=0, le=2)  # None: the style's
    negative_prompt: Line = Field(default="", title="Negative prompt", max_length=1000)
    structures: Annotated[tuple[StructureChoice, ...], BeforeValidator(json_list)] = Field(
        default=(), title="Structure", max_length=MOST_STRUCTURES
    )
    subjects: Annotated[tuple[SubjectChoice, ...], BeforeValidator(json_list)] = Field(
        default=(), title="Subjects", max_length=MOST_SUBJECTS
    )
    regions: Annotated[tuple[RegionChoice, ...], BeforeValidator(json_list)] = Field(
        default=(), title="Regions", max_length=MOST_REGIONS
    )
    seamless: bool = Field(default=False, title="Seamless")  # the right end goes on at the left one

    @classmethod
    def from_form(cls, form: Mapping[str, str], model: ModelFacts) -> "SetSpec":
        """The spec of the page's fields; those left empty are as the model likes them. Raises Invalid."""
        size = form.get("size") or "{}x{}".format(*model.default_size)
        if size == CUSTOM:
            size = f"{form.get('width', '')}x{form.get('height', '')}"
        width, _, height = size.lower().partition("x")
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


def _by_form_field(errors: dict[str, str], size: str) -> dict[str, str | None]:
    if errors.pop("width", None) or errors.pop("height", None):
        errors["size"] = f"The size is width x height in pixels, such as 1024x768; {size[:40]!r} was given."
    errors.pop("height", None)
    if errors.pop("style_code", None):
        errors["style"] = "Choose a style."
    return dict(errors)
