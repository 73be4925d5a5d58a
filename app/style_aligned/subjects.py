"""LoRA adapters: a team's own product, or any other, added to the loaded model for the images only.

Adapter weights are stored next to the model's own, in PEFT's layers, behind a flag. References, their recordings and
their inversions use the bare model, bit for bit; only images use the adapters.
"""

import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model, set_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load as tensors_in
from torch import Tensor, nn

from app.style_aligned import lora_file
from app.style_aligned.loading import ModelError
from app.style_aligned.lora_file import PHRASE as PHRASE  # trainings write it
from app.style_aligned.lora_file import LoraFile, shown
from app.style_aligned.lora_file import phrase_in as phrase_in
from app.style_aligned.lora_names import LayerNames, UnknownName, by_stem, is_kindred

MOST_WEIGHT = 2.0
MOST_LOADED = 8  # adapters kept in memory; the least recently used is unloaded first
PARTS = ("unet", "text_encoder", "text_encoder_2")
PICKLES = {".bin", ".ckpt", ".pkl", ".pt", ".pth"}

# The token width of a LoRA's cross-attention, by the model it was made for.
FAMILIES = {768: "Stable Diffusion 1.5", 1024: "Stable Diffusion 2", 2048: "SDXL"}

# The weights of cross-attention, which have the model's token width.
ACROSS = re.compile(r"attn2[._].*to_k[._](lora[._])?(lora_)?(down|A)\b")

Layers = Mapping[str, Mapping[str, str]]
"""The tensors of a file by the model's layers, such as "unet.conv_in", then by meaning: down, up, magnitude, alpha."""

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
            data = file.read_bytes()
            read = check_lora(data, file.name, self.shapes, self.pipeline.unet.config)
            layers = _placed(read, shown(file.name), self.shapes, self.pipeline.unet.config)
            try:
                self._inject(name, read, layers, tensors_in(data))
            except torch.OutOfMemoryError:
                raise
            except (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError) as error:
                raise ModelError(f"{shown(file.name)} is not a LoRA for SDXL: PEFT cannot load it.") from error
            self.added(name)
        self._loaded.remove(name)
        self._loaded.append(name)
        return name

    def _inject(self, name: str, file: LoraFile, layers: Layers, tensors: Mapping[str, Tensor]) -> None:
        """Add the weights of a checked file to the parts, with each layer's alpha over its rank applied."""
        for part, module in self.parts.items():
            weights: dict[str, Tensor] = {}
            for layer, own in layers.items():
                if layer.startswith(f"{part}."):
                    weights |= _weights(layer, {kind: tensors[each] for kind, each in own.items()}, file)
            if not weights:
                continue
            dora = any(key.endswith("lora_magnitude_vector") for key in weights)
            with several_adapters():
                # Empty weights are quicker, but a DoRA's magnitudes are first computed from the model's.
                inject_adapter_in_model(_config(weights, dora), module, name, low_cpu_mem_usage=not dora)
                left = set_peft_model_state_dict(module, weights, name, low_cpu_mem_usage=not dora).unexpected_keys
            if left:
                raise ValueError(f"{left[0]} found no place")

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
        dtype = dtype or self.pipeline.unet.dtype  # which diffusers looks for in the whole UNet
        for weight in self.weights(name):
            weight.data = weight.data.to(dtype)
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
            # At weight 0 a DoRA would still replace the magnitudes.
            layer.set_adapter([each.name for each in adapted if each.weight > 0], inference_mode=True)
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
    _check_family(file_name, file, shapes)
    _placed(file, file_name, shapes, unet_config)
    return file


