"""Load an SDXL, or a ControlNet for it, from where the user says, or explain in one sentence why not.

Weights are read from safetensors only: never from a pickle, never with remote code.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal

import diffusers
import psutil
import torch
import transformers
from huggingface_hub import snapshot_download
from safetensors import SafetensorError, safe_open

from app.style_aligned.on_cpu import hasten
from app.style_aligned.weights import CheckedWeights, Unusable

DEMO = Path(__file__).parents[1] / "demo_model"
UNSAFE = {".ckpt", ".pt", ".pth", ".bin"}  # formats that can carry code
PARTS = ("tokenizer", "tokenizer_2", "scheduler", "text_encoder", "text_encoder_2", "vae", "unet")
WORKING_MEMORY = 1.25  # memory for a run including the weights, as a multiple of them

# Tensors that identify SDXL's single-file format: in its second text encoder and its text-and-time embedding.
SDXL_KEYS = {
    "conditioner.embedders.1.model.transformer.resblocks.9.mlp.c_proj.bias",
    "model.diffusion_model.label_emb.0.0.weight",
}

# Configuration that a ControlNet must share with its UNet.
CONTROL_SHAPE = (
    "cross_attention_dim",
    "in_channels",
    "block_out_channels",
    "layers_per_block",
    "addition_embed_type",
    "projection_class_embeddings_input_dim",
)

HINT_LAYERS = (16, 32, 96, 256)  # diffusers' default, where a ControlNet's configuration names none

DeviceChoice = Literal["auto", "cuda", "mps", "cpu"]
PrecisionChoice = Literal["auto", "float32", "bfloat16", "float16"]
Progress = Callable[[str, float], None]


class ModelError(Exception):
    """The model cannot be loaded. The message is one sentence for the person who chose it."""


@dataclass(frozen=True)
class Placement:
    """The device and number format of a model."""

    device: torch.device
    dtype: torch.dtype

    @classmethod
    def choose(cls, device: DeviceChoice = "auto", precision: PrecisionChoice = "auto") -> "Placement":
        """Choose the best available device, CUDA, then MPS, then CPU, and its format: bfloat16, float16, float32.

        Raises ModelError if the requested device is not available.
        """
        there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
        name = next(n for n in there if there[n]) if device == "auto" else device
        if not there[name]:
            raise ModelError(f"PyTorch finds no device {name} on this machine.")
        suits = {"cuda": torch.bfloat16, "mps": torch.float16, "cpu": torch.float32}[name]
        return cls(torch.device(name), suits if precision == "auto" else getattr(torch, precision))

    def __str__(self) -> str:
        return f"{self.device.type}, {str(self.dtype).removeprefix('torch.')}"

    @property
    def free_bytes(self) -> int:
        """Free memory on the device, in bytes."""
        if self.device.type == "cuda":
            return torch.cuda.mem_get_info(self.device)[0]
        return psutil.virtual_memory().available


def load_pipeline(model: str, place: Placement, progress: Progress, checked: CheckedWeights | None = None) -> Any:
    """Load the `StableDiffusionXLPipeline` that `model` names: "demo", a folder, a hub id, or a `.safetensors` file.

    `progress(what, fraction)` receives what is being loaded and the completed fraction, 0 to 1. `checked` knows which
    weights need no other check. Raises ModelError.
    """
    hush()
    checked = checked or CheckedWeights(None)
    path = DEMO if model == "demo" else Path(model).expanduser()
    if path.suffix in UNSAFE:
        raise ModelError(f"{model} is not a safetensors file; other formats can carry code and are refused.")
    if path.is_file():
        return _load_file(path, place, progress, checked)
    if not path.is_dir():
        if not _is_hub_id(model):
            raise ModelError(f"There is no model at {model}: no such folder or file, and not a hub id like owner/name.")
        progress(f"Downloading {model}", 0.0)
        path = _download(model, place)
    return _load_folder(path, model, place, progress, checked)


def load_controlnet(name: str, unet: Any, factor: int, place: Placement, checked: CheckedWeights | None = None) -> Any:
    """Load the ControlNet `name`, a folder in diffusers format or a hub id, made for a UNet like `unet`.

    `factor` is px per latent of the model: the net must downscale its maps by the same factor.

    The weights tell a `ControlNetUnionModel` from a `ControlNetModel`: published configurations name either. Raises
    ModelError.
    """
    hush()
    path = Path(name).expanduser()
    if path.suffix in UNSAFE:
        raise ModelError(f"{name} is not safetensors; other formats can carry code and are refused.")
    if not path.is_dir():
        if path.is_file() or not _is_hub_id(name):
            raise ModelError(f"There is no ControlNet at {name}: no such folder, and not a hub id like owner/name.")
        path = _download_controlnet(name, place)
    variant = "fp16" if place.dtype is not torch.float32 or not _weights(path, None) else None
    files = _weights(path, variant)
    if not files:
        raise ModelError(f"{name} has no safetensors files; other formats can carry code and are refused.")
    variant = variant if any(f".{variant}" in f.name for f in files) else None
    keys = {key for file in files for key in _tensor_names(file)}
    if "controlnet_cond_embedding.conv_in.weight" not in keys:
        raise ModelError(f"{name} is not a ControlNet.")
    kind = diffusers.ControlNetUnionModel if "task_embedding" in keys else diffusers.ControlNetModel
    try:
        config: dict[str, Any] = kind.load_config(path)
        for value in CONTROL_SHAPE:
            own, wanted = config.get(value), unet.config.get(value)
            if own != wanted:
                raise ModelError(f"{name} is a ControlNet for another model: its {value} is {own}, not {wanted}.")
        if (scale := _map_scale(config)) != factor:
            raise ModelError(
                f"{name} is a ControlNet for another model: {scale} px of its maps per latent, not {factor}."
            )
        _check_memory(sum(_parameters(file) for file in files), name, place)
        _check_weights(files, place, checked or CheckedWeights(None))
        net = kind.from_pretrained(path, use_safetensors=True, variant=variant, torch_dtype=place.dtype)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"The ControlNet {name} could not be loaded: {str(error).splitlines()[0]}") from error
    return hasten(net.to(place.device).eval().requires_grad_(False))


def _map_scale(config: dict[str, Any]) -> int:
    """px of its maps per latent of a ControlNet: all its map layers but the first halve the size."""
    layers = config.get("conditioning_embedding_out_channels") or HINT_LAYERS
    return 2 ** (len(layers) - 1)


def _is_hub_id(name: str) -> bool:
    return name.count("/") == 1 and not name.startswith((".", "/", "~"))


def _download_controlnet(hub_id: str, place: Placement) -> Path:
    """Find or download a hub ControlNet and return its folder.

    Prefers a half-precision file where half precision is enough.
    """
    names = ("diffusion_pytorch_model", "diffusion_pytorch_model-*")
    wanted = [f"{name}.safetensors" for name in names] + ["diffusion_pytorch_model.safetensors.index.json"]
    try:
        if place.dtype is not torch.float32:
            half = ["config.json", "diffusion_pytorch_model.fp16.safetensors"]
            folder = Path(snapshot_download(hub_id, allow_patterns=half))
            if _weights(folder, "fp16"):
                return folder
        return Path(snapshot_download(hub_id, allow_patterns=["config.json", *wanted]))
    except (OSError, ValueError) as error:  # not there, or no network
        raise ModelError(f"The ControlNet {hub_id} could not be downloaded; check its name and the network.") from error


def hush() -> None:
    """Silence the libraries' own progress bars and hints; `progress` and ModelError report what matters."""
    diffusers.utils.logging.disable_progress_bar()
    diffusers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()


