"""The specification of a style version."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field

from app.errors import Invalid
from app.languages import N_
from app.languages import gettext as _
from app.models import Blend, ReferenceMethod
from app.specs import DrawnAs, Line, Prompt, Spec
from app.styles.presets import OWN, PRESETS
from app.translation.translator import Find, Translator, drawn_as

MOST_REFERENCES = 8
MOST_LAYERS = 200  # SDXL has 70
SENSITIVE = "sensitive"  # what the form sends for the most style-sensitive layers


def _layers(value: object) -> object:
    """Read a form's names of layers, joined by commas."""
    return [name.strip() for name in value.split(",")] if isinstance(value, str) else value


Layers = Annotated[list[Annotated[str, Field(pattern=r"^\w+(\.\w+)*$", max_length=120)]], BeforeValidator(_layers)]
"""Names of self-attention layers or of the blocks around them, such as "up_blocks"; none: all."""


class LayerCount(Spec):
    """How many of the most style-sensitive layers share."""

    layer_count: int = Field(title=N_("Number of layers"), ge=1, le=MOST_LAYERS)


class CropSpec(Spec):
    """The part of a picture to use, as fractions of its width and height, 0 to 1."""

    x: float = Field(default=0.0, ge=0, le=1)
    y: float = Field(default=0.0, ge=0, le=1)
    width: float = Field(default=1.0, ge=0, le=1)
    height: float = Field(default=1.0, ge=0, le=1)


class ReferenceSpec(Spec):
    reference_id: int
    weight: float = Field(default=1.0, gt=0, le=10)
    crop: CropSpec = CropSpec()


class LookSpec(Spec):
    """The settings of a look, on a server or by a command."""

    text: Prompt = Field(default="", title=N_("Style text"), max_length=500)
    reference_prompt: Prompt = Field(default="", title=N_("What the picture shows"), max_length=500)
    method: ReferenceMethod = Field(default=ReferenceMethod.NOISE, title=N_("Method"))


class SharingSpec(Spec):
    """How pictures share other than in the paper, as in `app.style_aligned.sharing`; the defaults are the paper's."""

    layers: Layers = Field(default=[], title=N_("Layers"), max_length=MOST_LAYERS)
    calibration: float = Field(default=0.0, title=N_("Colour calibration"), ge=0, le=1)
    calibration_start: float = Field(default=0.0, title=N_("Calibration from"), ge=0, le=1)
    calibration_end: float = Field(default=1.0, title=N_("Calibration until"), ge=0, le=1)
    reference_queries: float = Field(default=0.0, title=N_("Reference queries"), ge=0, le=1)
    subject_attention: float = Field(default=1.0, title=N_("Attention to the subject"), ge=0, le=1)
    blend: Blend = Field(default=Blend.WEIGHT, title=N_("Several references"))

    def sharing_problems(self, known: Sequence[str] = ()) -> dict[str, str | None]:
        """What is wrong with options that are right one by one, by field.

        `known` are the self-attention layers of the model; none: not known.
        """
        return {"layers": _layers_problem(self.layers, known), "calibration_end": self._calibration_problem()}

    def _calibration_problem(self) -> str | None:
        if self.calibration_start <= self.calibration_end:
            return None
        return _("Calibration ends before it begins. Choose an end after its start.")


def unknown_layers(layers: Sequence[str], known: Sequence[str]) -> list[str]:
    """Those of `layers` that are neither among the model's `known` ones nor blocks around them; none if not known."""
    return [each for each in layers if known and not any(f"{name}.".startswith(f"{each}.") for name in known)]


def _layers_problem(layers: Sequence[str], known: Sequence[str]) -> str | None:
    if not (unknown := unknown_layers(layers, known)):
        return None
    return _("This model has no layer “%(name)s”. Choose other layers.", name=unknown[0][:80])


class StyleSpec(LookSpec, SharingSpec):
    """The contents of a style version."""

    name: Line = Field(title=N_("Name"), min_length=1, max_length=120)
    strength: float = Field(default=1.0, title=N_("Strength"), ge=0, le=2)
    scale: float = Field(default=1.0, title=N_("Scale"), ge=0, le=2)
    share_group_norm: bool = Field(default=False, title=N_("Shared group norm"))
    adain_values: bool = Field(default=False, title=N_("AdaIN on values"))
    references: tuple[ReferenceSpec, ...] = Field(default=(), title=N_("Picture"), max_length=MOST_REFERENCES)
    drawn_as: DrawnAs = Field(default={}, title=N_("Will be drawn as"))

    def translated(self, translator: Translator | None, find: Find) -> Self:
        """The same with what is drawn for texts in Japanese: as they were corrected, or else as they are translated."""
        texts = self.text, self.reference_prompt
        return self.model_copy(update={"drawn_as": drawn_as(texts, self.drawn_as, translator, find(texts))})

    @classmethod
    def from_form(cls, form: Mapping[str, str], ranked: Sequence[str] = (), known: Sequence[str] = ()) -> "StyleSpec":
        """Read a spec with one picture from the fields of the page. Raises Invalid.

        A preset sets its numbers, whatever the fields say. `ranked` are the model's layers, most style-sensitive first,
        and `known` all of them; none: not known.
        """
        errors: dict[str, str | None] = {}
        references: tuple[ReferenceSpec, ...] = ()
        try:
            crop = CropSpec.parse({side: form.get(f"crop_{side}", "") for side in CropSpec.model_fields})
            references = (ReferenceSpec.parse({"reference_id": form.get("reference_id", ""), "crop": crop}),)
        except Invalid:
            errors["picture"] = _("Upload a picture, then choose the part to use.")
        try:
            spec = cls.parse({**form, **shared(form, ranked), "references": references})
            errors |= spec.sharing_problems(known)
        except Invalid as invalid:
            errors |= invalid.errors
        Invalid.check(errors)
        return spec


def shared(form: Mapping[str, str], ranked: Sequence[str]) -> dict[str, Any]:
    """What the preset of a form or command sets, or else the layers that it chooses. Raises Invalid."""
    chosen = form.get("preset", "")
    if preset := PRESETS.get(chosen):
        return dict(preset.values)
    if chosen not in ("", OWN):
        raise Invalid("preset", _("There is no such way of sharing. Choose one of those in the form."))
    if form.get("layers") != SENSITIVE:
        return {}
    if not ranked:
        raise Invalid(
            "layers",
            _("The layers of this model are not ranked yet. An administrator runs `soroe rank-layers`; choose others."),
        )
    return {"layers": list(ranked[: LayerCount.parse({"layer_count": form.get("layer_count", "")}).layer_count])}
