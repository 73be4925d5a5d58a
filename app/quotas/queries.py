"""What people have used today, and what they store."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import days
from app.errors import Forbidden
from app.languages import N_, ngettext
from app.languages import gettext as _
from app.models import HELD, Role, Usage, User, What
from app.text import filesize, thin

BYTES = (What.UPLOAD_BYTES, What.STORAGE)
LITTLE = 0.2  # of a quota: people get a warning when less is left


NAMES = {
    What.SETS: N_("Sets"),
    What.PICTURES: N_("Pictures made"),
    What.TRAININGS: N_("Trainings"),
    What.UPLOADS: N_("Uploads"),
    What.UPLOAD_BYTES: N_("Upload volume"),
    What.EXPORTS: N_("Exports"),
    What.EXPORT_PICTURES: N_("Pictures exported"),
    What.STORAGE: N_("Stored files"),
}


@dataclass(frozen=True)
class QuotaUse:
    """A person's use of one quota."""

    what: What
    used: int
    most: int  # 0: no limit

    @property
    def left(self) -> int | None:
        """None without a limit."""
        return max(0, self.most - self.used) if self.most else None

    @property
    def is_little(self) -> bool:
        return self.left is not None and self.left <= LITTLE * self.most

    @property
    def told(self) -> str:
        """What is left of sets or pictures, as a sentence: how many, and when the count restarts."""
        sets, reset = self.what is What.SETS, starts_again()
        if not self.left:
            if sets:
                return _("You have used all of today’s %(most)s sets; %(reset)s.", most=thin(self.most), reset=reset)
            return _("You have used all of today’s %(most)s pictures; %(reset)s.", most=thin(self.most), reset=reset)
        if sets:
            return ngettext(
                "You can make %(number)s more set today; %(reset)s.",
                "You can make %(number)s more sets today; %(reset)s.",
                self.left,
                reset=reset,
            )
        return ngettext(
            "You can make %(number)s more picture today; %(reset)s.",
            "You can make %(number)s more pictures today; %(reset)s.",
            self.left,
            reset=reset,
        )

    @property
    def name(self) -> str:
        return NAMES[self.what]

    @property
    def used_written(self) -> str:
        return written(self.what, self.used)

    @property
    def most_written(self) -> str:
        return written(self.what, self.most)


def written(what: What, amount: int) -> str:
    """1631 -> "1 631"; bytes as "36 MB"."""
    return filesize(amount) if what in BYTES else thin(amount)


def uses(session: Session, user: User) -> dict[What, QuotaUse]:
    """What `user` has used today and stores, per quota. Administrators have no limits."""
    most = limits(session, user)
    used = _used(session, user.id).get(user.id, {})
    return {what: QuotaUse(what, used.get(what, 0), most.get(what, 0)) for what in What}


def scarcest(session: Session, user: User, *which: What) -> QuotaUse | None:
    """Of these quotas, the one with the least left, if that is little; None if there is enough."""
    found = uses(session, user)
    little = [found[what] for what in which if found[what].is_little]
    return min(little, key=lambda use: use.left or 0, default=None)


def starts_again() -> str:
    """When the day's counts restart."""
    midnight = days.local(days.begin(days.today() + timedelta(days=1)))
    return _("the count resets at midnight, %(time)s", time=f"{midnight:%H:%M %Z}")


def limits(session: Session, user: User) -> dict[What, int]:
    """The quotas of `user` from the server's settings, 0 for none. Administrators set them, so they have none."""
    return {} if user.can(Role.ADMIN) else session.info.get("quotas", {})


def of_people(session: Session, user: User, person_ids: Collection[int]) -> dict[int, dict[What, str]]:
    """What these people have used today and store, formatted, by user id. Administrators only."""
    if not user.can(Role.ADMIN):
        raise Forbidden(_("Only administrators can see usage. Ask one of them."))
    return {
        user_id: {what: written(what, amount) for what, amount in used.items()}
        for user_id, used in _used(session, *person_ids).items()
    }


def _used(session: Session, *user_ids: int) -> dict[int, dict[What, int]]:
    """For these people, or for everyone."""
    query = select(Usage.user_id, Usage.what, Usage.amount).where(Usage.day.in_([days.today(), HELD]))
    found: dict[int, dict[What, int]] = {}
    for user_id, what, amount in session.execute(query.where(Usage.user_id.in_(user_ids)) if user_ids else query):
        found.setdefault(user_id, {})[What(what)] = amount
    return found