# What transformers raises for files that it cannot load a model from.
UNLOADABLE = (OSError, ValueError, TypeError, KeyError, RuntimeError, ImportError, SafetensorError, Unusable)


def helper_folder(name: str, *more: str) -> Path:
    """The folder of a model that helps with pictures or texts: `name`, or what the hub has under that id.

    It is in transformers' format, float32 is what it runs in, and its weights are checked; `more` are patterns of files
    besides JSON and safetensors. Raises UNLOADABLE.
    """
    hush()
    folder = Path(name).expanduser()
    if not folder.is_dir():
        folder = Path(snapshot_download(name, allow_patterns=["*.json", "*.safetensors", *more]))
    weights = list(folder.glob("*.safetensors"))
    if not weights:
        raise OSError("it has no safetensors files.")
    CheckedWeights(None).check(weights, torch.float32)
    return folder


def _download(hub_id: str, place: Placement) -> Path:
    """Find or download a hub model and return its folder.

    Prefers half-precision files where half precision is enough.
    """
    variants = ["fp16", None] if place.dtype is not torch.float32 else [None]
    reason: Exception | None = None
    for variant in variants:
        try:
            return Path(diffusers.StableDiffusionXLPipeline.download(hub_id, use_safetensors=True, variant=variant))
        except (OSError, ValueError) as error:  # not there, no network, or no such variant
            reason = error
    raise ModelError(f"The model {hub_id} could not be downloaded; check its name and the network.") from reason


