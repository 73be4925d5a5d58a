"""Which language somebody wants: from a browser's header, or the environment of a command."""

from collections.abc import Mapping
from functools import lru_cache

from app.languages.catalogues import ENGLISH, LANGUAGES

HEADER_LENGTH = 200  # characters of Accept-Language that are read


@lru_cache(maxsize=256)
def of_header(header: str) -> str:
    """The known language that an Accept-Language header likes best; "" if it names none."""
    wanted: list[tuple[float, int, str]] = []
    for part in header[:HEADER_LENGTH].split(","):
        name, _, weight = part.strip().partition(";q=")
        try:
            wanted.append((-float(weight or 1), len(wanted), known(name)))
        except ValueError:
            continue
    return next((language for minus, _, language in sorted(wanted) if language and minus < 0), "")


def of_environment(environment: Mapping[str, str]) -> str:
    """The language of a command: of the locale, then of the setting. A locale such as C names none."""
    names = (environment.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    locale = next(filter(None, names), "")
    return known(locale) or known(environment.get("SOROE_LANGUAGE", "")) or ENGLISH


def known(name: str) -> str:
    """The known language of a name such as "ja-JP" or "ja_JP.UTF-8"; "" for another."""
    language = name.replace("_", "-").partition(".")[0].partition("-")[0].lower()
    return language if language in LANGUAGES else ""
