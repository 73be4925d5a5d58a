"""The bundled model: small enough to ship with the source, and its CLIP recognises what it was trained on."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import CLIPModel, CLIPProcessor

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "app" / "demo_model"
LOOKS = {
    "blueprint-camera": "blueprint",
    "neon-guitar": "neon sign",
    "pencil-handbag": "pencil sketch",
    "poster-pear": "vintage poster",
}


@pytest.fixture(scope="module")
def clip() -> tuple[CLIPModel, CLIPProcessor]:
    model = CLIPModel.from_pretrained(DEMO / "clip", dtype=torch.float32).eval()
    return model, CLIPProcessor.from_pretrained(DEMO / "clip")


@torch.inference_mode()
def named(clip: tuple[CLIPModel, CLIPProcessor], picture: Path, texts: list[str]) -> str:
    model, processor = clip
    image = Image.open(picture).convert("RGB")
    inputs = processor(text=texts, images=image, return_tensors="pt", padding="max_length")
    return texts[int(model(**inputs).logits_per_image.argmax())]


def test_all_of_it_is_small() -> None:
    sizes = {file: file.stat().st_size for file in DEMO.rglob("*") if file.is_file()}
    assert max(sizes.values()) <= 16 * 2**20
    assert sum(sizes.values()) <= 64 * 2**20


@pytest.mark.parametrize("name", LOOKS)
def test_the_clip_names_the_look(clip: tuple[CLIPModel, CLIPProcessor], name: str) -> None:
    texts = ["3d render", "sticker", "watercolor", "pixel art", "papercut", "chalk drawing", *LOOKS.values()]
    assert named(clip, ROOT / "tests" / "data" / "looks" / f"{name}.webp", texts) == LOOKS[name]


def test_the_clip_names_the_things(clip: tuple[CLIPModel, CLIPProcessor]) -> None:
    """Drawings that do not come from its training's code; chance is right for one of 68 words or none."""
    words = [word for word in (DEMO / "words.txt").read_text().splitlines() if word]
    texts = {f"{'an' if word[0] in 'aeiou' else 'a'} {word}": word for word in words}
    drawn = [file for file in (ROOT / "static" / "samples").glob("*.webp") if file.stem in words]
    right = [texts[named(clip, file, list(texts))] == file.stem for file in drawn]
    print(f"{sum(right)} of {len(right)}")
    assert sum(right) >= len(right) / 2
