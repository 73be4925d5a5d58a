"""The engine's interface: where a Studio runs. Nothing else in the app knows which engine it has."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from app.engine.events import Event, Work


class Cancelled(Exception):
    """The unit was cancelled; what had been finished was already reported."""


class WorkerLost(Exception):
    """The worker died in mid-unit; the unit can be tried again."""


@dataclass(frozen=True)
class TrainingFacts:
    """What subjects of this model are best trained with."""

    steps: int = 800
    rank: int = 16
    rate: float = 1e-4
    text_encoders: bool = False
    words: tuple[str, ...] = ("sks",)  # without a meaning, to name subjects by; the best first
    fewest_pictures: int = 3
    most_pictures: int = 20


@dataclass(frozen=True)
class ModelFacts:
    """What pages and services need to know of the loaded model."""

    name: str  # as SOROE_MODEL named it
    default_size: tuple[int, int]  # width, height in px
    size_multiple: int  # sides are multiples of this, px
    max_side: int  # px
    max_pixels: int  # of a picture
    schedulers: tuple[str, ...]  # the first is the default
    default_steps: int
    default_guidance: float
    device: str  # "cpu, float32"
    longest: int = 16  # of a picture, width by height or the reverse
    words: tuple[str, ...] = ()  # what a small model knows to draw; empty: anything
    controls: tuple[str, ...] = ()  # kinds of structure map that it can follow
    training: TrainingFacts = TrainingFacts()


@dataclass(frozen=True)
class Slot:
    """One place where a unit or a training can run: a GPU, or the one thread of a `LocalEngine`."""

    name: str
    busy: bool


class Engine(Protocol):
    @property
    def model(self) -> ModelFacts:
        """Facts of the loaded model. Raises RuntimeError before `start` has ended."""
        ...

    async def start(self) -> None:
        """Load the model. Raises `app.style_aligned.ModelError` with one sentence when it cannot."""
        ...

    async def close(self) -> None:
        """Cancel what runs and free the model."""
        ...

    def run(self, work: Work) -> AsyncIterator[Event]:
        """Make the unit's images, or train the subject. Raises Cancelled and WorkerLost."""
        ...

    async def cancel(self, unit_id: int) -> None:
        """Stop a unit or training within one step. Of an unknown or ended one: nothing happens."""
        ...

    def lora_phrase(self, data: bytes, file_name: str) -> str:
        """What prompts say for the subject of a LoRA file, "" where it does not tell. From any thread.

        Raises Invalid("file", ...) when the file does not fit this model.
        """
        ...

    async def slots(self) -> list[Slot]: ...
