"""Quotas: how much one person can make, upload, store and export per day, by the server's settings.

One statement takes the count, in the same writing transaction as what it counts. So two simultaneous requests cannot
both take the last of a quota, and refused or failed requests use nothing.
"""

from datetime import date, timedelta

from sqlalchemy import Executable, bindparam, delete
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from app import days
from app.errors import Invalid
from app.languages import N_, ngettext, translated
from app.languages import gettext as _
from app.models import HELD, Usage, User, What, now
from app.quotas.queries import BYTES, limits, starts_again, uses, written

# The beginning of a refusal.
USED = {
    What.SETS: N_("You have made %(used)s of %(most)s sets today"),
    What.PICTURES: N_("You have made %(used)s of %(most)s pictures today"),
    What.TRAININGS: N_("You have begun %(used)s of %(most)s trainings today"),
    What.UPLOADS: N_("You have uploaded %(used)s of %(most)s files today"),
    What.UPLOAD_BYTES: N_("You have uploaded %(used)s of %(most)s today"),
    What.EXPORTS: N_("You have made %(used)s of %(most)s exports today"),
    What.EXPORT_PICTURES: N_("You have exported %(used)s of %(most)s pictures today"),
}


class Spent(Invalid):
    """A quota is used up for today. `retry_after`: seconds until the count restarts."""

    status = 429

    def __init__(self, field: str, sentence: str, retry_after: int) -> None:
        super().__init__(field, sentence)
        self.retry_after = retry_after


class Full(Invalid):
    """A person stores as much as allowed."""

    status = 507


def take(session: Session, user: User, field: str, wanted: dict[What, int]) -> None:
    """Count what `user` is about to use. Needs a writing session.

    Raises Spent or Full, an Invalid of `field`, with what is left and when the count restarts.
    """
    most = limits(session, user)
    for what, amount in wanted.items():
        used = _add(session, user, what, amount)
        if most.get(what) and used > most[what]:
            raise _refusal(field, what, used - amount, amount, most[what])


def take_upload(session: Session, user: User, field: str, size: int, kept: int) -> None:
    """Count an uploaded file of `size` bytes, of which `kept` bytes are stored. Raises Spent and Full."""
    take(session, user, field, {What.UPLOADS: 1, What.UPLOAD_BYTES: size, What.STORAGE: kept})


def need_upload(session: Session, user: User, field: str, files: int, size: int, kept: int) -> None:
    """Refuse what `take_upload` would refuse for that many files, uploaded bytes and stored bytes, without counting.

    Call it before writing a file, so that a refused file is not left on disk uncounted. Raises Spent and Full.
    """
    used = uses(session, user)
    for what, amount in {What.UPLOADS: files, What.UPLOAD_BYTES: size, What.STORAGE: kept}.items():
        if used[what].most and used[what].used + amount > used[what].most:
            raise _refusal(field, what, used[what].used, amount, used[what].most)


def forget_usage(session: Session, before: date) -> int:
    """Remove what was counted before a day, and return how many counts. What is stored is counted for good."""
    rows = session.scalars(delete(Usage).where(Usage.day < before, Usage.day != HELD).returning(Usage.amount))
    return len(rows.all())


def _add(session: Session, user: User, what: What, amount: int) -> int:
    """Add to the count and return the new amount."""
    day = HELD if what is What.STORAGE else days.today()
    values = {"user": user.id, "day": day, "what": what, "amount": amount}
    new: int = session.connection().execute(_ADD, values).scalar_one()
    return new


def _addition() -> Executable:
    row = insert(Usage).values(
        user_id=bindparam("user"), day=bindparam("day"), what=bindparam("what"), amount=bindparam("amount")
    )
    added = row.on_conflict_do_update(
        index_elements=[Usage.user_id, Usage.day, Usage.what], set_={"amount": Usage.amount + row.excluded.amount}
    )
    return added.returning(Usage.amount)


_ADD = _addition()


def _refusal(field: str, what: What, used: int, wanted: int, most: int) -> Invalid:
    if what is What.STORAGE:
        return Full(
            field,
            _(
                "You have %(used)s of the %(most)s allowed, and this file has %(wanted)s; ask an administrator for"
                " more space.",
                used=written(what, used),
                most=written(what, most),
                wanted=written(what, wanted),
            ),
        )
    begin = translated(USED[what]) % {"used": written(what, used), "most": written(what, most)}
    if left := max(0, most - used):
        sentence = _(
            "%(begin)s, so %(left)s and %(wanted)s; %(reset)s.",
            begin=begin,
            left=_left(what, left),
            wanted=_too_many(what, wanted),
            reset=starts_again(),
        )
    else:
        sentence = _("%(begin)s; %(reset)s.", begin=begin, reset=starts_again())
    ends = days.begin(days.today() + timedelta(days=1))
    return Spent(field, sentence, max(1, round((ends - now()).total_seconds())))


def _left(what: What, amount: int) -> str:
    if what in BYTES:
        return _("%(size)s is left", size=written(what, amount))
    return ngettext("%(number)s is left", "%(number)s are left", amount)


def _too_many(what: What, wanted: int) -> str:
    match what:
        case What.SETS:
            return ngettext("%(number)s set is too many", "%(number)s sets are too many", wanted)
        case What.TRAININGS:
            return ngettext("%(number)s training is too many", "%(number)s trainings are too many", wanted)
        case What.UPLOADS:
            return ngettext("%(number)s file is too many", "%(number)s files are too many", wanted)
        case What.EXPORTS:
            return ngettext("%(number)s export is too many", "%(number)s exports are too many", wanted)
        case What.UPLOAD_BYTES:
            return _("%(size)s are too many", size=written(what, wanted))
    return ngettext("%(number)s picture is too many", "%(number)s pictures are too many", wanted)
