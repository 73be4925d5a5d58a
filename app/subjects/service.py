"""Subjects: training them, bringing LoRA files, and giving them to sets."""

from sqlalchemy.orm import Session

from app.engine import events as engine
from app.engine.base import ModelFacts
from app.files import Files
from app.models import ImageSet, User
from app.sets.spec import SetSpec


def problem(session: Session, user: User, spec: SetSpec, model: ModelFacts) -> str | None:
    """Why the subjects of a set cannot be used, in a sentence; None when they can."""
    return None


def spoken(session: Session, image_set: ImageSet, prompt: str) -> str:
    """A prompt as the model reads it: every `@handle` of the set's subjects as its phrase."""
    return prompt


def for_engine(session: Session, image_set: ImageSet, files: Files) -> tuple[engine.UnitSubject, ...]:
    """The set's subjects as adapters."""
    return ()
