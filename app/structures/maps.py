"""Make structure maps from pictures: white on black, as ControlNets take them.

Edges are Canny's (J. Canny, "A computational approach to edge detection", PAMI 1986) on the strongest gradient of any
OKLab channel, so that a red apple on a green cloth of the same lightness has an outline. OpenCV computes them: one
wheel that needs only NumPy, and milliseconds for a large photo.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.errors import Invalid
from app.languages import N_
from app.quality.colour import oklab
from app.quality.look import SIDE

if TYPE_CHECKING:
    from app.models import MapKind  # the decoding process has no tables

Map = NDArray[np.uint8]  # (H, W), 0 black to 255 white
DrawDepth = Callable[[Image.Image], Image.Image]  # the depth of an RGB picture, in grey

FAINTEST = 0.04  # gradient in OKLab per pixel: fainter ones are texture or noise
WEAK = 0.4  # of the strong gradient: lines continue through these if they start at a stronger one
SPECK = 0.02  # of the shorter side: shorter lines are dropped
STANDS_OUT = 0.06  # a subject's minimum distance in OKLab from the border's colour
FINE = 512  # px: below this, a subject's thin parts are lost, and so are lines of one pixel
BOLD = 3 / 128  # of the shorter side
SMALL = 0.05  # of the largest part's area: smaller parts are specks
COLOUR = 0.04  # chroma in OKLab that grey does not reach even in a JPEG
STRIP = 128  # rows
COLOURED = 0.02  # fraction of a map that may exceed it
BECAME = {
    "black": N_("Its transparent parts became black."),
    "white": N_("Its transparent parts became white."),
}


def draw(
    picture: Image.Image, kind: "MapKind | str", size: tuple[int, int], depth_map: DrawDepth | None = None
) -> Image.Image:
    """The map of a picture, in the picture's shape and detailed enough for images of `size` (width, height) px.

    Edges and depth are those of an opaque picture, in RGB; a silhouette may be the picture's own transparency.
    `depth_map` makes those of depth. Raises Invalid("picture", ...) and what `depth_map` raises.
    """
    match str(kind):
        case "edges":
            lines = edges(covering(picture, size))
            return bold(lines) if max(size) < FINE or min(size) <= FINE // 2 else lines
        case "silhouette":
            return silhouette(covering(picture, (max(size[0], FINE), max(size[1], FINE))))
        case "depth" if depth_map:
            return depth_map(covering(picture, size))
    raise ValueError(f"no map of {kind} can be made")


def bold(lines: Image.Image) -> Image.Image:
    """Thicken lines to three of 128 pixels, as small models' ControlNets learned them."""
    wide = max(3, round(BOLD * min(lines.size)))
    return Image.fromarray(np.asarray(cv2.dilate(np.asarray(lines), np.ones((wide, wide), np.uint8)), np.uint8))


def edges(picture: Image.Image) -> Image.Image:
    """The outlines of an RGB picture, white lines of one pixel on black, at its own size."""
    lab = _lab(picture)
    spread = min(picture.size) / 700  # px: noise in photos grows with their size, and so does the width of a line
    smooth = cv2.GaussianBlur(lab, (0, 0), max(spread, 0.6))
    across, down = _strongest(cv2.Scharr(smooth, cv2.CV_32F, 1, 0), cv2.Scharr(smooth, cv2.CV_32F, 0, 1))
    # Scharr's weights sum to 32 times the gradient.
    slope = np.hypot(across, down) / 32
    strong = max(_otsu(slope), FAINTEST)
    scale = 1024 / max(float(slope.max()) * 32, 1e-6)  # Canny expects whole numbers
    lines = cv2.Canny(
        (across * scale).astype(np.int16),
        (down * scale).astype(np.int16),
        WEAK * strong * 32 * scale,
        strong * 32 * scale,
        L2gradient=True,
    )
    return Image.fromarray(_without_specks(lines, least=round(SPECK * min(picture.size))))


