"""Leakage between drawings whose subjects are known: pasted ones are found, and a shared look is not leakage."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.quality.colour import Vectors
from app.quality.embedder import Role
from app.quality.embeddings import loaded
from app.quality.features import Features, compared, features
from app.quality.measures import Measure
from tests.quality.drawn import scene

LOOKS = Path(__file__).parents[1] / "data" / "looks"


class Colours:
    """Sees only the mean colour of a picture and of its 8 x 8 parts: what it is shown can be told by eye."""

    role: Role = "dino"
    name = "colours"

    def picture(self, picture: Image.Image) -> Vectors:
        vector = self.patches(picture).mean(axis=(0, 1))
        return np.asarray(vector / np.linalg.norm(vector), np.float32)

    def patches(self, picture: Image.Image) -> Vectors:
        small = np.asarray(picture.resize((8, 8), Image.Resampling.BOX), np.float32)
        return small / np.linalg.norm(small, axis=-1, keepdims=True)

    def text(self, text: str) -> None:
        return None


def disc(ink: str, place: tuple[int, int], paper: str = "#101010") -> Image.Image:
    picture = Image.new("RGB", (128, 128), paper)
    picture.paste(ink, (*place, place[0] + 40, place[1] + 40))
    return picture


def leaked(target: Image.Image, reference: Image.Image, embedders: list, mask: Image.Image | None = None) -> float:
    one, other = features(target, subject=mask, embedders=embedders), features(reference, embedders=embedders)
    return compared(Features.from_json(one.to_json()), [other], [])[Measure.LEAKAGE]


def test_a_pasted_subject_is_found_beside_the_pictures_own() -> None:
    eye = [Colours()]
    reference = disc("#ff0000", (44, 44))
    own = Image.new("L", (128, 128))
    own.paste(255, (80, 80, 120, 120))
    clean = disc("#0000ff", (80, 80))
    pasted = clean.copy()
    pasted.paste("#ff0000", (8, 8, 48, 48))
    assert leaked(pasted, reference, eye, own) > leaked(clean, reference, eye, own) + 0.1
    assert leaked(disc("#ff0000", (80, 80)), reference, eye, own) > leaked(clean, reference, eye, own) + 0.1


def test_the_bundled_clip_tells_a_subject_that_is_the_same_from_another() -> None:
    eye = loaded("")
    pictures = {}
    for name in ("blueprint-camera", "neon-guitar", "pencil-handbag", "poster-pear"):
        with Image.open(LOOKS / f"{name}.webp") as picture:
            pictures[name] = picture.convert("RGB")
    for name, picture in pictures.items():
        again = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        others = [leaked(other, picture, eye) for key, other in pictures.items() if key != name]
        assert leaked(again, picture, eye) > max(others) + 0.1, name


def test_leakage_is_not_known_without_a_subject_or_by_another_model() -> None:
    eye = [Colours()]
    plain, reference = Image.new("RGB", (64, 64), "navy"), disc("#ff0000", (44, 44))
    known = features(reference, embedders=eye)
    assert Measure.LEAKAGE not in compared(features(plain, embedders=eye), [known], [])
    assert Measure.LEAKAGE not in compared(known, [features(plain, embedders=eye)], [])
    assert Measure.LEAKAGE not in compared(known, [features(reference)], [])
    other = Features.from_json(known.to_json() | {"parts_by": "another"})
    assert Measure.LEAKAGE not in compared(known, [other], [])


class Wide(Colours):
    """As wide as ViT-B's and ViT-L's vectors."""

    def __init__(self, role: Role) -> None:
        self.role, self.name = role, f"a wide {role}"

    def patches(self, picture: Image.Image) -> Vectors:
        return np.asarray(np.tile(super().patches(picture), 256) / 16, np.float32)


@pytest.mark.parametrize("ink", ["#ff0000", "#ff8800"])
def test_features_with_three_wide_models_are_short_and_their_cosines_hold(ink: str) -> None:
    import json

    wide = [Wide("dino"), Wide("clip"), Wide("csd")]
    measured = features(disc(ink, (80, 80)), embedders=wide)
    text = json.dumps(measured.to_json())
    assert len(text) < 16_000
    reference = features(disc("#ff0000", (44, 44)), embedders=wide)
    found = compared(Features.from_json(json.loads(text)), [reference], [])
    narrow = leaked(disc(ink, (80, 80)), disc("#ff0000", (44, 44)), [Colours()])
    assert found[Measure.LEAKAGE] == pytest.approx(narrow, abs=0.12)


def test_text_alignment_is_highest_for_what_the_picture_shows() -> None:
    (clip,) = loaded("")
    with Image.open(LOOKS / "neon-guitar.webp") as opened:
        picture = opened.convert("RGB")

    def aligned(text: str) -> float:
        return compared(features(picture, text=text, embedders=[clip]), [], [])[Measure.TEXT_ALIGNMENT]

    assert aligned("a guitar") > max(aligned("a camera"), aligned("a pear"), aligned("a fox")) + 0.1
    assert Measure.TEXT_ALIGNMENT not in compared(features(picture, embedders=[clip]), [], [])
    assert Measure.TEXT_ALIGNMENT not in compared(features(scene((9, 9, 9)), text="a guitar"), [], [])
