"""What is in each picture, and captions as people might type them.

Scenes are seeded by their content through CRC-32, because ``hash()`` of a string differs from run to run.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np

from training.config import Size
from training.data.looks import LOOKS
from training.data.vocabulary import HUES, with_article

TRAIN, CHECK, UNSEEN = "train", "check", "unseen"


@dataclass(frozen=True)
class Scene:
    objects: tuple[str, ...]  # one or two
    look: str
    variant: int
    colour: str | None = None
    split: str = TRAIN

    @property
    def seed(self) -> list[int]:
        words = "|".join((*self.objects, self.look, self.colour or ""))
        return [zlib.crc32(words.encode()), self.variant]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Scene:
        return cls(**{**values, "objects": tuple(values["objects"])})


def is_held_out(size: Size, thing: str, look: str) -> bool:
    """Whether training never sees this combination of object and look. The answer is the same on every machine."""
    return thing in size.held_out_of and zlib.crc32(f"held out|{thing}|{look}".encode()) / 2**32 < size.held_out


def all_scenes(size: Size) -> list[Scene]:
    """Training pictures, one more variant of each combination for measuring, and the held-out combinations.

    They are shuffled, always in the same order, which makes the first N scenes a fair sample of all.
    """
    scenes = list(_single(size))
    if size.pairs:
        scenes += _paired(size, round(len(scenes) * size.pairs))
    order = np.random.default_rng([zlib.crc32(b"order")]).permutation(len(scenes))
    return [scenes[place] for place in order]


def _single(size: Size) -> Iterator[Scene]:
    for thing, look in product(size.objects, size.looks):
        unseen = is_held_out(size, thing, look)
        rng = np.random.default_rng([zlib.crc32(f"colours|{thing}|{look}".encode())])
        for variant in range(size.variants if not unseen else 1):
            coloured = LOOKS[look].coloured and rng.random() < size.colours
            colour = str(rng.choice(list(HUES))) if coloured else None
            yield Scene((thing,), look, variant, colour, UNSEEN if unseen else TRAIN)
        if not unseen:
            yield Scene((thing,), look, size.variants, None, CHECK)


def _paired(size: Size, count: int) -> list[Scene]:
    rng = np.random.default_rng([zlib.crc32(b"pairs")])
    pairs: list[Scene] = []
    while len(pairs) < count:
        first, second = (str(name) for name in rng.choice(size.objects, 2, replace=False))
        look = str(rng.choice(size.looks))
        if not any(is_held_out(size, thing, look) for thing in (first, second)):
            pairs.append(Scene((first, second), look, len(pairs)))
    return pairs


# The first is the most usual; the rest make the model robust to word order and filler words.
_TEMPLATES = (
    "{object}, {look}",
    "{bare}, {look}",
    "{object} in {look} style",
    "{look} of {object}",
    "a {look} of {object}",
    "{look}, {object}",
    "{bare} {look}",
    "{look} {bare}",
)


@dataclass(frozen=True)
class Mix:
    """Shares of captions that omit something, 0 to 1. Guidance needs empty ones, sharing ones without a look."""

    empty: float = 0.10
    no_look: float = 0.30
    look_only: float = 0.04


def naming(scene: Scene) -> tuple[str, str]:
    """The objects with and without articles: ``("a red teapot", "red teapot")``."""
    bare = [f"{scene.colour} {thing}" if scene.colour else thing for thing in scene.objects]
    return " and ".join(with_article(words) for words in bare), " and ".join(bare)


def other_words(scenes: Iterable[Scene]) -> set[str]:
    """The words of all captions of these scenes besides their objects: looks, colours, and what joins them."""
    looks = [phrase for scene in scenes for phrase in LOOKS[scene.look].phrases]
    joining = [template.format(object="", bare="", look="") for template in _TEMPLATES]
    colours = [scene.colour for scene in scenes if scene.colour]
    return {word for text in (*looks, *joining, *colours, "a an and") for word in re.findall(r"[^\W_]+", text)}


def prompt(scene: Scene) -> str:
    """The shortest prompt that names the objects and the look."""
    return f"{naming(scene)[0]}, {LOOKS[scene.look].phrases[0]}"


def caption(scene: Scene, rng: np.random.Generator, mix: Mix | None = None) -> str:
    mix = mix or Mix()
    said, bare = naming(scene)
    usual, other = LOOKS[scene.look].phrases
    look = usual if rng.random() < 0.7 else other
    drawn = rng.random()
    if drawn < mix.empty:
        return ""
    if drawn < mix.empty + mix.no_look:
        return said if rng.random() < 0.7 else bare
    if drawn < mix.empty + mix.no_look + mix.look_only:
        return look
    template = _TEMPLATES[0 if rng.random() < 0.55 else rng.integers(len(_TEMPLATES))]
    return template.format(object=said, bare=bare, look=look)
