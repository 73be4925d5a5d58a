from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from tests.training.conftest import quiet
from training.config import FULL, SMALL, TINY
from training.data import structure
from training.data.artwork import SOURCES, Original, save
from training.data.looks import LOOKS
from training.data.pictures import Pictures, build, compose, draw, drawn_beside, tint
from training.data.scenes import CHECK, TRAIN, UNSEEN, Mix, Scene, all_scenes, caption, is_held_out
from training.data.vocabulary import FEW_OBJECTS, ICON_OF, LATE_OBJECTS, OBJECTS, with_article


def test_vocabulary_has_the_promised_size():
    assert len(OBJECTS) >= 290
    assert len(FEW_OBJECTS) == 100
    assert set(LATE_OBJECTS) < set(FEW_OBJECTS) < set(OBJECTS)
    assert len(LOOKS) >= 18
    assert ICON_OF["clock"] == "alarm-clock"
    assert ICON_OF["palm tree"] == "palm-tree"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("owl", "an owl"),
        ("red owl", "a red owl"),
        ("unicorn", "a unicorn"),
        ("hourglass", "an hourglass"),
        ("blue jeans", "blue jeans"),
    ],
)
def test_article(words, said):
    assert with_article(words) == said


def test_no_artwork_is_share_alike():
    assert {source.licence for source in SOURCES.values()} <= {"MIT", "Apache-2.0", "CC-BY-4.0"}


@pytest.mark.parametrize("size", [SMALL, FULL], ids=lambda size: size.name)
def test_scenes_hold_out_a_variant_and_whole_combinations(size):
    scenes = all_scenes(size)
    trained = {(thing, scene.look) for scene in scenes if scene.split == TRAIN for thing in scene.objects}
    unseen = {(scene.objects[0], scene.look) for scene in scenes if scene.split == UNSEEN}
    assert unseen
    assert not trained & unseen
    assert {thing for thing, _ in unseen} <= set(size.held_out_of)
    assert {(scene.objects[0], scene.look) for scene in scenes if scene.split == CHECK} <= trained
    assert len(set(scenes)) == len(scenes)


def test_scenes_round_trip_and_have_fixed_seeds():
    scene = Scene(("fox", "teapot"), "neon", 3, "red")
    assert Scene.from_json(scene.to_json()) == scene
    assert Scene(("fox",), "neon", 3).seed == [2824877151, 3]


def test_only_what_the_size_names_is_held_out():
    size = replace(SMALL, held_out=1.0, held_out_of=("fox",))
    assert is_held_out(size, "fox", "neon")
    assert not is_held_out(size, "owl", "neon")
    assert not is_held_out(replace(size, held_out=0.0), "fox", "neon")


def test_captions_leave_out_what_the_mix_says():
    rng = np.random.default_rng(0)
    scene = Scene(("fox",), "watercolor", 0)
    said = [caption(scene, rng, Mix(empty=0.1, no_look=0.15, look_only=0)) for _ in range(2000)]
    assert said.count("") / len(said) == pytest.approx(0.10, abs=0.03)
    assert sum(line in ("a fox", "fox") for line in said) / len(said) == pytest.approx(0.15, abs=0.03)
    assert said.count("a fox, watercolor") > 500


def test_captions_name_colour_and_both_objects():
    always = Mix(empty=0, no_look=0, look_only=0)
    said = caption(Scene(("owl", "key"), "flat", 0, "red"), np.random.default_rng(0), always)
    assert "red owl" in said
    assert "red key" in said


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("side", [32, 128])
def test_every_look_draws_at_every_size(sprites, look, side):
    picture, maps = draw(Scene(("disc",), look, 0), sprites, side)
    assert picture.shape == (side, side, 3)
    assert maps.shape == (side, side, 2)
    assert picture.std() > 5
    again, _ = draw(Scene(("disc",), look, 0), sprites, side)
    np.testing.assert_array_equal(picture, again)


def test_looks_differ_from_each_other(sprites):
    means = [draw(Scene(("box",), look, 0), sprites, 32)[0].astype(float) for look in LOOKS]
    assert min(abs(one - other).mean() for one, other in pairwise(means)) > 3


def test_two_objects_are_side_by_side(sprites):
    alpha = compose(Scene(("disc", "box"), "flat", 0), sprites, 64).alpha[..., 0]
    columns = (alpha > 0.5).mean(0) > 0.3
    covered = columns.reshape(8, 8).mean(1)
    assert covered[1] == covered[6] == 1
    assert columns[28:36].mean() < 1


