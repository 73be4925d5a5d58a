"""Each part trains for a few steps on a tiny world: the loss falls, and what is saved loads in diffusers."""

import shutil
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
from transformers import CLIPModel, CLIPProcessor

from tests.training.conftest import CPU, quiet
from training.__main__ import main as make_everything
from training.config import SIZES, SMALL, TINY, Plan
from training.data.pictures import Pictures
from training.loop import Draw, Run, rate_at, read_log
from training.models.attention import use_plain_self_attention
from training.models.clip import contrast
from training.models.controlnet import control_run
from training.models.diffusion import Noising, encode_all, time_ids
from training.models.sample import sheet, tiled
from training.models.text import TextEncoders, Words, train_tokenizer
from training.models.unet import diffusion_run, new_unet, save_pipeline
from training.models.vae import VaeTask
from training.tensors import Rows, as_pictures


def falls(folder: Path, name: str = "loss") -> bool:
    values = [line[name] for line in read_log(folder) if name in line]
    third = max(1, len(values) // 3)
    return float(np.mean(values[-third:])) < float(np.mean(values[:third]))


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


def test_training_continues_from_a_finished_pipeline(pictures, unet_folder, tmp_path):
    vae = AutoencoderKL.from_pretrained(unet_folder / "pipeline" / "vae", torch_dtype=torch.float32)
    size = replace(TINY, unet=replace(TINY.unet, steps=1, rate=1e-6))
    run = diffusion_run(size, pictures, vae, tmp_path, CPU, start=unet_folder / "pipeline")
    numbers = run.measure()
    assert numbers["mse"] == pytest.approx(read_log(unet_folder)[-1]["held_out_mse"], rel=0.02)


def test_an_interrupted_unet_resumes(pictures, unet_folder, tmp_path):
    """Even if some of its weights never had a gradient: SDXL does not use the text encoders' last layers."""
    folder = tmp_path / "unet"
    shutil.copytree(unet_folder, folder)
    vae = AutoencoderKL.from_pretrained(folder / "pipeline" / "vae", torch_dtype=torch.float32)
    size = replace(TINY, unet=replace(TINY.unet, steps=TINY.unet.steps + 1))
    run = diffusion_run(size, pictures, vae, folder, CPU)
    assert run.step == TINY.unet.steps
    assert run.fit()


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

    other = control_run(
        TINY, "silhouette", pictures, unet_folder / "pipeline", tmp_path / "next", CPU, tmp_path / "controlnet"
    )
    assert all(
        torch.equal(weight.half(), other.modules["controlnet"].state_dict()[name].half())
        for name, weight in control.state_dict().items()
    )


def test_clip_learns_to_name_object_and_look(pictures, clip_folder):
    assert falls(clip_folder)
    assert read_log(clip_folder)[-1]["held_out_look"] >= 0.75
    model = CLIPModel.from_pretrained(clip_folder / "clip", dtype=torch.float32)
    processor = CLIPProcessor.from_pretrained(clip_folder / "clip")
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

    def run(self, folder: Path, plan: Plan = PLAN) -> Run:
        torch.manual_seed(0)
        line = nn.Linear(1, 1)

        def loss(draw: Draw):
            inputs = draw.normal((8, 1))
            return (line(inputs) - 2 * inputs).pow(2).mean(), {}

        return Run(folder, plan, {"line": line}, loss, dict, lambda place: None, quiet)

    def test_a_stop_changes_nothing(self, tmp_path):
        straight = self.run(tmp_path / "straight")
        assert straight.fit()
        for _ in range(100):
            sliced = self.run(tmp_path / "sliced")
            step = sliced.step
            if sliced.fit(minutes=0.00002):
                break
            assert sliced.step > step
        for one, other in zip(straight.weights + straight.average, sliced.weights + sliced.average, strict=True):
            torch.testing.assert_close(one, other)

    def test_it_resumes_with_another_memory_format(self, tmp_path):
        """As when a run started on a CPU resumes on a GPU, with channels last."""

        def run(layout: torch.memory_format) -> Run:
            convolution = nn.Conv2d(3, 3, 3).to(memory_format=layout)

            def loss(draw: Draw):
                return convolution(draw.normal((2, 3, 8, 8))).pow(2).mean(), {}

            return Run(tmp_path, self.PLAN, {"it": convolution}, loss, dict, lambda place: None, quiet)

        run(torch.contiguous_format).fit(minutes=0)
        other = run(torch.channels_last)
        assert 0 < other.step < self.PLAN.steps
        strides = {state["exp_avg"].stride() for state in other.optimizer.state.values()}
        assert strides == {weight.stride() for weight in other.weights}
        assert other.fit()

    def test_it_stops_when_the_loss_is_nan(self, tmp_path):
        run = self.run(tmp_path)
        run.weights[0].data.fill_(float("nan"))
        with pytest.raises(RuntimeError, match="no longer a number near step 5"):
            run.fit()
        assert not (tmp_path / "state.pt").exists()

    def test_averaged_weights_are_put_back(self, tmp_path):
        run = self.run(tmp_path)
        run.fit()
        before = run.weights[0].data.clone()
        with run.resulting():
            assert not torch.equal(run.weights[0].data, before)
        assert torch.equal(run.weights[0].data, before)

    def test_a_share_of_the_first_weights_is_kept(self, tmp_path):
        plan = replace(self.PLAN, kept=0.25)
        assert self.run(tmp_path, plan).fit()
        run = self.run(tmp_path, plan)  # as after a stop: its initial values are not in its state
        torch.manual_seed(0)
        begun = list(nn.Linear(1, 1).parameters())
        with run.resulting():
            for weight, first, mean in zip(run.weights, begun, run.average, strict=True):
                torch.testing.assert_close(weight.data, 0.25 * first.data + 0.75 * mean)

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
    known, unknown = Words(tokenizer)(["a disc, flat design", "zebra"])
    assert len(known) == len(unknown) == TINY.tokens
    assert "zebra" in tokenizer.decode(unknown, skip_special_tokens=True).replace(" ", "")


def test_words_are_the_tokenizers_own():
    tokenizer = train_tokenizer(SMALL)
    texts = ["", "a red teapot, 8-bit pixel art", "Zebra's  die-cut sticker", "a fox " * 30]
    expected = tokenizer(
        texts, padding="max_length", max_length=SMALL.tokens, truncation=True, return_tensors="pt"
    ).input_ids
    assert torch.equal(Words(tokenizer)(texts), expected)


def test_rows_come_in_the_requested_order(pictures):
    wanted = [5, 0, 7, 5]
    rows = Rows(pictures.pixels, CPU)[torch.tensor(wanted)]
    np.testing.assert_array_equal(rows.numpy(), pictures.pixels[wanted])


def test_latents_are_encoded_again_only_for_another_vae_or_other_pictures(pictures, vae_folder, tmp_path):
    vae = AutoencoderKL.from_pretrained(vae_folder / "vae", torch_dtype=torch.float32)
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    latents = encode_all(vae, pictures, CPU, first)
    np.testing.assert_array_equal(encode_all(vae, pictures, CPU, second), latents)
    assert not any(second.iterdir())
    backwards = Pictures(pictures.scenes[::-1], pictures.pixels[::-1], pictures.structure)
    np.testing.assert_array_equal(encode_all(vae, backwards, CPU, second), latents[::-1])
    with torch.no_grad():
        next(vae.encoder.parameters()).mul_(1.1)
    assert not np.array_equal(encode_all(vae, pictures, CPU, first), latents)


def test_the_vaes_loss_is_of_what_diffusers_draws(pictures, vae_folder):
    vae = AutoencoderKL.from_pretrained(vae_folder / "vae", torch_dtype=torch.float32)
    task = VaeTask(vae, pictures, TINY, CPU)
    wanted = as_pictures(task.pictures[torch.arange(4)])
    noise = torch.randn(4, TINY.latent_channels, TINY.latent, TINY.latent)
    with torch.no_grad():
        drawn, divergence = task.redrawn(wanted, noise)
        posterior = vae.encode(wanted).latent_dist
        torch.testing.assert_close(drawn, vae.decode(posterior.mean + posterior.std * noise).sample)
    assert divergence == pytest.approx(posterior.kl().mean().item() / noise[0].numel(), rel=1e-4)


def test_a_model_with_the_channels_last_is_saved(pictures, vae_folder, tmp_path):
    """With the memory format used on a GPU."""
    vae = AutoencoderKL.from_pretrained(vae_folder / "vae")
    unet = new_unet(TINY, CPU).to(memory_format=torch.channels_last)
    save_pipeline(tmp_path / "pipeline", vae, TextEncoders.new(TINY, CPU), unet)
    saved = load_file(tmp_path / "pipeline" / "unet" / "diffusion_pytorch_model.safetensors")
    torch.testing.assert_close(saved["conv_in.weight"], unet.conv_in.weight.half())


def test_models_compile_without_a_break(pictures, vae_folder):
    """Code compiled on a GPU, traced here: one graph break would cost most of the gain."""

    def traced(function):
        return torch.compile(function, dynamic=False, backend="eager", fullgraph=True)

    unet = new_unet(TINY, CPU)
    control = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=TINY.hint_channels)
    latents, states = torch.randn(2, TINY.latent_channels, 16, 16), torch.randn(2, 5, 2 * TINY.text_width)
    told = {"text_embeds": torch.randn(2, TINY.text_width), "time_ids": time_ids(32, 2, CPU)}
    told_both = {"timestep": torch.tensor([3, 900]), "encoder_hidden_states": states, "added_cond_kwargs": told}
    with torch.no_grad():
        down, middle = traced(control)(
            latents, controlnet_cond=torch.rand(2, 3, 32, 32), **told_both, return_dict=False
        )
        added = {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
        torch.testing.assert_close(
            traced(unet)(latents, **told_both, **added).sample, unet(latents, **told_both, **added).sample
        )
        task = VaeTask(AutoencoderKL.from_pretrained(vae_folder / "vae"), pictures, TINY, CPU)
        traced(task.redrawn)(torch.rand(2, 3, 32, 32), latents)


def test_tiled_fills_the_last_row():
    assert tiled([np.zeros((4, 4, 3), np.uint8)] * 5, 3).size == (12, 8)


def test_sheet_takes_any_prompts(unet_folder, tmp_path):
    pipeline = StableDiffusionXLPipeline.from_pretrained(unet_folder / "pipeline", torch_dtype=torch.float32)
    sheet(pipeline, tmp_path / "sheet.png", 32, ("a disc", "a box"))
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.size == (64, 32)


def test_everything_in_order_and_in_slices(sprites, tmp_path, monkeypatch):
    brief = replace(TINY.unet, steps=2)
    decoder = replace(TINY.decoder, steps=2)
    size = replace(TINY, variants=4, vae=brief, decoder=decoder, unet=brief, sets=brief, controlnet=brief, clip=brief)
    monkeypatch.setitem(SIZES, "tiny", size)
    monkeypatch.setattr("training.data.artwork.fetch", lambda folder: folder)
    monkeypatch.setattr("training.data.artwork.load", lambda *_: sprites)
    monkeypatch.setattr("training.data.pictures.SPAN", 8)
    with pytest.raises(typer.Exit):
        make_everything(tmp_path, "tiny", minutes=0, workers=1)
    make_everything(tmp_path, "tiny", workers=1, beside=True)
    made = {path.name for path in (tmp_path / "model").iterdir()}
    assert {"unet", "controlnet_edges", "controlnet_silhouette", "clip"} <= made
    assert "CC-BY-4.0" in (tmp_path / "model" / "CREDITS.md").read_text()
    assert (tmp_path / "model" / "words.txt").read_text().split() == ["box", "disc"]
    assert {"a", "in", "icon", "flat"} < set((tmp_path / "model" / "other_words.txt").read_text().split())
    assert not any(str(tmp_path) in file.read_text() for file in (tmp_path / "model").rglob("*.json"))
    StableDiffusionXLPipeline.from_pretrained(tmp_path / "model")
