"""LoRA adapters: a team's own product, or any other, added to the loaded model for the images only.

Adapter weights are stored next to the model's own, in PEFT's layers, behind a flag. References, their recordings and
their inversions use the bare model, bit for bit; only images use the adapters.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.utils import convert_state_dict_to_diffusers, convert_state_dict_to_peft, convert_unet_state_dict_to_peft
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from app.style_aligned import lora_file
from app.style_aligned.loading import ModelError
from app.style_aligned.lora_file import PHRASE as PHRASE  # trainings write it
from app.style_aligned.lora_file import LoraFile, shown
from app.style_aligned.lora_file import phrase_in as phrase_in

MOST_WEIGHT = 2.0
MOST_LOADED = 8  # adapters kept in memory; the least recently used is unloaded first
PARTS = ("unet", "text_encoder", "text_encoder_2")
PICKLES = {".bin", ".ckpt", ".pkl", ".pt", ".pth"}

# The token width of a LoRA's cross-attention, by the model it was made for.
FAMILIES = {768: "Stable Diffusion 1.5", 1024: "Stable Diffusion 2", 2048: "SDXL"}

OTHER_KINDS = {"hada_": "LoHa", "lokr_": "LoKr", "dora_scale": "DoRA", "lora_magnitude_vector": "DoRA"}

Halves = tuple[Tensor | None, Tensor | None]
"""Of one layer's update: up @ down is added to its weight."""

Shapes = Mapping[str, tuple[int, ...]]
"""Of every adaptable weight, by "part.name.of.the.layer"."""


@dataclass(frozen=True)
class Adapted:
    """A loaded adapter and its weight. Raises ValueError for a weight out of range."""

    name: str
    weight: float = 1.0  # 0 to 2

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= MOST_WEIGHT:
            raise ValueError(f"a subject's weight must be between 0 and {MOST_WEIGHT:g}; {self.weight:g} was given")


class Adapters:
    """The adapters of one pipeline, inactive except within `active`."""

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline
        self.parts: dict[str, nn.Module] = {name: getattr(pipeline, name) for name in PARTS}
        self.shapes: Shapes = {
            f"{part}.{name}": tuple(layer.weight.shape)
            for part, module in self.parts.items()
            for name, layer in module.named_modules()
            if isinstance(layer, nn.Linear | nn.Conv2d)
        }
        self._loaded: list[str] = []  # the newest last
        self._layers: list[BaseTunerLayer] = []
        self._chosen: tuple[Adapted, ...] = ()

    def load(self, file: Path) -> str:
        """Load the LoRA in `file` if needed and return its name. Raises ModelError."""
        if not file.is_file():
            raise ModelError(f"There is no LoRA file at {file}.")
        found = file.stat()
        name = sha256(f"{file.resolve()} {found.st_mtime_ns} {found.st_size}".encode()).hexdigest()[:16]
        if name not in self._loaded:
            check_lora(file.read_bytes(), file.name, self.shapes, self.pipeline.unet.config)
            try:
                with several_adapters():
                    self.pipeline.load_lora_weights(
                        str(file.parent), weight_name=file.name, adapter_name=name, local_files_only=True
                    )
            except torch.OutOfMemoryError:
                raise
            except (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError) as error:
                raise ModelError(f"{shown(file.name)} is not a LoRA for SDXL: diffusers cannot load it.") from error
            self.added(name)
        self._loaded.remove(name)
        self._loaded.append(name)
        return name

    def added(self, name: str, dtype: torch.dtype | None = None) -> None:
        """Register an adapter in the parts:

        convert it to their number format, or `dtype`, and deactivate it. May unload the oldest.
        """
        self._loaded.append(name)
        self._layers = [
            layer for part in self.parts.values() for layer in part.modules() if isinstance(layer, BaseTunerLayer)
        ]
        for layer in self._layers:
            layer.set_adapter([], inference_mode=True)
            layer._disable_adapters = True
        for weight in self.weights(name):
            weight.data = weight.data.to(dtype or self.pipeline.unet.dtype)
        self._chosen = ()
        if len(self._loaded) > MOST_LOADED:
            self.drop(self._loaded[0])

    def drop(self, name: str) -> None:
        """Free an adapter's memory."""
        self._loaded.remove(name)
        self._chosen = ()
        for layer in self._layers:
            layer.set_adapter([], inference_mode=True)
            layer.delete_adapter(name)
        for part in self.parts.values():
            getattr(part, "peft_config", {}).pop(name, None)

    def weights(self, name: str) -> list[nn.Parameter]:
        """All weights of an adapter, in layer order."""
        return [w for part in self.parts.values() for key, w in part.named_parameters() if f".{name}.weight" in key]

    def check(self, adapted: Sequence[Adapted]) -> None:
        """Raise ValueError unless all of them are loaded, each once."""
        names = [each.name for each in adapted]
        for name in names:
            if name not in self._loaded:
                raise ValueError(f"no adapter {name!r} is loaded; load its file first")
            if names.count(name) > 1:
                raise ValueError(f"the adapter {name!r} was given twice; give it once, with its weight")

    @contextmanager
    def active(self, adapted: Sequence[Adapted]) -> Iterator[None]:
        """Activate exactly these adapters for the duration. Cheap enough for every step: it only sets a flag."""
        if not adapted:
            yield
            return
        self._choose(tuple(adapted))
        try:
            self._sleep(False)
            yield
        finally:
            self._sleep(True)

    def _choose(self, adapted: tuple[Adapted, ...]) -> None:
        if adapted == self._chosen:
            return
        for layer in self._layers:
            layer.set_adapter([each.name for each in adapted], inference_mode=True)
            for each in adapted:
                layer.set_scale(each.name, each.weight)  # does nothing if this layer lacks the adapter
        self._chosen = adapted

    def _sleep(self, asleep: bool) -> None:
        # PEFT's own `enable_adapters` also enables gradients, which inference mode forbids.
        for layer in self._layers:
            layer._disable_adapters = asleep


