"""Pictures whose measures are known, since they are drawn to have them."""

import numpy as np
from PIL import Image, ImageDraw

from app.quality.colour import Floats, light_of_oklab, picture_of


def of_lab(lab: Floats) -> Image.Image:
    """A picture of OKLab colours (H, W, 3)."""
    return picture_of(light_of_oklab(lab))


def colour(lightness: float, chroma: float, hue: float) -> tuple[int, int, int]:
    """An sRGB colour by its OKLab lightness, chroma and hue in degrees."""
    angle = np.deg2rad(hue)
    pixel = of_lab(np.array([[[lightness, chroma * np.cos(angle), chroma * np.sin(angle)]]])).getpixel((0, 0))
    assert isinstance(pixel, tuple)
    red, green, blue = pixel
    return int(red), int(green), int(blue)


def scene(ink: tuple[int, int, int], paper: tuple[int, int, int] = (255, 255, 255), side: int = 256) -> Image.Image:
    """A disc and a bar of one colour on a ground."""
    picture = Image.new("RGB", (side, side), paper)
    draw = ImageDraw.Draw(picture)
    draw.ellipse((side * 0.25, side * 0.2, side * 0.75, side * 0.7), fill=ink)
    draw.rectangle((side * 0.2, side * 0.75, side * 0.8, side * 0.85), fill=ink)
    return picture


def noisy(picture: Image.Image, sigma: float, seed: int = 0) -> Image.Image:
    """With grey noise of `sigma` levels of 255 in every pixel."""
    pixels = np.asarray(picture.convert("RGB"), dtype=np.float64)
    random = np.random.default_rng(seed).normal(0, sigma, pixels.shape[:2])[..., None]
    return Image.fromarray((pixels + random).clip(0, 255).round().astype(np.uint8))


def lines(width: int, ink: str = "black", paper: str = "white", side: int = 512) -> Image.Image:
    """Bars and a ring of lines `width` px wide."""
    picture = Image.new("RGB", (side, side), paper)
    draw = ImageDraw.Draw(picture)
    for left in range(side // 12, side - side // 12, side // 6):
        draw.line((left, side * 0.04, left + side * 0.06, side * 0.96), fill=ink, width=width)
    draw.ellipse((side * 0.2, side * 0.2, side * 0.8, side * 0.8), outline=ink, width=width)
    return picture


def blob(*boxes: tuple[float, float, float, float], side: int = 128) -> Image.Image:
    """A grey mask with a white ellipse in each box (left, top, right, bottom), in fractions of the sides."""
    mask = Image.new("L", (side, side))
    for box in boxes:
        ImageDraw.Draw(mask).ellipse([part * side for part in box], fill=255)
    return mask


def panorama(width: int = 768, height: int = 256) -> Image.Image:
    """A sky whose colours go round: its ends meet. With trunks, none as high as the picture."""
    across = np.linspace(0, 2 * np.pi, width, endpoint=False)
    down = np.linspace(0, 1, height)[:, None]
    lab = np.stack(np.broadcast_arrays(0.5 + 0.3 * down, 0.06 * np.cos(across), 0.06 * np.sin(across)), axis=-1)
    picture = of_lab(lab)
    draw = ImageDraw.Draw(picture)
    for left in range(40, width, 150):
        draw.rectangle((left, height * 0.6, left + 20, height), fill=(60, 40, 30))
    return picture