def _load_folder(folder: Path, model: str, place: Placement, progress: Progress, checked: CheckedWeights) -> Any:
    try:
        index: dict[str, Any] = diffusers.DiffusionPipeline.load_config(folder)
    except (OSError, ValueError) as error:
        raise ModelError(f"{model} is not a model in diffusers format: it has no readable model_index.json.") from error
    if not str(index.get("_class_name")).startswith("StableDiffusionXL") or any(p not in index for p in PARTS):
        raise ModelError(f"{model} is not an SDXL model but {index.get('_class_name', 'something else')}.")
    if lacking := [part for part in PARTS if None in index[part]]:  # the refiner has one text encoder only
        raise ModelError(f"{model} is not a complete SDXL model: it has no {lacking[0].replace('_', ' ')}.")
    variant = _variant(folder, place)
    _check_memory(sum(_parameters(f) for part in PARTS for f in _weights(folder / part, variant)), model, place)
    _check_weights([file for part in PARTS for file in _weights(folder / part, variant)], place, checked)
    parts: dict[str, Any] = {}
    sizes = {part: sum(f.stat().st_size for f in _weights(folder / part, variant)) for part in PARTS}
    whole = sum(sizes.values())
    try:
        for part in PARTS:
            done = sum(sizes[p] for p in parts)
            progress(f"Loading {part.replace('_', ' ')}", done / max(whole, 1))
            parts[part] = _load_part(folder, part, index[part], variant, place)
    except (OSError, ValueError, SafetensorError) as error:
        first_line = str(error).split("\n")[0]
        raise ModelError(f"The {part} of {model} could not be loaded: {first_line}") from error
    progress("Loaded", 1.0)
    zeros = index.get("force_zeros_for_empty_prompt", True)
    return diffusers.StableDiffusionXLPipeline(**parts, force_zeros_for_empty_prompt=zeros, add_watermarker=False)


def _load_part(folder: Path, part: str, kind: list[str], variant: str | None, place: Placement) -> Any:
    library, name = kind
    cls = getattr({"diffusers": diffusers, "transformers": transformers}.get(library), name, None)
    if cls is None:  # a part with its own code, or newer than our libraries
        raise OSError(f"{name} of {library} is not supported.")
    where = folder / part
    if not where.is_dir():
        raise OSError(f"the folder {part} is missing.")
    if not (weights := _weights(where, variant)):
        if part.startswith(("tokenizer", "scheduler")):
            return cls.from_pretrained(where)
        raise OSError("it has no safetensors files.")
    chosen = variant if any(f".{variant}" in f.name for f in weights) else None
    options = {"torch_dtype" if library == "diffusers" else "dtype": place.dtype}
    loaded = cls.from_pretrained(where, use_safetensors=True, variant=chosen, **options)
    return hasten(loaded.to(place.device).eval().requires_grad_(False))


def _load_file(path: Path, place: Placement, progress: Progress, checked: CheckedWeights) -> Any:
    if path.suffix != ".safetensors":
        raise ModelError(f"{path.name} is not a safetensors file; other formats can carry code and are refused.")
    try:
        with safe_open(path, "pt") as file:
            keys = set(file.keys())
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path.name} is damaged or not a safetensors file.") from error
    if not keys >= SDXL_KEYS:
        raise ModelError(f"{path.name} is not an SDXL model: it lacks SDXL’s second text encoder.")
    _check_memory(_parameters(path), path.name, place)
    _check_weights([path], place, checked)
    progress(f"Loading {path.name}", 0.0)
    try:
        pipeline = diffusers.StableDiffusionXLPipeline.from_single_file(
            str(path), torch_dtype=place.dtype, add_watermarker=False
        )
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path.name} could not be loaded; its tokenizers and settings come from the hub, so check the network."
        ) from error
    progress("Loaded", 1.0)
    pipeline.to(place.device)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            hasten(part)
    return pipeline


def _variant(folder: Path, place: Placement) -> str | None:
    """The file variant: "fp16" if half precision is wanted and available, or if there is nothing else."""
    files = _weights(folder / "unet", None)
    halves = list((folder / "unet").glob("*.fp16*.safetensors"))
    return "fp16" if halves and (not files or place.dtype is not torch.float32) else None


def _weights(folder: Path, variant: str | None) -> list[Path]:
    """The safetensors files of one part: those of the variant, or else the plain ones."""
    files = sorted(folder.glob("*.safetensors"))
    plain = [f for f in files if ".fp16" not in f.name and ".non_ema" not in f.name]
    return [f for f in files if f".{variant}" in f.name] or plain


def _parameters(file: Path) -> int:
    """Count the numbers in a safetensors file, from its header. Raises ModelError if it cannot be read."""
    try:
        with safe_open(file, "pt") as tensors:
            return sum(prod(tensors.get_slice(key).get_shape()) for key in _keys(tensors))
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{file.parent.name}/{file.name} is damaged or not a safetensors file.") from error


def _tensor_names(file: Path) -> set[str]:
    """The tensor names in a safetensors file, from its header. Raises ModelError if it cannot be read."""
    try:
        with safe_open(file, "pt") as tensors:
            return set(tensors.keys())
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{file.parent.name}/{file.name} is damaged or not a safetensors file.") from error


def _keys(tensors: Any) -> Iterator[str]:
    yield from tensors.keys()


def _check_weights(files: list[Path], place: Placement, checked: CheckedWeights) -> None:
    try:
        checked.check(files, place.dtype)
    except Unusable as error:
        raise ModelError(str(error)) from error


def _check_memory(parameters: int, model: str, place: Placement) -> None:
    needed = parameters * place.dtype.itemsize * WORKING_MEMORY
    if needed > place.free_bytes:
        raise ModelError(
            f"{model} needs about {needed / 2**30:.1f} GiB in {place}, "
            f"but only {place.free_bytes / 2**30:.1f} GiB are free."
        )
