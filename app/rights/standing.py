"""The status of rights on a day, with days as in `app.days`."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from app.accounts import authority
from app.days import local, written
from app.models import RightsRecord, Role
from app.text import shorten

ENDING_DAYS = 14  # before their end, rights count as ending soon
REASON_LENGTH = 120  # characters of a reason within a sentence

Kind = Literal["unstated", "valid", "ending", "not_yet", "ended", "withdrawn"]


@dataclass(frozen=True)
class Standing:
    kind: Kind
    day: date | None = None  # when it ends or ended, begins, or was withdrawn
    days_left: int | None = None  # after today, if it ends: 0 is the last day

    @property
    def usable(self) -> bool:
        """Whether new pictures may be made. Rights that were never recorded block nothing."""
        return self.kind in ("unstated", "valid", "ending")


@dataclass(frozen=True)
class Held:
    """A reference and the status of its right."""

    reference_id: int
    name: str  # of the reference
    record: RightsRecord | None  # with its author
    standing: Standing

    @property
    def refusal(self) -> str | None:
        """Why nothing new can be made from the reference, and who can change that; None if it can."""
        if self.standing.usable or self.record is None:
            return None
        rights, person = f"The rights to the reference {self.name}", self.record.made_by
        needed = authority.power(self.record.made_as) if self.standing.kind == "withdrawn" else None
        whom = authority.ONE[needed or Role.MANAGER]
        knows = person.can(needed) if needed else person.active
        ask = f"Ask {person.name} or {whom}" if knows else f"Ask {whom}"
        day = written(self.standing.day)
        match self.standing.kind:
            case "withdrawn":
                why = f" ({shorten(self.record.reason, REASON_LENGTH)})" if self.record.reason else ""
                return f"{rights} were withdrawn on {day}{why}, so nothing new can be made from it. {ask} about it."
            case "not_yet":
                return f"{rights} start on {day}, so nothing can be made from it yet. {ask} if that is wrong."
            case _:
                return f"{rights} expired on {day}, so nothing new can be made from it. {ask} to renew it."


def standing(record: RightsRecord | None, today: date) -> Standing:
    """The status on `today` of the rights in `record`. A withdrawal overrides all dates."""
    if record is None:
        return Standing("unstated")
    if record.withdrawn:
        return Standing("withdrawn", local(record.created_at).date())
    if not record.owned_by:
        return Standing("unstated")  # withdrawn before anything was recorded, then restored
    first, last = record.valid_from, record.valid_until
    if last and last < today:
        return Standing("ended", last)
    if first and first > today:
        return Standing("not_yet", first)
    if last is None:
        return Standing("valid")
    left = (last - today).days
    return Standing("ending" if left <= ENDING_DAYS else "valid", last, left)


def worst(helds: list[Held]) -> Held | None:
    """The most restrictive one, then the one that ends first; None if there is none."""
    order: tuple[Kind, ...] = ("withdrawn", "ended", "not_yet", "ending", "unstated", "valid")
    return min(helds, key=lambda held: (order.index(held.standing.kind), held.standing.day or date.max), default=None)
