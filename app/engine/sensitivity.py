"""Which self-attention layers of a model carry the look: `soroe rank-layers`, in the spirit of Conditional Balance.

Source: Cohen, Nir, Shamir, "Conditional Balance: Improving Multi-Conditioning Trade-Offs in Image Generation", CVPR
2025, arXiv 2412.19853: layers differ in what they are sensitive to, and a style that only goes to the layers sensitive
to style disturbs the content less. The paper tells layers apart by the statistics of their queries and keys. Here each
layer is measured by what sharing in it alone does to pictures:

    look = distance(plain, reference) - distance(shared, reference)      content = 1 - correlation of the outlines
    score = mean look / (mean content + mean content of all layers)

so that a layer that moves next to nothing does not lead the ranking.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image

from app import atomic
from app.quality.colour import Floats, oklab
from app.quality.look import Look
from app.style_aligned import ImageReady, Reference, Sharing, Studio
from app.style_aligned.layers import self_attentions
from app.style_aligned.loading import DEMO

SIDE = 32  # px, at which outlines are compared: where things are, not how they are drawn
FILE = "layer-ranking.json"  # of the bundled model, in its folder


@dataclass(frozen=True)
class RankedPair:
    """A prompt and a reference that shows something else."""

    reference: Path
    shows: str
    prompt: str
    seed: int


@dataclass(frozen=True)
class LayerScore:
    layer: str
    look: float  # how much closer to the reference, in units of `Look.distance`
    content: float  # how far from the plain picture's outlines, 0 to 2
    score: float


@dataclass(frozen=True)
class LayerRanking:
    """The layers of a model, the most style-sensitive first, and what was measured."""

    layers: tuple[LayerScore, ...]
    pairs: int
    steps: int

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(each.layer for each in self.layers)

    @classmethod
    def of(cls, moved: dict[str, list[tuple[float, float]]], steps: int) -> Self:
        """Rank layers by the (look, content) that each moved in the same pairs."""
        means = {layer: np.mean(values, axis=0) for layer, values in moved.items()}
        usual = float(np.mean([content for _, content in means.values()]))
        scores = [
            LayerScore(
                layer, round(float(look), 5), round(float(content), 5), round(float(look / (content + usual)), 5)
            )
            for layer, (look, content) in means.items()
        ]
        best_first = sorted(scores, key=lambda each: each.score, reverse=True)
        return cls(tuple(best_first), len(next(iter(moved.values()))), steps)

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """The ranking in a file; None if there is none or it is damaged."""
        try:
            found = json.loads(file.read_text())
            return cls(tuple(LayerScore(**each) for each in found["layers"]), found["pairs"], found["steps"])
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, file: Path) -> None:
        """Raises OSError."""
        kept = {"pairs": self.pairs, "steps": self.steps, "layers": [vars(each) for each in self.layers]}
        atomic.write(file, (json.dumps(kept, indent=1) + "\n").encode())


def file_of(studio: Studio, data: Path) -> Path:
    """Where a model's ranking is kept in a data folder, by the hash of its weights."""
    return data / "layers" / f"{hashlib.sha256(studio.identity.encode()).hexdigest()[:16]}.json"


def ranked_layers(studio: Studio, data: Path) -> tuple[str, ...]:
    """The model's self-attention layers, the most style-sensitive first; none if they were not ranked."""
    own = DEMO / FILE if studio.name == "demo" else None
    found = LayerRanking.read(file_of(studio, data)) or (LayerRanking.read(own) if own else None)
    known = self_attentions(studio.unet)
    return found.names if found and set(found.names) == set(known) else ()


@dataclass(frozen=True)
class Ranked:
    """`done` of `of` measurements are done; with the last comes the ranking."""

    done: int
    of: int
    ranking: LayerRanking | None = None


def rank(studio: Studio, pairs: Sequence[RankedPair], steps: int, kept: Path) -> Iterator[Ranked]:
    """Measure what sharing in each layer alone moves, on every pair; resumes from the file `kept`.

    Raises OSError if it cannot be written, and NotFinite.
    """
    layers = list(self_attentions(studio.unet))
    asked = [studio.identity, steps, [str(pair) for pair in pairs]]
    key = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
    known = _resumed(kept, key)
    for number, pair in enumerate(pairs):
        row = known.get(str(number), {})
        reference = studio.reference(Image.open(pair.reference), pair.shows)
        wanted = Look.of(reference.picture)
        plain: Image.Image | None = None
        for place, layer in enumerate(layers):
            if layer not in row:
                plain = plain or _made(studio, pair, reference, Sharing(0.0), steps)
                shared = _made(studio, pair, reference, Sharing(adain_values=True, layers=(layer,)), steps)
                row[layer] = moved(plain, shared, wanted)
                known[str(number)] = row
                atomic.write(kept, json.dumps({"key": key, "moved": known}).encode())
            yield Ranked(number * len(layers) + place + 1, len(pairs) * len(layers))
    by_layer = {layer: [known[str(number)][layer] for number in range(len(pairs))] for layer in layers}
    yield Ranked(len(pairs) * len(layers), len(pairs) * len(layers), LayerRanking.of(by_layer, steps))


def moved(plain: Image.Image, shared: Image.Image, wanted: Look) -> tuple[float, float]:
    """How far sharing moved a picture towards a look, and away from its own outlines."""
    look = Look.of(plain).distance(wanted) - Look.of(shared).distance(wanted)
    content = 1 - np.corrcoef(outlines(plain).ravel(), outlines(shared).ravel())[0, 1]
    return float(look), float(np.nan_to_num(content))


def outlines(picture: Image.Image) -> Floats:
    """How steeply lightness changes at each of SIDE x SIDE places."""
    small = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
    down, right = np.gradient(oklab(small)[..., 0])
    steep: Floats = np.hypot(down, right)
    return steep


def _made(studio: Studio, pair: RankedPair, reference: Reference, sharing: Sharing, steps: int) -> Image.Image:
    events = studio.generate(
        [pair.prompt], reference=reference, sharing=sharing, seeds=[pair.seed], steps=steps, preview_every=0
    )
    ready = next((event for event in events if isinstance(event, ImageReady)), None)
    if ready is None:
        raise ValueError("the model's numbers overflowed, so its layers cannot be compared")
    return ready.picture


def _resumed(kept: Path, key: str) -> dict[str, dict[str, tuple[float, float]]]:
    """What was measured of the same pairs before an interruption."""
    try:
        found = json.loads(kept.read_text())
        return (
            {number: {layer: tuple(v) for layer, v in row.items()} for number, row in found["moved"].items()}
            if (found["key"] == key)
            else {}
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
