"""One Studio on one thread of this process: no broker, no other machine.

torch works best with a model on a single thread, so everything that touches the Studio runs there. Events cross to the
event loop through an asyncio queue; a cancellation crosses back as a flag that is read after every denoising step.
"""

import asyncio
import io
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event as Flag

import structlog
import torch
from PIL import Image

from app import slow
from app.engine import overflow
from app.engine.base import Cancelled, ModelFacts, Slot
from app.engine.events import (
    ClassPicture,
    Crop,
    Done,
    Event,
    Failed,
    ImageFailed,
    ImageReady,
    Preview,
    Sample,
    Step,
    Trained,
    Training,
    Unit,
    UnitReference,
    UnitRegion,
    UnitStructure,
    Work,
)
from app.engine.facts import TRAINING, model_facts
from app.errors import Invalid
from app.pictures import opened
from app.settings import Settings
from app.style_aligned import (
    ModelError,
    NotFinite,
    Reference,
    Region,
    Sharing,
    Structure,
    Studio,
    dreambooth,
)
from app.style_aligned import events as studio_events
from app.style_aligned.reference import Method
from app.style_aligned.subjects import check_lora
from app.text import clean_line, sentence

log = structlog.get_logger()

PREVIEW_SIDE = 256  # px, the longer side
MAX_REFERENCES = 8  # kept between units: as many as a style has; a large one takes 48 MiB
MAX_TRAININGS = 3  # interrupted trainings that can resume; a large model's state takes 300 MiB

OUT_OF_MEMORY = "The GPU ran out of memory. Try a smaller size or rank, or a smaller SOROE_UNIT_SIZE."


