"""The language of now: that of the request, live page or command that runs.

It is kept in a context variable, which Starlette and anyio hand on to the threads of synchronous routes. The variable
holds an object, not the language itself, because the person is found out in such a thread: what `prefer` says there
holds for the rest of the request, in all of its threads.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from app.languages.catalogues import ENGLISH, LANGUAGES


@dataclass
class Speaker:
    """One request, live page or command."""

    language: str


_speaker: ContextVar[Speaker | None] = ContextVar("speaker", default=None)  # None: stored text, and the log


def current() -> str:
    """The language of now, such as "ja"; English where nobody is known to read."""
    speaker = _speaker.get()
    return speaker.language if speaker else ENGLISH


def speak(language: str) -> None:
    """Begin a request or a command in this language."""
    _speaker.set(Speaker(language))


def prefer(language: str) -> None:
    """Speak this language for the rest of the request; "" or an unknown one changes nothing."""
    speaker = _speaker.get()
    if speaker and language in LANGUAGES:
        speaker.language = language


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak this language within, such as English for what is stored."""
    token = _speaker.set(Speaker(language))
    try:
        yield
    finally:
        _speaker.reset(token)
