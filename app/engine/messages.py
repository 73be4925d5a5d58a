"""What the engine's two processes send each other, pickled.

Both ends are this program, and nobody else holds the socket between them.
"""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from app.engine.base import ModelFacts
from app.engine.events import Event, Work

# From the server. The first message is the settings.


@dataclass(frozen=True)
class LoraCheck:
    """Does a LoRA fit the model? The answer is its trigger phrase."""

    path: Path
    file_name: str  # as people know it


@dataclass(frozen=True)
class DepthMap:
    """How far away is what a picture shows? The answer is a grey picture."""

    picture: Image.Image  # RGB


@dataclass(frozen=True)
class ToTranslate:
    """What are these texts in English? The answer is as many texts."""

    texts: tuple[str, ...]


Question = LoraCheck | DepthMap | ToTranslate


@dataclass(frozen=True)
class Task:
    """Something to do: work, which waits for its turn, or a question, answered while work runs."""

    number: int
    what: Work | Question


@dataclass(frozen=True)
class Stop:
    """Stop a task within a step, if it is work."""

    number: int


@dataclass(frozen=True)
class Quit:
    """Stop all work within a step, then exit."""


# From the worker


@dataclass(frozen=True)
class Loading:
    what: str
    fraction: float  # 0 to 1


@dataclass(frozen=True)
class Loaded:
    facts: ModelFacts


@dataclass(frozen=True)
class Refused:
    """The model cannot be loaded. `why` is one sentence."""

    why: str


@dataclass(frozen=True)
class Result:
    """An event of work, or the answer to a question."""

    number: int
    value: Event | str | Image.Image | tuple[str, ...]


@dataclass(frozen=True)
class TaskEnd:
    """A task is over. `refusal` is one sentence about a question that has no answer."""

    number: int
    refusal: str = ""


@dataclass(frozen=True)
class Alive:
    """Sent every few seconds, also while a step takes minutes."""


FromServer = Task | Stop | Quit
FromWorker = Loading | Loaded | Refused | Result | TaskEnd | Alive
