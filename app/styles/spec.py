"""The specification of a style version."""

from collections.abc import Mapping

from pydantic import Field

from app.errors import Invalid
from app.models import ReferenceMethod
from app.specs import Line, Spec

MOST_REFERENCES = 8


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

    text: Line = Field(default="", title="Style text", max_length=500)
    reference_prompt: Line = Field(default="", title="What the picture shows", max_length=500)
    method: ReferenceMethod = Field(default=ReferenceMethod.NOISE, title="Method")


class StyleSpec(LookSpec):
    """The contents of a style version."""

    name: Line = Field(title="Name", min_length=1, max_length=120)
    strength: float = Field(default=1.0, title="Strength", ge=0, le=2)
    scale: float = Field(default=1.0, title="Scale", ge=0, le=2)
    share_group_norm: bool = Field(default=False, title="Shared group norm")
    adain_values: bool = Field(default=False, title="AdaIN on values")
    references: tuple[ReferenceSpec, ...] = Field(default=(), title="Picture", max_length=MOST_REFERENCES)

    @classmethod
    def from_form(cls, form: Mapping[str, str]) -> "StyleSpec":
        """Read a spec with one picture from the fields of the page. Raises Invalid."""
        errors: dict[str, str | None] = {}
        references: tuple[ReferenceSpec, ...] = ()
        try:
            crop = CropSpec.parse({side: form.get(f"crop_{side}", "") for side in CropSpec.model_fields})
            references = (ReferenceSpec.parse({"reference_id": form.get("reference_id", ""), "crop": crop}),)
        except Invalid:
            errors["picture"] = "Upload a picture, then choose the part to use."
        try:
            spec = cls.parse({**form, "references": references})
        except Invalid as invalid:
            errors = {**invalid.errors, **errors}
        Invalid.check(errors)
        return spec
