"""The pairs of a reference and a prompt, and what the bundled CLIP says about pictures of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional
from transformers import CLIPModel, CLIPTokenizer

from app.quality.look import Look
from app.style_aligned.loading import DEMO

LOOKS = (
    *("3d render", "flat design", "sticker", "pencil sketch", "watercolor", "blueprint", "neon sign", "pixel art"),
    *("pop art", "linocut print", "papercut", "chalk drawing", "vintage poster", "sunset silhouette", "oil painting"),
    *("mosaic", "risograph print", "black icon"),
)
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink")
WITHOUT_ARTICLE = ("cherries", "glasses", "headphones", "lightning", "scissors")
EACH = 3  # references of each look
SEED = 2029

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """A reference and a prompt to make in its look."""

    number: int
    reference: int
    look: str
    shown: str
    """The reference's object."""
    kind: str
    """near, far, colour or any."""
    thing: str
    """The prompt's object."""
    prompt: str
    seed: int

    @property
    def tuning(self) -> bool:
        return self.reference % 2 == 0


def objects() -> list[str]:
    """What the demo model can draw."""
    return (DEMO / "words.txt").read_text().splitlines()


def with_article(words: str) -> str:
    """ "an owl", "a red owl", "glasses"."""
    if words.split(" ")[-1] in WITHOUT_ARTICLE:
        return words
    return f"an {words}" if words[0] in "aeio" or words == "hourglass" else f"a {words}"


def pairs(clip: "Clip") -> list[Pair]:
    """All pairs, the same each time."""
    random = np.random.default_rng(SEED)
    names = objects()
    near = clip.objects @ clip.objects.T
    shown = random.permutation(np.resize(random.permutation(names), len(LOOKS) * EACH))
    made: list[Pair] = []
    for reference, thing in enumerate(map(str, shown)):
        order = [names[place] for place in near[names.index(thing)].argsort().tolist() if names[place] != thing]
        others = [str(name) for name in random.choice(order[1:-1], 4, replace=False)]
        asked = [("near", order[-1]), ("far", order[0]), ("colour", others[0]), *(("any", each) for each in others[1:])]
        for kind, name in asked:
            words = f"{random.choice(COLOURS)} {name}" if kind == "colour" else name
            number = len(made)
            look = LOOKS[reference % len(LOOKS)]
            made.append(Pair(number, reference, look, thing, kind, name, with_article(words), 70_000 + number))
    return made


class Clip:
    """The bundled CLIP as a judge of objects and looks."""

    def __init__(self) -> None:
        self.model = CLIPModel.from_pretrained(DEMO / "clip", dtype=torch.float32).eval().requires_grad_(False)
        self.tokenizer = CLIPTokenizer.from_pretrained(DEMO / "clip")

    @cached_property
    def objects(self) -> Tensor:
        return self.texts([with_article(name) for name in objects()])

    @cached_property
    def looks(self) -> Tensor:
        return self.texts(LOOKS)

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors (N, D) of texts."""
        tokens = self.tokenizer(list(texts), padding=True, return_tensors="pt")
        pooled = self.model.text_model(**tokens).pooler_output
        return functional.normalize(self.model.text_projection(pooled), dim=-1)

    @torch.inference_mode()
    def pictures(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Unit vectors (N, D) of pictures."""
        side = self.model.config.vision_config.image_size
        small = [picture.convert("RGB").resize((side, side), Image.Resampling.BICUBIC) for picture in pictures]
        pixels = torch.from_numpy(np.stack([np.asarray(each) for each in small])).permute(0, 3, 1, 2) / 127.5 - 1
        pooled = self.model.vision_model(pixel_values=pixels).pooler_output
        return functional.normalize(self.model.visual_projection(pooled), dim=-1)

    def chances(self, vectors: Tensor, texts: Tensor) -> Tensor:
        """How likely each text (T) is the one for each picture (N): (N, T), rows sum to 1."""
        chances: Tensor = (self.model.logit_scale.exp().clamp(max=100) * vectors @ texts.T).softmax(1)
        return chances


def measured(pair: Pair, reference: Image.Image, pictures: Sequence[Image.Image], clip: Clip) -> list[dict[str, float]]:
    """What is measured of each picture of a pair: see the package."""
    names, target = objects(), Look.of(reference)
    vectors, own = clip.pictures(pictures), clip.pictures([reference])[0]
    chances = clip.chances(vectors, clip.objects)
    looks = clip.chances(vectors, clip.looks)[:, LOOKS.index(pair.look)]
    return [
        {
            "consistency": 1 - Look.of(picture).distance(target),
            "alignment": float(chances[place, names.index(pair.thing)]),
            "leakage": float(chances[place, names.index(pair.shown)]),
            "look": float(looks[place]),
            "likeness": float(vectors[place] @ own),
        }
        for place, picture in enumerate(pictures)
    ]
