"""The status of rights on a day, with days as in `app.days`."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from app.accounts import authority
from app.days import local, written
from app.languages import formats
from app.languages import gettext as _
from app.models import RightsRecord, Role, User
from app.rights import likeness
from app.text import shorten

ENDING_DAYS = 14  # before their end, rights count as ending soon
REASON_LENGTH = 120  # characters of a reason within a sentence

Kind = Literal["unstated", "valid", "ending", "not_yet", "ended", "no_consent", "withdrawn"]


@dataclass(frozen=True)
class Standing:
    kind: Kind
    day: date | None = None  # when it ends or ended, begins, or was withdrawn
    days_left: int | None = None  # after today, if it ends: 0 is the last day
    of_consent: bool = False  # that day is one of the consent of a real person

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
    reader: User | None = None  # who wants to use it; None: anybody

    @property
    def barred(self) -> bool:
        """Whether it shows a real person whose likeness others may use, but not the reader."""
        return self.reader is not None and not likeness.may_use(self.reader, self.record)

    @property
    def refusal(self) -> str | None:
        """Why nothing new can be made from the reference, and who can change that; None if it can."""
        if self.record is None:
            return None
        if self.standing.usable:
            return likeness.only_others(self.record, self.name) if self.barred else None
        name, person = self.name, self.record.made_by
        needed = authority.power(self.record.made_as) if self.standing.kind == "withdrawn" else None
        knows = person.can(needed) if needed else person.active
        whom = person.name if knows else ""
        day = written(self.standing.day)
        match self.standing.kind:
            case "withdrawn":
                why = shorten(self.record.reason, REASON_LENGTH) if self.record.reason else ""
                return formats.sentences((_was_withdrawn(name, day, why), _ask_about(whom, needed is Role.ADMIN)))
            case "no_consent":
                first = _(
                    "The reference %(name)s shows %(person)s, whose consent is not recorded, so nothing can be made"
                    " from it.",
                    name=name,
                    person=self.record.person,
                )
                ask = _("Ask %(whom)s or a manager to record it.", whom=whom)
                return formats.sentences((first, ask if whom else _("Ask a manager to record it.")))
            case "not_yet" | "ended" if self.standing.of_consent:
                return likeness.out_of_date(self.record, name, day, whom, began=self.standing.kind == "ended")
            case "not_yet":
                first = _(
                    "The rights to the reference %(name)s start on %(day)s, so nothing can be made from it yet.",
                    name=name,
                    day=day,
                )
                ask = _("Ask %(whom)s or a manager if that is wrong.", whom=whom)
                return formats.sentences((first, ask if whom else _("Ask a manager if that is wrong.")))
            case _:
                first = _(
                    "The rights to the reference %(name)s expired on %(day)s, so nothing new can be made from it.",
                    name=name,
                    day=day,
                )
                ask = _("Ask %(whom)s or a manager to renew it.", whom=whom)
                return formats.sentences((first, ask if whom else _("Ask a manager to renew it.")))


def _was_withdrawn(name: str, day: str, why: str) -> str:
    if why:
        return _(
            "The rights to the reference %(name)s were withdrawn on %(day)s (%(why)s), so nothing new can be made "
            "from it.",
            name=name,
            day=day,
            why=why,
        )
    return _(
        "The rights to the reference %(name)s were withdrawn on %(day)s, so nothing new can be made from it.",
        name=name,
        day=day,
    )


def _ask_about(whom: str, administrator: bool) -> str:
    """Whom to ask about a withdrawal: the person who knows, if any, and those who can restore."""
    if administrator:
        ask = _("Ask %(whom)s or an administrator about it.", whom=whom)
        return ask if whom else _("Ask an administrator about it.")
    ask = _("Ask %(whom)s or a manager about it.", whom=whom)
    return ask if whom else _("Ask a manager about it.")


def standing(record: RightsRecord | None, today: date) -> Standing:
    """The status on `today` of the rights in `record`. A withdrawal overrides all dates."""
    if record is None:
        return Standing("unstated")
    if record.withdrawn:
        return Standing("withdrawn", local(record.created_at).date())
    if not record.owned_by:
        return Standing("unstated")  # withdrawn before anything was recorded, then restored
    if record.person and not record.consent:
        return Standing("no_consent")
    first, last, by = likeness.days(record)
    if last and last < today:
        return Standing("ended", last, of_consent=last == by[1])
    if first and first > today:
        return Standing("not_yet", first, of_consent=first == by[0])
    if last is None:
        return Standing("valid")
    left = (last - today).days
    return Standing("ending" if left <= ENDING_DAYS else "valid", last, left, of_consent=last == by[1])


def worst(helds: list[Held]) -> Held | None:
    """The most restrictive one, then the one that ends first; None if there is none."""
    order: tuple[Kind, ...] = ("withdrawn", "no_consent", "ended", "not_yet", "ending", "unstated", "valid")
    return min(
        helds,
        key=lambda held: (
            held.refusal is None,
            order.index(held.standing.kind),
            held.standing.day or date.max,
        ),
        default=None,
    )
