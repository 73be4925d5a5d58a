"""The looks that the bundled CLIP names without a model library."""

import json

import numpy as np
import pytest
from PIL import Image

from app.quality.embeddings import BUNDLED, Clip
from app.quality.looks import FOLDER, look_of, picture_vector
from scripts.look_names import kept
from tests.quality.drawn import lines, noisy, scene
from tests.quality.test_advice import drawn, painting


@pytest.mark.parametrize("name", ["blueprint-camera", "neon-guitar", "pencil-handbag", "poster-pear"])
def test_plain_numpy_gives_the_vectors_of_transformers(name: str) -> None:
    clip = Clip(FOLDER, BUNDLED)
    picture = drawn(name)
    for seen in (picture, picture.resize((300, 170))):
        np.testing.assert_allclose(picture_vector(seen), clip.picture(seen), atol=1e-5)


def test_the_kept_names_are_those_of_the_model() -> None:
    """After another model was trained: `python -m scripts.look_names`."""
    ours, theirs = json.loads((FOLDER / "looks.json").read_text()), json.loads(kept())
    assert list(ours["looks"]) == list(theirs["looks"])
    np.testing.assert_allclose(list(ours["looks"].values()), list(theirs["looks"].values()), atol=1e-3)
    assert ours["scale"] == pytest.approx(theirs["scale"], rel=1e-3)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("blueprint-camera", "blueprint"),
        ("neon-guitar", "neon sign"),
        ("pencil-handbag", "pencil sketch"),
        ("poster-pear", "vintage poster"),
    ],
)
def test_a_drawing_in_a_look_is_named(name: str, words: str) -> None:
    found = look_of(drawn(name))
    assert found is not None
    assert found.words == words
    assert 0.9 <= found.probability <= 1


def test_a_picture_of_another_kind_is_not_named() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8))
    for picture in (painting(), lines(8), scene((200, 30, 40)), noise):
        assert look_of(picture) is None, look_of(picture)
    assert look_of(noisy(painting(3), 20)) is None
