"""What a person says who makes a blind test."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from app.blind.statistics import MOST
from app.languages import N_
from app.languages import gettext as _
from app.models import BlindQuestion
from app.specs import Line, Spec

NAME_LENGTH, QUESTION_LENGTH, WHY_LENGTH = 120, 200, 200  # characters
MOST_PEOPLE = 200


def _question(value: object) -> object:
    if value not in list(BlindQuestion):
        raise ValueError(_("Choose a question."))
    return value


class BlindSpec(Spec):
    name: Line = Field(title=N_("The name"), min_length=1, max_length=NAME_LENGTH)
    a: Line = Field(title=N_("Side A"), min_length=1)
    b: Line = Field(title=N_("Side B"), min_length=1)
    question: Annotated[BlindQuestion, BeforeValidator(_question)] = BlindQuestion.USE
    own_question: Line = Field(default="", title=N_("The question"), max_length=QUESTION_LENGTH)
    people: tuple[int, ...] = ()
    planned: int = Field(title=N_("The number of judgements"), ge=1, le=MOST)
