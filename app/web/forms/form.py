"""Forms as classes, so that a route declares what it takes: `form: Sent[DecisionForm]`.

A form refuses nothing: a missing field is empty, and an invalid number is None. The service validates values, in a
`Spec` or a sentence of its own, and the page can show again what was typed.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Self, TypeVar, get_origin

from fastapi import Depends, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, QueryParams, UploadFile

from app.text import whole_number
from app.web.deps import need_as_before
from app.web.forms.body import sent_form

F = TypeVar("F", bound="Form")

# Names of fields that are never kept for later, nor shown again.
SECRETS = frozenset({"password", "current", "code", "passkey", "confirm-password", "confirm-passkey"})

# Prefixes of the fields of pages that come between a form and its act: a question, and "Confirm it's you".
ASKING, CONFIRMING = "ask-", "confirm-"


def own_fields(form: FormData | QueryParams) -> list[tuple[str, str]]:
    """Names and texts of a form, without those of a page that came between."""
    fields: list[tuple[str, Any]] = form.multi_items()
    return [each for each in fields if isinstance(each[1], str) and not each[0].startswith((ASKING, CONFIRMING))]


@dataclass(frozen=True)
class SentFile:
    """An uploaded file, open until the request ends."""

    name: str
    file: BinaryIO

    def read(self) -> bytes:
        return self.file.read()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(values: list[object]) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str))


def _numbers(values: list[object]) -> tuple[int, ...]:
    return tuple(number for value in values if (number := whole_number(_text(value))) is not None)


def _file(value: object) -> SentFile | None:
    chosen = isinstance(value, UploadFile) and value.filename
    return SentFile(value.filename or "", value.file) if isinstance(value, UploadFile) and chosen else None


def _files(values: list[object]) -> tuple[SentFile, ...]:
    return tuple(file for value in values if (file := _file(value)))


Text = Annotated[str, BeforeValidator(_text)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Number = Annotated[int | None, BeforeValidator(lambda value: whole_number(_text(value)))]
Numbers = Annotated[tuple[int, ...], BeforeValidator(_numbers)]
Ticked = Annotated[bool, BeforeValidator(lambda value: bool(_text(value)))]  # browsers do not send unticked boxes
File = Annotated[SentFile | None, BeforeValidator(_file)]
Files = Annotated[tuple[SentFile, ...], BeforeValidator(_files)]


class Form(BaseModel):
    """The fields a page sends. An alias is a field's name on the page if ours must differ."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    @classmethod
    def bounds(cls, request: Request) -> dict[str, int]:
        """Limits on `files` and `fields`, if they differ from the defaults of `sent_form`."""
        return {}

    @classmethod
    def of(cls, sent: FormData | QueryParams) -> Self:
        """Build from the names and values of a form or an address."""
        values: dict[str, Any] = {}
        for name, field in cls.model_fields.items():
            key = field.alias or name
            if key in sent:
                values[key] = sent.getlist(key) if get_origin(field.annotation) is tuple else sent.get(key)
        return cls.model_validate(values)

    @classmethod
    def of_fields(cls, fields: Iterable[tuple[str, str]]) -> Self:
        """Build from what was sent before, such as a draft's fields."""
        return cls.of(FormData(list(fields)))

    @classmethod
    def titles(cls) -> dict[str, str]:
        """A label for each field, where the page with the form cannot be shown again."""
        return {
            field.alias or name: field.title or name.replace("_", " ").capitalize()
            for name, field in cls.model_fields.items()
        }

    @classmethod
    async def sent(cls, request: Request) -> AsyncIterator[Self]:
        """Read the form of a request; its files are closed afterwards.

        Raises what `sent_form` and `need_as_before` do.
        """
        async with sent_form(request, **cls.bounds(request)) as form:
            request.state.form = form  # for pages that offer to send it again
            request.state.titles = cls.titles()
            await run_in_threadpool(need_as_before, request)  # a body may take a quarter of an hour to arrive
            yield cls.of(form)


def has_files(form: FormData) -> bool:
    return any(isinstance(value, UploadFile) and value.filename for _, value in form.multi_items())


def can_be_sent_again(form: FormData) -> list[tuple[str, str]]:
    """The fields of a form; none if it has a file or a password, which are not kept."""
    texts = own_fields(form)
    secret = any(value for name, value in texts if name in SECRETS)
    return [] if secret or has_files(form) else texts


if TYPE_CHECKING:
    Sent = Annotated[F, ...]
else:

    class Sent:
        """Declares a route's parameter: `Sent[DecisionForm]` is a DecisionForm, read from the request."""

        def __class_getitem__(cls, form: type[Form]) -> Any:
            return Annotated[form, Depends(form.sent)]
