"""Length limits of form fields, checked before any is read: cleaning, splitting and searching texts costs by length.

Services say in their own words what fits into a column. These limits are wider, so that someone who wrote a little too
much reads that sentence with the form still filled in; nobody writes more by hand.
"""

import re
from binascii import a2b_qp
from collections.abc import Iterable, Iterator

from starlette.datastructures import UploadFile

from app.errors import UserError
from app.languages import gettext as _
from app.sets.spec import MOST_PROMPTS
from app.specs import JSON_LENGTH
from app.text import lines, shorten, thin

FIELD_LENGTH = 10_000  # characters of a field; the longest one, a comment, holds 2 000
LENGTHS = {
    "prompts": 600 * MOST_PROMPTS,  # most are much shorter than the longest that a set takes
    "regions": JSON_LENGTH,
    "structures": JSON_LENGTH,
    "subjects": JSON_LENGTH,
    "drawn_as": JSON_LENGTH,
    "english": 40_000,  # a policy
    "japanese": 40_000,
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
            raise FieldTooLong(_("The form has an unknown field. Reload the page."))
        if isinstance(value, str):
            _check(name, len(value))
            if len(value) > MOST_LINES and len(lines(value)) > MOST_LINES:
                raise FieldTooLong(
                    _(
                        "The field %(name)s has more than %(most)s lines. Shorten it, then send it again.",
                        name=repr(name),
                        most=thin(MOST_LINES),
                    )
                )
        elif value.filename:
            value.filename = value.filename[-FILE_NAME_LENGTH:]  # keeping its extension
        yield name, value


def decoded(body: bytes, any_length: bool = False) -> Iterator[tuple[str, Value]]:
    """Decode a percent-encoded form, in which browsers make no wrong escapes.

    Raises FieldTooLong, and UnicodeError if it is not UTF-8.
    """
    if not body:
        return
    for field in body.split(b"&"):
        name, _sign, value = field.partition(b"=")
        if len(name) > ESCAPED * NAME_LENGTH:
            raise FieldTooLong(_("The form has an unknown field. Reload the page."))
        of_name = _unescaped(name)
        if not any_length:
            _check(of_name, len(value) // ESCAPED)
        yield of_name, _unescaped(value)


def _check(name: str, length: int) -> None:
    most = LENGTHS.get(name, FIELD_LENGTH)
    if length > most:
        raise FieldTooLong(
            _(
                "The field %(name)s is longer than %(most)s characters. Shorten it, then send it again.",
                name=repr(shorten(name, NAME_LENGTH)),
                most=thin(most),
            )
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
