"""What is measured of a set of four, with which embedders.

All are cosines of unit vectors, -1 to 1, except `look`:

- alignment: of each picture and the text of its object, the style left out; mean over the pictures. CLIP.
- consistency: of each two pictures of the set; mean over the pairs. DINO, as in the paper; without it, CLIP.
- csd: the same with CSD (Somepalli et al. 2024), which was trained to tell styles apart and to overlook content.
- leakage: of each picture but the first and the text of the first one's object; mean. CLIP. Its zero is a set without
  sharing: what rises above that came with the look.
- look: the distance in colours and texture of each two pictures (`app.quality.look`), 0 is identical; mean over pairs.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from PIL import Image

from app import atomic
from app.evaluation.making import Sets, hashed
from app.evaluation.prompts import StyleSet
from app.evaluation.settings import EvaluatedSetting
from app.quality.colour import Vectors
from app.quality.embedder import Embedder
from app.quality.look import disagreement

MEASURES = ("alignment", "consistency", "csd", "leakage", "look")
VERSION = 1  # of the definitions above
FILE = "measures.json"

Values = dict[str, float]


@dataclass(frozen=True)
class Embedders:
    """What turns pictures and texts into vectors."""

    clip: Embedder
    dino: Embedder | None = None
    csd: Embedder | None = None

    @property
    def names(self) -> dict[str, str]:
        """By measure, the embedder that it comes from."""
        named = {"alignment": self.clip.name, "consistency": (self.dino or self.clip).name, "leakage": self.clip.name}
        return named | ({"csd": self.csd.name} if self.csd else {}) | {"look": "pixels"}

    @classmethod
    def of(cls, embedders: Sequence[Embedder]) -> "Embedders":
        """By their roles. Raises ValueError if none reads texts."""
        roles: Mapping[str, Embedder] = {embedder.role: embedder for embedder in embedders}
        if "clip" not in roles:
            raise ValueError("a CLIP is needed to compare pictures with texts")
        return cls(roles["clip"], roles.get("dino"), roles.get("csd"))


def measured(pictures: Sequence[Image.Image], each: StyleSet, embedders: Embedders) -> Values:
    """The measures of a set's pictures, in the order of its objects."""
    seen = np.stack([embedders.clip.picture(picture) for picture in pictures])
    said = np.stack([_text(embedders.clip, thing) for thing in each.objects])
    alike = seen @ said.T
    consistency = alike_pairs(embedders.dino, pictures) if embedders.dino else mean_of_pairs(seen)
    return {
        "alignment": float(np.diagonal(alike).mean()),
        "consistency": consistency,
        **({"csd": alike_pairs(embedders.csd, pictures)} if embedders.csd else {}),
        "leakage": float(alike[1:, 0].mean()),
        "look": disagreement(pictures),
    }


def alike_pairs(embedder: Embedder, pictures: Sequence[Image.Image]) -> float:
    return mean_of_pairs(np.stack([embedder.picture(picture) for picture in pictures]))


def mean_of_pairs(vectors: Vectors) -> float:
    """The mean cosine of all pairs of unit vectors (N, D)."""
    return float(np.mean([one @ other for one, other in combinations(vectors, 2)]))


def _text(embedder: Embedder, text: str) -> Vectors:
    vector = embedder.text(text)
    if vector is None:
        raise ValueError(f"{embedder.name} reads no texts; alignment needs a CLIP")
    return vector


def measure(sets: Sets, embedders: Embedders, told: Callable[[], object]) -> dict[str, list[Values | None]]:
    """The measures of every set, by setting: None for one that failed. What was measured before is read again."""
    return {
        setting.name: [_measured(sets, setting, number, embedders, told) for number in range(len(sets.plan.sets))]
        for setting in sets.plan.settings
    }


def _measured(
    sets: Sets, setting: EvaluatedSetting, number: int, embedders: Embedders, told: Callable[[], object]
) -> Values | None:
    record = sets.finished(setting, number)
    told()
    if record is None or "failed" in record:
        return None
    key = hashed({"set": record["hash"], "embedders": embedders.names, "version": VERSION})
    file = sets.place(setting, number) / FILE
    try:
        kept: dict[str, Any] = json.loads(file.read_bytes())
    except (OSError, ValueError):
        kept = {}
    if kept.get("hash") != key:
        values = measured(sets.pictures(setting, number), sets.plan.sets[number], embedders)
        kept = {"hash": key, "embedders": embedders.names, "values": values}
        atomic.write(file, json.dumps(kept, indent=1).encode())
    values = kept["values"]
    return {name: float(values[name]) for name in MEASURES if name in values}
