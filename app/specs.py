"""Requests to services, as pydantic models, with our own sentence for every wrong field.

Pages and the command line parse input into the same specs, so limits and messages are the same.
"""

import json
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Annotated, Any, TypeVar, get_args

from annotated_types import Ge, Le
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from app.errors import Invalid
from app.text import clean_line

M = TypeVar("M", bound="Spec")

Line = Annotated[str, BeforeValidator(lambda value: clean_line(value) if isinstance(value, str) else value)]


JSON_LENGTH = 2**17  # characters; the longest honest field, regions with long prompts, escaped, has half of it
JSON_DEPTH = 8
WHOLE_DIGITS = 18  # what a 64-bit column can always hold


def read_json(text: str) -> Any:
    """Read the JSON of a hidden field: bounded length and depth, finite numbers, whole texts. Raises ValueError."""
    if len(text) > JSON_LENGTH:
        raise ValueError(f"the JSON has {len(text)} characters; at most {JSON_LENGTH} are read")
    try:
        value = json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_finite)
    except RecursionError as error:
        raise ValueError(f"the JSON is deeper than {JSON_DEPTH} levels") from error
    _check(value)
    return value


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > WHOLE_DIGITS:
        raise ValueError(f"{digits[:WHOLE_DIGITS]}... is too large a number")
    return int(digits)


def _finite(digits: str) -> float:
    if not isfinite(number := float(digits)):
        raise ValueError(f"{digits[:WHOLE_DIGITS]} is no finite number")
    return number


def _check(value: object) -> None:
    """Iterates level by level, so that the input's depth does not become the stack's. Raises ValueError."""
    level = [value]
    for _ in range(JSON_DEPTH):
        for text in level:
            if isinstance(text, str):
                text.encode()  # an escape such as \ud800 makes half a character, which cannot be encoded
        level = [part for each in level for part in _parts(each)]
    if level:
        raise ValueError(f"the JSON is deeper than {JSON_DEPTH} levels")


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return (*value.keys(), *value.values())
    return value if isinstance(value, list) else ()


class Spec(BaseModel):
    """A request. A field's `title` names it in messages."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, frozen=True)

    @classmethod
    def parse(cls: type[M], values: Mapping[str, object]) -> M:
        """Parse values. Raises Invalid with a sentence for every wrong field.

        An empty text counts as a missing field.
        """
        try:
            return cls.model_validate({name: value for name, value in values.items() if value != ""})
        except ValidationError as error:
            sentences: dict[str, str | None] = {}
            for problem in error.errors():
                name = str(problem["loc"][0]) if problem["loc"] else ""
                sentences.setdefault(name, _sentence(name, _field(cls, problem["loc"]), problem))
            Invalid.check(sentences)
            raise


def _field(model: type[BaseModel], loc: Iterable[int | str]) -> FieldInfo | None:
    """The innermost field at `loc`, the location of a validation error."""
    found: FieldInfo | None = None
    within: type[BaseModel] | None = model
    for name in loc:
        field = within.model_fields.get(name) if within and isinstance(name, str) else None
        if field:
            found, within = field, _model_in(field.annotation)
    return found


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model of a field's items; None if they are not models."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def _sentence(name: str, field: FieldInfo | None, problem: ErrorDetails) -> str:
    title = (field and field.title) or name.replace("_", " ").capitalize()
    given = problem["input"]
    match problem["type"]:
        case "value_error":
            return str(problem["ctx"]["error"])
        case "missing" | "too_short" | "string_too_short":
            return f"{title} is missing."
        case "too_long":  # the excess is unknown: of very many, only the first were read
            things = [part for part in problem["loc"] if isinstance(part, str)][-1]
            return f"There are at most {problem['ctx']['max_length']} {things}; remove some."
        case "string_too_long":
            return f"{title} has {len(given)} characters; at most {problem['ctx']['max_length']} fit."
        case "enum" | "literal_error":
            return f"{title} must be {problem['ctx']['expected']}; {given!r} was given."
        case "string_type":
            return f"{title} must be text; {str(given)[:80]!r} was given."
    return f"{title} must be {_range(field, problem)}; {str(given)[:80]!r} was given."


def _range(field: FieldInfo | None, problem: ErrorDetails) -> str:
    bounds: dict[type, Any] = {type(bound): bound for bound in (field.metadata if field else [])}
    whole = "int" in str(field.annotation) if field else problem["type"].startswith("int")
    what = "a whole number" if whole else "a number"
    if Ge in bounds and Le in bounds:
        return f"{what} from {bounds[Ge].ge} to {bounds[Le].le}"
    return what
