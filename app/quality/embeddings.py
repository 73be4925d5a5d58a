"""Models that embed pictures: DINO, CLIP and CSD, by setting, and the bundled CLIP otherwise.

Sources: Caron et al., "Emerging Properties in Self-Supervised Vision Transformers", ICCV 2021 (DINO; StyleAligned
measures with ViT-B/8); Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML
2021 (CLIP); Somepalli et al., "Measuring Style Similarity in Diffusion Models", ECCV 2024 (CSD).

transformers has no class for CSD: its weights are those of OpenAI's CLIP image tower, under OpenAI's names, and two
projections, of which the one for style is used. They are renamed here to transformers' CLIP image tower.

Never imported by the web server, which has no model library.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional
from transformers import (
    AutoModel,
    AutoTokenizer,
    CLIPConfig,
    CLIPModel,
    CLIPVisionConfig,
    CLIPVisionModel,
    PreTrainedModel,
)

from app.quality.colour import Vectors
from app.quality.embedder import BUNDLED, OFF, ROLES, Embedder, Role, parsed
from app.style_aligned.loading import DEMO, UNLOADABLE, helper_folder
from app.style_aligned.on_cpu import hasten

SIDE = 224  # px: the input of most published models
CLIP_MEAN, CLIP_SPREAD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


class CannotEmbed(Exception):
    """A model of the setting cannot be used. The message is one sentence for an administrator."""


def loaded(setting: str, device: str = "cpu") -> list[Embedder]:
    """The models of the setting `SOROE_MEASURES`, and the bundled CLIP if it names no other.

    None for `off`. Raises CannotEmbed, or ValueError if the setting is not one.
    """
    found, failed = loadable(setting, device)
    if failed:
        raise CannotEmbed(next(iter(failed.values())))
    return found


def loadable(setting: str, device: str = "cpu") -> tuple[list[Embedder], dict[Role, str]]:
    """The same, without those that cannot be loaded; and a sentence by role about each of these."""
    if setting.strip() == OFF:
        return [], {}
    named = parsed(setting)
    kinds = {"dino": Dino, "clip": Clip, "csd": Csd}
    found: list[Embedder] = []
    failed: dict[Role, str] = {}
    for role in ROLES:
        name = named.get(role, BUNDLED if role == "clip" else "")
        if not name:
            continue
        try:
            folder = DEMO / "clip" if name == BUNDLED else helper_folder(name)
            found.append(kinds[role](folder, name, device))
        except UNLOADABLE as error:
            why = str(error).split("\n")[0]
            failed[role] = f"The model {name} of SOROE_MEASURES cannot be loaded as {role}: {why}"
    return found, failed


@dataclass(frozen=True)
class SquareInput:
    """How a model wants its pictures, from its `preprocessor_config.json`."""

    side: int = SIDE
    shorter: int = SIDE  # px to which the shorter side is scaled before the middle is cut out
    mean: tuple[float, ...] = CLIP_MEAN
    spread: tuple[float, ...] = CLIP_SPREAD

    @classmethod
    def read(cls, folder: Path, side: int) -> "SquareInput":
        """Of the model in `folder`, whose input is `side` px wide. Raises OSError or ValueError."""
        file = folder / "preprocessor_config.json"
        said = json.loads(file.read_text()) if file.is_file() else {}
        size = said.get("size", side)
        shorter = size.get("shortest_edge", size.get("height", side)) if isinstance(size, dict) else size
        normal = said.get("do_normalize", True)
        mean = tuple(said.get("image_mean", CLIP_MEAN)) if normal else (0.0, 0.0, 0.0)
        return cls(
            side, max(int(shorter or side), side), mean, tuple(said.get("image_std", CLIP_SPREAD)) if normal else (1.0,)
        )

    def middle(self, picture: Image.Image) -> Image.Image:
        """The middle square of a picture as the model wants it: published figures are measured so."""
        scale = self.shorter / min(picture.size)
        width, height = (max(round(side * scale), self.side) for side in picture.size)
        left, top = (width - self.side) // 2, (height - self.side) // 2
        scaled = picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
        return scaled.crop((left, top, left + self.side, top + self.side))

    def whole(self, picture: Image.Image) -> Image.Image:
        """The whole picture, made square."""
        return picture.convert("RGB").resize((self.side, self.side), Image.Resampling.BICUBIC)

    def pixels(self, square: Image.Image, device: str) -> Tensor:
        """A square as a tensor (1, 3, side, side)."""
        scaled = np.asarray(square, np.float32) / 255
        normal = (scaled - np.array(self.mean, np.float32)) / np.array(self.spread, np.float32)
        return torch.from_numpy(normal).permute(2, 0, 1)[None].to(device)


class _Tower:
    """An image tower: vectors of a picture and of its parts. Subclasses say how the model's states become vectors."""

    role: Role

    def __init__(self, name: str, model: PreTrainedModel, preparation: SquareInput, device: str) -> None:
        self.name, self.device, self.preparation = name, device, preparation
        self.model = hasten(model.to(device).eval().requires_grad_(False))

    @torch.inference_mode()
    def picture(self, picture: Image.Image) -> Vectors:
        """The vector (D,) of the middle square of a picture, of length 1."""
        return self._vectors(self._states(self.preparation.middle(picture))[:, 0])[0]

    @torch.inference_mode()
    def patches(self, picture: Image.Image) -> Vectors:
        """The vectors (h, w, D) of the parts of the whole picture, each of length 1."""
        vectors = self._vectors(self._states(self.preparation.whole(picture))[0, 1:])
        across = round(len(vectors) ** 0.5)
        return vectors.reshape(across, -1, vectors.shape[-1])

    def text(self, text: str) -> Vectors | None:
        """None: this model reads no text."""
        return None

    def _states(self, square: Image.Image) -> Tensor:
        """The last states (1, 1 + h * w, W) for a square, normalised; the first is the whole picture's."""
        raise NotImplementedError

    def _projected(self, states: Tensor) -> Tensor:
        return states

    def _vectors(self, states: Tensor) -> Vectors:
        vectors = functional.normalize(self._projected(states).float(), dim=-1)
        return np.asarray(vectors.cpu().numpy(), dtype=np.float32)


