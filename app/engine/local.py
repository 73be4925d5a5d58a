"""The engine of a single machine: one Studio, in a process of its own that this one starts and holds.

So pages share neither an interpreter nor memory with torch, and a crash there loses a unit's attempt, not the site.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from tempfile import NamedTemporaryFile
from typing import Any, cast

from PIL import Image

from app import slow
from app.atomic import UNFINISHED
from app.engine.base import Cancelled, EngineState, ModelFacts, NoDepth, NotReady, Slot, WorkerLost
from app.engine.events import Event, Work
from app.engine.messages import DepthMap, LoraCheck, Question, Result, TaskEnd
from app.engine.process import WorkerProcess
from app.errors import Busy, Invalid
from app.settings import Settings

RETRY_AFTER = 30  # s


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
        self._process = WorkerProcess(settings, progress, self._changed)
        self._running: dict[int, _Running] = {}

    @property
    def model(self) -> ModelFacts:
        if self._process.facts is None:
            raise RuntimeError("the model is not loaded yet")
        return self._process.facts

    @property
    def state(self) -> EngineState:
        return self._process.state

    @property
    def restarts(self) -> int:
        return self._process.restarts

    def listen(self, changed: Callable[[], None]) -> None:
        self._listeners.append(changed)

    async def start(self) -> None:
        await asyncio.wrap_future(self._process.start())

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

    def _ask(self, question: Question, refusal: Callable[[str], Exception]) -> Any:
        """Wait for the answer to a question. Raises what `refusal` makes of a sentence, and Busy."""
        answers: SimpleQueue[Result | TaskEnd | None] = SimpleQueue()
        found: list[Any] = []
        try:
            self._process.submit(question, answers.put)
        except NotReady as error:
            raise _restarting() from error
        while isinstance(message := answers.get(), Result):
            found.append(message.value)
        if message is None:
            raise _restarting()
        if message.refusal:
            raise refusal(message.refusal)
        if not found:
            raise RuntimeError("the engine failed; its own lines in the log say how")
        return found[0]

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()


def _restarting() -> Busy:
    return Busy("The engine is restarting, so this file could not be used yet. Try again in a minute.", RETRY_AFTER)
