"""The specification of a set, for the page's form and the command line: fields, limits and messages.

`app.sets.service.create` checks what depends on the database.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from app.engine.base import ModelFacts
from app.errors import Invalid
from app.languages import N_, ngettext, translated
from app.languages import gettext as _
from app.languages.formats import sentences
from app.specs import Code, DrawnAs, Line, Prompt, Spec, Typed, read_json
from app.text import clean_prompt, may_fit, narrow, thin
from app.text import lines as split_lines
from app.translation.translator import Find, Translator, drawn_as

MOST_PROMPTS = 500
MOST_PICTURES = 1000  # per set
PROMPT_LENGTH = 1000  # characters: about 250 tokens
NEGATIVE_LENGTH = 1000
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


def seeds_from(first: int, count: int) -> list[int]:
    """`count` seeds, each the one after the previous one; after the largest comes 0."""
    return [(first + number) % SEEDS for number in range(count)]


def prompt_lines(text: object) -> object:
    """Split a text into prompts, one per line: trimmed, without blank lines.

    Raises ValueError, which names the wrong line.
    """
    lines = split_lines(text) if isinstance(text, str) else text
    if not isinstance(lines, Sequence) or not all(isinstance(line, str) for line in lines):
        raise ValueError(_("Write the prompts as text, one per line."))
    cleaned = (clean_prompt(line) if may_fit(line, PROMPT_LENGTH) else line for line in lines)
    prompts = dict(enumerate(cleaned, start=1))
    prompts = {number: prompt for number, prompt in prompts.items() if prompt}
    long = [number for number, prompt in prompts.items() if len(prompt) > PROMPT_LENGTH]
    if long:
        first, others = long[0], len(long) - 1
        also = ngettext(
            "Another line is too long as well.", "%(number)s other lines are too long as well.", others, number=others
        )
        wrong = _(
            "Line %(line)s is too long: %(length)s characters; at most %(most)s fit.",
            line=first,
            length=len(prompts[first]),
            most=PROMPT_LENGTH,
        )
        raise ValueError(sentences((wrong, also if others else "")))
    if not prompts:
        raise ValueError(_("Write at least one prompt, one per line."))
    if len(prompts) > MOST_PROMPTS:
        raise ValueError(
            _(
                "There are %(number)s prompts; a set takes at most %(most)s. Split them into two sets.",
                number=len(prompts),
                most=MOST_PROMPTS,
            )
        )
    return tuple(prompts.values())


def json_list(value: object) -> object:
    """Parse a list from a form's hidden JSON field. Raises ValueError."""
    if not isinstance(value, str):
        return value
    try:
        found = read_json(value or "[]")
    except ValueError as error:
        raise ValueError(_("The page sent something unreadable; reload it.")) from error
    # Otherwise thousands would be checked and reported before their number is.
    parts = found[:MOST_PARTS] if isinstance(found, list) else found
    if isinstance(parts, list) and any(isinstance(part, dict) and len(part) > MOST_KEYS for part in parts):
        raise ValueError(_("The page sent something unreadable; reload it."))
    return parts


MAP_WORDS = {"edges": N_("edges"), "silhouette": N_("silhouette"), "depth": N_("depth")}


def map_word(kind: str) -> str:
    """What a kind of map is called; an unknown one as it is."""
    return translated(MAP_WORDS.get(kind, kind))


class _Part(Typed):
    model_config = ConfigDict(extra="forbid")


class StructureSettings(_Part):
    """How closely and when images follow a map."""

    control: str = Field(title=N_("A structure’s kind"))  # the kind of map, which selects the ControlNet
    weight: float = Field(default=1.0, title=N_("A structure’s weight"), ge=0, le=2)
    start: float = Field(default=0.0, title=N_("A structure’s start"), ge=0, le=1)  # the part of the denoising in which
    end: float = Field(default=1.0, title=N_("A structure’s end"), ge=0, le=1)  # it counts

    def problem(self, maps: int, prompts: int) -> str | None:
        """Why this number of maps does not fit this number of prompts, in a sentence; None if it does."""
        if maps not in (1, prompts):
            return ngettext(
                "There are %(maps)s maps of %(control)s for %(number)s prompt; give one for all, or one for each"
                " prompt.",
                "There are %(maps)s maps of %(control)s for %(number)s prompts; give one for all, or one for each"
                " prompt.",
                prompts,
                maps=thin(maps),
                control=map_word(self.control),
            )
        if self.start > self.end:
            return _(
                "A structure starts before it ends; from %(start)s to %(end)s was given.",
                start=f"{self.start:g}",
                end=f"{self.end:g}",
            )
        return None


