"""Read a LoRA file without trusting a byte of it: its header, its tensors, its numbers.

A safetensors file starts with the length of its header, 8 bytes, little-endian. The header is JSON with each tensor's
number type, shape and position. The numbers follow, without gaps. (https://github.com/huggingface/safetensors)

Limits apply before anything is parsed, so that reading takes bounded time: some megabytes of header, some thousand
tensors. The largest LoRAs for SDXL, covering all its layers with an alpha for each, have about 5,000. Everything here
is a pure function of bytes, so it can also run in another process.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite, prod
from typing import Any, NoReturn

import numpy as np

from app.style_aligned.loading import ModelError

MOST_HEADER = 8 * 2**20  # bytes; trainers store the frequencies of all their tags in it
MOST_TENSORS = 12_000
MOST_BRACKETS = 100_000  # in addition to those of tensors: in the trainers' metadata
MOST_RANK = 1024
MOST_SCALE = 64.0  # alpha over rank; trainers use 1 or less, at most the root of the rank
LARGEST = 65504.0  # the largest float16; a LoRA's weights are below 100
NAME_LENGTH = 200  # of a tensor
PHRASE = "soroe.phrase"  # in the metadata: what prompts say for the subject
PHRASE_LENGTH = 200
CONFIG = "lora_adapter_metadata"  # in the metadata: PEFT's settings, as diffusers writes and applies them
# PEFT settings that can have any value: they affect training only, or are checked separately.
HARMLESS = {
    *(
        "r",
        "lora_alpha",
        "peft_type",
        "task_type",
        "auto_mapping",
        "peft_version",
        "base_model_name_or_path",
        "revision",
    ),
    *("use_dora", "inference_mode", "lora_dropout", "fan_in_fan_out", "use_rslora", "megatron_core", "runtime_config"),
    "qalora_group_size",
}
MAGNITUDE = re.compile(r"dora_scale$|lora_magnitude_vector")  # of a DoRA: one number per output of a layer

# Adapters of other kinds, by parts of their tensors' names.
OTHER_KINDS = {
    "hada_": "a LoHa file",
    "lokr_": "a LoKr file",
    "lora_mid": "a LoCon with a Tucker decomposition",
    "boft_": "a BOFT file",
    "oft_": "an OFT file",
    "ia3_": "an IA3 file",
    ".on_input": "an IA3 file",
    "vera_": "a VeRA file",
    "lora_embedding": "a LoRA of embeddings",
    ".diff": "a file of full differences",
    "emb_params": "a textual inversion",
}
PLAIN = re.compile(r"[\w.^$\\-]{0,300}", re.ASCII)  # names of layers, with nothing that repeats or branches
CHUNK = 2**22  # numbers checked at a time

# Number types by their names in a header, with their size and the bits of their magnitude: without its sign bit, a
# floating-point number compares like its bits as an integer, and infinity and NaN are above all.
FLOATS = {"F64": ("<u8", "<f8"), "F32": ("<u4", "<f4"), "F16": ("<u2", "<f2"), "BF16": ("<u2", "")}
WHOLE = {"I64": "<i8", "I32": "<i4", "I16": "<i2"}  # for alphas only


@dataclass(frozen=True)
class Stored:
    """A tensor in a file."""

    kind: str  # such as F16
    shape: tuple[int, ...]
    start: int  # of its bytes in the file
    end: int

    @property
    def rank(self) -> int:
        """Rank of the update, if this is the first half of one."""
        return self.shape[0] if self.shape else 1


@dataclass(frozen=True)
class LoraFile:
    """A checked header."""

    metadata: Mapping[str, str]
    tensors: Mapping[str, Stored]
    alphas: Mapping[str, float]  # by the tensor's name, which ends in ".alpha"

    def alpha_of(self, layer: str, rank: int) -> float:
        """The alpha of a layer such as "unet.conv_in" by PEFT's settings in the metadata; its rank if they say nothing.

        The update of a layer is scaled by its alpha over its rank.
        """
        part, _, name = layer.partition(".")
        settings = {key.removeprefix(f"{part}."): value for key, value in self.config.items()}
        patterns = settings.get("alpha_pattern") or {}
        found = next((value for key, value in patterns.items() if re.fullmatch(rf"(.*\.)?({key})", name)), None)
        alpha = float(settings.get("lora_alpha", rank) if found is None else found)
        return alpha * rank**0.5 if settings.get("use_rslora") else alpha

    @property
    def config(self) -> dict[str, Any]:
        """PEFT's settings, by names such as "unet.lora_alpha"; checked before."""
        config = json.loads(self.metadata.get(CONFIG, "{}"))
        return config if isinstance(config, dict) else {}

    @property
    def phrase(self) -> str:
        """What prompts say for the subject; "" if the file does not say, or says something unusable."""
        phrase = self.metadata.get(PHRASE, "")
        return phrase if len(phrase) <= PHRASE_LENGTH else ""


