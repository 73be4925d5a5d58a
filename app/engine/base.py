"""The engine's interface: where a Studio runs. Nothing else in the app knows which engine it has."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from app.engine.events import Event, Unit


class Cancelled(Exception):
    """The unit was cancelled; what had been finished was already reported."""


class WorkerLost(Exception):
    """The worker died in mid-unit; the unit can be tried again."""


@dataclass(frozen=True)
class ModelFacts:
    """What pages and services need to know of the loaded model."""

    name: str  # as SOROE_MODEL named it
    default_size: tuple[int, int]  # width, height in px
    size_multiple: int  # sides are multiples of this, px
    max_side: int  # px
    schedulers: tuple[str, ...]  # the first is the default
    default_steps: int
    default_guidance: float
    device: str  # "cpu, float32"
    words: tuple[str, ...] = ()  # what a small model knows to draw; empty: anything
    controls: tuple[str, ...] = ()  # kinds of structure map that it can follow


@dataclass(frozen=True)
class Slot:
    """One place where a unit can run: a GPU, or the one thread of a `LocalEngine`."""

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

    def run(self, unit: Unit) -> AsyncIterator[Event]:
        """Make the unit's images. Raises Cancelled and WorkerLost."""
        ...

    async def cancel(self, unit_id: int) -> None:
        """Stop a unit within one denoising step. Of an unknown or ended unit: nothing happens."""
        ...

    async def slots(self) -> list[Slot]: ...
