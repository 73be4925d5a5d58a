"""Format times, numbers and sizes for pages. Each gives "" for None, so that templates need not check."""

import re
from datetime import date, datetime

from app import days
from app.models import now
from app.text import filesize as filesize  # one of the pages' filters

JAPANESE = re.compile("[぀-鿿]")  # kana and kanji


def duration(seconds: float | None) -> str:
    """100 -> "1 min 40 s". Rounded as an estimate should be."""
    if seconds is None:
        return ""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 10:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    if minutes < 60:
        return f"{round(whole / 60)} min"
    hours, minutes = divmod(round(whole / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def day(time: date | datetime | None) -> str:
    """ "19 Nov", with the year when it is not this one."""
    if time is None:
        return ""
    on = days.local(time).date() if isinstance(time, datetime) else time
    return f"{on.day} {on:%b}" if on.year == days.today().year else days.written(on)


def clock(time: datetime) -> str:
    """ "14:05"."""
    return f"{days.local(time):%H:%M}"


def exactly(time: datetime) -> str:
    """ "2026-11-19 14:05:31 UTC"."""
    return f"{days.local(time):%Y-%m-%d %H:%M:%S %Z}"


def ago(time: datetime | None) -> str:
    """ "just now", "20 min ago", "yesterday", "19 Nov"."""
    if time is None:
        return ""
    seconds = (now() - time).total_seconds()
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{int(seconds // 60)} min ago"
    if seconds < 86400:
        return f"{int(seconds // 3600)} h ago"
    return "yesterday" if seconds < 2 * 86400 else day(time)


def japanese(text: str) -> bool:
    """Whether a text has kana or kanji."""
    return JAPANESE.search(text) is not None
