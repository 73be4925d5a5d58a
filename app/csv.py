"""CSV tables that spreadsheets open correctly: with a byte-order mark, and cells that do not run as formulas."""

import csv
import io
from collections.abc import Iterable

BEGIN = "\ufeff".encode()  # tells spreadsheets that it is UTF-8

Cell = str | float


def lines(rows: Iterable[Iterable[Cell]]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows([harmless(cell) for cell in row] for row in rows)
    return written.getvalue().encode()


def harmless(cell: Cell) -> Cell:
    """Mark a text that a spreadsheet would run as a formula by an apostrophe; return everything else unchanged."""
    begins = cell[:1] if isinstance(cell, str) else ""
    return f"'{cell}" if begins and begins in "=+-@\t\r\n＝＋－＠" else cell
