"""Say a sentence in the language of now that was written in English elsewhere: stored, or sent by another process.

Its parameters are filled in, so it is not a key of the catalogue. It is found by the words between them: the stored
"The set 7 is lost." is the message "The set %(number)s is lost." Some parameters may be such messages again.
"""

import re
from functools import cache, lru_cache

from app.languages.catalogues import ENGLISH, GLUE, catalogue

PARAMETER = re.compile(r"%%|%\((\w+)\)s")
# Parameters that may be messages too; any other stays as it is, such as the name of a file.
CLAUSES = {"error", "first_line", "problem", "remedy", "subjects", "what", "why"}
FEWEST = 8  # letters between the parameters; a message with fewer could be anything
LONGEST = 1000  # characters of a sentence that is looked for
REMEMBERED = 1000


@lru_cache(maxsize=REMEMBERED)
def said_in(english: str, language: str) -> str:
    """The sentence in a language; as it is if no message has its words."""
    known = None if language == ENGLISH or len(english) > LONGEST else catalogue(language)
    if not known:
        return english
    for words, message in _with_parameters(language):
        if words in english and (found := _form(message).fullmatch(english)):
            named = found.groupdict()
            for name in CLAUSES & named.keys():
                named[name] = known.one.get(named[name]) or said_in(named[name], language)
            return known.one[message] % named
    return english


@cache
def _with_parameters(language: str) -> list[tuple[str, str]]:
    """The messages with parameters and their longest words, those with the most words first."""
    known = catalogue(language)
    found = []
    for message in known.one if known else ():
        parts = _between(message)
        if parts[1:] and GLUE not in message and sum(map(len, parts)) >= FEWEST:
            found.append((sum(map(len, parts)), max(parts, key=len), message))
    return [(words, message) for _, words, message in sorted(found, reverse=True)]


def _between(message: str) -> list[str]:
    """What a message says before, between and after its parameters."""
    return PARAMETER.sub(lambda part: "\0" if part[1] else "%", message).split("\0")


@cache
def _form(message: str) -> re.Pattern[str]:
    """Matches each text that the message can be; a parameter that comes twice is the same there."""
    parts, names = _between(message), [name for name in PARAMETER.findall(message) if name]
    found, seen = re.escape(parts[0]), set[str]()
    for name, after in zip(names, parts[1:], strict=True):
        found += (f"(?P={name})" if name in seen else f"(?P<{name}>.+?)") + re.escape(after)
        seen.add(name)
    return re.compile(found, re.DOTALL)
