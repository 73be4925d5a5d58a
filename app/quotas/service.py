"""Quotas: how much one person can make, upload, store and export per day, by the server's settings.

One statement takes the count, in the same writing transaction as what it counts. So two simultaneous requests cannot
both take the last of a quota, and refused or failed requests use nothing.
"""

from datetime import date, timedelta

from sqlalchemy import delete
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from app import days
from app.errors import Invalid
from app.models import HELD, Usage, User, What, now
from app.quotas.queries import BYTES, limits, starts_again, uses, written

# The verb for what someone did, and the noun for what was counted, singular and plural.
DONE = {
    What.SETS: ("made", "set", "sets"),
    What.PICTURES: ("made", "picture", "pictures"),
    What.TRAININGS: ("begun", "training", "trainings"),
    What.UPLOADS: ("uploaded", "file", "files"),
    What.UPLOAD_BYTES: ("uploaded", "", ""),
    What.EXPORTS: ("made", "export", "exports"),
    What.EXPORT_PICTURES: ("exported", "picture", "pictures"),
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
    row = insert(Usage).values(user_id=user.id, day=day, what=what, amount=amount)
    added = row.on_conflict_do_update(
        index_elements=[Usage.user_id, Usage.day, Usage.what], set_={"amount": Usage.amount + row.excluded.amount}
    )
    return session.execute(added.returning(Usage.amount)).scalar_one()


def _refusal(field: str, what: What, used: int, wanted: int, most: int) -> Invalid:
    if what is What.STORAGE:
        return Full(
            field,
            f"You have {written(what, used)} of the {written(what, most)} allowed, and this file has "
            f"{written(what, wanted)}; ask an administrator for more space.",
        )
    did, one, many = DONE[what]
    name = f" {many}" if many else ""
    left = max(0, most - used)
    more = ""
    if left:
        wants = f"{written(what, wanted)} {one if wanted == 1 else many}".strip()
        is_left = "is" if left == 1 or what in BYTES else "are"
        too_many = "is too many" if wanted == 1 else "are too many"
        more = f", so {written(what, left)} {is_left} left and {wants} {too_many}"
    sentence = f"You have {did} {written(what, used)} of {written(what, most)}{name} today{more}; {starts_again()}."
    ends = days.begin(days.today() + timedelta(days=1))
    return Spent(field, sentence, max(1, round((ends - now()).total_seconds())))
