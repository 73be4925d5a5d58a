"""StyleAligned on SDXL: a set of pictures in one look, without training.

    studio = Studio.load("demo")
    reference = studio.reference(picture, prompt="a teapot, watercolor")
    for event in studio.generate(["a fox", "a lamp"], reference=reference):
        ...  # Step, Preview, ImageReady

Depends on torch and the libraries around diffusers, and of the app only on `app.atomic` and `app.weighted`.
"""

from app.style_aligned.controlnet import Control, Structure
from app.style_aligned.events import Event, ImageFailed, ImageReady, Inversion, Preview, Step
from app.style_aligned.finite import NotFinite
from app.style_aligned.loading import ModelError
from app.style_aligned.reference import Reference
from app.style_aligned.regions import Region
from app.style_aligned.sampler import SCHEDULERS
from app.style_aligned.sharing import Sharing
from app.style_aligned.studio import Studio

__all__ = [
    "SCHEDULERS",
    "Control",
    "Event",
    "ImageFailed",
    "ImageReady",
    "Inversion",
    "ModelError",
    "NotFinite",
    "Preview",
    "Reference",
    "Region",
    "Sharing",
    "Step",
    "Structure",
    "Studio",
]
