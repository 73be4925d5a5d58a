"""What weights of words and chunks do: `python -m benchmarks.prompts`.

Draws the same prompts with a word at several weights, by the product's method and by that of the common tools, which
scale the words' own states from those of an empty text. The bundled CLIP says how probable the weighted object or look
is in each picture, and the other of both; and how far the picture is from that of weight 1.

Then draws prompts of six coloured objects and a look, which take two or three chunks of the bundled model: in chunks,
and cut, with the look kept, as the product does for it. The CLIP says how probable the look is, and any of the objects.
"""

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import CLIPModel, CLIPProcessor

from app.prompts.reader import Reader
from app.style_aligned import ImageReady, Sharing, Studio
from app.style_aligned.loading import DEMO
from app.style_aligned.prompts import Chunk, TextEncoders

CHUNKS = 4
COLOURS = ["red", "orange", "yellow", "green", "blue", "purple", "pink"]
WEIGHTS = (0.0, 0.5, 0.8, 1.0, 1.2, 1.5, 2.0)
THINGS = [line for line in (DEMO / "words.txt").read_text().splitlines() if line]
LOOKS = [
    "3d render",
    "flat design",
    "sticker",
    "pencil sketch",
    "watercolor",
    "blueprint",
    "neon sign",
    "pixel art",
    "pop art",
    "linocut print",
    "papercut",
    "chalk drawing",
    "vintage poster",
    "sunset silhouette",
    "oil painting",
    "mosaic",
    "risograph print",
    "black icon",
]
FORMS = {"look": "a {0}, ({1}:{2})", "object": "a ({0}:{2}), {1}"}


class ScaledWords(TextEncoders):
    """The common tools' weights: e0 + w (e - e0) for the words' own states alone."""

    def _states(self, tokenizer: Any, encoder: Any, rows: Sequence[Chunk]) -> tuple[Tensor, Tensor]:
        plain = [[(token, 1.0) for token, _ in row] for row in rows]
        hidden, pooled = super()._states(tokenizer, encoder, plain)
        empty, _ = super()._states(tokenizer, encoder, [[]])
        _, weights = self._framed(tokenizer, rows)
        return empty + weights[..., None] * (hidden - empty), pooled


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--prompts", type=int, default=6, help="with a weighted object, and as many with a weighted look"
    )
    parser.add_argument("--long", type=int, default=10, help="long prompts")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10)
    asked = parser.parse_args()
    studio, chance = Studio.load("demo"), np.random.default_rng(1)
    pairs = {what: [one_of_each(chance) for _ in range(asked.prompts)] for what in FORMS}
    print("| method, weighted | | " + " | ".join(f"{weight:g}" for weight in WEIGHTS) + " |")
    print("| --- | --- |" + " --- |" * len(WEIGHTS))
    for name, method in (("with and without", TextEncoders), ("scaled words", ScaledWords)):
        studio.texts = method(studio.pipeline, studio.texts.most_chunks)
        for what, own in pairs.items():
            rows = [measured(studio, what, pair, seed, asked.steps) for pair in own for seed in seeds_of(asked.seeds)]
            for row, kind in enumerate(("found", "rest", "difference")):
                means = np.mean([each[row] for each in rows], axis=0)
                print(f"| {name}, {what} | {kind} | " + " | ".join(f"{mean:.2f}" for mean in means) + " |", flush=True)
    draw_long(studio, asked.long, asked.seeds, asked.steps)


def one_of_each(chance: np.random.Generator) -> tuple[str, str]:
    return THINGS[chance.integers(len(THINGS))], LOOKS[chance.integers(len(LOOKS))]


def seeds_of(count: int) -> list[int]:
    return list(range(1, count + 1))


def draw_long(studio: Studio, count: int, seeds: int, steps: int) -> None:
    """Print how probable the look and any of the objects of `count` long prompts are, cut and in chunks."""
    chance = np.random.default_rng(5)
    tokenizers = [studio.pipeline.tokenizer.backend_tokenizer]
    found: dict[int, list[tuple[float, float]]] = {1: [], CHUNKS: []}
    for _ in range(count):
        things, look = [THINGS[at] for at in chance.permutation(len(THINGS))[:6]], LOOKS[chance.integers(len(LOOKS))]
        text = ", ".join(f"a {COLOURS[chance.integers(len(COLOURS))]} {thing}" for thing in things)
        for chunks, shown in found.items():
            studio.texts = TextEncoders(studio.pipeline, chunks)
            prompt = Reader(tokenizers, studio.texts.length, most_chunks=chunks).read(text, look).read
            pictures = drawn(studio, [prompt] * seeds, seeds_of(seeds), steps)
            thing = probable(pictures, [f"a {each}" for each in THINGS])[:, [THINGS.index(each) for each in things]]
            shown.append((thing.sum(1).mean(), probable(pictures, LOOKS)[:, LOOKS.index(look)].mean()))
    for chunks, shown in found.items():
        thing, look = np.mean(shown, axis=0)
        print(f"at most {chunks} chunks: any of six objects {thing:.2f}, the look {look:.2f}")


def drawn(studio: Studio, prompts: list[str], seeds: list[int], steps: int) -> list[Image.Image]:
    how: dict[str, Any] = {"seeds": seeds, "steps": steps, "sharing": Sharing(0.0), "preview_every": 0}
    events = studio.generate(prompts, batch_size=len(prompts), **how)
    return [event.picture for event in events if isinstance(event, ImageReady)]


def measured(
    studio: Studio, what: str, pair: tuple[str, str], seed: int, steps: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each weight: how probable the weighted part and the other are, and how far the picture is from weight 1."""
    prompts = [FORMS[what].format(*pair, weight) for weight in WEIGHTS]
    pictures = drawn(studio, prompts, [seed] * len(prompts), steps)
    thing = probable(pictures, [f"a {each}" for each in THINGS])[:, THINGS.index(pair[0])]
    look = probable(pictures, LOOKS)[:, LOOKS.index(pair[1])]
    pixels = np.stack([np.asarray(picture, float) for picture in pictures]) / 255
    difference = np.abs(pixels - pixels[WEIGHTS.index(1.0)]).mean((1, 2, 3))
    return (thing, look, difference) if what == "object" else (look, thing, difference)


@torch.inference_mode()
def probable(pictures: Sequence[Image.Image], texts: Sequence[str]) -> np.ndarray:
    """How probable the bundled CLIP holds each text for each picture (N, T), 0 to 1."""
    model = CLIPModel.from_pretrained(DEMO / "clip", dtype=torch.float32).eval()
    inputs = CLIPProcessor.from_pretrained(DEMO / "clip")(
        text=list(texts), images=list(pictures), return_tensors="pt", padding="max_length"
    )
    found: np.ndarray = model(**inputs).logits_per_image.softmax(-1).numpy()
    return found


if __name__ == "__main__":
    main()
