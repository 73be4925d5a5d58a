"""The interface of a set's ingredients, and its arguments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from sqlalchemy.orm import Session

from app.engine.base import ModelFacts
from app.files import Files
from app.models import Image, ImageSet, StyleVersion, Subject, User
from app.prompts.reader import Reader
from app.sets.spec import SetSpec
from app.subjects import queries as subjects


@dataclass(frozen=True)
class SetRequest:
    """A request for a set."""

    session: Session
    user: User
    spec: SetSpec
    model: ModelFacts
    files: Files | None = None  # None: assume that uploads exist


@dataclass(frozen=True)
class Redo:
    """A request to redo a picture of a set with this prompt."""

    session: Session
    user: User
    image_set: ImageSet
    prompt: str
    model: ModelFacts
    drawn: str  # what is drawn for the prompt


@dataclass(frozen=True)
class Batch:
    """Images of a set that an engine is about to make."""

    session: Session
    image_set: ImageSet
    images: Sequence[Image]
    files: Files
    reader: Reader = field(default_factory=Reader)  # the model's

    @cached_property
    def subjects(self) -> Sequence[tuple[Subject, float]]:
        """The set's subjects with their weights."""
        return subjects.of_set(self.session, self.image_set)

    def prompt(self, prompt: str, style: StyleVersion) -> str:
        """Build a prompt for the model: with the style's text, and subjects' phrases for their handles."""
        return self.reader.read(self.image_set.said(prompt), style.said_text, self.phrases).read

    def subject(self, prompt: str) -> str:
        """The words of a prompt that name its main subject, as the model reads them."""
        return self.reader.subject(self.image_set.said(prompt), self.phrases)

    @cached_property
    def phrases(self) -> dict[str, str]:
        """What the model reads for the handles of the set's subjects."""
        return {subject.handle: subject.phrase for subject, _ in self.subjects}


class Ingredient(Protocol):
    """A module of this package. The form, the set's row and the unit have its parts in fields called `name`."""

    name: str

    def problem(self, request: SetRequest, /) -> str | None:
        """Why the set cannot be made as requested, in a sentence; None if it can."""
        ...

    def stored(self, request: SetRequest, /) -> Sequence[Any]:
        """The parts as stored in the set's row (see `app.models.ingredient`), if `problem` found none."""
        ...

    def asked(self, session: Session, image_set: ImageSet, /) -> Sequence[Mapping[str, Any]]:
        """The parts as the form's field takes them, to request another set like this one."""
        ...

    def redo_problem(self, redo: Redo, /) -> str | None:
        """Why a picture cannot be redone with this prompt, in a sentence; None if it can."""
        ...

    def for_engine(self, batch: Batch, /) -> tuple[Any, ...]:
        """The parts for an engine. Raises Conflict."""
        ...
