"""One Studio on one thread of this process: no broker, no other machine.

torch holds a model best on one thread, so everything that touches the Studio runs there. Events cross to the event loop
through an asyncio queue; a cancellation crosses back as a flag that is read after every denoising step.
"""

import asyncio
import io
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event as Flag

import structlog
import torch
from PIL import Image

from app.engine.base import Cancelled, ModelFacts, Slot
from app.engine.events import Crop, Done, Event, Failed, ImageReady, Preview, Step, Unit, UnitReference
from app.settings import Settings
from app.style_aligned import SCHEDULERS, Reference, Sharing, Studio
from app.style_aligned import events as studio_events
from app.style_aligned.loading import DEMO
from app.text import sentence

log = structlog.get_logger()

PREVIEW_SIDE = 256  # px, the longer one
MAX_REFERENCES = 8  # kept between units: as many as one style has; a large one takes 48 MiB
MAX_SIDE = {True: 512, False: 2048}  # px, by whether the model is a small one


class LocalEngine:
    """The engine of a single machine."""

    def __init__(self, settings: Settings, progress: Callable[[str, float], None] = lambda what, share: None) -> None:
        """`progress(what, share)` is told, on another thread, how the model's loading goes, 0 to 1."""
        self._settings = settings
        self._progress = progress
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="studio")
        self._studio: Studio | None = None
        self._model: ModelFacts | None = None
        self._running: dict[int, Flag] = {}
        self._references: dict[UnitReference, Reference] = {}

    @property
    def model(self) -> ModelFacts:
        if self._model is None:
            raise RuntimeError("the model is not loaded yet")
        return self._model

    async def start(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._load)

    async def close(self) -> None:
        for flag in self._running.values():
            flag.set()
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)
        self._studio = None

    async def cancel(self, unit_id: int) -> None:
        if flag := self._running.get(unit_id):
            flag.set()

    async def slots(self) -> list[Slot]:
        return [Slot("local", busy=bool(self._running))]

    async def run(self, unit: Unit) -> AsyncIterator[Event]:
        """Make the unit's images on the studio's thread; see `Engine.run`."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        stop = self._running[unit.id] = Flag()

        def work() -> None:
            try:
                for event in self._events(unit, stop):
                    loop.call_soon_threadsafe(queue.put_nowait, event)
            finally:
                loop.call_soon_threadsafe(queue.put_nowait, None)

        future = loop.run_in_executor(self._thread, work)
        try:
            while (event := await queue.get()) is not None:
                yield event
            await future
            if stop.is_set():
                raise Cancelled(unit.id)
        finally:
            # Also when the reader stops early: the thread must be free for the next unit.
            stop.set()
            del self._running[unit.id]

    def _load(self) -> None:
        settings = self._settings
        cache = settings.data / "cache" / "inversions"
        studio = Studio.load(settings.model, settings.device, settings.precision, cache, self._progress)
        defaults = studio.defaults
        small = max(defaults.size) < 512
        self._model = ModelFacts(
            name=settings.model,
            default_size=defaults.size,
            size_multiple=studio.size_multiple,
            max_side=MAX_SIDE[small],
            schedulers=(defaults.scheduler, *(name for name in SCHEDULERS if name != defaults.scheduler)),
            default_steps=defaults.steps,
            default_guidance=defaults.guidance,
            device=str(studio.place),
            words=_words(studio),
        )
        self._studio = studio

    def _events(self, unit: Unit, stop: Flag) -> Iterator[Event]:
        """The unit's events, on the studio's thread. An error ends them as `Failed`, in a sentence."""
        try:
            yield from self._generate(unit, stop)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            yield Failed(unit.id, "The GPU ran out of memory; try a smaller size, or a smaller SOROE_UNIT_SIZE.")
        except ValueError as error:  # what the Studio refuses, in its own words
            yield Failed(unit.id, sentence(error))
        except FileNotFoundError as error:
            name = Path(error.filename or "").name
            yield Failed(unit.id, f"A reference's file is missing: {name}. Restore the data folder or upload it again.")
        except Exception:
            log.exception("unit failed", unit=unit.id)
            yield Failed(unit.id, "Something went wrong while generating; the server's log has more.", transient=True)

    def _generate(self, unit: Unit, stop: Flag) -> Iterator[Event]:
        studio = self._studio
        if studio is None:
            raise RuntimeError("the model is not loaded yet")
        began = time.perf_counter()
        events = studio.generate(
            [image.prompt for image in unit.images],
            reference=[self._reference(studio, unit, given) for given in unit.references],
            sharing=Sharing(
                strength=unit.strength,
                scale=unit.scale,
                adain_values=unit.adain_values,
                share_group_norm=unit.share_group_norm,
            ),
            seeds=[image.seed for image in unit.images],
            steps=unit.steps,
            guidance=unit.guidance,
            size=(unit.width, unit.height),
            scheduler=unit.scheduler,
            negative_prompt=unit.negative_prompt,
            batch_size=len(unit.images),
            preview_every=max(unit.steps // 8, 1),
        )
        for event in events:
            match event:
                case studio_events.Step(step=step, steps=steps):
                    yield Step(unit.id, step, steps)
                case studio_events.Preview(index=index, picture=picture):
                    picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
                    yield Preview(unit.id, unit.images[index].image_id, _encoded(picture, "WEBP", quality=70))
                case studio_events.ImageReady(index=index, picture=picture):
                    share = (time.perf_counter() - began) / len(unit.images)
                    yield ImageReady(unit.id, unit.images[index].image_id, _encoded(picture, "PNG"), share)
                case _:  # the inversion of a reference: nothing to show, but a moment to stop at
                    pass
            if stop.is_set():
                events.close()
                return
        yield Done(unit.id)

    def _reference(self, studio: Studio, unit: Unit, given: UnitReference) -> Reference:
        """The unit's reference, cropped; the last few are kept, with their latents, for the set's next units."""
        kept = self._references.pop(given, None)
        if kept is None or kept.method != unit.method:
            with Image.open(given.path) as picture:
                kept = studio.reference(
                    _cropped(picture, given.crop), given.prompt, method=unit.method, weight=given.weight
                )
        self._references[given] = kept  # now the newest
        if len(self._references) > MAX_REFERENCES:
            del self._references[next(iter(self._references))]
        return kept


def _words(studio: Studio) -> tuple[str, ...]:
    """What a small model knows to draw, from the list that lies beside its weights."""
    file = DEMO / "words.txt"
    if studio.name != "demo" or not file.exists():
        return ()
    return tuple(word for word in file.read_text().splitlines() if word)


def _cropped(picture: Image.Image, crop: Crop) -> Image.Image:
    width, height = picture.size
    left, top = round(crop.x * width), round(crop.y * height)
    right, bottom = round((crop.x + crop.width) * width), round((crop.y + crop.height) * height)
    return picture.crop((left, top, max(right, left + 1), max(bottom, top + 1)))


def _encoded(picture: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()
