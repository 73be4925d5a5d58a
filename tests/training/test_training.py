"""Each part trains for a few steps on a tiny world: the loss falls, and what is saved loads in diffusers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    StableDiffusionXLControlNetPipeline,
    StableDiffusionXLPipeline,
)
from PIL import Image
from safetensors.torch import load_file
from torch import nn
from transformers import CLIPModel, CLIPProcessor, CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from training.__main__ import main as make_everything
from training.attention import use_plain_self_attention
from training.clip import clip_run, contrast
from training.config import FULL, SIZES, TINY, Plan
from training.controlnet import control_run
from training.diffusion import Noising, time_ids
from training.evaluate import report, sampled_scenes
from training.loop import Draw, Run, rate_at, read_log
from training.sample import sheet, tiled
from training.text import token_ids, train_tokenizer
from training.train import diffusion_run, new_unet
from training.train_vae import vae_run

CPU = torch.device("cpu")


def falls(folder: Path, name: str = "loss") -> bool:
    values = [line[name] for line in read_log(folder) if name in line]
    third = max(1, len(values) // 3)
    return float(np.mean(values[-third:])) < float(np.mean(values[:third]))


@pytest.fixture(scope="module")
def vae_folder(pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vae")
    torch.set_num_threads(1)
    assert vae_run(TINY, pictures, folder, CPU).fit()
    return folder


@pytest.fixture(scope="module")
def unet_folder(pictures, vae_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unet")
    vae = AutoencoderKL.from_pretrained(vae_folder / "vae", torch_dtype=torch.float32)
    assert diffusion_run(TINY, pictures, vae, folder, CPU).fit()
    return folder


def test_vae_learns_and_loads(vae_folder):
    assert falls(vae_folder)
    vae = AutoencoderKL.from_pretrained(vae_folder / "vae")
    assert vae.config.latent_channels == TINY.latent_channels
    assert 0.05 < vae.config.scaling_factor < 20


def test_unet_learns_and_loads(unet_folder):
    assert falls(unet_folder)
    log = read_log(unet_folder)
    assert log[0]["step"] == 0
    assert "held_out_mse" in log[0]
    assert log[-1]["held_out_mse"] < log[0]["held_out_mse"]
    assert (unet_folder / "sheet.png").exists()
    pipeline = StableDiffusionXLPipeline.from_pretrained(unet_folder / "pipeline", torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    drawn = pipeline("a disc, flat design", height=32, width=32, num_inference_steps=2, output_type="np").images
    assert drawn.shape == (1, 32, 32, 3)
    assert np.isfinite(drawn).all()


def test_saved_weights_are_half_precision_in_small_files(unet_folder):
    files = list((unet_folder / "pipeline").rglob("*.safetensors"))
    assert files
    assert all(file.stat().st_size < 16 * 2**20 for file in files)
    assert {weight.dtype for file in files for weight in load_file(file).values()} == {torch.float16}


def test_training_goes_on_from_a_finished_pipeline(pictures, unet_folder, tmp_path):
    vae = AutoencoderKL.from_pretrained(unet_folder / "pipeline" / "vae", torch_dtype=torch.float32)
    size = replace(TINY, unet=replace(TINY.unet, steps=1, rate=1e-6))
    run = diffusion_run(size, pictures, vae, tmp_path, CPU, start=unet_folder / "pipeline")
    numbers = run.measure()
    assert numbers["mse"] == pytest.approx(read_log(unet_folder)[-1]["held_out_mse"], rel=0.02)


def test_controlnet_learns_and_loads(pictures, unet_folder, tmp_path):
    run = control_run(TINY, "edges", pictures, unet_folder / "pipeline", tmp_path, CPU)
    assert run.fit()
    last = read_log(tmp_path)[-1]
    assert last["held_out_mse"] < last["held_out_mse_without"]
    control = ControlNetModel.from_pretrained(tmp_path / "controlnet", torch_dtype=torch.float32)
    pipeline = StableDiffusionXLControlNetPipeline.from_pretrained(
        unet_folder / "pipeline", controlnet=control, torch_dtype=torch.float32
    )
    pipeline.set_progress_bar_config(disable=True)
    hint = Image.fromarray(np.zeros((32, 32, 3), np.uint8))
    drawn = pipeline("a box", image=hint, num_inference_steps=2, output_type="np").images
    assert drawn.shape == (1, 32, 32, 3)


def test_clip_learns_to_name_object_and_look(pictures, tmp_path):
    assert clip_run(TINY, pictures, tmp_path, CPU).fit()
    assert falls(tmp_path)
    assert read_log(tmp_path)[-1]["held_out_look"] >= 0.75
    model = CLIPModel.from_pretrained(tmp_path / "clip", dtype=torch.float32)
    processor = CLIPProcessor.from_pretrained(tmp_path / "clip")
    inputs = processor(
        text=["a disc", "a box"],
        images=Image.fromarray(np.asarray(pictures.pixels[0])),
        return_tensors="pt",
        padding="max_length",
    )
    assert model(**inputs).logits_per_image.shape == (1, 2)


class TestRun:
    """The loop itself, with a line to fit."""

    PLAN = Plan(steps=40, batch=8, rate=0.05, warmup=2, ema=0.9, log_every=5, check_every=20)

    def run(self, folder: Path) -> Run:
        torch.manual_seed(0)
        line = nn.Linear(1, 1)

        def loss(draw: Draw):
            inputs = torch.randn(8, 1, generator=draw.torch)
            return (line(inputs) - 2 * inputs).pow(2).mean(), {}

        return Run(folder, self.PLAN, {"line": line}, loss, dict, lambda place: None, lambda line: None)

    def test_a_stop_changes_nothing(self, tmp_path):
        straight = self.run(tmp_path / "straight")
        assert straight.fit()
        for _ in range(100):
            sliced = self.run(tmp_path / "sliced")
            step = sliced.step
            if sliced.fit(minutes=0.00002):
                break
            assert sliced.step >= step
        for one, other in zip(straight.weights + straight.average, sliced.weights + sliced.average, strict=True):
            torch.testing.assert_close(one, other)

    def test_averaged_weights_are_put_back(self, tmp_path):
        run = self.run(tmp_path)
        run.fit()
        before = run.weights[0].data.clone()
        with run.averaged():
            assert not torch.equal(run.weights[0].data, before)
        assert torch.equal(run.weights[0].data, before)

    def test_rate_warms_up_and_falls(self):
        rates = [rate_at(self.PLAN, step) for step in range(41)]
        assert rates[0] < rates[2]
        assert max(rates) <= self.PLAN.rate
        assert rates[40] == pytest.approx(0.015 * self.PLAN.rate)


def test_plain_self_attention_changes_nothing():
    torch.manual_seed(0)
    unet = new_unet(TINY, CPU).eval()
    inputs = {
        "sample": torch.randn(2, TINY.latent_channels, 16, 16),
        "timestep": 10,
        "encoder_hidden_states": torch.randn(2, 5, 2 * TINY.text_width),
        "added_cond_kwargs": {"text_embeds": torch.randn(2, TINY.text_width), "time_ids": time_ids(32, 2, CPU)},
    }
    with torch.no_grad():
        before = unet(**inputs).sample
        use_plain_self_attention(unet)
        torch.testing.assert_close(unet(**inputs).sample, before, rtol=1e-4, atol=1e-5)


def test_min_snr_weighs_clean_steps_less():
    weight = Noising(CPU).weight
    assert weight[0] < 0.01
    assert weight[900] == 1


def test_equal_captions_share_the_probability():
    similarity = torch.full((2, 2), 3.0)
    assert contrast(similarity, torch.ones(2, 2)) == pytest.approx(np.log(2))


def test_tokenizer_knows_its_words_and_spells_others():
    tokenizer = train_tokenizer(TINY)
    assert len(tokenizer) <= TINY.vocabulary + 100
    known, unknown = (token_ids(tokenizer, text) for text in ("a disc, flat design", "zebra"))
    assert len(known) == len(unknown) == TINY.tokens
    assert "zebra" in tokenizer.decode(unknown, skip_special_tokens=True).replace(" ", "")


def test_full_size_fits_the_repository():
    with torch.device("meta"):
        unet = new_unet(FULL, torch.device("meta"))
        vae = AutoencoderKL(**FULL.vae_config())
        config = CLIPTextConfig(**FULL.text_config(FULL.vocabulary))
        text = [CLIPTextModel(config), CLIPTextModelWithProjection(config)]
    count = sum(weight.numel() for module in (unet, vae, *text) for weight in module.parameters())
    assert 2 * count < 64 * 2**20
    assert len(unet.config.block_out_channels) == 3


def test_report_counts_what_was_found():
    scenes = sampled_scenes(TINY, 4)
    objects, looks = [scene.objects[0] for scene in scenes], [scene.look for scene in scenes]
    looks[0] = "nothing"
    numbers = report(scenes, objects, looks)
    assert numbers["object_found"] == 1
    assert numbers["look_found"] == 0.75


def test_tiled_fills_the_last_row():
    assert tiled([np.zeros((4, 4, 3), np.uint8)] * 5, 3).size == (12, 8)


def test_sheet_takes_any_prompts(unet_folder, tmp_path):
    pipeline = StableDiffusionXLPipeline.from_pretrained(unet_folder / "pipeline", torch_dtype=torch.float32)
    sheet(pipeline, tmp_path / "sheet.png", 32, ("a disc", "a box"))
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.size == (64, 32)


def test_everything_in_order_and_in_slices(sprites, tmp_path, monkeypatch):
    brief = replace(TINY.unet, steps=2)
    size = replace(TINY, variants=4, vae=brief, unet=brief, controlnet=brief, clip=brief)
    monkeypatch.setitem(SIZES, "tiny", size)
    monkeypatch.setattr("training.artwork.fetch", lambda folder: folder)
    monkeypatch.setattr("training.artwork.load", lambda *_: sprites)
    with pytest.raises(typer.Exit):
        make_everything(tmp_path, "tiny", minutes=0, workers=1)
    make_everything(tmp_path, "tiny", workers=1)
    made = {path.name for path in (tmp_path / "model").iterdir()}
    assert {"unet", "controlnet_edges", "controlnet_silhouette", "clip"} <= made
    assert "CC-BY-4.0" in (tmp_path / "model" / "CREDITS.md").read_text()
    assert not any(str(tmp_path) in file.read_text() for file in (tmp_path / "model").rglob("*.json"))
    StableDiffusionXLPipeline.from_pretrained(tmp_path / "model")
