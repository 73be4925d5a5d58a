"""Prompts that combine known words in ways that no training picture does."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

import numpy as np

from training.config import Size
from training.data.looks import LOOKS
from training.data.scenes import TRAIN, UNSEEN, Scene
from training.data.vocabulary import HUES

COUNT = 12
PAIRS = 4  # of these, if no combination of an object and a look is held out


def combination(scene: Scene) -> tuple[frozenset[str], str, str | None]:
    return frozenset(scene.objects), scene.look, scene.colour


def unseen_scenes(size: Size, scenes: list[Scene]) -> list[Scene]:
    """At most twelve scenes, each in a different look. The same data always give the same scenes; none is hand-picked.

    If the data hold out combinations of object and look, the scenes are among those. Otherwise most show an object in a
    colour that it never has in that look, and the last four show two objects that never appear together in that look.
    """
    rng = np.random.default_rng(2025)
    trained = {combination(scene) for scene in scenes if scene.split == TRAIN}
    held_out = [Scene(scene.objects, scene.look, 0) for scene in scenes if scene.split == UNSEEN]
    if held_out:
        return _one_a_look(held_out, trained, rng, COUNT)
    coloured = _one_a_look(_coloured(size), trained, rng, COUNT - PAIRS)
    used = {scene.look for scene in coloured}
    pairs = (Scene(pair, look, 0) for pair, look in product(combinations(size.objects, 2), size.looks))
    return coloured + _one_a_look([scene for scene in pairs if scene.look not in used], trained, rng, PAIRS)


def _coloured(size: Size) -> Iterator[Scene]:
    for look, thing, colour in product(size.looks, size.objects, HUES):
        if LOOKS[look].coloured:
            yield Scene((thing,), look, 0, colour)


def _one_a_look(
    candidates: Iterator[Scene] | list[Scene],
    trained: set[tuple[frozenset[str], str, str | None]],
    rng: np.random.Generator,
    count: int,
) -> list[Scene]:
    by_look: dict[str, list[Scene]] = {}
    for scene in candidates:
        if combination(scene) not in trained:
            by_look.setdefault(scene.look, []).append(scene)
    looks = sorted(by_look)
    chosen = [looks[place] for place in rng.permutation(len(looks))[:count]]
    return [by_look[look][int(rng.integers(len(by_look[look])))] for look in chosen]
