"""What somebody says who reports a picture, and what a manager says who decides."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from app.languages import N_
from app.languages import gettext as _
from app.models import ReportKind, ReportOutcome
from app.rights.spec import Text
from app.specs import Line, Spec

LONG = 1000  # characters
REASON_LONG = 500
WORDS = {
    ReportKind.PERSON: N_("A real person without consent"),
    ReportKind.RIGHTS: N_("Someone else’s work, brand or character"),
    ReportKind.HARMFUL: N_("Harmful or offensive"),
    ReportKind.WRONG: N_("Misleading, such as false news"),
    ReportKind.OTHER: N_("Something else"),
}


def _kind(value: object) -> object:
    if value not in list(ReportKind):
        raise ValueError(_("Choose what is wrong with the picture."))
    return value


class ReportSpec(Spec):
    kind: Annotated[ReportKind, BeforeValidator(_kind)] = Field(title=N_("What is wrong"))
    words: Text = Field(default="", title=N_("In your words"), max_length=LONG)

    @classmethod
    def checked(cls, kind: str, words: str) -> "ReportSpec":
        """Raises Invalid."""
        return cls.parse({"kind": kind or "-", "words": words})


class ReportDecision(Spec):
    outcome: ReportOutcome
    reason: Line = Field(title=N_("The reason"), min_length=1, max_length=REASON_LONG)
