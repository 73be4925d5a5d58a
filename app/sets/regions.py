"""Regions of a set: parts of every image with a prompt and a style of their own."""

from typing import Any

from sqlalchemy.orm import Session

from app.engine import events as engine
from app.engine.base import ModelFacts
from app.files import Files
from app.models import ImageSet
from app.sets.spec import SetSpec


def problem(session: Session, spec: SetSpec, model: ModelFacts) -> str | None:
    """Why the regions of a set cannot be used, in a sentence; None when they can."""
    return None


def stored(session: Session, spec: SetSpec) -> list[dict[str, Any]]:
    """The regions as the set keeps them: the style's code became the id of its present version."""
    return []


def for_engine(session: Session, image_set: ImageSet, files: Files) -> tuple[engine.UnitRegion, ...]:
    """The regions as an engine takes them."""
    return ()
