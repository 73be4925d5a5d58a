"""The model card and the training docs cannot drift: their figures are those that were measured."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.conftest import quiet
from training import budget
from training.config import FULL, SIZES, TINY
from training.data import drawn
from training.data.looks import LOOKS
from training.data.vocabulary import HUES
from training.measures import card, fidelity
from training.measures.figures import NOT_YET, SECTIONS, filled

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "demo-model.md").read_text()


def test_the_card_says_what_was_found():
    assert filled(PAGE, json.loads((ROOT / "docs" / "demo-model.json").read_text())) == PAGE


def test_the_card_names_every_look_and_colour():
    words = " ".join(PAGE.split())
    assert all(look.phrases[0] in words for look in LOOKS.values())
    assert all(colour in words for colour in HUES)


def test_figures_stand_where_they_belong():
    figures = {
        "named": {
            "samples": 500,
            "object_found": 0.81,
            "look_found": 0.92,
            "objects_mistaken": ["fox seen as dog: 3"],
            "looks_mistaken": [],
        },
        "sharing": {
            "samples": 250,
            "strength_0": {"look": 0.06, "object": 0.83, "likeness": 0.12},
            "strength_1": {"look": 0.88, "object": 0.74, "likeness": 0.71},
        },
        "colours": {"samples": 125, "found": 0.61, "in_data": 0.99, "by_chance": 1 / 7},
        "pairs": {"samples": 120, "both": 0.31, "either": 0.72, "in_data": None},
    }
    page = filled(PAGE, figures)
    for line in (
        "| the object | 81 % | 80 % |",
        "| the look | 92 % | 85 % |",
        "Most frequent mistakes in objects: fox seen as dog: 3.",
        "| the reference's look is found | 6 % | 88 % | clearly more |",
        "| the requested object is found | 83 % | 74 % | 70 % |",
        "| likeness to the reference (cosine) | 0.12 | 0.71 | more |",
        "Sharing raises agreement in look by 82 percentage points.",
        "| the requested colour | 125 | 61 % | 99 % |",
        "| both objects of a pair | 120 | 31 % | – |",
        "| at least one of them | 120 | 72 % | – |",
    ):
        assert f"\n{line}\n" in page


def test_hours_add_up_over_slices(tmp_path):
    (tmp_path / "vae").mkdir()
    lines = [{"step": 0, "held_out_psnr": 8.0}, {"step": 5, "loss": 1.0, "seconds": 600.0}]
    lines += [{"step": 9, "loss": 1.0, "seconds": 900.0}, {"step": 12, "loss": 1.0, "seconds": 300.0}]
    lines += [{"step": 12, "held_out_psnr": 20.0}]
    lines[1]["processes"] = 2
    (tmp_path / "vae" / "log.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (run,) = card.trainings(TINY, tmp_path)
    assert run["hours"] == pytest.approx(1200 / 3600)
    assert run["held_out"] == {"psnr": [8.0, 20.0]}
    assert run["samples"] == 2 * 12 * TINY.vae.batch


def test_a_page_without_markers_is_refused():
    with pytest.raises(ValueError, match="figures: sizes"):
        filled("a page", {})


def test_full_fits_the_repository_and_has_the_levels_of_sdxl():
    assert budget.mebibytes(budget.Parts.of(FULL).parameters()) < 60
    assert FULL.transformers[0] == 0
    assert len(FULL.unet_channels) == 3


@pytest.mark.parametrize("size", ["full", "small"])
def test_the_readme_states_what_a_size_costs(size):
    assert budget.tables(SIZES[size]) in (ROOT / "training" / "README.md").read_text()


def test_one_command_measures_and_fills_the_card(data_folder, unet_folder, clip_folder, tmp_path, monkeypatch):
    (tmp_path / "images").mkdir()
    (tmp_path / "demo-model.md").write_text(PAGE)
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "unet").symlink_to(unet_folder)
    (runs / "clip").symlink_to(clip_folder)
    pipeline, judge = unet_folder / "pipeline", clip_folder / "clip"
    card.main(pipeline, data_folder, judge, runs, "tiny", samples=8, device="cpu", docs=tmp_path)
    assert drawn.build(str(pipeline), data_folder, tmp_path / "drawn", drawn.BATCH, 24, say=quiet)
    vae = pipeline / "vae"
    fidelity.main(vae, vae, tmp_path / "drawn", data_folder, judge, docs=tmp_path)
    page = (tmp_path / "demo-model.md").read_text()
    figures = json.loads((tmp_path / "demo-model.json").read_text())
    assert NOT_YET not in page
    assert {need for _, needs in SECTIONS.values() for need in needs} <= figures.keys()
    assert [part["part"] for part in figures["parts"]] == [
        "UNet",
        "first text encoder",
        "second text encoder",
        "VAE",
        "CLIP",
    ]
    (unet, clip) = figures["training"]
    assert unet["samples"] == TINY.unet.steps * TINY.unet.batch
    assert unet["held_out"]["mse"][1] < unet["held_out"]["mse"][0]
    assert set(clip["held_out"]) == {"object", "look"}
    before, now = figures["fidelity"]["decoders"]
    assert before == now
    assert now["slope"] > 0
    for name in ("demo-unseen.png", "demo-sharing.png", "demo-decoders.webp"):
        assert f"(images/{name})" in page
        with Image.open(tmp_path / "images" / name) as sheet:
            assert sheet.width >= 32
    card.main(docs=tmp_path)
    assert (tmp_path / "demo-model.md").read_text() == page
    card.main(pipeline, runs=runs, size="tiny", further=True, docs=tmp_path)
    further = json.loads((tmp_path / "demo-model.json").read_text())["training"]
    assert further[:2] == figures["training"]
    assert [run["learnt"] for run in further[2:]] == [f"{run['learnt']}, further" for run in (unet, clip)]


def test_equal_pictures_are_at_no_distance():
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(500, 4)), rng.normal(size=(500, 4))
    assert fidelity.frechet(one, one) == pytest.approx(0, abs=1e-9)
    assert fidelity.frechet(one, other) < 0.1
    assert fidelity.frechet(one, other + 2) == pytest.approx(16, rel=0.1)
    assert fidelity.frechet(one, 3 * other) == pytest.approx(4 * (3 - 1) ** 2, rel=0.2)
