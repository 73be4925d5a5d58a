"""Forms of sets, their pictures, and their ingredients: maps, masks, subjects."""

from math import inf

from fastapi import Request
from pydantic import Field

from app.models import TemplateKind
from app.text import decimal_number
from app.web.deps import resources_of
from app.web.forms.drafts import FileForm
from app.web.forms.form import File, Files, Form, Text, Texts, Ticked
from app.web.forms.grounds import GroundForm


class SetForm(Form):
    name: Text = ""
    campaign: Text = ""
    style: Text = ""
    prompts: Text = ""
    count: Text = ""
    size: Text = ""
    seed: Text = ""
    strength: Text = ""
    steps: Text = ""
    guidance: Text = ""
    scheduler: Text = ""
    negative_prompt: Text = ""
    width: Text = ""  # for a custom size
    height: Text = ""
    seamless: Text = ""
    regions: Text = ""  # these three as JSON
    structures: Text = ""
    subjects: Text = ""
    drawn_as: Text = ""  # what is drawn for texts in Japanese, as corrected, as JSON


class TemplateForm(Form):
    template_name: Text = ""
    template_shared: Ticked = False


class TemplateSaveForm(SetForm, TemplateForm):
    """The form of a new set, and under which name its settings, or its negative prompt, are saved."""

    template_kind: Text = ""
    preset_name: Text = ""  # of a negative prompt
    preset_shared: Ticked = False

    @property
    def set_values(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in SetForm.model_fields}

    @property
    def named(self) -> tuple[TemplateKind, str, bool]:
        """The kind, the name, and whether it is shared."""
        if self.template_kind == TemplateKind.NEGATIVE:
            return TemplateKind.NEGATIVE, self.preset_name, self.preset_shared
        return TemplateKind.SET, self.template_name, self.template_shared


class RedoForm(Form):
    """A picture to redo, and the page to return to."""

    prompt: Text = ""
    seed: Text = ""
    own_seed: Text = ""
    strength: Text = ""
    count: Text = ""
    drawn_as: Text = ""
    back: Text = Field(default="", alias="from")


class ReadingsForm(Form):
    """Texts that somebody is writing, one per line, and what their reading depends on."""

    prompts: Text = ""
    kind: Text = ""
    style: Text = ""  # its code
    set: Text = ""  # that the picture to redo belongs to
    guidance: Text = ""
    drawn_as: Text = ""  # corrections, as JSON; empty: texts are drawn as they are written

    @property
    def guidance_number(self) -> float:
        """Infinite while it is being typed."""
        try:
            return decimal_number(self.guidance)
        except ValueError:
            return inf


class MapForm(GroundForm):
    picture: File = None
    kind: Text = ""
    size: Text = ""
    ready: Ticked = False  # it is a ready map


class MapCropForm(Form):
    size: Text = ""


class MaskForm(Form):
    mask: File = None


class SubjectPictureForm(GroundForm):
    picture: File = None


class SubjectForm(Form):
    """Fields of both forms of a new subject, one of which is shown again with everything typed."""

    name: Text = ""
    class_words: Text = ""
    phrase: Text = ""
    steps: Text = ""
    rank: Text = ""
    rate: Text = ""
    text_encoders: Text = ""


class LoraForm(SubjectForm, FileForm):
    """A subject from a LoRA file."""


class TrainingForm(SubjectForm, GroundForm):
    """A subject from pictures: those `kept` before, by SHA-256, and those sent with the form."""

    kept: Texts = ()
    picture: Files = ()
    sample: Text = ""  # the name of sample pictures, besides those

    @classmethod
    def bounds(cls, request: Request) -> dict[str, int]:
        most = resources_of(request).engine.model.training.most_pictures
        return {"files": most + 1, "fields": 2 * most + 50}
