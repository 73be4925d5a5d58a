"""Training under sharing: which pictures make a set, and that a set is a set to the UNet."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from tests.training.conftest import CPU
from training.config import TINY
from training.data.looks import LOOKS
from training.data.pictures import Pictures
from training.data.scenes import TRAIN
from training.loop import Draw, read_log
from training.models.sets import TARGETS, SetDrawing, Sets
from training.models.unet import OFTEN, DiffusionTask, diffusion_run


@pytest.fixture
def task(pictures, unet_folder, tmp_path) -> DiffusionTask:
    vae = AutoencoderKL.from_pretrained(unet_folder / "pipeline" / "vae", torch_dtype=torch.float32)
    run = diffusion_run(TINY, pictures, vae, tmp_path, CPU, start=unet_folder / "pipeline", on_sets=True)
    return run.loss.__self__


def test_a_run_on_sets_learns_both_and_keeps_what_it_knew(pictures, unet_folder, tmp_path):
    vae = AutoencoderKL.from_pretrained(unet_folder / "pipeline" / "vae", torch_dtype=torch.float32)
    half = replace(TINY, sets=replace(TINY.sets, steps=TINY.sets.steps // 2))
    run = diffusion_run(half, pictures, vae, tmp_path, CPU, start=unet_folder / "pipeline", on_sets=True)
    assert run.fit()
    log = read_log(tmp_path)
    assert log[-1]["held_out_in_sets_mse"] < log[0]["held_out_in_sets_mse"]
    assert log[-1]["held_out_mse"] < 1.05 * log[0]["held_out_mse"]
    assert (tmp_path / "pipeline" / "model_index.json").exists()


def test_objects_to_learn_best_fill_a_quarter_of_each_batch_more(task):
    best = TINY.objects[:1]
    chosen = replace(task, often=best)
    batches = [chosen.batch(Draw.of(1, step, CPU)) for step in range(20)]
    assert {len(batch) for batch in batches} == {task.plan.batch}
    scenes = [task.data.scenes[row] for batch in batches for row in batch.tolist()]
    assert {scene.split for scene in scenes} == {TRAIN}
    usual = np.mean([best[0] in task.data.scenes[row].objects for row in task.rows[TRAIN].tolist()])
    shown = np.mean([best[0] in scene.objects for scene in scenes])
    assert shown == pytest.approx(OFTEN + (1 - OFTEN) * usual, abs=0.08)


def drawn(pictures: Pictures, steps: int = 60) -> list[Sets]:
    draw_sets = SetDrawing(pictures)
    return [draw_sets(Draw.of(1, step, CPU), 32) for step in range(steps)]


def test_a_set_is_of_one_look_and_of_training_pictures(pictures):
    looks = set()
    for sets in drawn(pictures):
        assert (sets.count, sets.size) == (32 // (1 + TARGETS), TARGETS)
        for reference, targets in zip(sets.references.tolist(), sets.targets.view(-1, TARGETS).tolist(), strict=True):
            scenes = [pictures.scenes[row] for row in (reference, *targets)]
            assert len({scene.look for scene in scenes}) == 1
            assert {scene.split for scene in scenes} == {TRAIN}
            looks.add(scenes[0].look)
    assert looks == set(TINY.looks)


def test_captions_leave_the_look_to_the_reference(pictures):
    sets = drawn(pictures)
    captions = [text for one in sets for text in one.captions]
    silent = np.mean([not text for text in captions])
    assert 0.05 < silent < 0.16
    phrases = [phrase for look in TINY.looks for phrase in LOOKS[look].phrases]
    told = np.mean([any(phrase in text for phrase in phrases) for text in captions if text])
    assert told < 0.3
    for one in sets:
        for number, text in enumerate(one.reference_captions):
            row = one.captions[number * one.size : (number + 1) * one.size]
            assert all(row) or not any(row), "without words all of a set or none"
            assert any(row) or not text


def test_every_target_sees_its_own_reference_alone(task, pictures):
    sets = drawn(pictures, 1)[0]
    draw = Draw.of(3, 3, CPU)
    times = torch.full((sets.count,), 400)
    references = task.noising(task.latents[sets.references].float(), draw, times)
    targets = task.noising(task.latents[sets.targets].float(), draw, times.repeat_interleave(sets.size))
    changed = references.latents.clone()
    changed[1:] = -2 * changed[1:]
    with torch.no_grad():
        before, after = (
            task.found_in_sets(sets, replace(references, latents=latents), targets)[1].unflatten(0, (sets.count, -1))
            for latents in (references.latents, changed)
        )
    torch.testing.assert_close(after[0], before[0], rtol=1e-2, atol=1e-2)
    assert all((one - other).abs().mean() > 0.05 for one, other in zip(before[1:], after[1:], strict=True))


def test_it_learns_under_sharing(task, pictures):
    sets = drawn(pictures, 1)[0]
    weights = list(task.unet.parameters())
    optimizer = torch.optim.AdamW(weights, lr=1e-3)
    losses = []
    for _ in range(25):
        loss, error = task.errors_in_sets(sets, Draw.of(5, 5, CPU))
        assert error > 0
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    assert all(weight.grad is None or weight.grad.isfinite().all() for weight in weights)
