"""Forms of sets, their pictures, and their ingredients: maps, masks, subjects."""

from fastapi import Request
from pydantic import Field

from app.web.deps import resources_of
from app.web.forms.form import File, Files, Form, Text, Texts, Ticked


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


class RedoForm(Form):
    """A picture to redo, and the page to return to."""

    prompt: Text = ""
    seed: Text = ""
    own_seed: Text = ""
    strength: Text = ""
    count: Text = ""
    back: Text = Field(default="", alias="from")


class MapForm(Form):
    picture: File = None
    kind: Text = ""
    size: Text = ""
    ready: Ticked = False  # it is a ready map


class MapCropForm(Form):
    size: Text = ""


class MaskForm(Form):
    mask: File = None


class SubjectPictureForm(Form):
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


class LoraForm(SubjectForm):
    """A subject from a LoRA file."""

    file: File = None


class TrainingForm(SubjectForm):
    """A subject from pictures: those `kept` before, by SHA-256, and those sent with the form."""

    kept: Texts = ()
    picture: Files = ()

    @classmethod
    def bounds(cls, request: Request) -> dict[str, int]:
        most = resources_of(request).engine.model.training.most_pictures
        return {"files": most + 1, "fields": most + 50}
