"""Requests to services, as pydantic models, with our own sentence for every wrong field.

Pages and the command line parse input into the same specs, so limits and messages are the same.
"""

import json
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Annotated, Any, TypeVar, get_args

from annotated_types import Ge, Le
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticKnownError

from app.errors import Invalid
from app.languages import N_, translated
from app.languages import gettext as _
from app.text import clean_line, clean_prompt, narrow, plain_number

M = TypeVar("M", bound="Spec")


def _prompt(value: object) -> object:
    return clean_prompt(value) if isinstance(value, str) else value


Prompt = Annotated[str, BeforeValidator(_prompt)]
"""A line that the model reads."""

Code = Annotated[str, BeforeValidator(lambda value: clean_line(narrow(value)) if isinstance(value, str) else value)]
"""A line that a program reads, such as a code or the name of a scheduler."""

Line = Annotated[str, BeforeValidator(lambda value: clean_line(value) if isinstance(value, str) else value)]


JSON_LENGTH = 2**17  # characters; the longest honest field, regions with long prompts, escaped, has half of it
JSON_DEPTH = 8
JSON_COMMAS = 20_000  # the most honest field, 500 maps and regions whose prompts have commas, stays far below
DRAWN_LENGTH = 1000  # characters of a text in English
# What fields with many parts have.
THINGS = {
    "maps": N_("maps"),
    "references": N_("references"),
    "regions": N_("regions"),
    "structures": N_("structures"),
    "subjects": N_("subjects"),
}
OF_NUMBERS = (
    "int_",
    "float_",
    "finite_number",
    "greater_than",
    "less_than",
)  # beginnings of pydantic's kinds of errors
WHOLE_DIGITS = 18  # what a 64-bit column can always hold


def read_json(text: str) -> Any:
    """Read the JSON of a hidden field: bounded length and depth, finite numbers, whole texts. Raises ValueError."""
    if len(text) > JSON_LENGTH:
        raise ValueError(f"the JSON has {len(text)} characters; at most {JSON_LENGTH} are read")
    if text.count(",") > JSON_COMMAS:
        raise ValueError(f"the JSON has too many parts; at most {JSON_COMMAS} are read")
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
    for _depth in range(JSON_DEPTH):
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


def _corrections(value: object) -> object:
    """Read a form's hidden field: English texts by what was written, cleaned. Raises ValueError."""
    found = value
    if isinstance(value, str):
        try:
            found = read_json(value or "{}")
        except ValueError as error:
            raise ValueError(_("The page sent something unreadable; reload it.")) from error
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise ValueError(_("The page sent something unreadable; reload it."))
    return {clean_prompt(text): clean_prompt(english)[:DRAWN_LENGTH] for text, english in found.items()}


def corrections(drawn_as: Mapping[str, str]) -> str:
    """What `DrawnAs` reads, to fill a form in; without those that would be too long for a field."""
    text = json.dumps(dict(drawn_as), ensure_ascii=False) if drawn_as else ""
    return text if len(text) <= JSON_LENGTH else ""


DrawnAs = Annotated[dict[str, str], BeforeValidator(_corrections)]
"""What is drawn for texts, by what was written."""


