"""The measures see what is there, and count it."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from training.config import FULL, SMALL, TINY
from training.data.colours import colour_of
from training.data.pictures import draw
from training.data.scenes import TRAIN, Scene, all_scenes
from training.data.unseen import combination, unseen_scenes
from training.data.vocabulary import HUES
from training.measures.evaluate import MOST_BYTES, in_bands, load_examiner, save_sheet
from training.measures.examiner import COLOURED, Examiner, halves, report, sampled_scenes


@pytest.fixture(scope="module")
def examiner(data_folder, unet_folder, clip_folder):
    return load_examiner(unet_folder / "pipeline", clip_folder / "clip", TINY, data_folder, "cpu")


@pytest.mark.parametrize("look", COLOURED)
def test_the_colour_of_an_object_is_seen(sprites, look):
    seen = [colour_of(draw(Scene(("disc",), look, 0, colour), sprites, 64)[0]) for colour in HUES]
    assert np.mean([one == asked for one, asked in zip(seen, HUES, strict=True)]) >= 6 / 7


def test_the_background_does_not_affect_the_colour():
    picture = np.full((64, 64, 3), (0, 0, 255), np.uint8)
    picture[20:40, 20:40] = (255, 0, 0)
    assert colour_of(picture) == "red"


def test_each_half_of_a_pair_is_shown_alone(sprites):
    left, right = halves(draw(Scene(("disc", "box"), "icon", 0), sprites, 64)[0])
    assert left.shape == right.shape == (64, 64, 3)
    for picture in (left, right):
        dark = (picture.mean(-1) < 128).nonzero()
        assert 8 < dark[1].mean() < 56
        assert picture[:, :4].min() > 200
        assert picture[:, -4:].min() > 200
    assert not np.array_equal(left, right)


@pytest.mark.parametrize("size", [SMALL, FULL, replace(SMALL, held_out=0.0)], ids=["small", "full", "none held out"])
def test_unseen_combinations_occur_nowhere_in_training(size):
    scenes = all_scenes(size)
    chosen = unseen_scenes(size, scenes)
    assert len({scene.look for scene in chosen}) == len(chosen) == 12
    assert not {combination(scene) for scene in chosen} & {combination(s) for s in scenes if s.split == TRAIN}
    assert chosen == unseen_scenes(size, scenes[::-1]) or size.held_out  # the order of the data does not matter
    if size.held_out:
        trained = {(thing, scene.look) for scene in scenes if scene.split == TRAIN for thing in scene.objects}
        assert not {(scene.objects[0], scene.look) for scene in chosen} & trained


def test_report_counts_what_was_found():
    scenes = sampled_scenes(TINY, 4)
    objects, looks = [scene.objects[0] for scene in scenes], [scene.look for scene in scenes]
    looks[0] = "nothing"
    numbers = report(scenes, objects, looks)
    assert numbers["object_found"] == 1
    assert numbers["look_found"] == 0.75
    assert numbers["looks_mistaken"] == [f"{scenes[0].look} seen as nothing: 1"]


def test_the_judge_is_judged_on_pictures_that_it_never_saw(examiner):
    figures = examiner.judged()
    assert figures["pictures"] == 4
    assert figures["look"] >= 0.75


class OfOneLook(Examiner):
    """Whatever the prompt, it gives a flat training picture."""

    def drawn(self, prompts, seed, reference=None, strength=0.0):
        (row,) = self.picked(lambda scene: scene.look == "flat" and scene.objects == ("disc",), 1)
        return self.shown([row] * len(prompts))


def test_measures_count_looks(examiner):
    """With a model that knows one look, that look is found, and no other."""
    one_look = OfOneLook(examiner.studio, examiner.judge, examiner.size, examiner.data)
    figures, columns = one_look.sharing(2)
    assert figures["samples"] == 2 * len(columns) == 2 * len(TINY.looks)
    assert figures["strength_1"]["look"] == 0.5
    assert figures["strength_0"] == figures["strength_1"]
    assert one_look.named(8)["look_found"] == 0.5


def test_likeness_is_one_for_the_same_picture(examiner):
    pictures = examiner.shown([0, 1])
    same, other = examiner.likeness(pictures, pictures[0])
    assert same == pytest.approx(1, abs=1e-5)
    assert other < same


def test_strength_reaches_the_samples(examiner):
    reference = examiner.studio.reference(Image.fromarray(examiner.data.pixels[0]))
    plain, again, shared = (
        examiner.drawn(["a disc", "a box"], 5, given, strength)
        for given, strength in ((None, 0.0), (reference, 0.0), (reference, 1.0))
    )
    np.testing.assert_array_equal(plain, again)
    assert not np.array_equal(plain, shared)


def test_bands_are_filled_up():
    columns = [[np.full((2, 2, 3), 10 * column + row, np.uint8) for row in range(2)] for column in range(1, 4)]
    assert [int(tile[0, 0, 0]) for tile in in_bands(columns, 2)] == [10, 20, 11, 21, 30, 0, 31, 0]


def test_a_sheet_stays_small(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (24, 160, 160, 3)).astype(np.uint8)
    save_sheet(list(noise), 6, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size < MOST_BYTES
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.mode == "P"
        assert image.width == pytest.approx(1.5 * image.height, abs=1)
