"""A data folder of drawn shapes in place of the artwork, so that the tests need no network."""

from pathlib import Path

import numpy as np
import pytest
import torch

from training.artwork import SOURCES, Sprites
from training.config import TINY
from training.data import Pictures, build


def shapes(side: int = 40) -> Sprites:
    rows, columns = np.mgrid[0:side, 0:side] / side - 0.5
    disc = (rows**2 + columns**2 < 0.2)[..., None]
    box = (np.maximum(abs(rows), abs(columns)) < 0.4)[..., None]
    colours = {"disc": (disc, (220, 60, 40)), "box": (box, (40, 80, 210))}
    return {
        (name, source): np.concatenate([np.where(mask, rgb, 0), mask * 255], -1).astype(np.uint8)
        for name, (mask, rgb) in colours.items()
        for source in SOURCES
    }


@pytest.fixture(scope="session")
def sprites() -> Sprites:
    return shapes()


@pytest.fixture(scope="session")
def pictures(sprites: Sprites, tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    folder: Path = tmp_path_factory.mktemp("data")
    assert build(TINY, folder, sprites, say=lambda line: None)
    return Pictures.open(folder)


@pytest.fixture(autouse=True)
def one_thread():
    """The models are so small that a second thread only waits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
