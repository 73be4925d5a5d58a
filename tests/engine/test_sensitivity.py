"""The ranking of layers: measured, kept, resumed, and found again."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from app.engine import sensitivity
from app.engine.sensitivity import LayerRanking, RankedPair, file_of, moved, rank, ranked_layers
from app.quality.look import Look
from app.style_aligned import Studio
from app.style_aligned.layers import self_attentions
from tests.style_aligned.conftest import LOOKS

PAIRS = [RankedPair(LOOKS / "poster-pear.webp", "a pear", "a fox", 3)]
STEPS = 2


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio.load("demo", device="cpu")


def disc(ground: str, ink: str, left: int = 20) -> Image.Image:
    picture = Image.new("RGB", (128, 128), ground)
    ImageDraw.Draw(picture).ellipse((left, 30, left + 60, 90), fill=ink)
    return picture


def test_what_moves_the_look_and_what_moves_the_content() -> None:
    plain, wanted = disc("white", "black"), Look.of(disc("navy", "orange", left=50))
    recoloured, elsewhere = disc("navy", "orange"), disc("white", "black", left=60)
    look, content = moved(plain, recoloured, wanted)
    assert look > 0.1
    assert content < 0.05
    look, content = moved(plain, elsewhere, wanted)
    assert abs(look) < 0.05
    assert content > 0.5
    assert moved(plain, plain, wanted) == pytest.approx((0, 0))


def test_the_layer_that_moves_the_look_most_for_its_content_comes_first() -> None:
    ranking = LayerRanking.of({"a": [(0.1, 0.4)], "b": [(0.1, 0.1)], "c": [(0.001, 0.0)], "d": [(-0.1, 0.1)]}, 10)
    assert ranking.names == ("b", "a", "c", "d")


def test_ranking_resumes_where_it_stopped(studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, file = tmp_path / "kept.json", tmp_path / "ranking.json"
    count = len(self_attentions(studio.unet))
    measuring = rank(studio, PAIRS, STEPS, kept)
    for _ in range(count // 2):
        next(measuring)
    measuring.close()
    measured = []
    monkeypatch.setattr(sensitivity, "moved", lambda *pictures: measured.append(1) or moved(*pictures))
    *_, last = rank(studio, PAIRS, STEPS, kept)
    assert len(measured) == count - count // 2
    assert last.ranking
    assert set(last.ranking.names) == set(self_attentions(studio.unet))
    last.ranking.write(file)
    assert LayerRanking.read(file) == last.ranking
    *_, other = rank(studio, PAIRS, STEPS + 1, kept)
    assert len(measured) == 2 * count - count // 2, "other steps are measured from the start"
    assert np.isfinite([each.score for each in other.ranking.layers]).all()


def test_the_ranking_of_a_data_folder_counts_before_the_bundled_one(studio: Studio, tmp_path: Path) -> None:
    bundled = ranked_layers(studio, tmp_path)
    assert set(bundled) == set(self_attentions(studio.unet))
    own = LayerRanking.of({name: [(float(place), 1.0)] for place, name in enumerate(bundled)}, 1)
    own.write(file_of(studio, tmp_path))
    assert ranked_layers(studio, tmp_path) == bundled[::-1]
    file_of(studio, tmp_path).write_text("{")
    assert ranked_layers(studio, tmp_path) == bundled
    LayerRanking.of({"a": [(1.0, 1.0)]}, 1).write(file_of(studio, tmp_path))
    assert ranked_layers(studio, tmp_path) == (), "of another model"
