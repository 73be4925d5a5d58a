"""The engine of a single machine: one Studio, in a process of its own that this one starts and holds.

So pages share neither an interpreter nor memory with torch, and a crash there loses a unit's attempt, not the site.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import NamedTemporaryFile
from typing import Any, cast

from PIL import Image

from app import slow
from app.atomic import UNFINISHED
from app.engine.base import (
    Cancelled,
    EngineState,
    ModelFacts,
    ModelUnknown,
    NoDepth,
    NotReady,
    Slot,
    WorkerLost,
)
from app.engine.events import Event, Work
from app.engine.messages import DepthMap, LoraCheck, Question, Result, TaskEnd, ToTranslate
from app.engine.process import WorkerProcess
from app.engine.remembered import recall, remember
from app.errors import Busy, Invalid
from app.languages import N_, translated
from app.languages import gettext as _
from app.settings import Settings
from app.translation.translator import CannotTranslate

RETRY_AFTER = 30  # s
TRANSLATION_SECONDS = 30.0
TOO_SLOW = N_("The translation takes too long. Try again soon, or write the prompts in English.")


@dataclass
class _Running:
    number: int  # of its task
    cancelled: bool = False


class LocalEngine:
    """Fulfils `Engine`. Restarts its process by itself."""

    def __init__(
        self, settings: Settings, progress: Callable[[str, float], None] = lambda what, fraction: None
    ) -> None:
        """`progress(what, fraction)` is called on another thread as the model loads, 0 to 1."""
        self._settings = settings
        self._listeners: list[Callable[[], None]] = []
        self._remembered = recall(settings)
        self._first: Future[ModelFacts] | None = None
        self._process = WorkerProcess(settings, progress, self._changed)
        self._running: dict[int, _Running] = {}

    @property
    def model(self) -> ModelFacts:
        facts = self._process.facts or self._remembered
        if facts is None:
            raise ModelUnknown
        return facts

    @property
    def state(self) -> EngineState:
        return self._process.state

    @property
    def restarts(self) -> int:
        return self._process.restarts

    def listen(self, changed: Callable[[], None]) -> None:
        self._listeners.append(changed)

    def begin(self) -> None:
        """Begin to load the model; `start` then waits for it."""
        self._first = self._process.start()

    async def start(self) -> None:
        if not self._first:
            self.begin()
        first, self._first = cast("Future[ModelFacts]", self._first), None
        facts = await asyncio.wrap_future(first)
        with suppress(OSError):  # it is only for the next start
            await asyncio.to_thread(remember, self._settings, facts)

    async def close(self) -> None:
        await asyncio.to_thread(self._process.close)

    async def cancel(self, unit_id: int) -> None:
        if running := self._running.get(unit_id):
            running.cancelled = True
            self._process.stop(running.number)

    async def slots(self) -> list[Slot]:
        return [Slot("local", busy=bool(self._running))] if self.state == EngineState.READY else []

    async def run(self, work: Work) -> AsyncIterator[Event]:
        """Make the unit's images, or train the subject, in the engine's process; see `Engine.run`."""
        loop = asyncio.get_running_loop()
        inbox: asyncio.Queue[Result | TaskEnd | None] = asyncio.Queue()
        number = self._process.submit(work, lambda message: loop.call_soon_threadsafe(inbox.put_nowait, message))
        running = self._running[work.id] = _Running(number)
        try:
            while isinstance(message := await inbox.get(), Result):
                yield cast(Event, message.value)
            if message is None:
                raise WorkerLost
            if running.cancelled:
                raise Cancelled(work.id)
        finally:
            # Also when the reader stops early: the process must be free for the next unit.
            self._process.stop(number)
            del self._running[work.id]

    @slow.outside
    def lora_phrase(self, data: bytes, file_name: str) -> str:
        folder = self._settings.data / "cache"
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder, suffix=UNFINISHED) as file:  # rather than a copy in both processes
            file.write(data)
            file.flush()
            phrase = self._ask(LoraCheck(Path(file.name), file_name), lambda sentence: Invalid("file", sentence))
        return str(phrase)

    @slow.outside
    def depth_map(self, picture: Image.Image) -> Image.Image:
        return cast(Image.Image, self._ask(DepthMap(picture), NoDepth))

    @slow.outside
    def translate(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        question = ToTranslate(texts)
        return cast(tuple[str, ...], self._ask(question, CannotTranslate, TRANSLATION_SECONDS, TOO_SLOW))

    def _ask(
        self, question: Question, refusal: Callable[[str], Exception], patience: float | None = None, late: str = ""
    ) -> Any:
        """Wait for the answer to a question, not longer than `patience` in seconds.

        Raises what `refusal` makes of a sentence, which is `late` after that time, and Busy.
        """
        answers: SimpleQueue[Result | TaskEnd | None] = SimpleQueue()
        found: list[Any] = []
        try:
            self._process.submit(question, answers.put)
        except NotReady as error:
            raise self._not_ready() from error
        try:
            while isinstance(message := answers.get(timeout=patience), Result):
                found.append(message.value)
        except Empty as error:
            raise refusal(translated(late)) from error
        if message is None:
            raise self._not_ready()
        if message.refusal:
            raise refusal(translated(message.refusal))
        if not found:
            raise RuntimeError("the engine failed; its own lines in the log say how")
        return found[0]

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()

    def _not_ready(self) -> Busy:
        if self.state == EngineState.STARTING:
            why = _("The model is loading, so this file could not be used yet. Try again in a minute.")
        else:
            why = _("The engine is restarting, so this file could not be used yet. Try again in a minute.")
        return Busy(why, RETRY_AFTER)
