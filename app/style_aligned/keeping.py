"""State that survives a crash: files in safetensors, each of use only for the work that wrote it.

A `Point` of a denoising is all that its next steps depend on, so that they give the same picture, bit for bit: the
latents, what the scheduler remembers of earlier steps (the last outputs of a multistep solver such as DPM++, UniPC or
PNDM, the halves of a Heun step), and the states of the generators that ancestral schedulers and LCM draw noise from.
Everything else, such as conditioning, references and masks, is computed again from the request.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from app import atomic

KEEP_SECONDS = 60.0  # of denoising between two kept states: shorter work writes nothing
STALE_DAYS = 7.0
MOST_BYTES = 256 * 2**20  # of all kept denoisings; that of four pictures of 1024 px takes 1 to 4 MiB

DEVICE, CPU = "tensor", "cpu tensor"  # where a scheduler had it


def read(file: Path | None, key: str) -> dict[str, Tensor] | None:
    """Read what was written for the same `key`; None if it is missing, damaged or from other work."""
    if file is None or not file.exists():
        return None
    with suppress(OSError, SafetensorError), safe_open(file, "pt") as opened:
        if (opened.metadata() or {}).get("key") == key:
            return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  (it is no dictionary)
    return None


def write(file: Path | None, tensors: Mapping[str, Tensor], key: str, **more: str) -> None:
    """Keep `tensors` for the work with this `key`; `more` goes into the metadata too.

    Without room on the disk nothing is kept, which costs time after a crash and nothing else.
    """
    if file is None:
        return
    stored = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    with suppress(OSError, SafetensorError), atomic.writing(file) as temporary:
        save_file(stored, temporary, {"key": key, **more})


@dataclass(frozen=True)
class Point:
    """A denoising after `step` steps."""

    step: int
    latents: Tensor  # (N, C, h, w), in the scheduler's scale
    scheduler: Mapping[str, Any]  # its attributes, without its configuration and arrays, which steps do not change
    generators: Sequence[Tensor]  # their states, (bytes,) each

    @classmethod
    def of(cls, step: int, latents: Tensor, scheduler: Any, generators: Sequence[torch.Generator]) -> Self:
        memory = {name: value for name, value in vars(scheduler).items() if _is_state(value)}
        return cls(step, latents, memory, [generator.get_state() for generator in generators])

    def restore(self, scheduler: Any, generators: Sequence[torch.Generator]) -> None:
        """Bring a scheduler, set to the same steps, and generators to this point; at the end neither is used again."""
        vars(scheduler).update(self.scheduler)
        for generator, state in zip(generators, self.generators, strict=False):
            generator.set_state(state)


@dataclass(frozen=True)
class Work:
    """What a denoising makes, as hashes: a kept point is of use only for the same."""

    job: str  # of everything that its images have in common
    images: tuple[str, ...]  # of each image's own prompt, seed and so on


def digest(*parts: object) -> str:
    """Hexadecimal SHA-256 of plain values."""
    return sha256(repr(parts).encode()).hexdigest()


class Keeper:
    """Keeps the points of one denoising in `folder`, and finds the latest after a crash."""

    def __init__(self, folder: Path, work: Callable[[], Work], steps: int, device: torch.device) -> None:
        """`work` is called only if there is something to find or to keep: it reads every pixel of the request."""
        self.folder, self.steps, self.device = folder, steps, device
        self._work = work
        self._since = time.monotonic()
        self._file: Path | None = None  # once it is kept

    @cached_property
    def work(self) -> Work:
        return self._work()

    def find(self) -> Point | None:
        """The latest point of this work.

        Or the end of a denoising of more images, of which some are finished by now: after the last step, images do not
        depend on each other.
        """
        for file in self.folder.glob("*.safetensors"):
            with suppress(OSError, SafetensorError, ValueError, KeyError), safe_open(file, "pt") as opened:
                known = opened.metadata()
                images = json.loads(known["images"])
                if known["key"] == self.work.job and images == list(self.work.images):
                    self._file = file
                    return self._point(opened, known)
                if known["key"] == self.work.job and int(known["step"]) == self.steps:
                    rows = [images.index(image) for image in self.work.images]  # ValueError: of other images
                    self._file = file
                    return Point(self.steps, opened.get_tensor("latents")[rows].to(self.device), {}, [])
        return None

    def note(self, point: Callable[[], Point], step: int) -> None:
        """After `step` steps: keep the `point`, if the last one was kept a while ago, and at the end if any was."""
        ends = step == self.steps and self._file is not None
        if not ends and time.monotonic() - self._since < KEEP_SECONDS:
            return
        now = point()
        tensors = {"latents": now.latents}
        memory = json.dumps(_packed(now.scheduler, tensors))
        tensors |= {f"generator {number}": state for number, state in enumerate(now.generators)}
        more = {"images": json.dumps(self.work.images), "step": str(step), "scheduler": memory}
        self._file = self._file or self.folder / f"{digest(self.work)}.safetensors"
        write(self._file, tensors, self.work.job, **more)
        self._since = time.monotonic()
        sweep(self.folder)

    @contextmanager
    def until_done(self) -> Iterator[None]:
        """Forget what was kept when the block ends, unless it is left early."""
        yield
        if self._file:
            with suppress(OSError):
                self._file.unlink(missing_ok=True)

    def _point(self, opened: Any, known: Mapping[str, str]) -> Point:
        names = set(opened.keys())
        states = [opened.get_tensor(f"generator {n}") for n in range(len(names)) if f"generator {n}" in names]
        memory = _unpacked(json.loads(known["scheduler"]), opened.get_tensor, self.device)
        return Point(int(known["step"]), opened.get_tensor("latents").to(self.device), memory, states)


def sweep(folder: Path) -> None:
    """Remove stale files, and the oldest of more than MOST_BYTES."""
    found = []
    for path in folder.glob("*.safetensors"):
        with suppress(OSError):
            found.append((path.stat().st_mtime, path.stat().st_size, path))
    total = 0
    for changed, size, path in sorted(found, reverse=True):
        total += size
        if total > MOST_BYTES or time.time() - changed > STALE_DAYS * 86400:
            with suppress(OSError):
                path.unlink()


def _is_state(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_state, value))
    return value is None or isinstance(value, Tensor | bool | int | float | str)


def _packed(value: Any, tensors: dict[str, Tensor]) -> Any:
    """`value` as JSON, with its tensors moved to `tensors`."""
    match value:
        case Tensor():
            name = str(len(tensors))
            tensors[name] = value
            return {CPU if value.device.type == "cpu" else DEVICE: name}
        case Mapping():
            return {name: _packed(each, tensors) for name, each in value.items()}
        case list() | tuple():
            return [_packed(each, tensors) for each in value]
    return value


def _unpacked(value: Any, tensor: Callable[[str], Tensor], device: torch.device) -> Any:
    match value:
        case {"tensor": name}:
            return tensor(name).to(device)
        case {"cpu tensor": name}:
            return tensor(name)
        case dict():
            return {name: _unpacked(each, tensor, device) for name, each in value.items()}
        case list():
            return [_unpacked(each, tensor, device) for each in value]
    return value
