"""The look of a picture in the words of the bundled model, such as "watercolor".

The bundled CLIP (app/demo_model/clip) says which of its looks a picture is most like. Its image tower is small enough
for plain NumPy, so the server can ask it without a model library; a test compares it with transformers. The vectors of
the looks' names are kept next to the model, in looks.json: `python -m scripts.look_names` writes them.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from app.quality.colour import Vectors

FOLDER = Path(__file__).parents[1] / "demo_model" / "clip"
SURE = 0.9  # probability of the likeliest look: a less likely one is not named
LIKE = 0.3  # cosine with its name: less is a picture of another kind than the model knows
EPSILON = 1e-5  # of its normalisations


class NamedLook(NamedTuple):
    """A look, as in a prompt for the bundled model."""

    words: str
    probability: float  # among the looks that the model knows
    likeness: float  # cosine of the picture and the words


def look_of(picture: Image.Image) -> NamedLook | None:
    """The look of a picture of any size; None if it is none that the bundled model knows well."""
    names, vectors, scale = _names()
    alike = vectors @ picture_vector(picture)
    likely = np.exp((alike - alike.max()) * scale)
    best = int(alike.argmax())
    found = NamedLook(names[best], float(likely[best] / likely.sum()), float(alike[best]))
    return found if found.probability >= SURE and found.likeness >= LIKE else None


@cache
def _names() -> tuple[list[str], Vectors, float]:
    """The looks, their vectors (N, D), and how much a cosine counts."""
    kept = json.loads((FOLDER / "looks.json").read_text())
    return list(kept["looks"]), np.array(list(kept["looks"].values()), np.float32), float(kept["scale"])


@cache
def _weights() -> tuple[Mapping[str, Vectors], Mapping[str, int]]:
    """The image tower's weights, in float32, and its configuration. The file is in the format of safetensors."""
    config = json.loads((FOLDER / "config.json").read_text())["vision_config"]
    data = (FOLDER / "model.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    kinds = {"F16": "<f2", "F32": "<f4"}
    found = {}
    for name, said in json.loads(data[8 : 8 + length]).items():
        if name.startswith("vision_model.") or name == "visual_projection.weight":
            begin, end = said["data_offsets"]
            values = np.frombuffer(data[8 + length + begin : 8 + length + end], kinds[said["dtype"]])
            found[name.removeprefix("vision_model.")] = values.astype(np.float32).reshape(said["shape"])
    return found, config


def picture_vector(picture: Image.Image) -> Vectors:
    """The bundled CLIP's vector (D,) of the middle square of a picture, of length 1."""
    weights, config = _weights()
    side, patch = config["image_size"], config["patch_size"]
    pixels = np.asarray(_middle(picture, side), np.float32) / 127.5 - 1
    count = side // patch
    patches = pixels.reshape(count, patch, count, patch, 3).transpose(0, 2, 4, 1, 3).reshape(count**2, -1)
    kernel = weights["embeddings.patch_embedding.weight"]
    tokens = patches @ kernel.reshape(len(kernel), -1).T
    x = np.concatenate([weights["embeddings.class_embedding"][None], tokens])
    x = _normal(x + weights["embeddings.position_embedding.weight"], weights, "pre_layrnorm")
    for layer in range(config["num_hidden_layers"]):
        name = f"encoder.layers.{layer}"
        x = x + _attended(_normal(x, weights, f"{name}.layer_norm1"), weights, name, config["num_attention_heads"])
        hidden = _linear(_normal(x, weights, f"{name}.layer_norm2"), weights, f"{name}.mlp.fc1")
        x = x + _linear(_gelu(hidden), weights, f"{name}.mlp.fc2")
    vector = weights["visual_projection.weight"] @ _normal(x[0], weights, "post_layernorm")
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def _middle(picture: Image.Image, side: int) -> Image.Image:
    scale = side / min(picture.size)
    width, height = (max(round(length * scale), side) for length in picture.size)
    left, top = (width - side) // 2, (height - side) // 2
    scaled = picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    return scaled.crop((left, top, left + side, top + side))


def _linear(x: Vectors, weights: Mapping[str, Vectors], name: str) -> Vectors:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def _normal(x: Vectors, weights: Mapping[str, Vectors], name: str) -> Vectors:
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def _attended(x: Vectors, weights: Mapping[str, Vectors], name: str, heads: int) -> Vectors:
    query, key, value = (
        _linear(x, weights, f"{name}.self_attn.{part}_proj").reshape(len(x), heads, -1).transpose(1, 0, 2)
        for part in ("q", "k", "v")
    )
    logits = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1])
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    mixed = shares / shares.sum(axis=-1, keepdims=True) @ value
    return _linear(mixed.transpose(1, 0, 2).reshape(x.shape), weights, f"{name}.self_attn.out_proj")


def _gelu(x: Vectors) -> Vectors:
    """x times the normal distribution's integral up to x (Abramowitz and Stegun 7.1.26, within 2e-7)."""
    z = np.abs(x) / np.sqrt(2)
    t = 1 / (1 + 0.3275911 * z)
    tail = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    return np.asarray(0.5 * x * (1 + np.sign(x) * (1 - tail * np.exp(-(z**2)))), np.float32)
