"""Find mentions such as "@Mori Haruka" or "@haruka" in a comment."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.models import User

WIDE = "\u2e80"  # from here on, scripts without spaces between words


@dataclass(frozen=True)
class Piece:
    """A part of a comment: plain text, or a mention with the `people` it means."""

    text: str
    people: tuple[User, ...] = ()


def pieces(body: str, people: Iterable[User]) -> list[Piece]:
    """Split `body` at its mentions; the texts joined give `body` again.

    A mention is an @ and a person's name, or the part of their e-mail before its @. The longest matching name counts,
    with all who have it. Case is ignored. An @ within a word, as in an e-mail address, is no mention.
    """
    handles: dict[str, list[User]] = {}
    for person in people:
        for handle in {person.name, person.email.split("@")[0]}:
            handles.setdefault(handle.casefold(), []).append(person)
    longest_first = sorted(filter(None, handles), key=len, reverse=True)
    found: list[Piece] = []
    plain = 0  # everything up to here is in `found`
    place = body.find("@")
    while place >= 0:
        after = place + 1
        named = _named(body, after, longest_first) if place == 0 or not _one_word(body[place - 1], "a") else None
        if named:
            handle, after = named
            found += [Piece(body[plain:place]), Piece(body[place:after], tuple(handles[handle]))]
            plain = after
        place = body.find("@", after)
    return [piece for piece in (*found, Piece(body[plain:])) if piece.text]


def mentioned(body: str, people: Iterable[User]) -> list[User]:
    """The people mentioned in `body`, each once, in order."""
    return list({person.id: person for piece in pieces(body, people) for person in piece.people}.values())


def _named(body: str, start: int, longest_first: list[str]) -> tuple[str, int] | None:
    """The longest handle in `body` at `start`, and where it ends there."""
    if not longest_first:
        return None
    folded = body[start : start + len(longest_first[0])].casefold()
    fitting = (handle for handle in longest_first if folded.startswith(handle))
    ends = ((handle, _end(body, start, handle)) for handle in fitting)
    return next(((handle, end) for handle, end in ends if end is not None), None)


def _end(body: str, start: int, handle: str) -> int | None:
    """Where `handle` ends in `body`, as a word: "Ito" is not the beginning of "Itokawa".

    Goes letter by letter, because case folding can turn one letter into several.
    """
    folded, end = "", start
    while len(folded) < len(handle) and end < len(body):
        folded += body[end].casefold()
        end += 1
    return end if folded == handle and not _one_word(handle[-1], body[end : end + 1]) else None


def _one_word(letter: str, following: str) -> bool:
    return all(each.isalnum() and each < WIDE for each in (letter, following or " "))