class LocalEngine:
    """The engine of a single machine."""

    def __init__(
        self, settings: Settings, progress: Callable[[str, float], None] = lambda what, fraction: None
    ) -> None:
        """`progress(what, fraction)` is called on another thread as the model loads, 0 to 1."""
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

    @slow.outside
    def lora_phrase(self, data: bytes, file_name: str) -> str:
        if self._studio is None:
            raise RuntimeError("the model is not loaded yet")
        try:
            file = check_lora(data, file_name, self._studio.adapters.shapes, self._studio.unet.config)
        except ModelError as error:
            raise Invalid("file", str(error)) from error
        return clean_line(file.phrase)

    async def run(self, work: Work) -> AsyncIterator[Event]:
        """Make the unit's images, or train the subject, on the studio's thread; see `Engine.run`."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        stop = self._running[work.id] = Flag()

        def on_thread() -> None:
            try:
                for event in self._events(work, stop):
                    loop.call_soon_threadsafe(queue.put_nowait, event)
            finally:
                loop.call_soon_threadsafe(queue.put_nowait, None)

        future = loop.run_in_executor(self._thread, on_thread)
        try:
            while (event := await queue.get()) is not None:
                yield event
            await future
            if stop.is_set():
                raise Cancelled(work.id)
        finally:
            # Also when the reader stops early: the thread must be free for the next unit.
            stop.set()
            del self._running[work.id]

    def _load(self) -> None:
        settings = self._settings
        cache = settings.data / "cache" / "inversions"
        studio = Studio.load(settings.model, settings.device, settings.precision, cache, self._progress)
        self._model = model_facts(studio, settings.model, self._controls(studio))
        self._studio = studio

    def _events(self, work: Work, stop: Flag) -> Iterator[Event]:
        """Yield the work's events, on the studio's thread. An error ends them as `Failed`, in a sentence."""
        try:
            yield from self._train(work, stop) if isinstance(work, Training) else self._generate(work, stop)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            yield Failed(work.id, OUT_OF_MEMORY)
        except NotFinite as error:
            yield Failed(work.id, overflow.told(work, error))
        except ModelError as error:  # of a ControlNet or LoRA, which is loaded on first use
            yield Failed(work.id, str(error))
        except ValueError as error:  # what the Studio refuses, in its own words
            yield Failed(work.id, sentence(error))
        except FileNotFoundError as error:
            name = Path(error.filename or "").name
            yield Failed(work.id, f"A picture's file is missing: {name}. Restore the data folder or upload it again.")
        except Exception:
            log.exception("work failed", unit=work.id)
            yield Failed(work.id, "Something went wrong. The details are in the server's log.", transient=True)

    def _generate(self, unit: Unit, stop: Flag) -> Iterator[Event]:
        studio = self._studio
        if studio is None:
            raise RuntimeError("the model is not loaded yet")
        began = time.perf_counter()
        events = studio.generate(
            [image.prompt for image in unit.images],
            reference=[self._reference(studio, given, unit.method) for given in unit.references],
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
            structures=[self._structure(studio, structure) for structure in unit.structures],
            regions=[self._region(studio, region) for region in unit.regions],
            adapters=[studio.adapter(subject.path, subject.weight) for subject in unit.subjects],
            seamless=unit.seamless,
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
                    seconds = (time.perf_counter() - began) / len(unit.images)
                    yield ImageReady(unit.id, unit.images[index].image_id, _encoded(picture, "PNG"), seconds)
                case studio_events.ImageFailed(index=index, error=error):
                    yield ImageFailed(unit.id, unit.images[index].image_id, overflow.told(unit, error))
                case _:  # the inversion of a reference: nothing to show, but a point to stop at
                    pass
            if stop.is_set():
                events.close()
                return
        yield Done(unit.id)

    def _train(self, training: Training, stop: Flag) -> Iterator[Event]:
        """Train a subject, resuming from an earlier attempt's state."""
        studio = self._studio
        if studio is None:
            raise RuntimeError("the model is not loaded yet")
        asked = {name: getattr(training, name) for name in ("phrase", "class_words", *TRAINING)}
        recipe = dreambooth.Recipe(**dreambooth.suited(studio) | asked)
        pictures = [opened(path, "RGB") for path in training.pictures]
        folder = _only_the_newest(self._settings.data / "cache" / "training", f"{training.subject_id}")
        events = dreambooth.train(studio, pictures, recipe, folder)
        for event in events:
            match event:
                case dreambooth.PriorImage(number=number, count=count):
                    yield ClassPicture(training.id, number, count)
                case dreambooth.TrainStep(step=step, steps=steps, loss=loss):
                    yield Step(training.id, step, steps, loss)
                case dreambooth.Sample(picture=drawn, step=step):
                    yield Sample(training.id, step, _encoded(drawn, "PNG"))
                case dreambooth.Finished(safetensors=data):
                    yield Trained(training.id, data)
            if stop.is_set():
                events.close()
                return
        yield Done(training.id)

    def _controls(self, studio: Studio) -> dict[str, str]:
        """ControlNets by kind of map: those from the settings before those that suit the model."""
        return studio.controls | self._settings.controlnet_names

    def _structure(self, studio: Studio, given: UnitStructure) -> Structure:
        """Prepare a unit's structure with its ControlNet and maps."""
        name = self._controls(studio).get(given.control, given.control)
        maps = [opened(path, "L") for path in given.maps]
        return Structure(studio.control(name, given.control), maps, given.weight, (given.start, given.end))

    def _region(self, studio: Studio, region: UnitRegion) -> Region:
        """Prepare a region with its mask, look and sharing."""
        references = [self._reference(studio, given, region.method) for given in region.references]
        sharing = Sharing(
            strength=region.strength,
            scale=region.scale,
            adain_values=region.adain_values,
            share_group_norm=region.share_group_norm,
        )
        look = (references, sharing) if references else (None, None)
        if region.mask is None:
            return Region.box(region.prompt, region.box or (0, 0, 1, 1), *look)
        return Region(region.prompt, opened(region.mask, "L"), *look)

    def _reference(self, studio: Studio, given: UnitReference, method: Method) -> Reference:
        """Prepare a unit's cropped reference.

        The most recent are kept, with their latents, for the set's next units.
        """
        kept = self._references.pop(given, None)
        if kept is None or kept.method != method:
            picture = _cropped(opened(given.path, "RGB"), given.crop)
            kept = studio.reference(picture, given.prompt, method=method, weight=given.weight)
        self._references[given] = kept  # now the newest
        if len(self._references) > MAX_REFERENCES:
            del self._references[next(iter(self._references))]
        return kept


def _only_the_newest(trainings: Path, name: str) -> Path:
    """The folder of one training's state; deletes all but the most recent of the others."""
    others = sorted(
        (path for path in trainings.glob("*") if path.name != name), key=lambda path: path.stat().st_mtime_ns
    )
    for path in others[: max(0, len(others) + 1 - MAX_TRAININGS)]:
        shutil.rmtree(path, ignore_errors=True)
    return trainings / name


def _cropped(picture: Image.Image, crop: Crop) -> Image.Image:
    width, height = picture.size
    left, top = round(crop.x * width), round(crop.y * height)
    right, bottom = round((crop.x + crop.width) * width), round((crop.y + crop.height) * height)
    return picture.crop((left, top, max(right, left + 1), max(bottom, top + 1)))


def _encoded(picture: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()