def test_tint_gives_the_colour():
    grey = np.full((4, 4, 3), 128, np.uint8)
    red = tint(grey, 0.0)
    assert (red[..., 0] > red[..., 1]).all()


def test_edges_are_where_the_picture_changes():
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[:, 16:] = 200
    lines = structure.edges(picture)
    assert lines[:, 15:17].min() > 200
    assert lines[:, :10].max() == 0


def test_build_resumes_where_it_stopped(sprites, tmp_path, monkeypatch):
    monkeypatch.setattr("training.data.pictures.SPAN", 4)
    size = replace(TINY, variants=3)
    save(sprites, tmp_path)
    assert not build(size, tmp_path, minutes=0, say=quiet)
    with pytest.raises(RuntimeError, match="again"):
        Pictures.open(tmp_path)
    assert build(size, tmp_path, say=quiet)
    data = Pictures.open(tmp_path)
    for row in (0, 5, len(data.scenes) - 1):
        np.testing.assert_array_equal(data.pixels[row], draw(data.scenes[row], sprites, 32)[0])


def test_several_processes_draw_what_one_would(pictures, sprites, tmp_path, monkeypatch):
    monkeypatch.setattr("training.data.pictures.SPAN", 8)
    save(sprites, tmp_path)
    assert build(TINY, tmp_path, workers=2, say=quiet)
    data = Pictures.open(tmp_path)
    np.testing.assert_array_equal(data.pixels, pictures.pixels)
    np.testing.assert_array_equal(data.structure, pictures.structure)


def test_the_first_pictures_can_be_used_while_the_rest_is_drawn(pictures, sprites, tmp_path):
    save(sprites, tmp_path)
    assert build(TINY, tmp_path, say=quiet, first=10)
    with pytest.raises(RuntimeError, match="10 of 31"):
        Pictures.open(tmp_path)
    with drawn_beside(TINY, tmp_path, None, 1, quiet) as all_drawn:
        np.testing.assert_array_equal(Pictures.open(tmp_path, 10).pixels, pictures.pixels[:10])
        assert all_drawn()
    np.testing.assert_array_equal(Pictures.open(tmp_path).pixels, pictures.pixels)


def test_failing_background_drawing_is_not_mistaken_for_the_end(sprites, tmp_path):
    save(sprites, tmp_path)
    build(TINY, tmp_path, say=quiet, first=10)
    (tmp_path / "sprites.npy").unlink()
    with drawn_beside(TINY, tmp_path, None, 1, quiet) as all_drawn, pytest.raises(RuntimeError, match="failed"):
        all_drawn()


def test_a_folder_keeps_the_order_that_it_began_with(pictures, sprites, tmp_path):
    save(sprites, tmp_path)
    build(TINY, tmp_path, say=quiet, first=0)
    file = tmp_path / "scenes.jsonl"
    file.write_text("\n".join(reversed(file.read_text().splitlines())))
    assert build(TINY, tmp_path, say=quiet)
    assert Pictures.open(tmp_path).scenes == pictures.scenes[::-1]
    np.testing.assert_array_equal(Pictures.open(tmp_path).pixels, pictures.pixels[::-1])
    with pytest.raises(RuntimeError, match="other pictures"):
        build(replace(TINY, looks=("neon",)), tmp_path, say=quiet)


def test_the_first_part_of_the_scenes_is_a_fair_sample():
    scenes = all_scenes(SMALL)[:2000]
    assert {scene.look for scene in scenes} == set(LOOKS)
    assert {thing for scene in scenes for thing in scene.objects} == set(FEW_OBJECTS)
    assert any(scene.split == CHECK for scene in scenes)
    assert any(len(scene.objects) == 2 for scene in scenes)


def test_rasterising_takes_vectors_and_renderings(tmp_path):
    Image.new("RGBA", (20, 20), "red").save(tmp_path / "square.webp", lossless=True)
    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 2 1"><rect width="1" height="1" fill="blue"/></svg>'
    drawn = Original("box", "noto", svg).rasterised(40)
    assert drawn.shape == (40, 40, 4)
    assert tuple(drawn[20, 10]) == (0, 0, 255, 255)
    assert drawn[20, 30, 3] == drawn[5, 10, 3] == 0
    assert tuple(Original("box", "3d", tmp_path / "square.webp").rasterised(10)[5, 5]) == (255, 0, 0, 255)


@pytest.mark.parametrize("size", [SMALL, FULL])
def test_sizes_fit_their_own_numbers(size):
    assert size.pixels % (size.pixels // size.latent) == 0
    assert len(size.hint_channels) == len(size.vae_channels)
    assert all(width % heads == 0 for width, heads in zip(size.unet_channels, size.heads, strict=True))
