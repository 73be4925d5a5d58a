"""An engine without a model: it paints each image in one colour, from its prompt and seed.

It keeps every promise of `app.engine.base.Engine`, so tests of the queue and the pages are quick and exact. Words in a
prompt make it misbehave: "fail" (for good), "stumble" (worth a retry), "vanish" (the worker is lost), "explode" (our
own fault). It is not ready for the first `refusals` units.
"""

import asyncio
import io
import math
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from typing import Any

import numpy as np
from PIL import Image

from app.engine.base import Cancelled, EngineState, ModelFacts, NotReady, Slot, WorkerLost
from app.engine.events import (
    ClassPicture,
    Done,
    Event,
    Failed,
    ImageFailed,
    ImageReady,
    Preview,
    ReferenceMeasured,
    Sample,
    Step,
    StyleMap,
    Trained,
    Training,
    Unit,
    UnitImage,
    Work,
)
from app.errors import Invalid
from app.quality.features import features

FACTS = ModelFacts(
    name="demo",  # as the factory's sets request
    default_size=(256, 256),
    size_multiple=8,
    max_side=512,
    max_pixels=512 * 512,
    schedulers=("euler", "ddim"),
    default_steps=4,
    default_guidance=5.0,
    device="none",
    words=("fox", "teapot", "owl", "umbrella", "hourglass", "scissors"),
    controls=("edges", "silhouette"),
)


class Eye:
    """Embeds pictures as their colours, and texts as grey."""

    role, name = "clip", "bundled CLIP"

    def picture(self, picture: Image.Image) -> np.ndarray:
        colours = np.asarray(picture.convert("RGB").resize((2, 2)), np.float32).ravel() + 1
        return colours / np.linalg.norm(colours)

    def patches(self, picture: Image.Image) -> np.ndarray:
        return self.picture(picture).reshape(2, 2, 3)

    def text(self, text: str) -> np.ndarray:
        return np.full(12, 12**-0.5, np.float32)


def measured(picture: Image.Image) -> dict[str, Any]:
    return features(picture, text="grey", embedders=[Eye()]).to_json()


