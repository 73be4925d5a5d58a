"""Quotas: how much one person may make, upload, hold and take away in a day, by the server's settings.

The count is taken within the same writing transaction as what it counts, by one statement. So two requests at the same
moment cannot both have the last of it, and what was refused or failed has used nothing.
"""

from datetime import timedelta

from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from app import days
from app.errors import Invalid
from app.models import HELD, Usage, User, What, now
from app.quotas.queries import BYTES, limits, shares, starts_again, written

# What somebody did with so many, and what these are called, alone and in numbers.
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
    """A quota does not allow it today. `retry_after`: seconds until the count starts again."""

    status = 429

    def __init__(self, field: str, sentence: str, retry_after: int) -> None:
        super().__init__(field, sentence)
        self.retry_after = retry_after


class Full(Invalid):
    """A person holds as much as one may."""

    status = 507


def take(session: Session, user: User, field: str, wanted: dict[What, int]) -> None:
    """Count what `user` is about to use. Needs a writing session.

    Raises Spent or Full, an Invalid of `field`, with what is left and when the count starts again.
    """
    most = limits(session, user)
    for what, amount in wanted.items():
        used = _add(session, user, what, amount)
        if most.get(what) and used > most[what]:
            raise _refusal(field, what, used - amount, amount, most[what])


def take_upload(session: Session, user: User, field: str, size: int, kept: int) -> None:
    """Count a file of `size` bytes that was sent, of which `kept` bytes are held. Raises Spent and Full."""
    take(session, user, field, {What.UPLOADS: 1, What.UPLOAD_BYTES: size, What.STORAGE: kept})


def need_upload(session: Session, user: User, field: str, files: int, size: int, kept: int) -> None:
    """Refuse what `take_upload` of so many files, bytes as sent and bytes to be held would refuse, and count nothing.

    For the moment before a file is written: what is refused afterwards would lie there uncounted.

    Raises Spent and Full.
    """
    used = shares(session, user)
    for what, amount in {What.UPLOADS: files, What.UPLOAD_BYTES: size, What.STORAGE: kept}.items():
        if used[what].most and used[what].used + amount > used[what].most:
            raise _refusal(field, what, used[what].used, amount, used[what].most)


def _add(session: Session, user: User, what: What, amount: int) -> int:
    """The amount afterwards."""
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
            f"You hold {written(what, used)} of the {written(what, most)} of files that a person may, and this one has "
            f"{written(what, wanted)}; ask an administrator for more room.",
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
