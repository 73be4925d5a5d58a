"""A model of twice the side starts as the old one on pictures of half the side, and its VAE learns from there."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch.nn import functional

from app.style_aligned import Studio
from tests.training.conftest import CPU, quiet
from training.config import SMALL, TINY
from training.data import drawn
from training.data.artwork import Sprites, save
from training.data.drawn import BATCH, REDRAWN_BATCH, Drawn
from training.data.pictures import Pictures, build
from training.loop import PRECISION, Draw, Precision, Run, read_log
from training.models.decoder import KEPT, DecoderTask, decoder_run, steepest
from training.models.diffusion import time_ids
from training.models.encoder import encoder_run
from training.models.enlarge import DECODING, SIZES, begun, enlarged, enlarged_controlnet, enlarged_vae, told_half
from training.models.join import joined
from training.models.unet import new_unet

ROOT = Path(__file__).parents[2]
LARGE = replace(TINY, pixels=64, vae_channels=(16, 16, 16), hint_channels=(8, 8, 8))


@pytest.fixture(scope="module")
def model(unet_folder: Path, clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole model of 32 px."""
    folder: Path = tmp_path_factory.mktemp("small") / "model"
    shutil.copytree(unet_folder / "pipeline", folder)
    shutil.copytree(clip_folder / "clip", folder / "clip")
    return folder


@pytest.fixture(scope="module")
def large(model: Path) -> Path:
    folder = model.parent / "large"
    enlarged(model, folder)
    return folder


@pytest.fixture(scope="module")
def large_pictures(sprites: Sprites, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Pictures]:
    folder: Path = tmp_path_factory.mktemp("large-data")
    save(sprites, folder)
    assert build(LARGE, folder, say=quiet)
    return folder, Pictures.open(folder)


