"""StyleAligned on SDXL: a set of pictures in one look, without training.

    studio = Studio.load("demo")
    reference = studio.reference(picture, prompt="a teapot, watercolor")
    for event in studio.generate(["a fox", "a lamp"], reference=reference):
        ...  # Step, Preview, ImageReady

Knows torch and diffusers; knows no web, no database.
"""

from app.style_aligned.loading import ModelError
from app.style_aligned.reference import Reference
from app.style_aligned.sampler import SCHEDULERS
from app.style_aligned.sharing import Sharing
from app.style_aligned.studio import Event, ImageReady, Inversion, Preview, Step, Studio

__all__ = [
    "SCHEDULERS",
    "Event",
    "ImageReady",
    "Inversion",
    "ModelError",
    "Preview",
    "Reference",
    "Sharing",
    "Step",
    "Studio",
]
