"""Say a message in the language of now.

Messages have named parameters, `%(name)s`; a percent sign is written twice. The English text is the key, so a message
is a whole sentence or label: what is glued together from parts cannot be translated.
"""

from functools import cache

from app.languages.catalogues import LANGUAGES, catalogue
from app.languages.filled import said_in
from app.languages.formats import number as written
from app.languages.now import current, speaking


def gettext(message: str, /, **named: object) -> str:
    """Say a message: `_("Choose at most %(number)s pictures.", number=thin(most))`."""
    return _translation(message) % named


def pgettext(context: str, message: str, /, **named: object) -> str:
    """Say a message whose English means several things, such as `pgettext("noun", "Review")`."""
    return _translation(message, context) % named


def ngettext(one: str, many: str, number: int, /, **named: object) -> str:
    """Say a message with a number: `ngettext("%(number)s picture", "%(number)s pictures", count)`.

    The parameter `number` is the number as the language writes it.
    """
    return plural_form(one, many, number) % ({"number": written(number)} | named)


def translated(message: str, context: str = "") -> str:
    """A message marked with `N_`, or a sentence that was stored or sent in English. Any other text as it is.

    Such a sentence has its parameters filled in, and is found all the same; see `app.languages.filled`.
    """
    said = _translation(message, context)
    return said_in(message, current()) if said is message and not context else said


@cache
def in_every_language(message: str) -> frozenset[str]:
    """What a message marked with `N_` is in all languages."""

    def said(language: str) -> str:
        with speaking(language):
            return _translation(message)

    return frozenset(map(said, LANGUAGES))


def _translation(message: str, context: str = "") -> str:
    known = catalogue(current())
    return known.translation(message, context) if known else message


def plural_form(one: str, many: str, number: int) -> str:
    """What is said with a number, without its parameters."""
    known = catalogue(current())
    return known.plural(one, many, number) if known else one if number == 1 else many


def N_(message: str, /) -> str:
    """Mark a message that is said later, by `translated`: a constant of a module, or of the top of a template."""
    return message
