"""Maps of drawings with known outlines, at several sizes, with the difficulties of photos."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from app.errors import Invalid
from app.models import MapKind
from app.structures import maps

BOX = (0.25, 0.3, 0.75, 0.8)  # of the thing, as fractions


def drawing(size: tuple[int, int] = (400, 300), ground: str = "#d8d2c4", thing: str = "#a03020") -> Image.Image:
    picture = Image.new("RGB", size, ground)
    ImageDraw.Draw(picture).rectangle(corners(size), fill=thing)
    return picture


def corners(size: tuple[int, int]) -> list[int]:
    left, top, right, bottom = BOX
    return [round(left * size[0]), round(top * size[1]), round(right * size[0]), round(bottom * size[1])]


def noisy(picture: Image.Image, much: float, seed: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).normal(0, much, (picture.height, picture.width, 3))
    return Image.fromarray(np.clip(np.asarray(picture, float) + noise, 0, 255).astype(np.uint8))


def outline(size: tuple[int, int]) -> Image.Image:
    picture = Image.new("L", size)
    ImageDraw.Draw(picture).rectangle(corners(size), outline=255)
    return picture


def follows(found: Image.Image, wanted: Image.Image, within: int = 2) -> tuple[float, float]:
    """The fraction of the wanted lines found within this many px, and of the found lines that were wanted."""
    a, b = (np.asarray(picture) > 127 for picture in (found, wanted))
    return float(spread(a, within)[b].mean()), float(spread(b, within)[a].mean()) if a.any() else 0.0


def spread(lines: np.ndarray, by: int) -> np.ndarray:
    padded = np.pad(lines, by)
    height, width = lines.shape
    steps = range(2 * by + 1)
    return np.any([padded[y : y + height, x : x + width] for y in steps for x in steps], axis=0)


def overlap(a: Image.Image, b: Image.Image) -> float:
    """Intersection over union."""
    first, second = (np.asarray(picture) > 127 for picture in (a, b))
    return float((first & second).sum() / (first | second).sum())


def filled(size: tuple[int, int]) -> Image.Image:
    picture = Image.new("L", size)
    ImageDraw.Draw(picture).rectangle(corners(size), fill=255)
    return picture


# Edges


@pytest.mark.parametrize("size", [(128, 128), (400, 300), (1024, 1024)])
@pytest.mark.parametrize("noise", [0, 12])
def test_edges_are_the_outline_and_nothing_else(size: tuple[int, int], noise: float) -> None:
    found = maps.edges(noisy(drawing(size), noise))
    assert found.size == size
    assert found.mode == "L"
    assert set(np.unique(np.asarray(found))) <= {0, 255}
    recall, precision = follows(found, outline(size))
    assert recall > 0.95
    assert precision > 0.95


def test_edges_between_colours_of_one_lightness() -> None:
    recall, _ = follows(maps.edges(drawing(ground="#d08060", thing="#5fa88d")), outline((400, 300)))
    assert recall > 0.95


def test_a_large_photo_gives_clean_lines() -> None:
    """12 megapixels with the noise of a dark room."""
    photo = noisy(drawing((4032, 3024)), 25)
    found = maps.draw(photo, MapKind.EDGES, (1024, 1024))
    assert min(found.size) == 1024
    recall, precision = follows(found, outline(found.size), within=3)
    assert recall > 0.95
    assert precision > 0.95


def test_an_even_picture_has_no_edges() -> None:
    assert np.asarray(maps.edges(noisy(Image.new("RGB", (300, 300), "#888888"), 6))).sum() == 0
    shaded = Image.linear_gradient("L").convert("RGB").resize((300, 300))
    assert np.asarray(maps.edges(shaded)).mean() < 2


def test_a_small_picture_gives_lines_as_fine_as_the_images_need() -> None:
    found = maps.draw(drawing((100, 100)), MapKind.EDGES, (512, 512))
    assert found.size == (512, 512)
    recall, precision = follows(found, outline((512, 512)), within=6)  # one pixel became five
    assert min(recall, precision) > 0.9


@pytest.mark.parametrize(("size", "wide"), [((128, 128), 3), ((256, 256), 6), ((1024, 256), 6), ((1344, 768), 1)])
def test_small_models_get_wide_lines(size: tuple[int, int], wide: int) -> None:
    halves = Image.new("RGB", size, "white")
    halves.paste("navy", (0, 0, size[0] // 2, size[1]))
    found = np.asarray(maps.draw(halves, MapKind.EDGES, size)) > 127
    assert found.sum(1).tolist()[size[1] // 4] == wide


def test_the_map_keeps_the_pictures_shape() -> None:
    assert maps.draw(drawing((800, 400)), MapKind.EDGES, (256, 256)).size == (512, 256)
    assert maps.draw(drawing((800, 400)), MapKind.SILHOUETTE, (64, 64)).size == (1024, 512)


# Silhouettes


def test_a_silhouette_from_transparency() -> None:
    picture = drawing().convert("RGBA")
    picture.putalpha(filled(picture.size))
    assert overlap(maps.silhouette(picture), filled(picture.size)) == 1


def test_an_opaque_alpha_channel_says_nothing() -> None:
    picture = drawing().convert("RGBA")
    assert overlap(maps.silhouette(picture), filled(picture.size)) > 0.97


@pytest.mark.parametrize("noise", [0, 15])
def test_a_silhouette_against_the_borders_colour(noise: float) -> None:
    assert overlap(maps.silhouette(noisy(drawing(), noise)), filled((400, 300))) > 0.97


def test_a_silhouette_on_uneven_light() -> None:
    """A wall much lighter at one end than at the other."""
    picture = drawing((400, 300), "#c0c0c0", "#305080")
    light = np.linspace(0.55, 1.3, 400)[None, :, None]
    lit = Image.fromarray(np.clip(np.asarray(picture) * light, 0, 255).astype(np.uint8))
    assert overlap(maps.silhouette(lit), filled((400, 300))) > 0.95


def test_a_subject_that_the_border_cuts_off() -> None:
    picture = Image.new("RGB", (300, 300), "#e8e8e8")
    ImageDraw.Draw(picture).rectangle((100, 120, 220, 299), fill="#204020")
    wanted = Image.new("L", (300, 300))
    ImageDraw.Draw(wanted).rectangle((100, 120, 220, 299), fill=255)
    assert overlap(maps.silhouette(picture), wanted) > 0.97


def test_specks_are_dropped_and_holes_filled() -> None:
    picture = drawing()
    draw = ImageDraw.Draw(picture)
    draw.rectangle((20, 20, 26, 26), fill="#a03020")
    draw.ellipse((170, 150, 200, 180), fill="#d8d2c4")
    assert overlap(maps.silhouette(picture), filled((400, 300))) > 0.97


def test_a_drawing_in_lines_is_filled() -> None:
    picture = Image.new("RGB", (400, 300), "white")
    ImageDraw.Draw(picture).rectangle(corners((400, 300)), outline="black", width=4)
    assert overlap(maps.silhouette(picture), filled((400, 300))) > 0.97


def test_a_picture_without_a_subject_is_refused() -> None:
    with pytest.raises(Invalid, match="No subject stands out in this picture"):
        maps.silhouette(noisy(Image.new("RGB", (200, 200), "#777777"), 3))


# Ready maps


def test_a_ready_map_is_taken_as_it_is() -> None:
    given = outline((320, 200))
    taken, remark = maps.ready(given.convert("RGB"), MapKind.EDGES)
    assert taken.tobytes() == given.tobytes()
    assert remark == ""
    depth = Image.linear_gradient("L")
    assert maps.ready(depth, MapKind.DEPTH) == (depth, "")


def test_a_photo_given_as_a_ready_map_is_taken_with_a_remark() -> None:
    taken, remark = maps.ready(drawing(ground="#3060c0"), MapKind.EDGES)
    assert taken.mode == "L"
    assert "is in colour" in remark


def test_dark_lines_on_light_are_inverted() -> None:
    given = outline((320, 200))
    paper = Image.eval(given, lambda light: 255 - light)
    taken, remark = maps.ready(paper, MapKind.EDGES)
    assert taken.tobytes() == given.tobytes()
    assert "was inverted" in remark
    assert maps.ready(paper, MapKind.SILHOUETTE)[1] == ""  # a large subject is no mistake


@pytest.mark.parametrize("ink", ["white", "black"])
def test_a_ready_map_on_nothing_is_seen(ink: str) -> None:
    clear = Image.new("RGBA", (320, 200))
    ImageDraw.Draw(clear).rectangle(corners((320, 200)), outline=ink)
    recall, precision = follows(maps.ready(clear, MapKind.EDGES)[0], outline((320, 200)), within=0)
    assert (recall, precision) == (1, 1)


# Shapes


def test_a_crop_is_centred() -> None:
    wide = Image.new("L", (300, 100))
    wide.paste(255, (100, 0, 200, 100))
    part = maps.cropped(wide, (256, 256))
    assert part.size == (100, 100)
    assert np.asarray(part).min() == 255
    assert maps.cropped(wide.rotate(90, expand=True), (512, 256)).size == (100, 50)