class Dino(_Tower):
    """A vision transformer such as facebook/dino-vitb8 or facebook/dinov2-base: its class token."""

    role: Role = "dino"

    def __init__(self, folder: Path, name: str, device: str = "cpu") -> None:
        """Raises UNLOADABLE."""
        model = AutoModel.from_pretrained(folder, use_safetensors=True, dtype=torch.float32)
        if model.config.model_type not in {"vit", "dinov2"}:
            raise ValueError(f"it is of the kind {model.config.model_type}, not vit or dinov2.")
        side = model.config.image_size if model.config.model_type == "vit" else SIDE
        super().__init__(name, model, SquareInput.read(folder, int(side)), device)

    def _states(self, square: Image.Image) -> Tensor:
        states: Tensor = self.model(pixel_values=self.preparation.pixels(square, self.device)).last_hidden_state
        return states


class Clip(_Tower):
    """A CLIP in transformers' format: pictures and texts in one space."""

    role: Role = "clip"

    def __init__(self, folder: Path, name: str, device: str = "cpu") -> None:
        """Raises UNLOADABLE."""
        if not isinstance(CLIPConfig.from_pretrained(folder).vision_config, CLIPVisionConfig):
            raise ValueError("it has no image tower.")
        model = CLIPModel.from_pretrained(folder, use_safetensors=True, dtype=torch.float32)
        super().__init__(name, model, SquareInput.read(folder, model.config.vision_config.image_size), device)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    @torch.inference_mode()
    def text(self, text: str) -> Vectors | None:
        """The vector (D,) of a text, of length 1; what is too long for the model is cut off."""
        longest = self.model.config.text_config.max_position_embeddings
        tokens = self.tokenizer([text], truncation=True, max_length=longest, return_tensors="pt").to(self.device)
        pooled = self.model.text_model(**tokens).pooler_output
        vectors = functional.normalize(self.model.text_projection(pooled).float(), dim=-1)
        return np.asarray(vectors[0].cpu().numpy(), dtype=np.float32)

    def _states(self, square: Image.Image) -> Tensor:
        tower = self.model.vision_model
        states = tower(pixel_values=self.preparation.pixels(square, self.device)).last_hidden_state
        normal: Tensor = tower.post_layernorm(states)
        return normal

    def _projected(self, states: Tensor) -> Tensor:
        projected: Tensor = self.model.visual_projection(states)
        return projected


