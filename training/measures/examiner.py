"""Measures of a trained model. Each draws samples and counts how often they show what their prompts request.

The judge is the CLIP, which was trained on the data only; colours are judged by pixels. A measure that can be wrong is
reported together with its value on pictures of the data, which no model can exceed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from app.style_aligned import ImageReady, Reference, Sharing, Studio
from training.config import Size
from training.data.colours import colour_of
from training.data.looks import LOOKS
from training.data.pictures import Pictures
from training.data.scenes import CHECK, Scene, prompt
from training.data.unseen import unseen_scenes
from training.data.vocabulary import HUES, with_article
from training.models.clip import Judge, agreement, embed_pictures
from training.tensors import reduced

Pixels = NDArray[np.uint8]
Figures = dict[str, Any]

BATCH = 8
STRENGTHS = (0.0, 1.0)

# Looks whose objects have the requested colour in the data. Pop art is left out: it prints in few inks.
COLOURED = tuple(name for name, look in LOOKS.items() if look.coloured and name != "pop")


def sampled_scenes(size: Size, count: int) -> list[Scene]:
    """Scenes that are the same for every model, with each object and look about equally often."""
    rng = np.random.default_rng(2024)
    objects = [str(name) for name in rng.permutation(np.resize(size.objects, count))]
    looks = [str(name) for name in rng.permutation(np.resize(size.looks, count))]
    return [Scene((thing,), look, 0) for thing, look in zip(objects, looks, strict=True)]


def _is_kept(scene: Scene, look: str) -> bool:
    return scene.split == CHECK and scene.look == look


def confusions(found: list[str], wanted: list[str]) -> list[str]:
    """The ten most frequent confusions, as text."""
    wrong = Counter((true, seen) for seen, true in zip(found, wanted, strict=True) if seen != true)
    return [f"{true} seen as {seen}: {count}" for (true, seen), count in wrong.most_common(10)]


def halves(picture: Pixels) -> tuple[Pixels, Pixels]:
    """Left and right half of ``(S, S, 3)``, each alone on the ground and scaled to the usual size of single objects."""
    side = len(picture)
    ground = np.median(np.concatenate([picture[: side // 16], picture[-side // 16 :]]).reshape(-1, 3), axis=0)
    cut = side // 8
    parts = []
    for half in np.split(picture, [side // 2], axis=1):
        canvas = np.empty_like(picture)
        canvas[:] = ground
        canvas[:, side // 4 : side // 4 + half.shape[1]] = half
        inner = Image.fromarray(canvas[cut : side - cut, cut : side - cut])
        parts.append(np.asarray(inner.resize((side, side), Image.Resampling.BILINEAR)))
    return parts[0], parts[1]


@dataclass
class Examiner:
    """A model, its judge, and the data that both were trained on."""

    studio: Studio
    judge: Judge
    size: Size
    data: Pictures

    def drawn(self, prompts: list[str], seed: int, reference: Reference | None = None, strength: float = 0.0) -> Pixels:
        """Draw ``(N, S, S, 3)`` by the product's own method, with seeds from ``seed`` up. Strength 0 is plain SDXL."""
        events = self.studio.generate(
            prompts,
            reference=reference,
            sharing=Sharing.for_picture(strength),
            seeds=range(seed, seed + len(prompts)),
            batch_size=BATCH,
            preview_every=0,
        )
        return np.stack([np.asarray(event.picture) for event in events if isinstance(event, ImageReady)])

    def tensors(self, pictures: Pixels) -> Tensor:
        """Convert pictures to the judge's input ``(N, 3, S, S)`` in -1..1."""
        side = self.judge.model.config.vision_config.image_size
        return reduced(torch.from_numpy(pictures).to(self.judge.model.device), side)

    def names(self, pictures: Pixels) -> tuple[list[str], list[str]]:
        """The object and the look that the judge finds in each picture."""
        parts = [self.judge(self.tensors(part)) for part in np.split(pictures, range(64, len(pictures), 64))]
        return [name for part in parts for name in part[0]], [name for part in parts for name in part[1]]

    def likeness(self, pictures: Pixels, other: Pixels) -> list[float]:
        """Cosine similarity of the judge's vectors of ``(N, S, S, 3)`` and of one picture ``(S, S, 3)``: -1 to 1."""
        with torch.no_grad():
            vectors, one = (embed_pictures(self.judge.model, self.tensors(part)) for part in (pictures, other[None]))
        return [float(cosine) for cosine in (vectors @ one.T)[:, 0]]

    def picked(self, suits: Callable[[Scene], bool], count: int) -> list[int]:
        """At most ``count`` rows of the data whose scenes pass ``suits``; always the same rows."""
        rows = [row for row, scene in enumerate(self.data.scenes) if suits(scene)]
        return [rows[place] for place in np.random.default_rng(2026).permutation(len(rows))[:count]]

    def shown(self, rows: list[int]) -> Pixels:
        return np.stack([self.data.pixels[row] for row in rows])

    def judged(self) -> Figures:
        """The accuracy of the judge itself, on held-out pictures of single objects."""
        rows = self.picked(lambda scene: scene.split == CHECK, len(self.data.scenes))
        objects, looks = self.names(self.shown(rows))
        scenes = [self.data.scenes[row] for row in rows]
        return {
            "pictures": len(rows),
            "object": agreement(objects, [scene.objects[0] for scene in scenes]),
            "look": agreement(looks, [scene.look for scene in scenes]),
        }

    def named(self, count: int) -> Figures:
        """The share of samples in which the judge finds the object and the look that the prompt names."""
        scenes = sampled_scenes(self.size, count)
        return report(scenes, *self.names(self.drawn([prompt(scene) for scene in scenes], 10_000)))

    def sharing(self, each: int) -> tuple[Figures, list[list[Pixels]]]:
        """Measure sharing: draw ``each`` prompts per look, at strength 1 and without sharing.

        The prompts name no look; a reference picture of the look, without a prompt, gives it. The reference is held out
        from training and shows another object. Also returns, for each look, the reference and the first sample of
        either strength.
        """
        found: dict[float, list[Figures]] = {strength: [] for strength in STRENGTHS}
        columns: list[list[Pixels]] = []
        rng = np.random.default_rng(2027)
        for number, look in enumerate(self.size.looks):
            rows = self.picked(partial(_is_kept, look=look), len(self.data.scenes))
            row = rows[rng.integers(len(rows))]
            picture = self.shown([row])[0]
            others = [thing for thing in self.size.objects if thing not in self.data.scenes[row].objects]
            things = [str(thing) for thing in np.resize(rng.permutation(others), each)]
            columns.append([picture])
            for strength, numbers in found.items():
                pictures, looked = self._beside(picture, look, things, 20_000 + number * each, strength)
                numbers.append(looked)
                columns[-1].append(pictures[0])
        figures = {
            f"strength_{strength:g}": {name: float(np.mean([one[name] for one in numbers])) for name in numbers[0]}
            for strength, numbers in found.items()
        }
        return {"samples": each * len(self.size.looks), **figures}, columns

    def _beside(
        self, picture: Pixels, look: str, things: list[str], seed: int, strength: float
    ) -> tuple[Pixels, Figures]:
        """Draw ``things`` with the look of ``picture``; return the samples and what the judge finds in them."""
        reference = self.studio.reference(Image.fromarray(picture))
        pictures = self.drawn([with_article(thing) for thing in things], seed, reference, strength)
        objects, looks = self.names(pictures)
        likeness = float(np.mean(self.likeness(pictures, picture)))
        looked = {"look": agreement(looks, [look] * len(looks)), "object": agreement(objects, things)}
        return pictures, {**looked, "likeness": likeness}

    def colours(self, count: int) -> Figures:
        """The share of samples of "a red teapot, watercolor" whose object is closest to the requested colour."""
        looks = [look for look in self.size.looks if look in COLOURED]
        singles = sampled_scenes(self.size, count)
        wanted = [
            Scene(scene.objects, look, 0, colour)
            for scene, look, colour in zip(singles, cycle(looks), islice(cycle(HUES), count), strict=False)
        ]
        pictures = self.drawn([prompt(scene) for scene in wanted], 30_000)
        rows = self.picked(
            lambda scene: len(scene.objects) == 1 and bool(scene.colour) and scene.look in COLOURED, count
        )
        asked = [str(scene.colour) for scene in wanted]
        true = [str(self.data.scenes[row].colour) for row in rows]
        return {
            "samples": count,
            "found": agreement([colour_of(picture) for picture in pictures], asked),
            "in_data": agreement([colour_of(picture) for picture in self.shown(rows)], true) if rows else None,
            "by_chance": 1 / len(HUES),
        }

    def pairs(self, count: int) -> Figures:
        """The share of samples of "a cat and an apple, watercolor" in which the judge finds one object in each half.

        The objects may be in either order. The judge sees each half alone, because it was trained to name one object.
        """
        rng = np.random.default_rng(2028)
        scenes = [
            Scene(tuple(str(thing) for thing in rng.choice(self.size.objects, 2, replace=False)), look, 0)
            for look in islice(cycle(self.size.looks), count)
        ]
        pictures = self.drawn([prompt(scene) for scene in scenes], 40_000)
        rows = self.picked(lambda scene: len(scene.objects) == 2, count)
        return {
            "samples": count,
            **self._both(pictures, scenes),
            "in_data": self._both(self.shown(rows), [self.data.scenes[row] for row in rows]) if rows else None,
        }

    def _both(self, pictures: Pixels, scenes: list[Scene]) -> Figures:
        sides = [self.names(np.stack(side))[0] for side in zip(*map(halves, pictures), strict=True)]
        found = [
            len({*names} & {*scene.objects}) for names, scene in zip(zip(*sides, strict=True), scenes, strict=True)
        ]
        return {"both": float(np.mean([n == 2 for n in found])), "either": float(np.mean([n >= 1 for n in found]))}

    def unseen(self) -> tuple[Figures, list[Pixels]]:
        """Draw twelve combinations that no training picture shows, once each, with the first seeds."""
        scenes = unseen_scenes(self.size, self.data.scenes)
        pictures = self.drawn([prompt(scene) for scene in scenes], 1)
        return {"prompts": [prompt(scene) for scene in scenes]}, list(pictures)


def report(scenes: list[Scene], objects: list[str], looks: list[str]) -> Figures:
    true_objects, true_looks = [scene.objects[0] for scene in scenes], [scene.look for scene in scenes]
    return {
        "samples": len(scenes),
        "object_found": agreement(objects, true_objects),
        "look_found": agreement(looks, true_looks),
        "objects_mistaken": confusions(objects, true_objects),
        "looks_mistaken": confusions(looks, true_looks),
    }