class Wrong(ValueError):
    """A fault in a file, as the end of a sentence that starts with its name."""


def shown(name: str, length: int = 80) -> str:
    """Shorten a name for a sentence: one line, at most `length` characters."""
    line = "".join(character if character.isprintable() else "?" for character in name[: length + 1])
    return line if len(line) <= length else f"{line[: length - 1]}…"


def read(data: bytes, file_name: str) -> LoraFile:
    """Read the header of a LoRA file and its alphas, and check everything, including the numbers.

    Raises ModelError with a sentence.
    """
    try:
        header, start = _header(data)
        metadata = _metadata(header.pop("__metadata__", {}))
        _check_kind(header)
        tensors = {name: _stored(name, told, start) for name, told in header.items()}
        _check_places(tensors.values(), start, len(data))
        alphas = {name: _alpha(data, name, each) for name, each in tensors.items() if name.endswith(".alpha")}
        found = LoraFile(metadata, tensors, alphas)
        _check_scales(found)
        _check_config(metadata)
        _check_numbers(data, tensors)
    except Wrong as wrong:
        raise ModelError(f"{shown(file_name)} {wrong}.") from wrong
    return found


def phrase_in(data: bytes) -> str:
    """The trigger phrase in the metadata of a LoRA file; "" if there is none.

    `data` can be just the beginning, as long as the header.
    """
    try:
        header, _ = _header(data, whole=False)
        return LoraFile(_metadata(header.get("__metadata__", {})), {}, {}).phrase
    except Wrong:
        return ""


