"""What every ingredient of a set answers, and what it is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from sqlalchemy.orm import Session

from app.engine.base import ModelFacts
from app.files import Files
from app.models import Image, ImageSet, StyleVersion, Subject, User
from app.sets.looks import joined
from app.sets.spec import SetSpec
from app.subjects import queries as subjects
from app.subjects.handles import spoken


@dataclass(frozen=True)
class SetRequest:
    """A set that somebody asks for."""

    session: Session
    user: User
    spec: SetSpec
    model: ModelFacts
    files: Files | None = None  # None: what is uploaded is taken to be there


@dataclass(frozen=True)
class Redo:
    """A picture of a set that somebody wants once more, with this prompt."""

    session: Session
    user: User
    image_set: ImageSet
    prompt: str
    model: ModelFacts


@dataclass(frozen=True)
class Batch:
    """Images of a set that an engine is about to make."""

    session: Session
    image_set: ImageSet
    images: Sequence[Image]
    files: Files

    @cached_property
    def subjects(self) -> Sequence[tuple[Subject, float]]:
        """The set's subjects with their weights."""
        return subjects.of_set(self.session, self.image_set)

    def prompt(self, prompt: str, style: StyleVersion) -> str:
        """A prompt as the model reads it: with the style's text, and subjects' phrases for their handles."""
        phrases = {subject.handle: subject.phrase for subject, _ in self.subjects}
        return spoken(joined(prompt, style.text), phrases)


class Ingredient(Protocol):
    """A module of this package. Its parts are in the fields called `name`: of the form, the set's row and the unit."""

    name: str

    def problem(self, request: SetRequest, /) -> str | None:
        """Why the set cannot be made as it was asked for, in a sentence; None when it can."""
        ...

    def stored(self, request: SetRequest, /) -> Sequence[Any]:
        """The parts as the set's row keeps them (see `app.models.ingredient`), where `problem` found none."""
        ...

    def asked(self, session: Session, image_set: ImageSet, /) -> Sequence[Mapping[str, Any]]:
        """The parts as the form's field takes them, to ask for another set like this one."""
        ...

    def redo_problem(self, redo: Redo, /) -> str | None:
        """Why a picture cannot be made once more with this prompt, in a sentence; None when it can."""
        ...

    def for_engine(self, batch: Batch, /) -> tuple[Any, ...]:
        """The parts as an engine takes them. Raises Conflict."""
        ...
