"""The plan for a GPU available for minutes, tried on a CPU: it ends in time, and returns what it learned."""

import shutil
import time

import numpy as np
import pytest
from diffusers import AutoencoderKL
from safetensors.torch import load_file

from tests.training.conftest import CPU
from training import sprint
from training.config import TINY
from training.data import artwork
from training.sprint import Sprint


@pytest.fixture
def model(unet_folder, clip_folder, tmp_path):
    shutil.copytree(unet_folder / "pipeline", tmp_path / "model")
    shutil.copytree(clip_folder / "clip", tmp_path / "model" / "clip")
    return tmp_path / "model"


def test_packed_artwork_is_what_it_was(data_folder, tmp_path):
    sprint.pack(data_folder, tmp_path / "artwork.npz")
    sprint.unpack(tmp_path / "artwork.npz", tmp_path / "data")
    before, after = artwork.open_saved(data_folder), artwork.open_saved(tmp_path / "data")
    assert before.keys() == after.keys()
    for name, pixels in before.items():
        assert (pixels[..., 3] == after[name][..., 3]).all()
        seen = pixels[..., 3] > 0
        assert np.abs(pixels[seen].astype(int) - after[name][seen]).mean() < 4


def test_a_sprint_brings_back_every_part(model, data_folder, tmp_path):
    packed, out = tmp_path / "artwork.npz", tmp_path / "out"
    sprint.pack(data_folder, packed)
    began = time.process_time()
    sprint.main(model, packed, None, out, tmp_path / "work", "tiny", minutes=0.05, device="cpu", workers=1)
    assert time.process_time() - began < 60
    made = {file.name for file in out.iterdir()}
    assert {"unet-diffusion_pytorch_model.safetensors", "vae-diffusion_pytorch_model.safetensors"} <= made
    assert {"text_encoder-model.safetensors", "text_encoder_2-model.safetensors"} <= made
    assert len(made) <= 8
    vae = AutoencoderKL.from_pretrained(model / "vae")
    vae.load_state_dict(load_file(out / "vae-diffusion_pytorch_model.safetensors"))


def test_a_run_is_as_long_as_its_share_of_the_minutes(tmp_path):
    class Paced:
        def __init__(self, size, folder):
            self.steps = size.unet.steps

        def _one_step(self):
            clock.now += 0.5

    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    clock = Clock()
    plan = Sprint(TINY, tmp_path, tmp_path, tmp_path, CPU, 10.0, clock.now)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sprint, "time", clock)
        assert plan.fitted("unet", Paced).steps == int(sprint.SHARES["unet"] * 600 / 0.5)
        clock.now += 500
        left = 600 - 500 - 2 * 0.5 * (sprint.WARM + sprint.TIMED)
        assert plan.fitted("unet", Paced).steps == int(0.9 * left / 0.5)
