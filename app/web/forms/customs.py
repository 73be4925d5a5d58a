"""Forms of checklists: their items, and answers to them."""

from typing import Annotated, Self

from pydantic import BeforeValidator, Field
from starlette.datastructures import FormData, QueryParams

from app.customs.sheets import Answers, Given
from app.languages import N_
from app.models import ItemAnswer
from app.text import whole_number
from app.web.forms.form import Form, Numbers, Text
from app.web.forms.pictures import DecideForm
from app.web.forms.queue import BackForm
from app.web.forms.reviews import RoomForm

ANSWER, NOTE = "answer", "note"  # fields are called "answer:3:four-nine:0a1b2c": list, item, and which words of it


class ListForm(Form):
    name: Text = ""


class ItemForm(Form):
    """An item; `seen` is the stamp of the words that were edited."""

    topic: Text = ""
    text: Text = Field(default="", title=N_("What to look for"))
    why: Text = ""
    source: Text = ""
    seen: Text = ""


class RequireForm(BackForm):
    checklists: Numbers = ()


Read = Annotated[Answers, BeforeValidator(lambda value: value if isinstance(value, dict) else {})]


def answers_of(sent: FormData | QueryParams) -> Answers:
    """The answers among the fields of a form; what is not one is left out."""
    found: dict[tuple[int, str, str], Given] = {}
    for name, value in sent.multi_items():
        kind, _, rest = name.partition(":")
        if kind != ANSWER or rest.count(":") != 2 or value not in set(ItemAnswer):
            continue
        number, key, stamp = rest.split(":")
        note = sent.get(f"{NOTE}:{rest}", "")
        if (checklist_id := whole_number(number)) is not None:
            found[checklist_id, key, stamp] = Given(ItemAnswer(str(value)), note if isinstance(note, str) else "")
    return found


class AnswersForm(RoomForm):
    """What a person answers about a picture in the review room."""

    answers: Read = Field(default_factory=dict)

    @classmethod
    def of(cls, sent: FormData | QueryParams) -> Self:
        return super().of(sent).model_copy(update={"answers": answers_of(sent)})


class SameAnswersForm(DecideForm):
    """A decision on many pictures, with the same answers for all of them if it has any."""

    answers: Read = Field(default_factory=dict)

    @classmethod
    def of(cls, sent: FormData | QueryParams) -> Self:
        return super().of(sent).model_copy(update={"answers": answers_of(sent)})
