"""Kinds of work: what the queue and the dispatcher need to know of each, such as the pictures of a set."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from sqlalchemy import SQLColumnExpression
from sqlalchemy.orm import Session

from app.engine.events import Event, Work
from app.files import Files
from app.models import State, Unit, User
from app.work.topics import Topic

Write = Callable[[Session], object]
"""What is left to do within the transaction."""


@dataclass(kw_only=True)
class Row:
    """Something that is being made or waits, as the home page lists it. Each kind adds what it shows."""

    owner: str
    line: int | None = None  # 1: next; None: it is being made

    @property
    def runs(self) -> bool:
        raise NotImplementedError


class WorkKind(ABC):
    """One kind of work. A unit is of this kind when its `column` has the id of a row that it is done for."""

    noun: ClassVar[str]  # of its topics

    @property
    @abstractmethod
    def column(self) -> SQLColumnExpression[int | None]:
        """The column of `units`."""

    @abstractmethod
    def row_id(self, unit: Unit) -> int | None:
        """What that column says of a unit; None where it is of another kind."""

    def topic(self, row_id: int) -> Topic:
        return Topic(self.noun, row_id)

    @abstractmethod
    def for_engine(self, session: Session, unit: Unit, files: Files, model: str | None) -> Work:
        """A claimed unit as an engine takes it, without what an earlier try has finished.

        Raises a UserError when it can be made no more, such as by an engine that runs another model than `model`.
        """

    @abstractmethod
    def keep(self, event: Event, files: Files) -> Write:
        """Write the files of something that the engine made, and say what the transaction then has to note.

        What comes for a unit that is no longer generating must change nothing.
        """

    @abstractmethod
    def moved(self, session: Session, unit: Unit, before: State, after: State, error: str | None) -> None:
        """What the unit makes goes with it from one state to the next."""

    @abstractmethod
    def unfinished(self, session: Session, unit: Unit) -> bool:
        """Whether something of the unit is still being made."""

    @abstractmethod
    def record_failure(self, session: Session, unit: Unit, message: str) -> None:
        """Tell the record that the unit failed for good."""

    @abstractmethod
    def rows(self, session: Session, user: User, ids: Collection[int]) -> Mapping[int, Row]:
        """How the home page lists what is being made or waits, by its id."""


_kinds: list[WorkKind] = []


def use(*kinds: WorkKind) -> None:
    """Serve units of these kinds from now on."""
    _kinds[:] = kinds


def all_kinds() -> tuple[WorkKind, ...]:
    if not _kinds:
        raise RuntimeError("no kind of work is registered: call app.wiring.connect() first")
    return tuple(_kinds)


def kind_of(unit: Unit) -> WorkKind:
    """The kind of a unit. Raises LookupError when none of those that are registered knows it."""
    for kind in all_kinds():
        if kind.row_id(unit) is not None:
            return kind
    raise LookupError(f"unit {unit.id} is of no kind that is registered")


def topic_of(unit: Unit) -> Topic:
    kind = kind_of(unit)
    return kind.topic(kind.row_id(unit) or 0)
