"""Which translator a server or a command has, by SOROE_TRANSLATION."""

from collections.abc import Callable, Sequence
from threading import Lock

from app.settings import Settings
from app.text import clean_line, lines
from app.translation.dictionary import Dictionary
from app.translation.translator import Span, Translation, Translator

OFF, DICTIONARY = "off", "dictionary"
DEMO = "demo"
KEPT = 5000  # translations that are remembered


class Remembered:
    """Asks for each text once. Fulfils `Translator`; thread-safe."""

    def __init__(self, ask: Callable[[tuple[str, ...]], Sequence[str]]) -> None:
        self._ask = ask
        self._known: dict[str, str] = {}
        self._lock = Lock()

    def translate(self, texts: Sequence[str]) -> list[Translation]:
        with self._lock:
            known = {text: self._known[text] for text in texts if text in self._known}
        if missing := tuple(dict.fromkeys(text for text in texts if text not in known)):
            found = (" ".join(map(clean_line, lines(english))) for english in self._ask(missing))
            known |= dict(zip(missing, found, strict=True))
            with self._lock:
                if len(self._known) + len(missing) > KEPT:
                    self._known.clear()
                self._known |= known
        return [Translation(known[text]) for text in texts]

    def missed(self, text: str, english: str) -> Sequence[Span]:
        """A model does not tell which words it left out."""
        return ()


def translator_for(
    settings: Settings, model: str, ask: Callable[[tuple[str, ...]], Sequence[str]]
) -> Translator | None:
    """The translator of the setting, for a model of that name; None if it is off. `ask` is the Marian model's."""
    wanted = settings.translation or (DICTIONARY if model == DEMO else OFF)
    if wanted == OFF:
        return None
    return Dictionary() if wanted == DICTIONARY else Remembered(ask)
