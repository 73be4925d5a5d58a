"""Make what is missing of all sets, in any number of processes, and lose nothing when one is killed.

A set's folder has its four pictures and, written last, `set.json` with the hash of all that they depend on: a set is
finished if that hash is the one that is wanted. A process locks a set while it makes it; a dead process locks nothing.
"""

import fcntl
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from PIL import Image

from app import atomic
from app.evaluation.baselines import all_to_all
from app.evaluation.prompts import StyleSet
from app.evaluation.settings import EvaluatedSetting
from app.style_aligned import Event, ImageFailed, ImageReady, NotFinite, Reference, Sharing, Studio
from app.text import slug

FINISHED = "set.json"


@dataclass(frozen=True)
class EvaluationPlan:
    """All that is to be made."""

    model: str
    sets: tuple[StyleSet, ...]
    settings: tuple[EvaluatedSetting, ...]
    style_in: str = "all"
    steps: int | None = None
    """None, here and below: what suits the model."""
    guidance: float | None = None
    size: tuple[int, int] | None = None
    scheduler: str | None = None
    seed: int = 0

    def seeds(self, number: int) -> list[int]:
        """Of a set's pictures: the same in every setting, so that settings are compared on the same noise."""
        count = len(self.sets[number].objects)
        return list(range(self.seed + number * count, self.seed + (number + 1) * count))

    @property
    def tasks(self) -> list[tuple[EvaluatedSetting, int]]:
        """Every set in every setting. All settings of a style together, so that they can be compared before the end."""
        return [(setting, number) for number in range(len(self.sets)) for setting in self.settings]

    def how(self, studio: Studio) -> dict[str, Any]:
        """The numbers of a denoising, with the model's own for those that were not chosen."""
        defaults = studio.defaults
        return {
            "steps": self.steps or defaults.steps,
            "guidance": defaults.guidance if self.guidance is None else self.guidance,
            "size": self.size or defaults.size,
            "scheduler": self.scheduler or defaults.scheduler,
        }


class Sets:
    """The folder of all sets."""

    def __init__(self, folder: Path, plan: EvaluationPlan, identity: dict[str, Any]) -> None:
        """`identity`: of the model and the libraries, as plain data."""
        self.folder, self.plan, self.identity = folder, plan, identity

    @classmethod
    def of(cls, folder: Path, plan: EvaluationPlan, studio: Studio) -> "Sets":
        versions = {name: version(name) for name in ("torch", "diffusers", "transformers")}
        return cls(folder, plan, {"model": studio.identity, "place": str(studio.place), **plan.how(studio), **versions})

    def place(self, setting: EvaluatedSetting, number: int) -> Path:
        return self.folder / "sets" / slug(setting.name) / f"{number + 1:03}"

    def wanted(self, setting: EvaluatedSetting, number: int) -> dict[str, Any]:
        """All that the pictures of a set depend on."""
        each = self.plan.sets[number]
        return {
            **self.identity,
            "setting": setting.described(),
            "prompts": each.prompts(self.plan.style_in),
            "seeds": self.plan.seeds(number),
        }

    def finished(self, setting: EvaluatedSetting, number: int) -> dict[str, Any] | None:
        """The record of a set, or None unless it is there as it is wanted now."""
        try:
            record: dict[str, Any] = json.loads((self.place(setting, number) / FINISHED).read_bytes())
        except (OSError, ValueError):
            return None
        return record if record.get("hash") == hashed(self.wanted(setting, number)) else None

    def missing(self) -> int:
        return sum(self.finished(*task) is None for task in self.plan.tasks)

    def pictures(self, setting: EvaluatedSetting, number: int) -> list[Image.Image]:
        """A finished set's pictures, in the order of its objects."""
        folder = self.place(setting, number)
        count = len(self.plan.sets[number].objects)
        return [Image.open(folder / f"{place + 1}.png").convert("RGB") for place in range(count)]

    def write(self, setting: EvaluatedSetting, number: int, pictures: list[Image.Image], **record: Any) -> None:
        """Store a set: its pictures first, then the record that makes it finished."""
        folder, wanted = self.place(setting, number), self.wanted(setting, number)
        for place, picture in enumerate(pictures):
            with atomic.writing(folder / f"{place + 1}.png") as temporary:
                picture.save(temporary, "PNG")
        whole = {"hash": hashed(wanted), "name": setting.name, **wanted, **record}
        atomic.write(folder / FINISHED, json.dumps(whole, indent=1, ensure_ascii=False).encode())

    @contextmanager
    def claimed(self, setting: EvaluatedSetting, number: int) -> Iterator[bool]:
        """Whether this process alone makes the set for the duration. A dead process claims nothing."""
        folder = self.place(setting, number)
        atomic.make_folder(folder)
        with (folder / "lock").open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True


def hashed(data: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def make_sets(studio: Studio, sets: Sets, told: Callable[[], object]) -> None:
    """Make every set that is neither finished nor claimed by another process. `told()` is called after each step."""
    for setting, number in sets.plan.tasks:
        if sets.finished(setting, number) is None:
            with sets.claimed(setting, number) as ours:
                if ours and sets.finished(setting, number) is None:
                    make_set(studio, sets, setting, number, told)
        told()


def make_set(studio: Studio, sets: Sets, setting: EvaluatedSetting, number: int, told: Callable[[], object]) -> None:
    """Make one set. One whose numbers overflow is stored without pictures, with the reason."""
    plan, how = sets.plan, sets.plan.how(studio)
    prompts, seeds = plan.sets[number].prompts(plan.style_in), plan.seeds(number)
    groups = 2 if how["guidance"] > 1 else 1

    def make(part: slice, sharing: Sharing, reference: Reference | None = None) -> list[Image.Image]:
        chosen = prompts[part]
        events = studio.generate(
            chosen,
            reference=reference,
            sharing=sharing,
            seeds=seeds[part],
            batch_size=len(chosen),
            preview_every=0,
            **how,
        )
        return _finished(events, len(chosen), told)

    began = time.perf_counter()
    try:
        match setting.kind:
            case "all to all":
                with all_to_all(studio.unet, groups):
                    pictures = make(slice(None), setting.sharing)
            case "picture":
                pictures = make(slice(1), Sharing(0.0))
                pictures += make(slice(1, None), setting.sharing, studio.reference(pictures[0], prompts[0]))
            case "sharing":
                pictures = make(slice(None), setting.sharing)
    except NotFinite as error:
        sets.write(setting, number, [], seconds=time.perf_counter() - began, failed=str(error))
        return
    sets.write(setting, number, pictures, seconds=time.perf_counter() - began)


def _finished(events: Iterator[Event], count: int, told: Callable[[], object]) -> list[Image.Image]:
    """The pictures of a call, in the order of its prompts. Raises NotFinite if one cannot be made."""
    made: dict[int, Image.Image] = {}
    for event in events:
        told()
        if isinstance(event, ImageReady):
            made[event.index] = event.picture
        elif isinstance(event, ImageFailed):
            raise event.error
    return [made[place] for place in range(count)]
