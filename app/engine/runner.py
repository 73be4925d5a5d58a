"""Run units and trainings on a Studio, one at a time, in the engine's process: the server imports nothing of this."""

import io
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from threading import Event as Flag
from typing import Any

import structlog
import torch
from PIL import Image

from app.engine import overflow
from app.engine.base import ModelFacts
from app.engine.depth import depth_model
from app.engine.events import (
    ClassPicture,
    Crop,
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
    UnitReference,
    UnitRegion,
    UnitSharing,
    UnitStructure,
    Work,
)
from app.engine.facts import TRAINING, model_facts
from app.engine.safety import SafetyCheck
from app.engine.sensitivity import ranked_layers
from app.languages import N_
from app.languages import gettext as _
from app.pictures import opened
from app.quality.embedder import Embedder
from app.quality.embeddings import CannotEmbed, loaded
from app.quality.features import features
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
from app.style_aligned.loading import Progress
from app.style_aligned.reference import Method
from app.style_aligned.subjects import check_lora
from app.text import clean_line, sentence
from app.translation.marian import marian

log = structlog.get_logger()

PREVIEW_SIDE = 256  # px, the longer side
FEWEST_LATENTS = 12  # on the shorter side: fewer show no thing
MAP_STEPS = 10  # parts of the denoising that a style map tells apart
MAX_REFERENCES = 8  # kept between units: as many as a style has; a large one takes 48 MiB
MAX_TRAININGS = 3  # interrupted trainings that can resume; a large model's state takes 300 MiB

OUT_OF_MEMORY = N_("The GPU ran out of memory. Try a smaller size or rank, or a smaller SOROE_UNIT_SIZE.")
NO_HOST_MEMORY = N_("The server ran out of memory. Try a smaller size, or ask an administrator for more memory.")
MEMORY = "out of memory"  # the cause of both
BROKEN = N_("Something went wrong. The details are in the server’s log.")


