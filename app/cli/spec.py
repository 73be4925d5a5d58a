"""The specification of `soroe generate`: the fields of a set's form, with files for what a server stores."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from app.cli.files import read_prompts
from app.cli.options import region, structure, subject
from app.cli.options.region import RegionOption
from app.cli.options.structure import StructureOption
from app.cli.options.subject import SubjectOption
from app.engine.base import ModelFacts
from app.errors import Invalid
from app.grounds import ground_of
from app.sets.spec import MIN_SIDE, MOST_REGIONS, MOST_SIDE, MOST_STRUCTURES, MOST_SUBJECTS, PictureSpec
from app.styles.spec import MOST_REFERENCES, SENSITIVE, LayerCount, LookSpec, SharingSpec, shared

if TYPE_CHECKING:
    from app.cli.generate import GenerateOptions

# Replaces the model until it is loaded, to check only what was typed.
UNLOADED = ModelFacts(
    name="",
    default_size=(MIN_SIDE, MIN_SIDE),
    size_multiple=1,
    max_side=MOST_SIDE,
    max_pixels=MOST_SIDE**2,
    schedulers=("any",),
    default_steps=1,
    default_guidance=1.0,
    device="",
)


class CommandSpec(LookSpec, SharingSpec, PictureSpec):
    """A set and its look."""

    references: tuple[Path, ...] = Field(default=(), title="Reference", max_length=MOST_REFERENCES)
    ground: str = ""  # behind transparent pictures, such as "#ffffff"
    structures: tuple[StructureOption, ...] = Field(default=(), title="Structure", max_length=MOST_STRUCTURES)
    subjects: tuple[SubjectOption, ...] = Field(default=(), title="Subjects", max_length=MOST_SUBJECTS)
    regions: tuple[RegionOption, ...] = Field(default=(), title="Regions", max_length=MOST_REGIONS)

    @property
    def texts(self) -> tuple[str, ...]:
        return *super().texts, self.text, self.reference_prompt, *(region.prompt for region in self.regions)

    @property
    def shown_texts(self) -> tuple[str, ...]:
        """`texts` without the negative prompt, which names what must not be shown."""
        return *self.prompts, self.text, self.reference_prompt, *(region.prompt for region in self.regions)

    @classmethod
    def before_loading(cls, form: Mapping[str, Any]) -> "CommandSpec":
        """Check everything that does not depend on the model. Raises Invalid."""
        if form["layers"] == SENSITIVE:
            LayerCount.parse({"layer_count": form["layer_count"]})
            form = {**form, "layers": ""}
        spec = cls.from_form(form, UNLOADED)
        followed = (option.problem(len(option.files), len(spec.prompts)) for option in spec.structures)
        boxes = (option.box_problem(number) for number, option in enumerate(spec.regions, start=1))
        Invalid.check(
            {
                "count": spec.count_problem(),
                "structures": next(filter(None, followed), None),
                "subjects": subject.twice(spec.subjects),
                "regions": next(filter(None, boxes), None),
                **spec.sharing_problems(),
            }
        )
        return spec

    @classmethod
    def for_model(cls, form: Mapping[str, Any], model: ModelFacts) -> "CommandSpec":
        """The spec with the model's defaults for empty fields. Raises Invalid."""
        spec = cls.from_form({**form, **shared(form, model.ranked_layers)}, model)
        Invalid.check({**spec.problems(model), **spec.sharing_problems(model.layers)})
        return spec


def form_of(options: "GenerateOptions") -> dict[str, Any]:
    """The options as form fields. Raises CommandRefused."""
    return {
        **{name: getattr(options, name) or "" for name in ("count", "size", "steps", "guidance", "seed", "scheduler")},
        "strength": options.strength,
        "negative_prompt": options.negative_prompt,
        "seamless": options.seamless,
        "text": options.style_text,
        "references": options.reference or [],
        **{name: getattr(options, name) for name in (*SharingSpec.model_fields, "layer_count")},
        "ground": ground_of(options.ground),
        "reference_prompt": options.reference_prompt,
        "method": options.reference_method,
        "prompts": read_prompts(options.prompt or [], options.prompts_file, options.prompts_encoding),
        "structures": [structure.read(text) for text in options.structure or []],
        "subjects": [subject.read(text) for text in options.subject or []],
        "regions": [region.read(text) for text in options.region or []],
    }
