"""Kinds of work: what the queue and the dispatcher need to know about each, such as the pictures of a set."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from sqlalchemy import SQLColumnExpression
from sqlalchemy.orm import Session

from app.engine.base import ModelFacts
from app.engine.events import Event, Work
from app.files import Files
from app.models import State, Unit, User
from app.work.topics import Topic

Write = Callable[[Session], object]
"""What remains to be done within the transaction."""


@dataclass(kw_only=True)
class Row(ABC):
    """Running or waiting work, as listed on the home page. Each kind adds what it shows."""

    topic: Topic
    owner: str
    line: int | None = None  # 1: next; None: running, or paused
    paused: bool = False
    retry_at: datetime | None = None  # when it is tried again, if all of it that waits has failed

    @property
    @abstractmethod
    def runs(self) -> bool:
        """Whether an engine has it."""


class WorkKind(ABC):
    """One kind of work. A unit is of this kind if its `column` has the id of the row it works for."""

    noun: ClassVar[str]  # of its topics
    resumable: ClassVar[bool] = False  # stopped at any step, the engine resumes it there

    @property
    @abstractmethod
    def column(self) -> SQLColumnExpression[int | None]:
        """The column of `units`."""

    @abstractmethod
    def row_id(self, unit: Unit) -> int | None:
        """That column of a unit; None if it is of another kind."""

    def topic(self, row_id: int) -> Topic:
        return Topic(self.noun, row_id)

    @abstractmethod
    def for_engine(self, session: Session, unit: Unit, files: Files, model: ModelFacts | None) -> Work:
        """Prepare a claimed unit for an engine, without what an earlier attempt has finished.

        Raises a UserError if it can no longer be made, for example because the engine runs another model than `model`.
        """

    @abstractmethod
    def keep(self, event: Event, files: Files) -> Write:
        """Write the files of an engine's result, and return what the transaction has to record.

        Results for a unit that is no longer generating must change nothing.
        """

    @abstractmethod
    def moved(self, session: Session, unit: Unit, before: State, after: State, error: str | None) -> None:
        """Move what the unit makes from one state to the next along with it."""

    @abstractmethod
    def unfinished(self, session: Session, unit: Unit) -> bool:
        """Whether any of the unit's results are still being made."""

    @abstractmethod
    def record_failure(self, session: Session, unit: Unit, message: str) -> None:
        """Record that the unit failed for good."""

    @abstractmethod
    def record_hold(self, session: Session, unit: Unit) -> None:
        """Record that the unit is held, because the engine died several times during it."""

    @abstractmethod
    def rows(self, session: Session, user: User, ids: Collection[int]) -> Mapping[int, Row]:
        """What the home page lists for running or waiting rows, by id."""


_kinds: list[WorkKind] = []


def use(*kinds: WorkKind) -> None:
    """Serve units of these kinds from now on."""
    _kinds[:] = kinds


def all_kinds() -> tuple[WorkKind, ...]:
    if not _kinds:
        raise RuntimeError("no kind of work is registered: call app.wiring.connect() first")
    return tuple(_kinds)


def kind_named(noun: str) -> WorkKind:
    """The kind whose topics have this noun."""
    return next(kind for kind in all_kinds() if kind.noun == noun)


def kind_of(unit: Unit) -> WorkKind:
    """The kind of a unit. Raises LookupError if no registered kind matches."""
    for kind in all_kinds():
        if kind.row_id(unit) is not None:
            return kind
    raise LookupError(f"unit {unit.id} is of no kind that is registered")


def topic_of(unit: Unit) -> Topic:
    kind = kind_of(unit)
    return kind.topic(kind.row_id(unit) or 0)
