"""Drawings of a thing that no model knows, and a measure of a picture's likeness to it.

The thing: a magenta cross with a turquoise ring in its middle, orange hands and orange feet.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

MAGENTA, TURQUOISE, ORANGE = (200, 30, 160), (20, 190, 200), (250, 150, 20)
GRID = 32  # pixels per side for comparing silhouettes
REACH = 4  # maximum shift of a silhouette, in these pixels

Array = NDArray[np.float64]


def drawing(number: int, side: int = 256) -> Image.Image:
    """One view of the thing on white: a different size, position and tilt per number."""
    random = np.random.default_rng(number)
    whole = 2 * side
    scale = random.uniform(0.8, 1.05) * whole
    layer = Image.new("RGBA", (whole, whole))
    draw = ImageDraw.Draw(layer)

    def at(*points: float) -> list[float]:
        return [whole / 2 + point * scale for point in points]

    draw.rectangle(at(-0.09, -0.36, 0.09, 0.36), fill=MAGENTA)
    draw.rectangle(at(-0.34, -0.12, 0.34, 0.06), fill=MAGENTA)
    draw.ellipse(at(-0.17, -0.20, 0.17, 0.14), fill=TURQUOISE)
    draw.ellipse(at(-0.07, -0.10, 0.07, 0.04), fill=MAGENTA)
    for hand in (-1, 1):
        draw.polygon(at(hand * 0.09, 0.36, hand * 0.26, 0.36, hand * 0.09, 0.2), fill=ORANGE)
        draw.ellipse(at(hand * 0.34 - 0.06, -0.09, hand * 0.34 + 0.06, 0.03), fill=ORANGE)
    moved = tuple(random.uniform(-0.06, 0.06, 2) * whole)
    layer = layer.rotate(random.uniform(-12, 12), Image.Resampling.BICUBIC, translate=moved)
    picture = Image.new("RGB", (whole, whole), "white")
    picture.paste(layer, mask=layer)
    return picture.resize((side, side), Image.Resampling.LANCZOS)


def silhouette(picture: Image.Image) -> Array:
    """The distance of each pixel from the border's colour: (GRID, GRID), whatever the look's colours."""
    pixels = np.asarray(picture.convert("RGB").resize((GRID, GRID), Image.Resampling.BOX), float)
    border = np.ones((GRID, GRID), bool)
    border[2:-2, 2:-2] = False
    return np.linalg.norm(pixels - np.median(pixels[border], axis=0), axis=2)


def likeness(picture: Image.Image, drawings: list[Image.Image]) -> float:
    """-1 to 1: the best correlation of the picture's silhouette with a drawing's, shifted by up to a few pixels.

    Correlation only compares shapes, so the thing in a poster's browns or in pencil counts as much as in its own
    colours. Any thing in the middle of a picture has about 0.6.
    """
    seen = silhouette(picture)
    moves = [(down, right) for down in range(-REACH, REACH + 1) for right in range(-REACH, REACH + 1)]
    shapes = [silhouette(each) for each in drawings]
    return max(
        float(np.corrcoef(seen.ravel(), np.roll(shape, move, (0, 1)).ravel())[0, 1])
        for shape in shapes
        for move in moves
    )
