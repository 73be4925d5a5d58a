"""Structure maps: making them from pictures, and giving them to sets."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.engine import events as engine
from app.engine.base import ModelFacts
from app.files import Files
from app.models import Image, ImageSet
from app.sets.spec import SetSpec


def problem(session: Session, spec: SetSpec, model: ModelFacts) -> str | None:
    """Why the structures of a set cannot be used, in a sentence; None when they can."""
    return None


def for_engine(
    session: Session, image_set: ImageSet, images: Sequence[Image], files: Files
) -> tuple[engine.UnitStructure, ...]:
    """The structures of a set, with the maps of these images."""
    return ()
