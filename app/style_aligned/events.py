"""Events that `Studio.generate` yields."""

from dataclasses import dataclass

from PIL import Image
from torch import Tensor

from app.style_aligned.finite import NotFinite
from app.style_aligned.maps import Seen


@dataclass(frozen=True)
class Inversion:
    """Step `step` of `steps` of inverting the reference is done; the images follow."""

    step: int
    steps: int


@dataclass(frozen=True)
class Step:
    """Step `step` of `steps` is done for the images at these positions in the list of prompts."""

    images: tuple[int, ...]
    step: int
    steps: int


@dataclass(frozen=True)
class Preview:
    """An estimate of the image at `index`: small, blurred, in its final shape."""

    index: int
    picture: Image.Image


@dataclass(frozen=True)
class ImageReady:
    """The finished image of the prompt at `index`."""

    index: int
    picture: Image.Image
    prompt: str
    seed: int
    latents: Tensor  # (1, C, h, w)
    seen: Seen


@dataclass(frozen=True)
class ImageFailed:
    """The image of the prompt at `index` cannot be made; the others continue."""

    index: int
    prompt: str
    seed: int
    error: NotFinite


Event = Inversion | Step | Preview | ImageReady | ImageFailed
