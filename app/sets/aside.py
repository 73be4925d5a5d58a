"""What the engine makes apart from sets, for a page of its own: drafts and maps. Each is a kind of work."""

from abc import abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from sqlalchemy import ScalarSelect, Select, select, update
from sqlalchemy.orm import Session

from app.accounts.queries import signed_in
from app.errors import Conflict, Forbidden, NotFound
from app.languages import gettext as _
from app.models import Role, State, Strip, Style, StyleMap, StyleReference, StyleVersion, Tuning, Unit, User
from app.work.kinds import Row, WorkKind
from app.work.queue import WAITING, cancel_units


@dataclass(kw_only=True)
class AsideRow(Row):
    """Drafts or a map that wait or are made."""

    style: str  # its name
    reference_id: int
    prompts: list[str]
    state: State
    finished: int
    total: int
    batch: int  # how many are ready at once
    page: str  # for the one who asked; "" for other people, and where they have none
    can_cancel: bool
    under_way: float = 0.0  # parts of those in the engine

    @property
    def runs(self) -> bool:
        return self.state == State.GENERATING

    @property
    def done(self) -> float:
        return self.finished + self.under_way

    def reached(self, step: int, steps: int) -> None:
        """Step `step` of the batch in the engine, of `steps`: those of one batch are ready at once."""
        self.under_way = part_of_batch(min(self.batch, self.total - self.finished), step, steps)


def part_of_batch(left: int, step: int, steps: int) -> float:
    """How many of the `left` ones in the engine their steps so far amount to."""
    return left * (step % steps) / steps if steps else 0.0


class Aside(WorkKind):
    """Work whose table has its state and error. Only its own page tells of a failure; nothing is lost."""

    table: ClassVar[type[Strip | Tuning | StyleMap]]
    batch: ClassVar[int]

    def generating(self, unit_id: int) -> ScalarSelect[int | None]:
        """The id of the row that a unit is generating; NULL after a cancel."""
        return select(self.column).where(Unit.id == unit_id, Unit.state == State.GENERATING).scalar_subquery()

    def moved(self, session: Session, unit: Unit, before: State, after: State, error: str | None) -> None:
        of_unit = self.table.id == self.row_id(unit), self.table.state == before
        session.execute(update(self.table).where(*of_unit).values(state=after, error=error))

    def record_failure(self, session: Session, unit: Unit, message: str) -> None:
        """Its page says so."""

    def record_hold(self, session: Session, unit: Unit) -> None:
        """Its page says so."""

    @abstractmethod
    def queued(self) -> Select[*tuple[Any, ...]]:
        """Of `table` joined with `StyleVersion`: `prompts`, or one `prompt`; how many are `finished`, of a `total`."""

    @abstractmethod
    def page(self, row: Any) -> str:
        """Where the one who asked follows a row of `queued`; "" if nowhere."""

    def rows(self, session: Session, user: User, ids: Collection[int]) -> Mapping[int, AsideRow]:
        found = session.execute(
            self.queued()
            .add_columns(
                self.table.id,
                self.table.owner_id,
                self.table.state,
                User.name.label("owner"),
                Style.name.label("style"),
                StyleReference.reference_id,
            )
            .join(User, User.id == self.table.owner_id)
            .join(Style, Style.id == StyleVersion.style_id)
            .join(StyleReference, StyleReference.version_id == StyleVersion.id)
            .where(self.table.id.in_(ids), StyleReference.position == 1, signed_in(user))
        )
        return {row.id: self._row(user, row) for row in found}

    def _row(self, user: User, row: Any) -> AsideRow:
        own = row.owner_id == user.id
        return AsideRow(
            topic=self.topic(row.id),
            owner=row.owner,
            style=row.style,
            reference_id=row.reference_id,
            prompts=row.prompts if "prompts" in row._fields else [row.prompt],
            state=row.state,
            finished=row.finished,
            total=row.total,
            batch=self.batch,
            page=self.page(row) if own else "",
            can_cancel=own or user.can(Role.MANAGER),
        )

    def cancel(self, session: Session, user: User, row_id: int) -> None:
        """Stop what waits or runs, for the one who asked for it and for managers.

        Raises NotFound, Forbidden, and Conflict if nothing of it waits or runs any longer.
        """
        row = cast(Strip | Tuning | StyleMap | None, session.get(self.table, row_id))
        owner = session.get(User, row.owner_id) if row else None
        if row is None or owner is None or not user.active:
            raise NotFound(_("There is no such work."))
        if owner.id != user.id and not user.can(Role.MANAGER):
            raise Forbidden(_("Only %(name)s or a manager can do this.", name=owner.name))
        if row.state not in WAITING:
            raise Conflict(_("Nothing of this is waiting or generating now."))
        row.state = State.CANCELLED
        cancel_units(session, self.column == row_id)