class Painter:
    def __init__(self, step_seconds: float = 0.0, slots: int = 1, pause_at: float = math.inf) -> None:
        self.step_seconds = step_seconds
        self.facts = FACTS  # of the model that the server runs now
        self.pause_at = pause_at  # after this many steps in total it waits until a test raises the number
        self.places = slots
        self.refusals = 0
        self.broken = self.dying = False  # at everything
        self.listeners: list[Callable[[], None]] = []
        self.restarts = 0
        self.state = EngineState.STOPPED
        self.running: set[int] = set()
        self.stopped: set[int] = set()
        self.units: list[Unit] = []  # in order of arrival
        self.trainings: list[Training] = []
        self.steps: list[Step] = []  # in order of completion

    @property
    def model(self) -> ModelFacts:
        return self.facts

    async def start(self) -> None:
        self.state = EngineState.READY

    async def close(self) -> None:
        self.stopped |= self.running

    def depth_map(self, picture: Image.Image) -> Image.Image:
        return picture.convert("L")

    def translate(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"english {number}" for number, _ in enumerate(texts, start=1))

    @property
    def state(self) -> EngineState:
        return self._state

    @state.setter
    def state(self, state: EngineState) -> None:
        self._state = state
        for listener in self.listeners:
            listener()

    def listen(self, changed: Callable[[], None]) -> None:
        self.listeners.append(changed)

    async def slots(self) -> list[Slot]:
        if self.state == EngineState.RESTARTING:
            return []
        return [Slot(f"easel {number + 1}", number < len(self.running)) for number in range(self.places)]

    async def cancel(self, unit_id: int) -> None:
        if unit_id in self.running:
            self.stopped.add(unit_id)

    def lora_phrase(self, data: bytes, file_name: str) -> str:
        if not data.startswith(b"lora"):
            raise Invalid("file", f"{file_name} is damaged or not a safetensors file.")
        return data.partition(b" ")[2].decode()

    async def run(self, unit: Work) -> AsyncIterator[Event]:
        assert len(self.running) < self.places, "more units than slots"
        if self.refusals:
            self.refusals -= 1
            raise NotReady
        self.running.add(unit.id)
        try:
            if isinstance(unit, Training):
                async for event in self.train(unit):
                    yield event
                return
            self.units.append(unit)
            if self.dying:
                raise WorkerLost
            if self.broken:
                yield Failed(unit.id, "The server ran out of memory.", transient=True, cause="out of memory")
                return
            for step in range(1, unit.steps + 1):
                await self.before_step(unit)
                self.steps.append(Step(unit.id, step, unit.steps))
                yield self.steps[-1]
                for image in unit.images:
                    yield Preview(unit.id, image.image_id, paint(image, 32, 32, "WEBP"))
            if unit.measured:
                for position, given in enumerate(unit.references, start=1):
                    with Image.open(given.path) as picture:
                        yield ReferenceMeasured(unit.id, position, measured(picture))
            for image in unit.images:
                if "overflow" in image.prompt:
                    yield ImageFailed(
                        unit.id, image.image_id, "This picture could not be generated: the numbers overflowed."
                    )
                    continue
                if failed := misbehave(unit, image):
                    yield failed
                    return
                png = paint(image, unit.width, unit.height)
                if unit.maps:
                    sheet = io.BytesIO()
                    Image.linear_gradient("L").resize((16, 16)).save(sheet, "PNG")
                    yield StyleMap(unit.id, image.image_id, sheet.getvalue(), ("down 1", "up 1"), 2)
                found = measured(Image.open(io.BytesIO(png))) if unit.measured else None
                seconds = self.step_seconds * unit.steps / len(unit.images)
                yield ImageReady(unit.id, image.image_id, png, seconds, features=found)
            yield Done(unit.id)
        finally:
            self.running.discard(unit.id)
            self.stopped.discard(unit.id)

    async def before_step(self, unit: Work) -> None:
        """Raises Cancelled, also during a pause."""
        # Tests that raise the number run in other threads, and an event would belong to the loop.
        while len(self.steps) >= self.pause_at and unit.id not in self.stopped:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        await asyncio.sleep(self.step_seconds)
        if unit.id in self.stopped:
            raise Cancelled

    def go_on(self) -> None:
        self.pause_at = math.inf

    async def train(self, training: Training) -> AsyncIterator[Event]:
        """Class pictures, steps and a sample in the middle; like prompts, class words make it misbehave."""
        self.trainings.append(training)
        for number in (1, 2):
            yield ClassPicture(training.id, number, 2)
        for step in range(1, training.steps + 1):
            await self.before_step(training)
            self.steps.append(Step(training.id, step, training.steps, 1 / step))
            yield self.steps[-1]
            if step == training.steps // 2:
                yield Sample(training.id, step, paint(UnitImage(0, training.phrase, step), 64, 64))
        if failed := misbehave(training, UnitImage(0, training.class_words, 0)):
            yield failed
            return
        yield Trained(training.id, f"lora {training.phrase}".encode())
        yield Done(training.id)


def misbehave(unit: Work, image: UnitImage) -> Failed | None:
    if "vanish" in image.prompt:
        raise WorkerLost
    if "explode" in image.prompt:
        raise ZeroDivisionError("as the prompt asked")
    if "fail" in image.prompt or "stumble" in image.prompt:
        return Failed(unit.id, f"The picture {image.prompt!r} cannot be made.", transient="stumble" in image.prompt)
    return None


def paint(image: UnitImage, width: int, height: int, format: str = "PNG") -> bytes:
    red, green, blue, *_ = sha256(f"{image.prompt} {image.seed}".encode()).digest()
    out = io.BytesIO()
    Image.new("RGB", (width, height), (red, green, blue)).save(out, format)
    return out.getvalue()
