"""Eighteen looks. Each makes a cut-out object look drawn, printed, cut or built by hand.

A look is a function from :class:`Cutout` to float32 ``(S, S, 3)`` in 0..1. Lengths are in units of 1/128 of the side
(``cut.unit``), so a look is the same at every resolution.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage

Array = NDArray[np.floating[Any]]
Rgb = tuple[float, float, float]
WHITE: Rgb = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Cutout:
    """Objects on a transparent ground, the input of every look."""

    rgb: Array  # (S, S, 3), 0..1
    alpha: Array  # (S, S, 1), 0..1
    rng: np.random.Generator
    hue: float | None = None  # requested colour, 0..1; looks that print with inks use it as their ink

    @property
    def side(self) -> int:
        return int(self.rgb.shape[0])

    @property
    def unit(self) -> float:
        return self.side / 128

    def on(self, background: Array | Rgb) -> Array:
        return over(background, self.rgb, self.alpha)

    def pick_hue(self, *choices: float) -> float:
        """The requested hue, or else a random one of ``choices``; 0..1."""
        chosen = float(self.rng.choice(choices))
        return chosen if self.hue is None else self.hue


@lru_cache(maxsize=4)
def grid(side: int) -> tuple[Array, Array]:
    """Row and column coordinates, each ``(S, S)``, 0 to 1."""
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32) / side
    return rows, columns


def floats(values: Sequence[float] | Sequence[Rgb]) -> Array:
    return np.asarray(values, np.float32)


def hsv(hue: float, saturation: float, value: float) -> Array:
    return np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value), np.float32)


def over(below: Array | Rgb, above: Array | Rgb, alpha: Array) -> Array:
    mixed = np.asarray(below, np.float32) * (1 - alpha) + np.asarray(above, np.float32) * alpha
    return np.asarray(mixed, np.float32)


def luminance(rgb: Array) -> Array:
    return rgb @ np.array([0.3, 0.59, 0.11], np.float32)


def blur(plane: NDArray[Any], radius: float) -> Array:
    """Gaussian blur of ``(S, S)`` or, per channel, of ``(S, S, C)``; ``radius`` in px."""
    sigma = (radius, radius, 0) if plane.ndim == 3 else radius
    return np.asarray(ndimage.gaussian_filter(plane.astype(np.float32), sigma), np.float32)


def grain(cut: Cutout, radius: float, amplitude: float) -> Array:
    """Smooth noise ``(S, S, 1)`` with standard deviation ``amplitude``, for paper, wall and canvas."""
    noise = blur(cut.rng.standard_normal((cut.side, cut.side)), radius * cut.unit)
    return np.asarray(noise / (noise.std() + 1e-6) * amplitude)[..., None]


def shadow(alpha: Array, right: float, down: float, radius: float, opacity: float) -> Array:
    moved = ndimage.shift(alpha[..., 0], (down, right), order=1)
    return np.clip(blur(moved, radius), 0, 1)[..., None] * np.float32(opacity)


def outline(cut: Cutout, radius: float = 0.7) -> Array:
    """The strength of a drawn line at each pixel, ``(S, S, 1)``: edges of colours, and the contour."""
    planes = np.concatenate([cut.on(WHITE), cut.alpha], -1)
    smooth = blur(planes, radius * cut.unit)
    slope = np.hypot(ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1)).max(-1)
    # A wider blur flattens the slope; the factor keeps lines equally dark at every resolution.
    return np.asarray(np.clip(slope * 1.1 * cut.unit, 0, 1))[..., None]


def _filtered(rgb: Array, change: Callable[[Image.Image], Image.Image]) -> Array:
    image = Image.fromarray((np.clip(rgb, 0, 1) * 255).astype(np.uint8))
    return np.asarray(change(image), np.float32) / 255


def _screen(cut: Cutout, period: float) -> Array:
    """A halftone dot screen ``(S, S)``, -1..1: the product of its two waves."""
    rows, columns = grid(cut.side)
    return np.asarray(np.sin(columns * period) * np.sin(rows * period))


def render_3d(cut: Cutout) -> Array:
    rows, columns = grid(cut.side)
    backdrop = hsv(cut.rng.random(), 0.25, 0.98) * (1 - 0.25 * rows[..., None])
    on_floor = np.exp(-(((columns - 0.5) / 0.3) ** 2 + ((rows - 0.9) / 0.06) ** 2))[..., None]
    return cut.on(backdrop * (1 - 0.35 * on_floor))


def flat_design(cut: Cutout) -> Array:
    return cut.on(hsv(cut.rng.random(), cut.rng.uniform(0.45, 0.7), 0.95))


def sticker(cut: Cutout) -> Array:
    border = 2 * round(4 * cut.unit) + 1
    paper = blur(ndimage.grey_dilation(cut.alpha[..., 0], size=(border, border)), 0.8 * cut.unit)[..., None]
    below = np.full_like(cut.rgb, 0.82) * (1 - shadow(paper, 2 * cut.unit, 4 * cut.unit, 3 * cut.unit, 0.45))
    return cut.on(over(below, WHITE, paper))


def pencil_sketch(cut: Cutout) -> Array:
    rows, columns = grid(cut.side)
    tone = luminance(cut.on(WHITE))
    hatching = ((np.sin((columns + rows) * 141) > 0.2) & (tone < 0.55)) * 0.35
    hatching = hatching + ((np.sin((columns - rows) * 141) > 0.3) & (tone < 0.3)) * 0.25
    graphite = np.clip(outline(cut, 0.6) * 0.85 + (hatching * (cut.alpha[..., 0] > 0.3))[..., None], 0, 0.9)
    return over(floats((0.96, 0.95, 0.92)) + grain(cut, 0.6, 0.02), (0.2, 0.2, 0.23), graphite)


def watercolor(cut: Cutout) -> Array:
    paper: Rgb = (0.99, 0.98, 0.95)
    wet = blur(cut.alpha[..., 0], 2.0 * cut.unit)
    wash = 1 - (1 - blur(cut.on(paper), 2.2 * cut.unit)) * 0.75 * (1 + grain(cut, 5, 0.18))
    rim = np.hypot(ndimage.sobel(wet, 0), ndimage.sobel(wet, 1)) * cut.unit
    pigment = wash * (1 - 0.22 * np.clip(rim, 0, 1)[..., None])
    return over(floats(paper) + grain(cut, 1.2, 0.012), pigment, np.clip(wet * 1.15, 0, 1)[..., None])


def blueprint(cut: Cutout) -> Array:
    ruled = (np.arange(cut.side) % (cut.side // 8)) < max(1, round(cut.unit))
    lines = (ruled[None, :] | ruled[:, None])[..., None] * 0.12
    paper = np.clip(floats((0.08, 0.25, 0.55)) + lines, 0, 1)
    return over(paper, (0.93, 0.97, 1.0), np.clip(outline(cut, 0.5) * 1.1, 0, 1))


def neon_sign(cut: Cutout) -> Array:
    tube = np.clip(outline(cut) * 1.2 - 0.15, 0, 1)
    gas = hsv(cut.pick_hue(0.9, 0.5, 0.35, 0.8, 0.12, 0.6), 0.85, 1)
    glow = sum(blur(tube, radius * cut.unit) * gain for radius, gain in ((2, 1.1), (5, 1.2), (10, 1.0)))
    return np.asarray(floats((0.03, 0.02, 0.07)) + glow * gas * 0.9 + tube * (gas * 0.5 + 0.5))


def pixel_art(cut: Cutout) -> Array:
    def shrink(plane: Array) -> Array:
        return _filtered(plane, lambda image: image.resize((24, 24), Image.Resampling.BOX))

    alpha = shrink(np.repeat(cut.alpha, 3, -1))[..., :1]
    colours = np.round(shrink(cut.rgb * cut.alpha) / np.maximum(alpha, 0.01) * 4) / 4
    backdrop = hsv(float(cut.rng.choice([0.55, 0.33, 0.6, 0.08])), 0.35, 0.85)
    blocks = np.where(alpha > 0.5, np.clip(colours, 0, 1), backdrop)
    return _filtered(blocks, lambda image: image.resize((cut.side, cut.side), Image.Resampling.NEAREST))


def pop_art(cut: Cutout) -> Array:
    ink = hsv(float(cut.rng.choice([0.13, 0.95, 0.52, 0.33])), 0.85, 1)
    dots = (_screen(cut, 102) > 0.15)[..., None]
    poster = np.round(np.clip((cut.rgb - 0.5) * 1.5 + 0.55, 0, 1) * 2) / 2
    printed = over(np.where(dots, ink * 0.8, ink), poster, cut.alpha)
    return over(printed, (0.05, 0.05, 0.05), np.clip(outline(cut, 0.8) * 1.3, 0, 1))


def linocut(cut: Cutout) -> Array:
    rows, columns = grid(cut.side)
    gouges = 0.55 + 0.25 * np.sin((columns * 0.6 + rows) * 70)
    ink = (luminance(cut.on(WHITE)) < gouges) & (cut.alpha[..., 0] > 0.4)
    line = (outline(cut, 0.6)[..., 0] > 0.45) & ~ink
    pressed = blur(ink | line, 0.6 * cut.unit)[..., None]
    return over(floats((0.94, 0.90, 0.80)) + grain(cut, 0.8, 0.012), (0.10, 0.09, 0.10), pressed)


def papercut(cut: Cutout) -> Array:
    hue = cut.pick_hue(0.03, 0.55, 0.33, 0.75, 0.1)
    stack = np.broadcast_to(hsv(hue, 0.28, 0.97), cut.rgb.shape)
    tone = np.clip(luminance(cut.rgb), 0, 1)
    for sheet, (limit, value) in enumerate(((1.1, 0.92), (0.72, 0.78), (0.48, 0.62), (0.25, 0.45))):
        shape = blur((tone < limit) * cut.alpha[..., 0], 1.1 * cut.unit)
        shape = np.clip((shape - 0.4) * 5, 0, 1)[..., None]
        stack = stack * (1 - shadow(shape, 1.5 * cut.unit, 2.5 * cut.unit, 2 * cut.unit, 0.4))
        stack = over(stack, hsv(hue + 0.02 * sheet, 0.35 + 0.15 * sheet, value), shape)
    return stack


def chalk_drawing(cut: Cutout) -> Array:
    board = floats((0.13, 0.24, 0.20)) + grain(cut, 6, 0.012)
    line = outline(cut, 0.8) * np.clip(0.75 + grain(cut, 0.7, 0.35), 0, 1)
    chalk = np.clip(cut.rgb * 0.45 + 0.6, 0, 1)
    rubbed = over(board, chalk, cut.alpha * 0.22 * np.clip(0.6 + grain(cut, 0.8, 0.5), 0, 1))
    return over(rubbed, over(WHITE, chalk, cut.alpha), np.clip(line, 0, 1))


def vintage_poster(cut: Cutout) -> Array:
    rows, columns = grid(cut.side)
    rays = (np.sin(np.arctan2(rows - 0.55, columns - 0.5) * 12) > 0)[..., None]
    sky = np.where(rays, floats((0.93, 0.82, 0.60)), floats((0.88, 0.70, 0.45)))
    inks = floats([(0.16, 0.12, 0.14), (0.55, 0.20, 0.14), (0.78, 0.45, 0.22), (0.96, 0.88, 0.70)])
    printed = inks[np.clip((luminance(cut.rgb) * 4).astype(int), 0, 3)]
    return over(sky, printed, (cut.alpha > 0.5).astype(np.float32)) + grain(cut, 0.6, 0.03)


def sunset_silhouette(cut: Cutout) -> Array:
    rows, columns = grid(cut.side)
    hue = cut.pick_hue(0.02, 0.08, 0.9, 0.75)
    sky = hsv(hue + 0.06, 0.7, 1) * (1 - rows[..., None]) + hsv(hue, 0.75, 0.9) * rows[..., None]
    disc = ((columns - 0.5) ** 2 + (rows - 0.55) ** 2 < 0.11)[..., None] * 0.18
    return over(np.clip(sky + disc, 0, 1), (0.08, 0.04, 0.12), cut.alpha)


def oil_painting(cut: Cutout) -> Array:
    ground = floats((0.36, 0.28, 0.20)) + grain(cut, 3, 0.05)
    paint = np.clip(cut.on(ground) + grain(cut, 1.5, 0.05), 0, 1)
    brush = 2 * round(3 * cut.unit) + 1
    dabs = _filtered(paint, lambda image: image.filter(ImageFilter.ModeFilter(brush)))
    strokes = ndimage.gaussian_filter(
        cut.rng.standard_normal((cut.side, cut.side)).astype(np.float32), (0.6 * cut.unit, 3 * cut.unit)
    )
    return np.asarray(dabs * 0.95 + strokes[..., None] * 0.10 * cut.unit)


def mosaic(cut: Cutout) -> Array:
    tile = cut.side // 16
    stones = _filtered(cut.on((0.90, 0.86, 0.76)), lambda image: image.resize((16, 16), Image.Resampling.BOX))
    stones = np.clip(stones + cut.rng.normal(0, 0.03, (16, 16, 1)), 0, 1)
    laid = stones.repeat(tile, 0).repeat(tile, 1)
    joint = (np.arange(cut.side) % tile) < max(1, round(cut.unit))
    return np.where((joint[None, :] | joint[:, None])[..., None], 0.45, laid)


def risograph(cut: Cutout) -> Array:
    rows, columns = grid(cut.side)
    first, second = (
        ((0.95, 0.28, 0.35), (0.10, 0.35, 0.65)),
        ((0.98, 0.65, 0.15), (0.20, 0.45, 0.35)),
        ((0.85, 0.35, 0.60), (0.15, 0.25, 0.45)),
    )[cut.rng.integers(3)]
    tone = luminance(cut.on(WHITE))
    dots = np.sin(columns * 160 + rows * 38) * np.sin(rows * 160 - columns * 38) * 0.5 + 0.5
    halftone = np.clip((1 - tone) * 1.2 - dots * 0.5, 0, 1)[..., None]
    key = (outline(cut)[..., 0] > 0.4) | ((tone < 0.35) & (cut.alpha[..., 0] > 0.5))
    # The two drums of a risograph never register exactly; the offset is typical of the process.
    key = ndimage.shift(blur(key, 0.5 * cut.unit), (cut.unit, 1.5 * cut.unit), order=1)[..., None]
    sheet: Array = np.full_like(cut.rgb, 1.0) * floats((0.97, 0.95, 0.90))
    for ink, amount in ((first, cut.alpha * 0.35), (first, halftone * 0.8), (second, key * 0.9)):
        sheet = sheet * (1 - amount) + sheet * floats(ink) * amount
    return sheet


def black_icon(cut: Cutout) -> Array:
    return over(WHITE, (0.05, 0.05, 0.05), cut.alpha)


@dataclass(frozen=True)
class Look:
    draw: Callable[[Cutout], Array]
    artwork: tuple[str, ...]  # the icon sets whose shading suits the look
    phrases: tuple[str, str]  # what people type, the more usual first
    coloured: bool = False  # whether the look shows that "a red teapot" is red


# A third icon set is the fallback for objects that the suitable sets lack.
SUBSTITUTES = ("noto", "twemoji", "soft")

LOOKS: dict[str, Look] = {
    "3d": Look(render_3d, ("3d",), ("3d render", "glossy 3d render"), True),
    "flat": Look(flat_design, ("flat", "twemoji"), ("flat design", "flat vector illustration"), True),
    "sticker": Look(sticker, ("noto", "twemoji", "soft"), ("sticker", "die-cut sticker"), True),
    "pencil": Look(pencil_sketch, ("noto", "soft"), ("pencil sketch", "pencil drawing")),
    "watercolor": Look(watercolor, ("noto", "soft", "twemoji"), ("watercolor", "watercolor painting"), True),
    "blueprint": Look(blueprint, ("noto", "flat"), ("blueprint", "technical blueprint")),
    "neon": Look(neon_sign, ("noto", "flat"), ("neon sign", "glowing neon"), True),
    "pixel": Look(pixel_art, ("noto", "twemoji"), ("pixel art", "8-bit pixel art"), True),
    "pop": Look(pop_art, ("twemoji", "noto"), ("pop art", "comic pop art"), True),
    "lino": Look(linocut, ("noto", "soft"), ("linocut print", "black and white linocut")),
    "papercut": Look(papercut, ("flat", "soft"), ("papercut", "layered papercut"), True),
    "chalk": Look(chalk_drawing, ("noto", "twemoji"), ("chalk drawing", "chalkboard drawing")),
    "poster": Look(vintage_poster, ("noto", "soft"), ("vintage poster", "retro poster")),
    "silhouette": Look(sunset_silhouette, ("mono", "twemoji"), ("sunset silhouette", "silhouette")),
    "oil": Look(oil_painting, ("noto", "3d", "soft"), ("oil painting", "oil on canvas"), True),
    "mosaic": Look(mosaic, ("twemoji", "noto"), ("mosaic", "tile mosaic"), True),
    "riso": Look(risograph, ("noto", "soft"), ("risograph print", "two-color risograph")),
    "icon": Look(black_icon, ("mono",), ("black icon", "minimal black icon")),
}