@contextmanager
def several_adapters() -> Iterator[None]:
    """Silence PEFT's warning that other adapters exist: several are intended."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Already found a `peft_config`", UserWarning)
        yield


def check_lora(data: bytes, file_name: str, shapes: Shapes, unet_config: Any) -> LoraFile:
    """Check that a LoRA file fits a model with these `shapes`, and read it. Raises ModelError with one sentence.

    Time and memory are bounded for any bytes; the numbers are checked in place.
    """
    if Path(file_name).suffix in PICKLES or data[:2] in (b"PK", b"\x80\x02"):
        raise ModelError(f"{shown(file_name)} is not a safetensors file; other formats can carry code and are refused.")
    file = lora_file.read(data, file_name)
    file_name = shown(file_name)
    for mark, kind in OTHER_KINDS.items():
        if any(mark in key for key in file.tensors):
            raise ModelError(f"{file_name} is a {kind}, which is not supported; save it as a plain LoRA.")
    if lora_file.too_many_blocks(file.tensors):
        raise ModelError(f"{file_name} is not a LoRA for SDXL: its weights have names that SDXL's do not.")
    try:
        found = _by_layer(_stand_ins(file), unet_config)
    except Exception as error:  # diffusers raises many classes of errors for unknown names
        raise ModelError(f"{file_name} is not a LoRA for SDXL: its weights have names that SDXL's do not.") from error
    if not found:
        raise ModelError(f"{file_name} is not a LoRA: it holds no adapter weights.")
    _check_family(file_name, found, shapes)
    for name, (down, up) in found.items():
        _check_layer(file_name, name, down, up, shapes)
    return file


def _stand_ins(file: LoraFile) -> dict[str, Tensor]:
    """Tensors with the names and shapes of the file's, with one number each: enough to see where they belong."""
    zero = torch.zeros(())
    return {
        name: torch.tensor(file.alphas[name]) if name in file.alphas else zero.expand(each.shape)
        for name, each in file.tensors.items()
    }


def _check_family(file_name: str, found: Mapping[str, Halves], shapes: Shapes) -> None:
    def width(sizes: Mapping[str, tuple[int, ...]]) -> int:
        return next((size[1] for name, size in sizes.items() if name.endswith("attn2.to_k")), 0)

    theirs = width({name: tuple(down.shape) for name, (down, _) in found.items() if down is not None})
    if theirs in FAMILIES and theirs != width(shapes):
        raise ModelError(f"{file_name} was made for {FAMILIES[theirs]}, not for the loaded model.")


def _check_layer(file_name: str, name: str, down: Tensor | None, up: Tensor | None, shapes: Shapes) -> None:
    if down is None or up is None:
        raise ModelError(f"{file_name} is damaged: one half of its weights for {shown(name)} is missing.")
    there = shapes.get(name)
    if there is None:
        raise ModelError(f"{file_name} was made for another model: the loaded one has no layer {shown(name)}.")
    if (*up.shape[:1], *down.shape[1:]) != there or up.shape[1] != down.shape[0]:
        raise ModelError(
            f"{file_name} was made for another model: its {shown(name)} is {up.shape[0]} x {down.shape[1]}, "
            f"this model's is {there[0]} x {there[1]}."
        )


def _by_layer(weights: dict[str, Tensor], unet_config: Any) -> dict[str, Halves]:
    """The two halves of every layer's update, by the layer's name, for any trainer's naming."""
    weights, _ = diffusers.StableDiffusionXLPipeline.lora_state_dict(weights, unet_config=unet_config)
    found: dict[str, Halves] = {}
    for key, weight in _renamed(weights).items():
        name, dot, half = key.partition(".lora_")
        if not dot or half not in ("A.weight", "B.weight"):
            raise ValueError(f"{key} is no LoRA weight")
        down, up = found.get(name, (None, None))
        found[name] = (weight, up) if half == "A.weight" else (down, weight)
    return found


def _renamed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Convert diffusers' own names, older and newer, to PEFT's."""
    renamed: dict[str, Tensor] = {}
    for part in PARTS:
        own = {key.removeprefix(f"{part}."): w for key, w in weights.items() if key.startswith(f"{part}.")}
        if part == "unet":
            own = convert_unet_state_dict_to_peft(own) if own else own
        elif own:
            own = convert_state_dict_to_peft(convert_state_dict_to_diffusers(own))
        if part == "text_encoder":  # newer transformers have one level less
            own = {key.removeprefix("text_model."): w for key, w in own.items()}
        renamed |= {f"{part}.{key}": w for key, w in own.items() if not key.endswith(".alpha")}
    if not renamed and weights:
        raise ValueError("no weights for any part of SDXL")
    return renamed