class Csd(_Tower):
    """CSD's style descriptor: CLIP's image tower with the projection for style."""

    role: Role = "csd"

    def __init__(self, folder: Path, name: str, device: str = "cpu") -> None:
        """Raises UNLOADABLE."""
        tensors: dict[str, Tensor] = {}
        for file in sorted(folder.glob("*.safetensors")):
            tensors |= load_file(file)
        tensors = {key.removeprefix("module."): tensor.float() for key, tensor in tensors.items()}
        if "last_layer_style" not in tensors or "backbone.conv1.weight" not in tensors:
            raise ValueError("it is not CSD: it lacks last_layer_style or an image tower named backbone.")
        model = csd_tower(tensors)
        self.style = tensors["last_layer_style"].to(device)  # (W, D)
        super().__init__(name, model, SquareInput.read(folder, int(model.config.image_size)), device)

    def _states(self, square: Image.Image) -> Tensor:
        states = self.model(pixel_values=self.preparation.pixels(square, self.device)).last_hidden_state
        normal: Tensor = self.model.post_layernorm(states)
        return normal

    def _projected(self, states: Tensor) -> Tensor:
        return states @ self.style


# Names of a block of OpenAI's image tower, and transformers'.
_OF_BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


def csd_tower(tensors: Mapping[str, Tensor]) -> CLIPVisionModel:
    """transformers' image tower with OpenAI's weights `backbone.*`; its sizes are those of the weights.

    Raises KeyError or RuntimeError if they are not whole.
    """
    own = {key.removeprefix("backbone."): tensor for key, tensor in tensors.items() if key.startswith("backbone.")}
    width, _, patch, _ = own["conv1.weight"].shape
    layers = 1 + max(int(key.split(".")[2]) for key in own if key.startswith("transformer.resblocks."))
    config = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=own["transformer.resblocks.0.mlp.c_fc.weight"].shape[0],
        num_hidden_layers=layers,
        num_attention_heads=width // 64,  # in all of OpenAI's
        patch_size=patch,
        image_size=round((own["positional_embedding"].shape[0] - 1) ** 0.5) * patch,
        hidden_act="quick_gelu",
        projection_dim=tensors["last_layer_style"].shape[1],
    )
    renamed = {
        "embeddings.class_embedding": own["class_embedding"],
        "embeddings.patch_embedding.weight": own["conv1.weight"],
        "embeddings.position_embedding.weight": own["positional_embedding"],
        "pre_layrnorm.weight": own["ln_pre.weight"],
        "pre_layrnorm.bias": own["ln_pre.bias"],
        "post_layernorm.weight": own["ln_post.weight"],
        "post_layernorm.bias": own["ln_post.bias"],
    }
    for layer in range(layers):
        theirs, ours = f"transformer.resblocks.{layer}", f"encoder.layers.{layer}"
        for end in ("weight", "bias"):
            for name, new in _OF_BLOCK.items():
                renamed[f"{ours}.{new}.{end}"] = own[f"{theirs}.{name}.{end}"]
            parts = own[f"{theirs}.attn.in_proj_{end}"].chunk(3)
            for part, new in zip(parts, ("q_proj", "k_proj", "v_proj"), strict=True):
                renamed[f"{ours}.self_attn.{new}.{end}"] = part
    model = CLIPVisionModel(config)
    model.load_state_dict(renamed)
    return model
