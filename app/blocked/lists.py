"""The list of blocked words as CSV, to take it to another server or to edit it in a spreadsheet."""

import csv as reader
import io

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import csv
from app.blocked import queries, service
from app.blocked.matching import folded
from app.blocked.service import MOST_WORDS, WordSpec
from app.errors import Conflict, Invalid
from app.languages import gettext as _
from app.models import BlockedWord, User
from app.text import thin

COLUMNS = ("word", "reason", "match", "who may write it")
PART, WHOLE, MANAGERS, NOBODY = "part", "whole", "managers", "nobody"
BYTES = 2**20
FORMULAS = tuple(f"'{sign}" for sign in "=+-@＝＋－＠")


def written(session: Session, user: User) -> bytes:
    """The whole list. Managers only."""
    words = queries.listed(session, user, most=MOST_WORDS)
    rows = (
        (word.name, word.reason, WHOLE if word.whole else PART, MANAGERS if word.managers_may else NOBODY)
        for word in words
    )
    return csv.BEGIN + csv.lines([COLUMNS, *rows])


def read(data: bytes) -> list[WordSpec]:
    """The words of a file: UTF-8, or the cp932 of Japanese spreadsheets. Raises Invalid of "file"."""
    if len(data) > BYTES:
        raise Invalid("file", _("The file is larger than 1 MB. Split it."))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp932", errors="replace")
    if "\0" in text or "\ufffd" in text:
        raise Invalid("file", _("This is no CSV file in UTF-8 or Shift JIS. Save the list as CSV."))
    try:
        rows = list(reader.reader(io.StringIO(text, newline="")))
    except reader.Error as error:
        raise Invalid("file", _("This is no CSV file. Save the list as CSV.")) from error
    filled = [(number, row) for number, row in enumerate(rows, start=1) if any(cell.strip() for cell in row)]
    if filled and filled[0][1][0].strip().casefold() == COLUMNS[0]:
        filled = filled[1:]
    if not filled:
        raise Invalid("file", _("The file has no words."))
    if len(filled) > MOST_WORDS:
        raise Invalid("file", _("The file has more than %(most)s words. Split it.", most=thin(MOST_WORDS)))
    return [_spec(number, row) for number, row in filled]


def _spec(number: int, row: list[str]) -> WordSpec:
    name, reason, match, who = (_cell(cell) for cell in (*row[:4], *[""] * (4 - len(row[:4]))))
    spec = WordSpec.parse({"name": name, "reason": reason, "whole": match != PART, "managers_may": who == MANAGERS})
    if match not in ("", PART, WHOLE) or who not in ("", MANAGERS, NOBODY):
        wrong = _("the third column is “whole” or “part”, the fourth “nobody” or “managers”.")
        raise Invalid("file", _("Line %(number)s: %(problem)s", number=number, problem=wrong))
    try:
        service.check(spec)
    except Invalid as error:
        raise Invalid("file", _("Line %(number)s: %(problem)s", number=number, problem=str(error))) from error
    return spec


def _cell(cell: str) -> str:
    """A cell without the apostrophe that keeps spreadsheets from running it."""
    return cell.strip()[1:] if cell.strip().startswith(FORMULAS) else cell.strip()


def add_all(session: Session, user: User, specs: list[WordSpec]) -> int:
    """Add those words that are not in the list yet, and count them. Managers only. Raises Invalid of "file"."""
    queries.need_manager(user)
    known = set(session.scalars(select(BlockedWord.folded)))
    new: dict[str, WordSpec] = {}
    for spec in specs:
        if (form := folded(spec.name)) not in known:
            new.setdefault(form, spec)
    try:
        for spec in new.values():
            service.add(session, user, spec)
            session.flush()
    except Conflict as error:
        raise Invalid("file", str(error)) from error
    return len(new)
