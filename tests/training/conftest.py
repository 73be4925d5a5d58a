"""A data folder of drawn shapes instead of the artwork, so that the tests need no network, and models of size tiny."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from training.config import TINY
from training.data.artwork import SOURCES, Sprites, save
from training.data.pictures import Pictures, build
from training.models import unet
from training.models.clip import clip_run
from training.models.unet import diffusion_run
from training.models.vae import vae_run

CPU = torch.device("cpu")

FEW = 128  # held-out latents for measuring a UNet

quiet = str  # replaces printing: takes a line, prints nothing, and pickles quickly


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


@pytest.fixture(autouse=True)
def whole_floats() -> Iterator[None]:
    """Training flushes denormal floats to zero for speed; later tests in this process need them."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(scope="session", autouse=True)
def few_checks() -> Iterator[None]:
    """Repeatedly measuring a thousand held-out latents would take longer than all the training here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unet, "CHECKED", FEW)
        yield


@pytest.fixture(scope="session")
def sprites() -> Sprites:
    return shapes()


@pytest.fixture(scope="session")
def data_folder(sprites: Sprites, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("data")
    save(sprites, folder)
    assert build(TINY, folder, say=quiet)
    return folder


@pytest.fixture(scope="session")
def pictures(data_folder: Path) -> Pictures:
    return Pictures.open(data_folder)


@pytest.fixture(scope="session")
def vae_folder(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("vae")
    torch.set_num_threads(1)
    assert vae_run(TINY, Pictures.open(data_folder, TINY.vae_pictures), folder, CPU).fit()
    return folder


@pytest.fixture(scope="session")
def unet_folder(pictures: Pictures, vae_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("unet")
    vae = AutoencoderKL.from_pretrained(vae_folder / "vae", torch_dtype=torch.float32)
    assert diffusion_run(TINY, pictures, vae, folder, CPU).fit()
    return folder


@pytest.fixture(scope="session")
def clip_folder(pictures: Pictures, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("clip")
    torch.set_num_threads(1)
    assert clip_run(TINY, pictures, folder, CPU).fit()
    return folder


@pytest.fixture(autouse=True)
def one_thread():
    """The models are so small that a second thread would only wait."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