class Typed(BaseModel):
    """Fields that may come as text, whose numbers are read as people type them (`app.text.plain_number`)."""

    model_config = ConfigDict(allow_inf_nan=False, frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _typed(cls, value: object, info: ValidationInfo) -> object:
        field = cls.model_fields[info.field_name or ""]
        if not _takes_number(field.annotation):
            return value
        try:
            return tuple(map(_plain, value)) if isinstance(value, tuple | list) else _plain(value)
        except ValueError as error:
            raise PydanticKnownError("int_parsing" if int in _kinds(field.annotation) else "float_parsing") from error


def _plain(value: object) -> object:
    return plain_number(value) if isinstance(value, str) else value


class Spec(Typed):
    """A request. A field's `title`, marked with `N_`, names it in messages."""

    model_config = ConfigDict(extra="ignore")

    @classmethod
    def parse(cls: type[M], values: Mapping[str, object]) -> M:
        """Parse values. Raises Invalid with a sentence for every wrong field.

        An empty text counts as a missing field. Where no text is asked for, such as for a choice, full-width letters
        and signs are the usual ones.
        """
        try:
            given = {name: cls._narrow(name, value) for name, value in values.items()}
            return cls.model_validate({name: value for name, value in given.items() if value != ""})
        except ValidationError as error:
            sentences: dict[str, str | None] = {}
            for problem in error.errors():
                name = str(problem["loc"][0]) if problem["loc"] else ""
                sentences.setdefault(name, _sentence(name, _field(cls, problem["loc"]), problem))
            Invalid.check(sentences)
            raise

    @classmethod
    def _narrow(cls, name: str, value: object) -> object:
        field = cls.model_fields.get(name)
        return (
            narrow(value).strip() if isinstance(value, str) and field and str not in _kinds(field.annotation) else value
        )


class Corrections(Spec):
    """How people corrected what is drawn for their texts."""

    drawn_as: DrawnAs = {}


def _takes_number(annotation: Any) -> bool:
    return {int, float} & _kinds(annotation) != set() and str not in _kinds(annotation)


def _kinds(annotation: Any) -> set[Any]:
    """The types that a field's type is made of."""
    if isinstance(annotation, type) and not get_args(annotation):
        return {annotation}
    return set().union(*map(_kinds, get_args(annotation)))


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
    title = translated((field and field.title) or name.replace("_", " ").capitalize())
    given = problem["input"]
    match problem["type"]:
        case "value_error":
            return str(problem["ctx"]["error"])
        case "missing" | "too_short" | "string_too_short":
            return _("%(title)s is missing.", title=title)
        case "too_long":  # the excess is unknown: of very many, only the first were read
            things = [part for part in problem["loc"] if isinstance(part, str)][-1]
            return _(
                "There are at most %(number)s %(things)s; remove some.",
                number=problem["ctx"]["max_length"],
                things=translated(THINGS.get(things, things)),
            )
        case "string_too_long":
            return _(
                "%(title)s has %(length)s characters; at most %(most)s fit.",
                title=title,
                length=len(given),
                most=problem["ctx"]["max_length"],
            )
        case "enum" | "literal_error":
            expected = problem["ctx"]["expected"]
            return _(
                "%(title)s must be %(expected)s; %(given)s was given.",
                title=title,
                expected=expected,
                given=repr(given),
            )
        case "bool_parsing" | "bool_type":
            return _("%(title)s must be on or off; '%(given)s' was given.", title=title, given=str(given)[:80])
        case "string_type":
            return _("%(title)s must be text; '%(given)s' was given.", title=title, given=str(given)[:80])
        case kind if kind.startswith(OF_NUMBERS):
            return _no_number(title, field, problem)
    return _("%(title)s cannot be '%(given)s'.", title=title, given=str(given)[:80])


def _no_number(title: str, field: FieldInfo | None, problem: ErrorDetails) -> str:
    """That a number, within its bounds, was asked for."""
    bounds: dict[type, Any] = {type(bound): bound for bound in (field.metadata if field else [])}
    whole = "int" in str(field.annotation) if field else problem["type"].startswith("int")
    named = {"title": title, "given": str(problem["input"])[:80]}
    if Ge in bounds and Le in bounds:
        named |= {"least": bounds[Ge].ge, "most": bounds[Le].le}
        if whole:
            return _("%(title)s must be a whole number from %(least)s to %(most)s; '%(given)s' was given.", **named)
        return _("%(title)s must be a number from %(least)s to %(most)s; '%(given)s' was given.", **named)
    if whole:
        return _("%(title)s must be a whole number; '%(given)s' was given.", **named)
    return _("%(title)s must be a number; '%(given)s' was given.", **named)
