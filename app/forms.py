"""What people typed, checked against a pydantic model, with a sentence of ours for every field that is wrong."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from annotated_types import Ge, Le
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from app.errors import Invalid
from app.text import clean_line

M = TypeVar("M", bound="Form")

Line = Annotated[str, BeforeValidator(lambda value: clean_line(value) if isinstance(value, str) else value)]


class Form(BaseModel):
    """What a form or the API may send. A field's `title` names it in sentences."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, frozen=True)

    @classmethod
    def parse(cls: type[M], values: Mapping[str, object]) -> M:
        """Raises Invalid with a sentence for every wrong field. An empty text is a field left alone."""
        try:
            return cls.model_validate({name: value for name, value in values.items() if value != ""})
        except ValidationError as error:
            sentences: dict[str, str | None] = {}
            for problem in error.errors():
                name = str(problem["loc"][0]) if problem["loc"] else ""
                sentences.setdefault(name, _sentence(name, cls.model_fields.get(name), problem))
            Invalid.check(sentences)
            raise


def _sentence(name: str, field: FieldInfo | None, problem: ErrorDetails) -> str:
    title = (field and field.title) or name.replace("_", " ").capitalize()
    given = problem["input"]
    match problem["type"]:
        case "value_error":
            return str(problem["ctx"]["error"])
        case "missing" | "string_too_short":
            return f"{title} is missing."
        case "string_too_long":
            return f"{title} has {len(given)} characters; at most {problem['ctx']['max_length']} fit."
        case "enum" | "literal_error":
            return f"{title} is one of {problem['ctx']['expected']}; {given!r} was given."
        case "string_type":
            return f"{title} is a text; {str(given)[:80]!r} was given."
    return f"{title} is {_range(field, problem)}; {str(given)[:80]!r} was given."


def _range(field: FieldInfo | None, problem: ErrorDetails) -> str:
    bounds: dict[type, Any] = {type(bound): bound for bound in (field.metadata if field else [])}
    whole = "int" in str(field.annotation) if field else problem["type"].startswith("int")
    what = "a whole number" if whole else "a number"
    if Ge in bounds and Le in bounds:
        return f"{what} from {bounds[Ge].ge} to {bounds[Le].le}"
    return what
