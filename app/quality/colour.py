"""Colours as light and as people see them: sRGB, linear light, luminance and OKLab.

Sources: IEC 61966-2-1 (sRGB); Björn Ottosson, "A perceptual color space for image processing", 2020 (OKLab).
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float64]
Vectors = NDArray[np.float32]  # from a model

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_FROM_LMS, _FROM_LAB = np.linalg.inv(_LMS), np.linalg.inv(_LAB)
# Byte values as light, so that a large picture needs no power per pixel.
_LIGHT_OF_BYTE = np.arange(256) / 255
_LIGHT_OF_BYTE = np.where(_LIGHT_OF_BYTE <= 0.04045, _LIGHT_OF_BYTE / 12.92, ((_LIGHT_OF_BYTE + 0.055) / 1.055) ** 2.4)


def light_of(picture: Image.Image) -> Floats:
    """The picture's pixels (H, W, 3) in linear light, 0 to 1."""
    light: Floats = _LIGHT_OF_BYTE[np.asarray(picture.convert("RGB"))]
    return light


def picture_of(light: Floats) -> Image.Image:
    """A picture of linear light (H, W, 3); values outside 0 to 1 are clipped."""
    light = light.clip(0, 1)
    srgb = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return Image.fromarray((srgb * 255).round().astype(np.uint8))


def luminance(light: Floats) -> Floats:
    """Relative luminance (...), 0 to 1, of linear light (..., 3)."""
    return light @ _LUMINANCE


def oklab_of(light: Floats) -> Floats:
    """Linear light (..., 3) in OKLab: L 0 to 1, a and b about -0.4 to 0.4."""
    return np.cbrt(light @ _LMS.T) @ _LAB.T


def light_of_oklab(lab: Floats) -> Floats:
    """OKLab (..., 3) as linear light (..., 3); outside 0 to 1 where no screen can show the colour."""
    light: Floats = (lab @ _FROM_LAB.T) ** 3 @ _FROM_LMS.T
    return light


def oklab(picture: Image.Image) -> Floats:
    """The picture's pixels (H, W, 3) in OKLab."""
    return oklab_of(light_of(picture))
