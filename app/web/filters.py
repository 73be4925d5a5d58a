"""Format times, numbers and sizes for pages. Each gives "" for None, so that templates need not check."""

import re
from collections.abc import Collection
from datetime import date, datetime

from app import days
from app.languages import formats, ngettext
from app.languages import gettext as _
from app.models import now
from app.text import filesize as filesize  # one of the pages' filters
from app.text import lines as lines

JAPANESE = re.compile("[぀-鿿]")  # kana and kanji


def duration(seconds: float | None) -> str:
    """100 -> "1 min 40 s". Rounded as an estimate should be."""
    if seconds is None:
        return ""
    whole = max(1, round(seconds))
    if whole < 60:
        return _("%(seconds)s s", seconds=whole)
    minutes, rest = divmod(whole, 60)
    if minutes < 10 and rest:
        return _("%(minutes)s min %(seconds)s s", minutes=minutes, seconds=rest)
    if minutes < 60:
        return _("%(minutes)s min", minutes=round(whole / 60))
    hours, minutes = divmod(round(whole / 60), 60)
    return _("%(hours)s h %(minutes)s min", hours=hours, minutes=minutes) if minutes else _("%(hours)s h", hours=hours)


def day(time: date | datetime | None) -> str:
    """ "19 Nov", with the year when it is not this one."""
    if time is None:
        return ""
    on = days.local(time).date() if isinstance(time, datetime) else time
    return formats.day(on, year=on.year != days.today().year)


def full_day(on: date) -> str:
    """ "11 December 2026"."""
    return formats.full_day(on)


def clock(time: datetime, seconds: bool = False) -> str:
    """ "14:05", or with its seconds "14:05:31"."""
    return f"{days.local(time):%H:%M:%S}" if seconds else f"{days.local(time):%H:%M}"


def exactly(time: datetime) -> str:
    """ "2026-11-19 14:05:31 UTC"."""
    return f"{days.local(time):%Y-%m-%d %H:%M:%S %Z}"


def ago(time: datetime | None) -> str:
    """ "just now", "20 min ago", "yesterday", "19 Nov"."""
    if time is None:
        return ""
    seconds = (now() - time).total_seconds()
    if seconds < 60:
        return _("just now")
    if seconds < 3600:
        return _("%(minutes)s min ago", minutes=int(seconds // 60))
    if seconds < 86400:
        return _("%(hours)s h ago", hours=int(seconds // 3600))
    return _("yesterday") if seconds < 2 * 86400 else day(time)


def to_fix(errors: Collection[str]) -> str:
    """What the summary and the title of a refused form say: how many of its fields are wrong.

    The names "" and "form" are of the whole form, such as of a limit.
    """
    fields = sum(name not in ("", "form") for name in errors)
    return ngettext("%(number)s thing to fix", "%(number)s things to fix", fields) if fields else _("This did not work")


def japanese(text: str) -> bool:
    """Whether a text has kana or kanji."""
    return JAPANESE.search(text) is not None