@pytest.fixture(scope="module")
def drawn_folder(large: Path, large_pictures: tuple[Path, Pictures], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("drawn")
    assert drawn.build(str(large), large_pictures[0], folder, 2 * BATCH, 24, say=quiet)
    return folder


def taught(
    folder: Path, model: Path, large: Path, pictures: tuple[Path, Pictures], drawn_folder: Path, steps: int
) -> Run:
    size = replace(LARGE, decoder=replace(TINY.decoder, steps=steps))
    return decoder_run(
        size, pictures[1], Drawn.open(drawn_folder), large / "vae", large / "clip", folder, CPU, model / "vae"
    )


def doubled(x: torch.Tensor) -> torch.Tensor:
    return x.repeat_interleave(2, -1).repeat_interleave(2, -2)


@torch.no_grad()
def test_the_encoder_begins_with_the_latents_of_pictures_of_half_the_side(model):
    old = AutoencoderKL.from_pretrained(model / "vae", torch_dtype=torch.float32)
    new = enlarged_vae(old)
    small = torch.rand(2, 3, 32, 32) * 2 - 1
    first, second = old.encode(small).latent_dist, new.encode(doubled(small)).latent_dist
    assert torch.allclose(first.mean, second.mean, atol=1e-3 * float(first.mean.std()))
    assert torch.allclose(first.logvar, second.logvar, atol=1e-2)


@torch.no_grad()
def test_the_decoder_begins_with_the_pictures_of_the_old(model):
    old = AutoencoderKL.from_pretrained(model / "vae", torch_dtype=torch.float32)
    new = enlarged_vae(old)
    latents = torch.randn(2, TINY.latent_channels, 16, 16)
    small, large = old.decode(latents).sample, new.decode(latents).sample
    assert large.shape == (2, 3, 64, 64)
    assert functional.mse_loss(functional.avg_pool2d(large, 2), small) < 0.1 * small.var()


@torch.no_grad()
@pytest.mark.parametrize(("channels", "gain"), [((4, 8), 1.0), ((8, 8, 16), 1.0), ((8, 8, 16), 2.0)])
def test_a_controlnet_begins_with_the_hints_of_maps_of_half_the_side(channels, gain):
    torch.manual_seed(3)
    old = ControlNetModel.from_unet(new_unet(TINY, CPU), conditioning_embedding_out_channels=channels)
    torch.nn.init.normal_(old.controlnet_cond_embedding.conv_out.weight)  # which start at zero
    new = enlarged_controlnet(old, gain)
    maps = (torch.rand(2, 1, 64, 64) ** 3).expand(-1, 3, -1, -1)
    first = old.controlnet_cond_embedding((gain * functional.avg_pool2d(maps, 2)).clamp(max=1))
    second = new.controlnet_cond_embedding(maps)
    assert second.shape == first.shape
    assert (second - first).abs().max() < 0.02 * first.std()


@torch.no_grad()
def test_sizes_mean_what_half_of_them_meant():
    old = new_unet(TINY, CPU).eval()
    new = UNet2DConditionModel.from_config(old.config)
    new.load_state_dict(old.state_dict())
    told_half(new, 64)

    def said(unet: UNet2DConditionModel, side: float) -> torch.Tensor:
        torch.manual_seed(1)
        told = {"text_embeds": torch.randn(1, TINY.text_width), "time_ids": time_ids(side, 1, CPU)}
        latents, states = torch.randn(1, TINY.latent_channels, 16, 16), torch.randn(1, 4, 2 * TINY.text_width)
        return unet(latents, 500, states, added_cond_kwargs=told).sample

    for share in SIZES:
        assert torch.allclose(said(new, 64 * share), said(old, 32 * share), atol=1e-5)
    assert not torch.allclose(said(old, 64), said(old, 32), atol=1e-5)


def test_an_enlarged_model_draws(large, drawn_folder):
    studio = Studio.load(str(large))
    assert (studio.defaults.size, studio.factor) == ((64, 64), 4)
    latents = Drawn.open(drawn_folder)
    assert latents.drawn.shape == (2 * BATCH, TINY.latent_channels, 16, 16)
    assert latents.redrawn.shape == (2 * REDRAWN_BATCH, TINY.latent_channels, 16, 16)
    assert len(latents.rows) == 2 * REDRAWN_BATCH
    assert latents.drawn.astype(float).std((1, 2, 3)).min() > 0.1


def test_drawing_resumes_where_it_stopped(large, large_pictures, drawn_folder, tmp_path):
    assert not drawn.build(str(large), large_pictures[0], tmp_path, 2 * BATCH, 24, minutes=0.0, say=quiet)
    assert drawn.there(tmp_path) == BATCH
    assert drawn.build(str(large), large_pictures[0], tmp_path, 2 * BATCH, 24, say=quiet)
    one, other = Drawn.open(tmp_path), Drawn.open(drawn_folder)
    assert (one.drawn == other.drawn).all()
    assert (one.redrawn == other.redrawn).all()


def test_the_decoder_learns_and_what_it_does_not_own_stays(model, large, large_pictures, drawn_folder, tmp_path):
    run = taught(tmp_path, model, large, large_pictures, drawn_folder, 60)
    assert run.fit()
    errors = [line["error"] for line in read_log(tmp_path) if "error" in line]
    assert errors[-1] < errors[0]
    before, after = (AutoencoderKL.from_pretrained(folder / "vae").state_dict() for folder in (large, tmp_path))
    assert all(torch.equal(before[name], after[name]) for name in before if name.startswith(("encoder", "quant")))
    assert not torch.equal(before["decoder.conv_out.weight"], after["decoder.conv_out.weight"])
    assert (tmp_path / "sheet.png").exists()


def test_an_interrupted_decoder_resumes_with_its_critic(model, large, large_pictures, drawn_folder, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    straight = taught(whole, model, large, large_pictures, drawn_folder, 4)
    assert straight.fit()
    assert not taught(parts, model, large, large_pictures, drawn_folder, 4).fit(minutes=0)  # one step
    second = taught(parts, model, large, large_pictures, drawn_folder, 4)
    assert second.step == 1
    assert second.fit()
    for one, other in zip(straight.average, second.average, strict=True):
        assert torch.equal(one, other)
    critics = [run.companions["critic"].state_dict() for run in (straight, second)]
    assert all(torch.equal(critics[0][name], critics[1][name]) for name in critics[0])


def test_kept_latents_are_never_learned_from(model, large, large_pictures, drawn_folder, tmp_path):
    run = taught(tmp_path, model, large, large_pictures, drawn_folder, 1)
    task: DecoderTask = run.loss.__self__
    assert task.kept_count == min(KEPT, 2 * BATCH // 4)
    kept = {row.numpy().tobytes() for row in task.kept()}
    for step in range(20):
        _, latents = task.batch(Draw.of(1, step, CPU))
        assert not kept & {row.numpy().tobytes() for row in latents}


def test_the_encoder_learns_the_teachers_latents(model, large, large_pictures, tmp_path):
    size = replace(LARGE, encoder=replace(TINY.encoder, steps=40))
    worse = AutoencoderKL.from_pretrained(large / "vae")
    with torch.no_grad():
        worse.encoder.conv_in.weight.mul_(1.3)
    worse.save_pretrained(tmp_path / "worse" / "vae")
    run = encoder_run(size, large_pictures[1], tmp_path / "worse" / "vae", model / "vae", tmp_path, CPU)
    assert run.fit()
    errors = [line["held_out_mean_mse"] for line in read_log(tmp_path) if "held_out_mean_mse" in line]
    assert errors[-1] < 0.5 * errors[0]
    before, after = (AutoencoderKL.from_pretrained(folder / "vae").state_dict() for folder in (large, tmp_path))
    assert all(torch.equal(before[name], after[name]) for name in before if name.startswith(("decoder", "post")))


def test_an_encoder_and_a_decoder_are_joined(large, tmp_path):
    other = AutoencoderKL.from_pretrained(large / "vae")
    with torch.no_grad():
        for weight in other.parameters():
            weight.add_(1)
    other.save_pretrained(tmp_path / "other")
    joined(large / "vae", tmp_path / "other", tmp_path / "both")
    first, second, both = (
        AutoencoderKL.from_pretrained(folder).state_dict()
        for folder in (large / "vae", tmp_path / "other", tmp_path / "both")
    )
    assert all(
        torch.equal(weight, (first if name.startswith(("encoder", "quant")) else second)[name].half().float())
        for name, weight in both.items()
    )
    smaller = AutoencoderKL(**replace(TINY, latent_channels=2).vae_config())
    smaller.save_pretrained(tmp_path / "smaller")
    with pytest.raises(ValueError, match="do not belong together"):
        joined(large / "vae", tmp_path / "smaller", tmp_path / "no")


def test_a_trained_decoder_is_the_start(model, large, tmp_path):
    with torch.no_grad():
        learned = {
            name: weight.float() + 1
            for name, weight in load_file(large / "vae" / "diffusion_pytorch_model.safetensors").items()
            if name.startswith(DECODING)
        }
    save_file(learned, tmp_path / "decoder.safetensors")
    vae = enlarged_vae(AutoencoderKL.from_pretrained(model / "vae"))
    before = vae.encoder.conv_in.weight.clone()
    begun(vae, tmp_path / "decoder.safetensors")
    assert torch.equal(vae.decoder.conv_out.bias, learned["decoder.conv_out.bias"])
    assert torch.equal(vae.encoder.conv_in.weight, before)
    with pytest.raises(ValueError, match="not a decoder of this VAE"):
        begun(AutoencoderKL.from_pretrained(model / "vae"), tmp_path / "decoder.safetensors")


def test_the_decoder_of_the_bundled_vae_can_be_trained_further(tmp_path):
    vae = AutoencoderKL.from_pretrained(ROOT / "app" / "demo_model" / "vae")
    learned = {
        name: each for name, each in vae.state_dict().items() if name.startswith(("decoder.", "post_quant_conv."))
    }
    save_file(learned, tmp_path / "decoder.safetensors")
    begun(vae, tmp_path / "decoder.safetensors")
    assert vae.config.sample_size == SMALL.pixels


def test_sharp_edges_have_steep_slopes():
    picture = torch.full((1, 3, 32, 32), -1.0)
    picture[..., 16:] = 1
    soft = functional.avg_pool2d(picture, 5, 1, 2, count_include_pad=False)
    assert steepest(picture) == pytest.approx(255)
    assert steepest(soft) == pytest.approx(51, abs=1)


def test_a_run_resumes_in_its_original_number_format(model, large, large_pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(PRECISION, "_half", None)  # restored at the end
    size = replace(LARGE, encoder=replace(TINY.encoder, steps=3))
    for value in (True, False):
        folder = tmp_path / str(value)
        PRECISION.half = value
        run = encoder_run(size, large_pictures[1], large / "vae", model / "vae", folder, CPU)
        run._one_step()
        run.save()
        PRECISION.half = not value
        encoder_run(size, large_pictures[1], large / "vae", model / "vae", folder, CPU)
        assert PRECISION.half is value


def test_the_faster_number_format_is_taken(monkeypatch):
    for half in (True, False):
        monkeypatch.setattr(Precision, "_seconds", staticmethod(lambda tried, fast=half: 1.0 if tried is fast else 2.0))
        assert Precision().half is half
    monkeypatch.undo()
    assert Precision._seconds(half=False) > 0
