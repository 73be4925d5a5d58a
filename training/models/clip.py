"""Train a small CLIP: ``python -m training.models.clip DATA --out DIR``.

It recognises the objects and looks of the bundled model, for measures of text alignment and look without a download.
It also judges what the pipeline draws, so it learns from the data only, never from drawn pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor
from torch.nn import functional
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

from training.config import SIZES, Size
from training.data.looks import LOOKS
from training.data.pictures import Pictures
from training.data.scenes import CHECK, TRAIN, UNSEEN, Mix, caption
from training.data.vocabulary import with_article
from training.loop import Draw, Run, autocast, pick_device, prepare
from training.models.text import Words, train_tokenizer
from training.options import Device, Minutes, SizeName, Steps, Threads, planned
from training.tensors import Rows, onto, reduced

FULL_CAPTIONS = Mix(empty=0, no_look=0, look_only=0)


def clip_config(size: Size, words: int) -> CLIPConfig:
    tower = {
        "hidden_size": size.clip_width,
        "intermediate_size": 4 * size.clip_width,
        "num_hidden_layers": size.clip_layers,
        "num_attention_heads": size.clip_width // 32,
        "projection_dim": size.clip_width,
    }
    return CLIPConfig(
        text_config={**size.text_config(words), "projection_dim": size.clip_width},
        vision_config={**tower, "image_size": size.clip_pixels, "patch_size": size.clip_patch, "hidden_act": "gelu"},
        projection_dim=size.clip_width,
    )


def contrast(similarity: Tensor, same: Tensor) -> Tensor:
    """Symmetric cross entropy over ``(B, B)``. Equal captions share the target probability equally."""
    by_picture = same / same.sum(1, keepdim=True)
    by_text = same.T / same.T.sum(1, keepdim=True)
    both = functional.cross_entropy(similarity, by_picture) + functional.cross_entropy(similarity.T, by_text)
    return both / 2


def alike(keys: list[tuple[str, ...]]) -> Tensor:
    """A matrix ``(B, B)`` with 1 where two of the ``B`` keys are equal, otherwise 0."""
    numbers: dict[tuple[str, ...], int] = {}
    row = torch.tensor([numbers.setdefault(key, len(numbers)) for key in keys])
    return (row[:, None] == row[None, :]).float()


def shares(shown: list[tuple[str, ...]], names: tuple[str, ...]) -> Tensor:
    """Target probabilities ``(B, N)`` of ``N`` names for ``B`` pictures. Each of two objects gets one half."""
    return torch.tensor([[each.count(name) / len(each) for name in names] for each in shown])


@dataclass
class ClipTask:
    size: Size
    model: CLIPModel
    tokenizer: CLIPTokenizer
    data: Pictures
    device: torch.device

    def __post_init__(self) -> None:
        self.words = Words(self.tokenizer)
        self.pixels = Rows(self.data.pixels, self.device)
        self.rows = {split: torch.from_numpy(self.data.rows(split)) for split in (TRAIN, CHECK, UNSEEN)}

    def pictures(self, rows: Tensor) -> Tensor:
        return reduced(self.pixels[rows], self.size.clip_pixels)

    def loss(self, draw: Draw) -> tuple[Tensor, dict[str, Tensor]]:
        """Contrast whole captions within the batch, and classify objects and looks among all names.

        Encoding the names along with the captions costs little and helps each step more than a larger batch would.
        """
        rows = draw.rows(self.rows[TRAIN], self.size.clip.batch)
        scenes = [self.data.scenes[row] for row in rows.tolist()]
        pictures = augmented(self.pictures(rows), draw)
        captions = [caption(scene, draw.numpy, FULL_CAPTIONS) for scene in scenes]
        objects, looks = self.size.objects, self.size.looks
        names = [with_article(name) for name in objects]
        phrases = [LOOKS[look].phrases[int(draw.numpy.random() < 0.3)] for look in looks]
        with autocast(self.device):
            seen = embed_pictures(self.model, pictures)
            said = embed_texts(self.model, self.words, captions + names + phrases)
        scores = self.model.logit_scale.exp().clamp(max=100) * seen @ said.T
        by_caption, by_object, by_look = scores.split((len(captions), len(names), len(phrases)), dim=1)
        same = onto(alike([(*sorted(scene.objects), scene.look) for scene in scenes]), self.device)
        shown = onto(shares([scene.objects for scene in scenes], objects), self.device)
        drawn = onto(shares([(scene.look,) for scene in scenes], looks), self.device)
        named = functional.cross_entropy(by_object, shown) + functional.cross_entropy(by_look, drawn)
        return (contrast(by_caption, same) + named) / 3, {}

    def check(self) -> dict[str, float]:
        numbers = {}
        for prefix, split in (("", CHECK), ("unseen_", UNSEEN)):
            if rows := self.rows[split].tolist():
                scenes = [self.data.scenes[row] for row in rows]
                judge = Judge(self.model, self.words, self.size.objects, self.size.looks)
                parts = [judge(self.pictures(part)) for part in torch.tensor(rows).split(128)]
                objects, looks = ([name for part in parts for name in part[index]] for index in (0, 1))
                numbers[f"{prefix}object"] = agreement(objects, [scene.objects[0] for scene in scenes])
                numbers[f"{prefix}look"] = agreement(looks, [scene.look for scene in scenes])
        return numbers

    def export(self, folder: Path) -> None:
        """Write a folder that ``CLIPModel`` and ``CLIPProcessor`` can load, in half precision."""
        twin = CLIPModel(self.model.config)
        twin.load_state_dict(self.model.state_dict())
        twin.half().save_pretrained(folder / "clip")
        self.tokenizer.save_pretrained(folder / "clip")
        side = {"height": self.size.clip_pixels, "width": self.size.clip_pixels}
        half = [0.5, 0.5, 0.5]
        CLIPImageProcessor(
            size=side, do_center_crop=False, crop_size=side, image_mean=half, image_std=half
        ).save_pretrained(folder / "clip")


def augmented(pictures: Tensor, draw: Draw) -> Tensor:
    """Shift the pictures, change their contrast and add noise: samples of the diffusion model are less clean."""
    most = pictures.shape[-1] // 16
    down, right = (int(number) for number in draw.numpy.integers(-most, most + 1, 2))
    shape = (len(pictures), 1, 1, 1)
    gain = 0.85 + 0.3 * draw.uniform(shape)
    level = 0.1 * draw.uniform(shape)
    return (pictures.roll((down, right), (2, 3)) * gain + level * draw.normal(pictures.shape)).clamp(-1, 1)


def embed_pictures(model: CLIPModel, pictures: Tensor) -> Tensor:
    """Embed pictures ``(B, 3, S, S)`` in -1..1 as unit vectors ``(B, W)``."""
    pooled = model.vision_model(pixel_values=pictures).pooler_output
    return functional.normalize(model.visual_projection(pooled).float(), dim=-1)


def embed_texts(model: CLIPModel, words: Words, texts: list[str]) -> Tensor:
    """Embed ``B`` texts as unit vectors ``(B, W)``."""
    pooled = model.text_model(input_ids=onto(words(texts), model.device)).pooler_output
    return functional.normalize(model.text_projection(pooled).float(), dim=-1)


class Judge:
    """Names the object and the look in a picture, out of all known ones."""

    def __init__(self, model: CLIPModel, words: Words, objects: tuple[str, ...], looks: tuple[str, ...]) -> None:
        self.model, self.objects, self.looks = model, objects, looks
        with torch.no_grad():
            self.object_texts = embed_texts(model, words, [with_article(name) for name in objects])
            self.look_texts = embed_texts(model, words, [LOOKS[name].phrases[0] for name in looks])

    @torch.no_grad()
    def __call__(self, pictures: Tensor) -> tuple[list[str], list[str]]:
        seen = embed_pictures(self.model, pictures)
        objects = (seen @ self.object_texts.T).argmax(1).tolist()
        looks = (seen @ self.look_texts.T).argmax(1).tolist()
        return [self.objects[index] for index in objects], [self.looks[index] for index in looks]


def agreement(found: list[str], wanted: list[str]) -> float:
    return float(np.mean([one == other for one, other in zip(found, wanted, strict=True)]))


def clip_run(size: Size, data: Pictures, folder: Path, device: torch.device, start: Path | None = None) -> Run:
    torch.manual_seed(size.clip.seed)
    saved = folder / "clip"
    if start:
        tokenizer = CLIPTokenizer.from_pretrained(start)
        model = CLIPModel.from_pretrained(start, dtype=torch.float32)
    else:
        tokenizer = CLIPTokenizer.from_pretrained(saved) if saved.exists() else train_tokenizer(size)
        model = CLIPModel(clip_config(size, len(tokenizer)))
    model = model.to(device).train()
    task = ClipTask(size, model, tokenizer, data, device)
    return Run(folder, size.clip, {"clip": model}, task.loss, task.check, task.export, typer.echo)


def main(
    data: Annotated[Path, typer.Argument(help="folder made by training.data.pictures", exists=True)],
    out: Annotated[Path, typer.Option(help="folder for the CLIP, the log and the state to resume from")],
    start: Annotated[Path | None, typer.Option(help="a CLIP to continue from, with its tokenizer", exists=True)] = None,
    size: SizeName = "small",
    minutes: Minutes = None,
    steps: Steps = None,
    rate: Annotated[float | None, typer.Option(help="peak learning rate; use a lower one with --start")] = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Train the small CLIP."""
    place = pick_device(device)
    prepare(place, threads)
    run = clip_run(planned(SIZES[size], "clip", steps, rate), Pictures.open(data), out, place, start)
    if not run.fit(minutes):
        raise typer.Exit(3)


if __name__ == "__main__":
    typer.run(main)