def _header(data: bytes, whole: bool = True) -> tuple[dict[str, Any], int]:
    """Parse the header as JSON, and find where the numbers begin."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 9 or not 0 < length <= len(data) - 8:
        raise Wrong("is damaged or not a safetensors file")
    if length > MOST_HEADER:
        most = MOST_HEADER // 2**20
        raise Wrong(f"has a header of {length / 2**20:.3g} MB; at most {most} MB are read. Save it as a plain LoRA")
    raw = data[8 : 8 + length]
    # Before parsing: a header is slow because of the number of its tensors.
    number = raw.count(b'"data_offsets"')
    if number > MOST_TENSORS:
        raise Wrong(f"has {number} tensors; a LoRA for SDXL has a few thousand, and at most {MOST_TENSORS} are read")
    if raw.count(b"[") + raw.count(b"{") > 3 * number + MOST_BRACKETS:
        raise Wrong("is damaged or not a safetensors file")
    try:
        header = json.loads(raw.decode(), object_pairs_hook=_pairs, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Wrong("is damaged or not a safetensors file") from error
    if not isinstance(header, dict):
        raise Wrong("is damaged or not a safetensors file")
    if whole and len(header) <= ("__metadata__" in header):
        raise Wrong("is not a LoRA: it holds no adapter weights")
    return header, 8 + length


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name comes twice")
    return found


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _metadata(told: Any) -> dict[str, str]:
    if not isinstance(told, dict) or not all(isinstance(value, str) for value in told.values()):
        raise Wrong("is damaged: its metadata are not texts")
    return told


def _check_kind(names: Iterable[str]) -> None:
    """Raise Wrong for an adapter of another kind than LoRA and DoRA."""
    for name in names:
        for mark, kind in OTHER_KINDS.items():
            if mark in name:
                raise Wrong(f"is {kind}; Soroe reads LoRA and DoRA. Convert it to a LoRA, or choose another file")


def _stored(name: str, told: Any, start: int) -> Stored:
    """Read a tensor's header entry; `start` is where the numbers begin."""
    if len(name) > NAME_LENGTH:
        raise Wrong(f"is not a LoRA for SDXL: a tensor’s name has {len(name)} characters")
    tensor = shown(name)
    if not isinstance(told, dict) or set(told) != {"dtype", "shape", "data_offsets"}:
        raise Wrong(f"is damaged: its tensor {tensor} is not described")
    kind, shape, offsets = told["dtype"], told["shape"], told["data_offsets"]
    if not _whole_numbers(shape) or not _whole_numbers(offsets) or len(offsets) != 2 or not isinstance(kind, str):
        raise Wrong(f"is damaged: its tensor {tensor} is not described")
    alpha = name.endswith(".alpha")
    if kind not in FLOATS and not (alpha and kind in WHOLE):
        raise Wrong(f"holds numbers of the kind {shown(kind, 20)}, which cannot be used; save it in float16 or float32")
    if alpha and prod(shape) != 1:
        raise Wrong(f"is damaged: its tensor {tensor} is not one number")
    ranks = (1, 2, 4) if MAGNITUDE.search(name) else (2, 4)
    if not alpha and (len(shape) not in ranks or not all(shape)):
        raise Wrong(f"is not a LoRA for SDXL: its tensor {tensor} has the shape {shown(str(shape), 60)}")
    size = np.dtype(WHOLE[kind] if kind in WHOLE else FLOATS[kind][0]).itemsize
    if offsets[1] - offsets[0] != prod(shape) * size:
        raise Wrong(f"is damaged: its tensor {tensor} has another size than its shape")
    return Stored(kind, tuple(shape), start + offsets[0], start + offsets[1])


def _whole_numbers(value: Any) -> bool:
    """Whether `value` is a short list of numbers that a file can have."""
    return (
        isinstance(value, list)
        and len(value) <= 8
        and all(isinstance(each, int) and not isinstance(each, bool) and 0 <= each < 2**40 for each in value)
    )


def _check_places(tensors: Iterable[Stored], start: int, end: int) -> None:
    """Check that tensors are contiguous and fill the file, so that none shares its numbers with another."""
    places = sorted((each.start, each.end) for each in tensors)
    follow = all(before[1] == after[0] for before, after in pairwise(places))
    if not places or places[0][0] != start or places[-1][1] != end or not follow:
        raise Wrong("is damaged or incomplete: its tensors do not fill it")


def _alpha(data: bytes, name: str, each: Stored) -> float:
    raw = data[each.start : each.end]
    if each.kind == "BF16":
        value = float(np.frombuffer(b"\0\0" + raw, "<f4")[0])
    else:
        value = float(np.frombuffer(raw, WHOLE.get(each.kind) or FLOATS[each.kind][1])[0])
    if not isfinite(value) or value <= 0:
        raise Wrong(f"cannot be used: its {shown(name)} is {value:g}, and must be a number above 0")
    return value


def _check_scales(file: LoraFile) -> None:
    """Raise Wrong for a layer whose rank, or whose alpha over it, exceeds what training produces."""
    for name, each in file.tensors.items():
        stem, dot, half = name.rpartition(".lora")
        if dot and half in (".down.weight", "_down.weight", "_A.weight", "_A.default.weight"):
            if each.rank > MOST_RANK:
                raise Wrong(f"has the rank {each.rank} at {shown(name)}; at most {MOST_RANK} can be used")
            alpha = file.alphas.get(f"{stem}.alpha", 1.0)
            _check_scale(alpha, each.rank, shown(name))
    for name, alpha in file.alphas.items():  # of layers with other names too
        _check_scale(alpha, MOST_RANK, shown(name))