class Runner:
    """A loaded Studio, and what the engine can ask of it."""

    def __init__(self, studio: Studio, settings: Settings) -> None:
        self.studio = studio
        self._settings = settings
        self._safety = SafetyCheck(settings)
        self._references: dict[UnitReference, Reference] = {}

    @classmethod
    def load(cls, settings: Settings, progress: Progress = lambda what, fraction: None) -> "Runner":
        """Load the model of `settings`; see `Studio.load`. Raises ModelError."""
        cache = settings.data / "cache" / "inversions"
        return cls(Studio.load(settings.model, settings.device, settings.precision, cache, progress), settings)

    @cached_property
    def facts(self) -> ModelFacts:
        layers = ranked_layers(self.studio, self._settings.data)
        return model_facts(self.studio, self._settings.model, self._controls, layers)

    def lora_phrase(self, file: Path, file_name: str) -> str:
        """The trigger phrase of an uploaded LoRA, which people know as `file_name`; "" if it states none.

        Raises ModelError if it does not fit this model. Thread-safe.
        """
        studio = self.studio
        return clean_line(check_lora(file.read_bytes(), file_name, studio.adapters.shapes, studio.unet.config).phrase)

    def depth_map(self, picture: Image.Image) -> Image.Image:
        """The depth of an RGB picture, in grey; see `DepthModel`. Raises NoDepth. Thread-safe."""
        return depth_model(self._settings.depth_model)(picture)

    def translate(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        """The texts in English; see `Marian`. Raises CannotTranslate. Thread-safe."""
        return tuple(marian(self._settings.translation).translate(texts))

    def run(self, work: Work, stop: Flag) -> Iterator[Event]:
        """Make the unit's images, or train the subject, until `stop` is set, which is read after each step.

        An error ends the events as `Failed`, in a sentence.
        """
        try:
            yield from self._train(work, stop) if isinstance(work, Training) else self._generate(work, stop)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            yield Failed(work.id, OUT_OF_MEMORY, transient=True, cause=MEMORY)
        except NotFinite as error:
            yield Failed(work.id, overflow.told(work, error))
        except ModelError as error:  # of a ControlNet or LoRA, which is loaded on first use
            yield Failed(work.id, str(error))
        except ValueError as error:  # what the Studio refuses, in its own words
            yield Failed(work.id, sentence(error))
        except FileNotFoundError as error:
            name = Path(error.filename or "").name
            missing = _("A picture’s file is missing: %(name)s. Restore the data folder or upload it again.", name=name)
            yield Failed(work.id, missing)
        except Exception as error:
            log.exception("work failed", unit=work.id)
            short = isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error)  # torch's
            message, cause = (NO_HOST_MEMORY, MEMORY) if short else (BROKEN, type(error).__name__)
            yield Failed(work.id, message, transient=True, cause=cause)

    def _generate(self, unit: Unit, stop: Flag) -> Iterator[Event]:
        if unit.measured:
            yield from self._measured_references(unit)
        for part in by_layers(unit):
            yield from self._made(part, stop)
            if stop.is_set():
                return
        yield Done(unit.id)

    def _made(self, unit: Unit, stop: Flag) -> Iterator[Event]:
        """Make images that share in the same layers."""
        studio = self.studio
        began = time.perf_counter()
        events = studio.generate(
            [image.prompt for image in unit.images],
            reference=[self._reference(studio, given, unit.method) for given in unit.references] or None,
            sharing=Sharing(
                strength=_strength(unit),
                scale=unit.scale,
                adain_values=unit.adain_values,
                share_group_norm=unit.share_group_norm,
                **options(unit.options),
            ),
            seeds=[image.seed for image in unit.images],
            steps=unit.steps,
            guidance=unit.guidance,
            size=drawn_size((unit.width, unit.height), studio.size_multiple),
            scheduler=unit.scheduler,
            negative_prompt=unit.negative_prompt,
            structures=[self._structure(studio, structure) for structure in unit.structures],
            regions=[self._region(studio, region) for region in unit.regions],
            adapters=[studio.adapter(subject.path, subject.weight) for subject in unit.subjects],
            seamless=unit.seamless,
            batch_size=unit.batch or len(unit.images),
            preview_every=max(unit.steps // 8, 1),
            keep=True,
            objects=[image.object for image in unit.images],
            maps=unit.maps,
        )
        for event in events:
            yield from self._told(unit, event, (time.perf_counter() - began) / len(unit.images))
            if stop.is_set():
                events.close()
                return

    def _told(self, unit: Unit, event: studio_events.Event, seconds: float) -> Iterator[Event]:
        """What to tell of an event. `seconds` is an image's part of the time so far."""
        match event:
            case studio_events.Step(step=step, steps=steps):
                yield Step(unit.id, step, steps)
            case studio_events.Preview(index=index, picture=picture):
                picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
                yield Preview(unit.id, unit.images[index].image_id, _encoded(picture, "WEBP", quality=70))
            case studio_events.ImageReady(index=index, picture=picture, seen=seen):
                image_id = unit.images[index].image_id
                if picture.size != (unit.width, unit.height):
                    picture = picture.resize((unit.width, unit.height), Image.Resampling.LANCZOS)
                if seen.style:
                    style = seen.style.shortened(MAP_STEPS)
                    yield StyleMap(unit.id, image_id, _encoded(style.sheet(), "PNG"), style.groups, len(style.m))
                flagged = self._safety.flag(picture)
                subject, layout = (
                    _encoded(each, "PNG") if each else None for each in (seen.subject, seen.layout_picture)
                )
                found = self._features(picture, seen.subject, unit.images[index].object) if unit.measured else None
                yield ImageReady(unit.id, image_id, _encoded(picture, "PNG"), seconds, flagged, subject, layout, found)
            case studio_events.ImageFailed(index=index, error=error):
                yield ImageFailed(unit.id, unit.images[index].image_id, overflow.told(unit, error))
            case _:  # the inversion of a reference: nothing to show, but a point to stop at
                pass

    def _measured_references(self, unit: Unit) -> Iterator[Event]:
        """Measure a unit's references as its images will be."""
        for position, given in enumerate(unit.references, start=1):
            picture = _cropped(opened(given.path, "RGB"), given.crop)
            yield ReferenceMeasured(unit.id, position, self._features(picture))

    def _features(self, picture: Image.Image, subject: Image.Image | None = None, text: str = "") -> dict[str, Any]:
        return features(picture, subject=subject, text=text, embedders=self._embedders).to_json()

    @cached_property
    def _embedders(self) -> list[Embedder]:
        """The models of SOROE_MEASURES; the bundled one if they cannot be loaded."""
        try:
            return loaded(self._settings.measures)
        except CannotEmbed as error:
            log.error(str(error))
            return loaded("")

    def _train(self, training: Training, stop: Flag) -> Iterator[Event]:
        """Train a subject, resuming from an earlier attempt's state."""
        studio = self.studio
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

    @property
    def _controls(self) -> dict[str, str]:
        """ControlNets by kind of map: those from the settings before those that suit the model."""
        return self.studio.controls | self._settings.controlnet_names

    def _structure(self, studio: Studio, given: UnitStructure) -> Structure:
        """Prepare a unit's structure with its ControlNet and maps."""
        name = self._controls.get(given.control, given.control)
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
            **options(region.options),
        )
        look = (references, sharing, region.object) if references else (None, None, region.object)
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


def drawn_size(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    """The (width, height) in px at which pictures of `size` are drawn, and then reduced to it if it is larger.

    A model of `multiple` px per latent draws no thing in a few latents, and none in half ones: such pictures are drawn
    at twice the size or more. So sets of a model whose VAE had half the factor keep what they look like. A size that
    twice the size does not make whole is returned as it is, for the Studio to refuse.
    """
    times = 2 if any(side % multiple for side in size) else 1
    if min(size) <= 0 or any(times * side % multiple for side in size):
        return size
    while times * min(size) < FEWEST_LATENTS * multiple:
        times *= 2
    width, height = size
    return times * width, times * height


def options(given: UnitSharing) -> dict[str, Any]:
    """The arguments of `Sharing` for a unit's options."""
    return {
        "layers": given.layers,
        "colour": given.colour,
        "colour_steps": (given.colour_start, given.colour_end),
        "reference_queries": given.reference_queries,
        "subject_attention": given.subject_attention,
        "blend": given.blend,
    }


def by_layers(unit: Unit) -> Iterator[Unit]:
    """The unit's images in parts that share in the same layers, which no batch can mix."""
    for layers, images in groupby(unit.images, key=lambda image: image.layers):
        own = unit.options if layers is None else replace(unit.options, layers=layers)
        yield replace(unit, images=tuple(images), options=own)


def _strength(unit: Unit) -> float | list[float]:
    """One for all of a unit's images, or one each."""
    own = [unit.strength if image.strength is None else image.strength for image in unit.images]
    return own[0] if len(set(own)) == 1 else own


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