def _placed(file: LoraFile, file_name: str, shapes: Shapes, unet_config: Any) -> Layers:
    """Find the layer of each tensor, and check that it fits. Raises ModelError."""
    strange = ModelError(f"{file_name} is not a LoRA for SDXL: its weights have names that SDXL’s do not.")
    names = LayerNames(shapes, unet_config.layers_per_block)
    placed: dict[str, Mapping[str, str]] = {}
    try:
        by_name = by_stem(file.tensors)
    except UnknownName as error:
        raise strange from error
    for stem, own in by_name.items():
        candidates = names.candidates(stem)
        if not candidates and not is_kindred(stem):
            raise strange
        if not candidates:
            raise ModelError(f"{file_name} was made for another model: the loaded one has no layer {shown(stem)}.")
        found = {kind: file.tensors[name].shape for kind, name in own.items()}
        layer = next((each for each in candidates if _fits(found, shapes[each])), candidates[0])
        _check_layer(file_name, layer, found, shapes[layer])
        if layer in placed:
            raise ModelError(f"{file_name} is damaged: it has weights for {shown(layer)} twice.")
        placed[layer] = own
    _check_magnitudes(file_name, placed)
    return placed


def _check_family(file_name: str, file: LoraFile, shapes: Shapes) -> None:
    ours = next((shape[1] for name, shape in shapes.items() if name.endswith("attn2.to_k")), 0)
    theirs = next((each.shape[1] for name, each in file.tensors.items() if ACROSS.search(name)), 0)
    if theirs in FAMILIES and theirs != ours:
        raise ModelError(f"{file_name} was made for {FAMILIES[theirs]}, not for the loaded model.")


def _fits(found: Mapping[str, tuple[int, ...]], there: tuple[int, ...]) -> bool:
    down, up = found.get("down", ()), found.get("up", ())
    return len(down) == len(up) == len(there) and (*up[:1], *down[1:]) == there and up[1] == down[0]


def _check_layer(file_name: str, name: str, found: Mapping[str, tuple[int, ...]], there: tuple[int, ...]) -> None:
    down, up = found.get("down"), found.get("up")
    if down is None or up is None:
        raise ModelError(f"{file_name} is damaged: one half of its weights for {shown(name)} is missing.")
    if not _fits(found, there):
        raise ModelError(
            f"{file_name} was made for another model: its {shown(name)} is {up[0]} x {down[1]}, "
            f"this model’s is {there[0]} x {there[1]}."
        )
    magnitude = found.get("magnitude")
    if magnitude and not (there[0] == prod(magnitude) and there[0] in magnitude[:2]):
        raise ModelError(f"{file_name} is a DoRA that cannot be used: {shown(name)} needs one magnitude per output.")


def _check_magnitudes(file_name: str, layers: Layers) -> None:
    """A part is a DoRA in all of its layers or in none, as PEFT has it. Raises ModelError."""
    for part in PARTS:
        kinds = {"magnitude" in own for layer, own in layers.items() if layer.startswith(f"{part}.")}
        if len(kinds) > 1:
            raise ModelError(f"{file_name} cannot be used: some of its layers are a DoRA, others a plain LoRA.")


def _weights(layer: str, own: Mapping[str, Tensor], file: LoraFile) -> dict[str, Tensor]:
    """A layer's weights by PEFT's names, scaled so that its alpha is its rank."""
    name, down, up = layer.partition(".")[2], own["down"], own["up"]
    rank = down.shape[0]
    scale = (float(own["alpha"]) if "alpha" in own else file.alpha_of(layer, rank)) / rank
    weights = {
        f"{name}.lora_A.weight": down,
        f"{name}.lora_B.weight": up if scale == 1 else (up.float() * scale),
    }
    if "magnitude" in own:
        flat = own["magnitude"].flatten()
        weights[f"{name}.lora_magnitude_vector"] = flat if down.ndim == 2 else flat.reshape(1, -1, 1, 1)
    return weights


def _config(weights: Mapping[str, Tensor], dora: bool) -> LoraConfig:
    """PEFT's settings for these weights: the most frequent rank, and the layers with another."""
    ranks = {key.removesuffix(".lora_A.weight"): w.shape[0] for key, w in weights.items() if "lora_A" in key}
    common = Counter(ranks.values()).most_common(1)[0][0]
    others = {re.escape(name): rank for name, rank in ranks.items() if rank != common}
    return LoraConfig(
        r=common,
        lora_alpha=common,
        target_modules=list(ranks),
        rank_pattern=others,
        alpha_pattern=others,
        use_dora=dora,
        init_lora_weights=dora,
    )