def _check_scale(alpha: float, rank: int, where: str) -> None:
    if alpha > MOST_SCALE * rank:
        raise Wrong(
            f"cannot be used: its alpha of {alpha:g} at {where} is {alpha / rank:.3g} times the rank, at most "
            f"{MOST_SCALE:g} times make pictures. Save it with another alpha"
        )


def _check_config(metadata: Mapping[str, str]) -> None:
    """Raise Wrong for PEFT settings that amplify the weights excessively, or are of another kind."""
    if CONFIG not in metadata:
        return
    try:
        config = json.loads(metadata[CONFIG], object_pairs_hook=_pairs, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Wrong("is damaged: its settings cannot be read") from error
    if not isinstance(config, dict):
        raise Wrong("is damaged: its settings cannot be read")
    for name, value in config.items():
        setting = name.rpartition(".")[2]
        values = list(value.values()) if isinstance(value, dict) else [value]
        if setting in ("r", "rank_pattern") and not all(_between(each, 1, MOST_RANK) for each in values):
            raise Wrong(f"has a rank that cannot be used; ranks are numbers from 1 to {MOST_RANK}")
        if setting in ("lora_alpha", "alpha_pattern"):
            rank = config.get(f"{name.removesuffix(setting)}r", 1)
            most = MOST_SCALE * (rank if _between(rank, 1, MOST_RANK) else 1)
            if not all(_between(each, 1e-6, most) for each in values):
                raise Wrong(
                    f"cannot be used: its alpha is not a number above 0 and at most {MOST_SCALE:g} times its rank"
                )
        _check_setting(setting, value)


def _check_setting(setting: str, value: Any) -> None:
    """Accept only the settings of a plain LoRA.

    PEFT treats layer names as regular expressions, which can keep it busy for years, and some initialisations change
    the model's own weights (PiSSA, LoftQ).
    """
    if setting in ("rank_pattern", "alpha_pattern", "target_modules"):
        names = [value] if isinstance(value, str) else value
        fine = isinstance(names, list | dict) and all(isinstance(each, str) and PLAIN.fullmatch(each) for each in names)
    elif setting == "init_lora_weights":
        fine = value is None or isinstance(value, bool) or value == "gaussian"
    elif setting == "bias":
        fine = value == "none"  # PEFT loads no second adapter after one with biases
    else:
        fine = setting in HARMLESS or not value
    if not fine and value is not None:
        raise Wrong(f"has the setting {shown(setting, 40)}, which a plain LoRA does not; save it as a plain LoRA")


def _between(value: Any, least: float, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def _check_numbers(data: bytes, tensors: Mapping[str, Stored]) -> None:
    """Raise Wrong for a tensor with NaN, infinity, or values above float16; reads a few megabytes at a time."""
    for name, each in tensors.items():
        if each.kind not in FLOATS:
            continue
        bits, limit = np.dtype(FLOATS[each.kind][0]), _bits(each.kind)
        without_sign = bits.type(2 ** (8 * bits.itemsize - 1) - 1)
        for start in range(each.start, each.end, CHUNK * bits.itemsize):
            count = min(CHUNK, (each.end - start) // bits.itemsize)
            numbers = np.frombuffer(data, bits, count, start)
            if int((numbers & without_sign).max(initial=0)) > limit:
                raise Wrong(
                    f"cannot be used: {shown(name)} holds infinite or missing numbers, as a failed training leaves"
                    " them. Choose a file saved earlier"
                )


def _bits(kind: str) -> int:
    """`LARGEST` as an integer with the same bits."""
    if kind == "BF16":
        return int(np.frombuffer(np.array(LARGEST, "<f4").tobytes(), "<u4")[0]) >> 16
    whole, number = FLOATS[kind]
    return int(np.frombuffer(np.array(LARGEST, number).tobytes(), whole)[0])
