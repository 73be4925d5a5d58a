"""Read a form strictly, as UTF-8 and within limits, or refuse it with one sentence before any route sees it.

Browsers send forms in UTF-8, because our pages are. A charset chosen by the sender could be any Python codec, some of
which are no text encodings at all, and produce texts that cannot be encoded.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser

from app.errors import UserError
from app.languages import N_, translated
from app.languages import gettext as _
from app.web.forms.fields import bounded, decoded

FIELD_BYTES = 4 * 2**20  # for one form field, and for a form without files; same as `BODY_BYTES`
UTF8 = (b"", b"utf-8", b"utf8")

UNREADABLE = N_("The form could not be read: it is incomplete or malformed. Reload the page.")
NOT_UTF8 = N_("The form is not written in UTF-8, so it was not read. Send it from a page of Soroe.")
NO_FORM = N_("This address accepts forms only. Send it from a page of Soroe.")
TOO_MANY = N_("The form has too many fields or files, so it was not read. Reload the page.")


class OtherKind(UserError):
    """The body is no form."""

    status = 415


@asynccontextmanager
async def sent_form(
    request: Request, any_length: bool = False, /, *, files: int = 1, fields: int = 100
) -> AsyncIterator[FormData]:
    """The form of a request, with at most this many files and fields; its files are closed at the end.

    `any_length`: to be kept as it is, however long its fields are.

    An empty body is an empty form. Raises UserError, OtherKind and FieldTooLong.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if options.get(b"charset", b"").lower() not in UTF8:
        raise UserError(translated(NOT_UTF8))
    try:
        if kind == b"multipart/form-data":
            form = await _multipart(request, files, fields)
        elif kind == b"application/x-www-form-urlencoded":
            form = _urlencoded(await _whole(request), fields, any_length)
        elif await _is_empty(request):
            form = FormData()
        else:
            raise OtherKind(translated(NO_FORM))
    except UnicodeError as error:
        raise UserError(translated(NOT_UTF8)) from error
    try:
        yield form if any_length else FormData(list(bounded(form.multi_items())))
    finally:
        await form.close()


class StrictParser(MultiPartParser):
    """Starlette's parser, without its fallback to Latin-1, and reporting truncated forms."""

    ended = False

    def on_part_end(self) -> None:
        self._current_part.data.decode()
        super().on_part_end()

    def on_headers_finished(self) -> None:
        for _name, value in self._current_part.item_headers:
            value.decode()
        super().on_headers_finished()

    def on_end(self) -> None:
        self.ended = True

    def close(self) -> None:
        """Close all files, including those that never ended and so belong to no form."""
        for file in self._files_to_close_on_error:
            file.close()


async def _multipart(request: Request, files: int, fields: int) -> FormData:
    parser = StrictParser(
        request.headers, request.stream(), max_files=files, max_fields=fields, max_part_size=FIELD_BYTES
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise UserError(translated(TOO_MANY if error.message.startswith("Too many") else UNREADABLE)) from error
    if not parser.ended:
        parser.close()
        raise UserError(translated(UNREADABLE))
    return form


def _urlencoded(body: bytes, fields: int, any_length: bool) -> FormData:
    if body.count(b"&") >= fields:
        raise UserError(translated(TOO_MANY))
    return FormData(list(decoded(body, any_length)))


async def _whole(request: Request) -> bytes:
    """Read a body without files. Upload addresses allow more bytes than a form without files may have."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FIELD_BYTES:
            raise HTTPException(413, _("The form is too large. Send a smaller one."))
    return bytes(body)


async def _is_empty(request: Request) -> bool:
    async for chunk in request.stream():
        if chunk:
            return False
    return True
