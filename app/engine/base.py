"""The engine's interface: where a Studio runs. The rest of the app does not know which engine is in use."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from PIL import Image

from app.engine.events import Event, Work
from app.errors import Busy, UserError
from app.languages import N_, translated
from app.languages import gettext as _
from app.prompts.reader import Reader
from app.storage import waiting_words


class CannotLoad(Exception):
    """The model cannot be loaded. The message is one sentence for the operator."""


class ModelUnknown(Busy):
    """The model is loaded for the first time, so what forms need to know about it is not known yet."""

    def __init__(self) -> None:
        super().__init__(_("The model is loading for the first time, so this is not possible yet. Try again soon."), 5)


class NoDepth(UserError):
    """The depth model is not available; the sentence is for the operator."""

    status = 503


class Cancelled(Exception):
    """The unit was cancelled; finished results were already reported."""


class NotReady(Exception):
    """The engine takes no work at the moment, so nothing of it was begun."""


class WorkerLost(Exception):
    """The worker died while running a unit; the unit can be retried."""


@dataclass(frozen=True)
class TrainingFacts:
    """The best training settings for subjects of this model."""

    steps: int = 800
    rank: int = 16
    rate: float = 1e-4
    text_encoders: bool = False
    words: tuple[str, ...] = ("sks",)  # meaningless words to name subjects with, best first
    fewest_pictures: int = 3
    most_pictures: int = 20


@dataclass(frozen=True)
class ModelFacts:
    """What pages and services need to know about the loaded model."""

    name: str  # as given in SOROE_MODEL
    default_size: tuple[int, int]  # width, height in px
    size_multiple: int  # sides are multiples of this, px
    max_side: int  # px
    max_pixels: int  # per picture
    schedulers: tuple[str, ...]  # the first is the default
    default_steps: int
    default_guidance: float
    device: str  # "cpu, float32"
    scheduler_steps: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # least and most, if there are limits
    longest: int = 16  # side ratio of a picture, either way
    words: tuple[str, ...] = ()  # what a small model can draw; empty: anything
    controls: tuple[str, ...] = ()  # kinds of structure map that it supports
    reader: Reader = field(default_factory=Reader, repr=False, compare=False)  # of prompts
    training: TrainingFacts = TrainingFacts()
    layers: tuple[str, ...] = ()  # its self-attention layers, in its order; empty: not known
    ranked_layers: tuple[str, ...] = ()  # the same, the most style-sensitive first; empty: not ranked


@dataclass(frozen=True)
class Slot:
    """One place where a unit or a training can run: a GPU, or the process of a `LocalEngine`."""

    name: str
    busy: bool


class EngineState(StrEnum):
    STOPPED = "stopped"
    STARTING = "starting"  # loading its model for the first time
    READY = "ready"
    RESTARTING = "restarting"  # it was lost, and will be ready again without help


@dataclass(frozen=True)
class NoEngine:
    """Why nothing is made while the engine has no model, in the words of a `storage.Pause`."""

    state: str
    end: str

    @property
    def reason(self) -> str:
        return translated(self.state)

    @property
    def remedy(self) -> str:
        return translated(self.end)

    @property
    def sentence(self) -> str:
        """For the people who wait."""
        return waiting_words(self.reason, self.remedy)


NO_ENGINE = {
    EngineState.STARTING: NoEngine(N_("the model is loading"), N_("when it is loaded")),
    EngineState.RESTARTING: NoEngine(N_("the engine is restarting"), N_("when its model is loaded")),
}


class Engine(Protocol):
    @property
    def model(self) -> ModelFacts:
        """Facts about the model: those of the last time while it loads. Raises ModelUnknown if there are none."""
        ...

    async def start(self) -> None:
        """Load the model. Raises CannotLoad."""
        ...

    async def close(self) -> None:
        """Cancel running work and free the model."""
        ...

    def run(self, work: Work) -> AsyncIterator[Event]:
        """Make the unit's images, or train the subject. Raises Cancelled, NotReady and WorkerLost."""
        ...

    async def cancel(self, unit_id: int) -> None:
        """Stop a unit or training within one step; does nothing if it is unknown or has ended."""
        ...

    def lora_phrase(self, data: bytes, file_name: str) -> str:
        """The trigger phrase of a LoRA file, "" if it states none. Thread-safe.

        Raises Invalid("file", ...) if the file does not fit this model, and Busy while the engine is not ready.
        """
        ...

    def depth_map(self, picture: Image.Image) -> Image.Image:
        """The depth of an RGB picture, in grey, at its size: the nearest is white. Thread-safe.

        Raises NoDepth, and Busy while the engine is not ready.
        """
        ...

    def translate(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        """The texts in English, by the model of SOROE_TRANSLATION. Thread-safe.

        Raises CannotTranslate, also after a while, and Busy while the engine is not ready.
        """
        ...

    async def slots(self) -> list[Slot]:
        """The places where work can run now; none while the engine restarts."""
        ...

    @property
    def state(self) -> EngineState: ...

    @property
    def restarts(self) -> int:
        """How often it was lost and started again by itself."""
        ...

    def listen(self, changed: Callable[[], None]) -> None:
        """Call `changed`, on any thread, whenever the state has changed."""
        ...
