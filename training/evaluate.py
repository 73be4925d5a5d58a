"""How often the CLIP finds what the prompt named: ``python -m training.evaluate PIPELINE --clip DIR/clip``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from transformers import CLIPModel, CLIPTokenizer

from training.clip import Judge, agreement
from training.config import SIZES, Size
from training.looks import LOOKS
from training.loop import pick_device
from training.options import Device, SizeName
from training.sample import draw, load, tiled
from training.scenes import Scene
from training.tensors import as_pictures
from training.text import Words
from training.vocabulary import with_article

BATCH = 10


def sampled_scenes(size: Size, count: int) -> list[Scene]:
    """The same for every model, each object and look about equally often."""
    rng = np.random.default_rng(2024)
    objects = [str(name) for name in rng.permutation(np.resize(size.objects, count))]
    looks = [str(name) for name in rng.permutation(np.resize(size.looks, count))]
    return [Scene((thing,), look, 0) for thing, look in zip(objects, looks, strict=True)]


def prompt(scene: Scene) -> str:
    return f"{with_article(scene.objects[0])}, {LOOKS[scene.look].phrases[0]}"


def confusions(found: list[str], wanted: list[str]) -> list[str]:
    """What is most often taken for what."""
    wrong = Counter((true, seen) for seen, true in zip(found, wanted, strict=True) if seen != true)
    return [f"{true} seen as {seen}: {count}" for (true, seen), count in wrong.most_common(10)]


def main(
    pipeline: Annotated[Path, typer.Argument(help="a pipeline folder")],
    clip: Annotated[Path, typer.Option(help="a CLIP folder made by training.clip")],
    size: SizeName = "small",
    samples: Annotated[int, typer.Option(help="pictures to draw")] = 500,
    sheet: Annotated[Path | None, typer.Option(help="PNG of the first forty")] = None,
    device: Device = "auto",
) -> None:
    """Draw samples and count in how many the CLIP finds object and look; prints one JSON object."""
    place = pick_device(device)
    loaded = load(pipeline, place)
    scenes = sampled_scenes(SIZES[size], samples)
    model = CLIPModel.from_pretrained(clip, dtype=torch.float32).to(place).eval()
    judge = Judge(model, Words(CLIPTokenizer.from_pretrained(clip)), SIZES[size].objects, SIZES[size].looks)
    pictures: list[NDArray[np.uint8]] = []
    objects: list[str] = []
    looks: list[str] = []
    for start in range(0, samples, BATCH):
        part = [prompt(scene) for scene in scenes[start : start + BATCH]]
        drawn = draw(loaded, part, SIZES[size].pixels, 10_000 + start)
        found = judge(as_pictures(torch.from_numpy(np.stack(drawn)), place))
        objects, looks, pictures = objects + found[0], looks + found[1], (pictures + drawn)[:40]
    if sheet:
        tiled(pictures).save(sheet)
    typer.echo(json.dumps(report(scenes, objects, looks), indent=1))


def report(scenes: list[Scene], objects: list[str], looks: list[str]) -> dict[str, object]:
    true_objects, true_looks = [scene.objects[0] for scene in scenes], [scene.look for scene in scenes]
    return {
        "samples": len(scenes),
        "object_found": agreement(objects, true_objects),
        "look_found": agreement(looks, true_looks),
        "objects_mistaken": confusions(objects, true_objects),
        "looks_mistaken": confusions(looks, true_looks),
    }


if __name__ == "__main__":
    typer.run(main)
