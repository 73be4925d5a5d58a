"""Length limits of form fields, checked before any is read: cleaning, splitting and searching texts costs by length.

Services say in their own words what fits into a column. These limits are wider, so that someone who wrote a little too
much reads that sentence with the form still filled in; nobody writes more by hand.
"""

import re
from binascii import a2b_qp
from collections.abc import Iterable, Iterator

from starlette.datastructures import UploadFile

from app.errors import UserError
from app.sets.spec import MOST_PROMPTS, PROMPT_LENGTH
from app.specs import JSON_LENGTH
from app.text import shorten, thin

FIELD_LENGTH = 10_000  # characters of a field; the longest one, a comment, holds 2 000
LENGTHS = {
    "prompts": round(1.2 * MOST_PROMPTS * PROMPT_LENGTH),
    "regions": JSON_LENGTH,
    "structures": JSON_LENGTH,
    "subjects": JSON_LENGTH,
}
MOST_LINES = 20 * MOST_PROMPTS  # a list of prompts that is far too long still comes back with its form
NAME_LENGTH = 60  # of a field's own name
FILE_NAME_LENGTH = 255  # the limit of file systems
ESCAPED = 12  # bytes per character after percent-encoding, at most
WRONG_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")

Value = str | UploadFile


class FieldTooLong(UserError):
    """A field is longer than anyone writes."""

    status = 413


def bounded(fields: Iterable[tuple[str, Value]]) -> Iterator[tuple[str, Value]]:
    """Check the fields, and cut file names. Raises FieldTooLong."""
    for name, value in fields:
        if len(name) > NAME_LENGTH:
            raise FieldTooLong("The form has an unknown field. Reload the page.")
        if isinstance(value, str):
            _check(name, len(value))
            if len(value) > MOST_LINES and len(value.splitlines()) > MOST_LINES:
                raise FieldTooLong(
                    f"The field {name!r} has more than {thin(MOST_LINES)} lines. Shorten it, then send it again."
                )
        elif value.filename:
            value.filename = value.filename[-FILE_NAME_LENGTH:]  # keeping its extension
        yield name, value


def decoded(body: bytes) -> Iterator[tuple[str, Value]]:
    """Decode a percent-encoded form, in which browsers make no wrong escapes.

    Raises FieldTooLong, and UnicodeError if it is not UTF-8.
    """
    if not body:
        return
    for field in body.split(b"&"):
        name, _, value = field.partition(b"=")
        if len(name) > ESCAPED * NAME_LENGTH:
            raise FieldTooLong("The form has an unknown field. Reload the page.")
        of_name = _unescaped(name)
        _check(of_name, len(value) // ESCAPED)
        yield of_name, _unescaped(value)


def _check(name: str, length: int) -> None:
    most = LENGTHS.get(name, FIELD_LENGTH)
    if length > most:
        raise FieldTooLong(
            f"The field {shorten(name, NAME_LENGTH)!r} is longer than {thin(most)} characters. Shorten it, then send"
            " it again."
        )


def _unescaped(text: bytes) -> str:
    """Percent-decode with the quoted-printable decoder, which is written in C and has = for %.

    `urllib.parse.unquote` takes a quarter of a second per megabyte.
    """
    text = text.replace(b"+", b" ")
    if b"%" not in text:
        return text.decode()
    if len(text) <= FIELD_LENGTH:
        text = WRONG_ESCAPE.sub(b"%25", text)  # an unescaped sign stays
    elif WRONG_ESCAPE.search(text):
        raise UnicodeError("a wrong escape in a long field")
    return a2b_qp(text.replace(b"=", b"=3D").replace(b"%", b"=")).decode()