class StructureChoice(StructureSettings):
    """A map that images follow, or one map per prompt."""

    # Their ids: one for all prompts, or one each.
    maps: tuple[int, ...] = Field(title=N_("A structure’s map"), min_length=1, max_length=MOST_PROMPTS)


class SubjectSettings(_Part):
    """A subject’s weight."""

    weight: float = Field(default=1.0, title=N_("A subject’s weight"), ge=0, le=2)


class SubjectChoice(SubjectSettings):
    """A subject stored on the server."""

    id: int = Field(title=N_("A subject"))


def four_fractions(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    if not all(0 <= side <= 1 for side in box):
        raise ValueError(_("A region’s box is its left, top, width and height, each from 0 to 1."))
    return box


Box = Annotated[tuple[float, float, float, float], AfterValidator(four_fractions)]


class RegionSettings(_Part):
    """A part of every image, and its prompt."""

    prompt: Prompt = Field(title=N_("A region’s prompt"), min_length=1, max_length=PROMPT_LENGTH)
    box: Box | None = Field(default=None, title=N_("A region’s box"))  # left, top, width, height, as fractions
    strength: float | None = Field(default=None, title=N_("A region’s strength"), ge=0, le=2)  # None: the style's

    def box_problem(self, number: int) -> str | None:
        """What is wrong with its box, if it has one, in a sentence; it is the region with this `number`."""
        left, top, width, height = self.box or (0, 0, 1, 1)
        if left + width > 1 + ROUNDING or top + height > 1 + ROUNDING:
            return _("Region %(number)s reaches beyond the picture.", number=number)
        if min(width, height) < LEAST_BOX:
            return _(
                "Region %(number)s is too small: a box is at least %(percent)s %% of the picture wide and high.",
                number=number,
                percent=f"{100 * LEAST_BOX:g}",
            )
        return None


class RegionChoice(RegionSettings):
    """A box or a mask, in the set's style or another."""

    mask: str | None = Field(
        default=None, title=N_("A region’s mask"), pattern="^[0-9a-f]{64}$"
    )  # SHA-256 of a stored PNG
    style_code: Code = ""  # empty: the set's own


class PictureSpec(Spec):
    """The specification of pictures, on a server or by a command."""

    prompts: Annotated[tuple[str, ...], BeforeValidator(prompt_lines)] = Field(title=N_("Prompts"))
    count: int = Field(default=1, title=N_("Variations"), ge=1, le=16)
    width: int = Field(title=N_("Width"), ge=0, le=MOST_SIDE)  # px; the model's limits are stricter
    height: int = Field(title=N_("Height"), ge=0, le=MOST_SIDE)
    steps: int = Field(title=N_("Steps"), ge=1, le=100)
    guidance: float = Field(title=N_("Guidance"), ge=0, le=30)
    seed: int | None = Field(default=None, title=N_("Seed"), ge=0, le=SEEDS - 1)  # None: random
    scheduler: Code = Field(title=N_("Scheduler"))
    strength: float | None = Field(default=None, title=N_("Strength"), ge=0, le=2)  # None: the style's
    negative_prompt: Prompt = Field(default="", title=N_("Negative prompt"), max_length=NEGATIVE_LENGTH)
    seamless: bool = Field(default=False, title=N_("Seamless"))  # the ends of the picture match
    drawn_as: DrawnAs = Field(default={}, title=N_("Will be drawn as"))

    @classmethod
    def from_form(cls, form: Mapping[str, Any], model: ModelFacts) -> Self:
        """Parse a form's fields, with the model's defaults for empty ones. Raises Invalid."""
        size = form.get("size") or "{}x{}".format(*model.default_size)
        if size == CUSTOM:
            size = f"{form.get('width', '')}x{form.get('height', '')}"
        width, _, height = narrow(size).lower().replace("×", "x").partition("x")
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
    def texts(self) -> tuple[str, ...]:
        """Everything that the model reads."""
        return *self.prompts, self.negative_prompt

    def translated(self, translator: Translator | None, find: Find) -> Self:
        """The same with what is drawn for each text in Japanese: as it was corrected, or else as it is translated."""
        said = drawn_as(self.texts, self.drawn_as, translator, find(self.texts))
        return self.model_copy(update={"drawn_as": said})

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        return self.width, self.height

    def count_problem(self) -> str | None:
        """Why these are too many pictures, in a sentence; None if they are not."""
        pictures = len(self.prompts) * self.count
        if pictures <= MOST_PICTURES:
            return None
        return ngettext(
            "%(number)s prompt × %(count)s are %(pictures)s pictures; a set has at most %(most)s.",
            "%(number)s prompts × %(count)s are %(pictures)s pictures; a set has at most %(most)s.",
            len(self.prompts),
            count=self.count,
            pictures=thin(pictures),
            most=thin(MOST_PICTURES),
        )

    def _steps_problem(self, model: ModelFacts) -> str | None:
        least, most = model.scheduler_steps.get(self.scheduler, (self.steps, self.steps))
        if least <= self.steps <= most:
            return None
        named = {"scheduler": self.scheduler, "least": least, "most": most, "given": self.steps}
        if self.steps < least:
            return _(
                "%(scheduler)s takes at least %(least)s steps; %(given)s was given. Change that or the scheduler.",
                **named,
            )
        return _(
            "%(scheduler)s takes at most %(most)s steps; %(given)s was given. Change that or the scheduler.", **named
        )

    def problems(self, model: ModelFacts) -> dict[str, str | None]:
        """Why the model cannot make these pictures: a sentence or None per field of the form."""
        return {
            "count": self.count_problem(),
            "steps": self._steps_problem(model),
            "size": size_problem(self.width, self.height, model),
            "scheduler": None
            if self.scheduler in model.schedulers
            else _(
                "The scheduler must be one of %(names)s; '%(given)s' was given.",
                names=", ".join(model.schedulers),
                given=self.scheduler[:40],
            ),
        }


class SetSpec(PictureSpec):
    """The specification of a set on a server."""

    name: Line = Field(default="", title=N_("Name"), max_length=120)
    campaign: Line = Field(default="", title=N_("Campaign"), max_length=120)
    style_code: Code = Field(title=N_("Style"))
    structures: Annotated[tuple[StructureChoice, ...], BeforeValidator(json_list)] = Field(
        default=(), title=N_("Structure"), max_length=MOST_STRUCTURES
    )
    subjects: Annotated[tuple[SubjectChoice, ...], BeforeValidator(json_list)] = Field(
        default=(), title=N_("Subjects"), max_length=MOST_SUBJECTS
    )
    regions: Annotated[tuple[RegionChoice, ...], BeforeValidator(json_list)] = Field(
        default=(), title=N_("Regions"), max_length=MOST_REGIONS
    )

    @property
    def texts(self) -> tuple[str, ...]:
        return *super().texts, *(region.prompt for region in self.regions)


def size_problem(width: int, height: int, model: ModelFacts) -> str | None:
    """Why a model cannot make pictures of this size (px), in a sentence; None if it can."""
    side = _side_problem(_("Width"), width, model) or _side_problem(_("Height"), height, model)
    return side or _shape_problem(width, height, model)


def _side_problem(side: str, pixels: int, model: ModelFacts) -> str | None:
    multiple = model.size_multiple
    least = -(-MIN_SIDE // multiple) * multiple
    most = model.max_side // multiple * multiple
    if least <= pixels <= most and pixels % multiple == 0:
        return None
    nearest = min(max(round(pixels / multiple) * multiple, least), most)
    return _(
        "%(side)s must be a multiple of %(multiple)s px from %(least)s to %(most)s; %(given)s was given, %(nearest)s is"
        " nearest.",
        side=side,
        multiple=multiple,
        least=least,
        most=most,
        given=pixels,
        nearest=nearest,
    )


def _shape_problem(width: int, height: int, model: ModelFacts) -> str | None:
    long, short = max(width, height), min(width, height)
    if long > model.longest * short:
        return _(
            "A picture is at most %(most)s times as long as it is high or wide; %(width)s × %(height)s is"
            " %(times)s times as long.",
            most=model.longest,
            width=width,
            height=height,
            times=f"{long / short:.3g}",
        )
    if width * height > model.max_pixels:
        return _(
            "A picture has at most %(most)s megapixels here; %(width)s × %(height)s is more.",
            most=f"{model.max_pixels / 1e6:.3g}",
            width=width,
            height=height,
        )
    return None


def _by_form_field(errors: dict[str, str], size: str) -> dict[str, str | None]:
    if errors.pop("width", None) or errors.pop("height", None):
        errors["size"] = _(
            "The size is width x height in pixels, such as 1024x768; '%(given)s' was given.", given=size[:40]
        )
    errors.pop("height", None)
    if errors.pop("style_code", None):
        errors["style"] = _("Choose a style.")
    return dict(errors)
