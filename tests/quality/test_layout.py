"""Attention-map similarity, on maps whose answer is known."""

import io

import numpy as np
import pytest
from PIL import Image

from app.quality.layout import alike, layout, overlap


def encoded(rows: np.ndarray) -> bytes:
    written = io.BytesIO()
    Image.fromarray((np.sqrt(rows) * 255).round().astype(np.uint8)).save(written, "PNG")
    return written.getvalue()


def local(width: float) -> np.ndarray:
    """64 cells that look at each other by distance."""
    down, right = np.divmod(np.arange(64), 8)
    near = np.exp(-((down[:, None] - down) ** 2 + (right[:, None] - right) ** 2) / width)
    return near / near.sum(1, keepdims=True)


def test_the_overlap_is_what_two_maps_have_in_common() -> None:
    one, other = np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([[0.25, 0.75], [0.0, 1.0]])
    assert overlap(one, other) == pytest.approx((0.75 + 0.0) / 2)
    assert overlap(one, one) == 1


def test_a_png_keeps_a_map_to_a_hundredth() -> None:
    assert overlap(layout(encoded(local(3.0))), local(3.0)) > 0.99


def test_pictures_that_look_further_are_less_alike() -> None:
    first, near, far = (encoded(local(width)) for width in (2.0, 3.0, 20.0))
    assert alike([first, first]) == pytest.approx(1)
    assert alike([first, near]) > alike([first, far]) + 0.1
    assert alike([first, near, far]) == pytest.approx(
        sum(alike([*pair]) for pair in ((first, near), (first, far), (near, far))) / 3
    )


def test_one_picture_is_like_nothing() -> None:
    assert alike([encoded(local(2.0))]) is None
    assert alike([]) is None


def test_cells_without_tokens_do_not_count() -> None:
    rows = local(2.0)
    rows[:32] = 0
    assert overlap(rows, rows) == 1
