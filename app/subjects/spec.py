"""The specification of a subject."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from app.engine.base import TrainingFacts
from app.languages import N_, ngettext
from app.languages import gettext as _
from app.specs import Line, Spec


class SubjectSpec(Spec):
    """The specification of a subject."""

    name: Line = Field(title=N_("Name"), min_length=1, max_length=120)
    class_words: Line = Field(default="", title=N_("Kind of thing"), max_length=120)
    phrase: Line = Field(default="", title=N_("Trigger words"), max_length=200)  # of a LoRA file
    pictures: tuple[str, ...] = Field(default=(), title=N_("Pictures"))  # SHA-256 of the uploaded ones
    steps: int = Field(title=N_("Steps"), ge=1, le=10_000)
    rank: int = Field(title=N_("Rank"), ge=1, le=128)
    rate: float = Field(title=N_("Rate"), ge=1e-6, le=1e-2)
    text_encoders: bool = Field(default=False, title=N_("Text encoders"))

    @classmethod
    def from_form(cls, form: Mapping[str, Any], facts: TrainingFacts) -> "SubjectSpec":
        """Parse the page's fields, with the model's defaults for empty ones. Raises Invalid."""
        usual = {"steps": facts.steps, "rank": facts.rank, "rate": facts.rate}
        return cls.parse(usual | {name: value for name, value in form.items() if value != ""})

    def training_problems(self, pictures: int, facts: TrainingFacts) -> dict[str, str | None]:
        """Why it cannot be trained on this number of pictures: a sentence or None per field of the form."""
        least, most = facts.fewest_pictures, facts.most_pictures
        return {
            "pictures": None
            if least <= pictures <= most
            else ngettext(
                "Training needs %(least)s to %(most)s pictures; %(number)s picture was given.",
                "Training needs %(least)s to %(most)s pictures; %(number)s pictures were given.",
                pictures,
                least=least,
                most=most,
            ),
            "class_words": None if self.class_words else _("Enter the kind of thing, such as teapot."),
        }
