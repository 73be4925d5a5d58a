"""Numbers, dates and lists as the language of now writes them.

English is written here as our pages always did; every other language by Babel, which is imported when one is spoken.
"""

from collections.abc import Iterable, Sequence
from datetime import date

from app.languages.catalogues import ENGLISH
from app.languages.now import current

THIN_SPACE = "\u202f"  # narrow and non-breaking: "1 631"
UNSPACED = ("ja", "th", "zh")  # languages without spaces between sentences


def number(value: float) -> str:
    """1631 -> "1 631"; in Japanese "1,631"."""
    if (language := current()) == ENGLISH:
        return f"{value:,}".replace(",", THIN_SPACE)
    from babel.numbers import format_decimal

    return format_decimal(value, locale=language)


def decimal(value: float) -> str:
    """With one digit after the point, if it is not 0: 9.5, 9."""
    if (language := current()) == ENGLISH:
        return f"{value:.1f}".removesuffix(".0")
    from babel.numbers import format_decimal

    return format_decimal(value, format="0.#", locale=language)


def fixed(value: float, digits: int) -> str:
    """With so many digits after the point, also zeros: 9.50, 31. Never "-0"."""
    written = f"{value:.{digits}f}"
    return written.removeprefix("-") if float(written) == 0 else written.replace("-", "\u2212")


def day(on: date, year: bool) -> str:
    """11 December 2026 -> "11 Dec 2026", or "11 Dec" without the year; in Japanese "2026年12月11日"."""
    if (language := current()) == ENGLISH:
        return f"{on.day} {on:%b %Y}" if year else f"{on.day} {on:%b}"
    from babel.dates import format_skeleton

    return format_skeleton("yMMMd" if year else "MMMd", on, locale=language)


def full_day(on: date) -> str:
    """11 December 2026 -> "11 December 2026"; in Japanese "2026年12月11日"."""
    if (language := current()) == ENGLISH:
        return f"{on.day} {on:%B %Y}"
    from babel.dates import format_date

    return format_date(on, format="long", locale=language)


def listed(parts: Sequence[str]) -> str:
    """ "A", "A and B", "A, B and C"; in Japanese "A、B、C"."""
    if (language := current()) == ENGLISH:
        return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))
    from babel.lists import format_list

    return format_list(list(parts), locale=language)


def one_of(parts: Sequence[str]) -> str:
    """ "A or B", "A, B or C"; in Japanese "A、B、またはC"."""
    if (language := current()) == ENGLISH:
        return " or ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))
    from babel.lists import format_list

    return format_list(list(parts), style="or", locale=language)


def sentences(parts: Iterable[str]) -> str:
    """Whole sentences one after another, without those that are empty."""
    return ("" if current() in UNSPACED else " ").join(filter(None, parts))