def silhouette(picture: Image.Image) -> Image.Image:
    """The subject of a picture, white on black: its own transparency if it has any, otherwise what is not the border.

    Raises Invalid("picture", ...) if nothing stands out from the border.
    """
    if picture.has_transparency_data:
        alpha = picture.convert("RGBA").getchannel("A")
        if np.asarray(alpha).min() < 128:
            return alpha
    # Grain would fray the outline.
    lab = cv2.GaussianBlur(_lab(picture), (0, 0), max(min(picture.size) / 250, 0.6))
    distance = _from_border(lab)
    if np.percentile(distance, 99) < STANDS_OUT:
        raise Invalid(
            "picture",
            N_(
                "No subject stands out in this picture. Choose one with a plain or transparent background, or upload a"
                " ready map."
            ),
        )
    inside: Any = (distance > max(_otsu(distance), STANDS_OUT / 2)).astype(np.uint8) * 255
    inside = cv2.morphologyEx(inside, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return Image.fromarray(_filled(_largest(inside)))


def ready(picture: Image.Image, kind: "MapKind | str") -> tuple[Image.Image, str]:
    """A ready map in grey, and a sentence if it does not look like one, or what was changed (otherwise "")."""
    picture, ground = _on_ground(picture)
    grey = picture.convert("L")
    colours = oklab(picture.resize((SIDE, SIDE)))[..., 1:]
    if float((np.hypot(colours[..., 0], colours[..., 1]) > COLOUR).mean()) > COLOURED:
        return grey, N_("This is in colour, as photos are; maps have none. Create a map from it instead.")
    if kind == "edges" and float(np.asarray(grey).mean()) > 128:
        return Image.eval(grey, lambda light: 255 - light), N_("The lines were dark on light, so the map was inverted.")
    return grey, BECAME.get(ground, "")


def covering(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The whole picture, just large enough to cover `size` (width, height) px, with lines as fine as images need."""
    scale = max(size[0] / picture.width, size[1] / picture.height)
    return picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)


def cropped(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The largest centred part with the shape of `size` (width, height)."""
    scale = min(picture.width / size[0], picture.height / size[1])
    width, height = round(size[0] * scale), round(size[1] * scale)
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


def _on_ground(picture: Image.Image) -> tuple[Image.Image, str]:
    """A map in RGB; transparency becomes black if the content is light, otherwise white: which, or "" without any."""
    if not picture.has_transparency_data:
        return picture.convert("RGB"), ""
    clear = picture.convert("RGBA")
    light = np.average(np.asarray(picture.convert("L")), weights=np.asarray(clear.getchannel("A")) + 1e-6)
    ground = "black" if light > 128 else "white"
    return Image.alpha_composite(Image.new("RGBA", clear.size, ground), clear).convert("RGB"), ground


def _lab(picture: Image.Image) -> NDArray[np.float32]:
    """The pixels (H, W, 3) in OKLab, computed in strips: doubles of a large picture would fill the memory."""
    lab = np.empty((picture.height, picture.width, 3), np.float32)
    for top in range(0, picture.height, STRIP):
        bottom = min(top + STRIP, picture.height)
        lab[top:bottom] = oklab(picture.crop((0, top, picture.width, bottom)))
    return lab


def _strongest(across: NDArray[Any], down: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Per pixel, the gradients (H, W) of the steepest channel of gradients (H, W, 3)."""
    channel = np.argmax(across**2 + down**2, axis=2)[..., None]
    return np.take_along_axis(across, channel, 2)[..., 0], np.take_along_axis(down, channel, 2)[..., 0]


def _otsu(values: NDArray[Any]) -> float:
    """The value that best splits `values`, 0 or more, into low and high ones (Otsu 1979)."""
    top = max(float(np.percentile(values, 99.5)), 1e-6)
    grey = np.clip(values / top * 255, 0, 255).astype(np.uint8)
    threshold, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return threshold / 255 * top


def _without_specks(lines: Any, least: int) -> Map:
    """Drop lines of fewer than `least` pixels."""
    _, labels, facts, _ = cv2.connectedComponentsWithStats(lines, connectivity=8)
    long = facts[:, cv2.CC_STAT_AREA] >= least
    long[0] = False  # the background
    return np.asarray(long[labels] * 255, np.uint8)


def _from_border(lab: NDArray[Any]) -> NDArray[Any]:
    """The distance in OKLab of each pixel (H, W) from the border's colour, extrapolated to that pixel.

    The border's colour may change evenly across the picture, like light on a wall: a plane is fitted to it twice, the
    second time without outliers, such as a subject that the border cuts off.
    """
    height, width = lab.shape[:2]
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    places = np.stack([np.ones_like(x), x, y], axis=-1)
    rim = np.zeros((height, width), bool)
    wide = max(1, round(min(height, width) * 0.02))
    rim[:wide] = rim[-wide:] = rim[:, :wide] = rim[:, -wide:] = True
    kept = rim & (np.linalg.norm(lab - np.median(lab[rim], axis=0), axis=-1) < 4 * STANDS_OUT)
    for _ in range(2):
        plane, *_ = np.linalg.lstsq(places[kept], lab[kept], rcond=None)
        distance: NDArray[Any] = np.linalg.norm(lab - places @ plane, axis=-1)
        kept = rim & (distance <= np.percentile(distance[kept], 90))
    return distance


def _largest(inside: Any) -> Map:
    """The largest part, and those not much smaller."""
    _, labels, facts, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
    areas = facts[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0  # the background
    large = (areas >= SMALL * areas.max()) & (areas > 0)
    return np.asarray(large[labels] * 255, np.uint8)


def _filled(inside: Map) -> Map:
    """Fill holes: for a line drawing, everything inside its outline."""
    outlines, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(np.zeros_like(inside), outlines, -1, 255, cv2.FILLED), np.uint8)
