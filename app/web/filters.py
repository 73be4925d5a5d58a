"""How times, numbers and sizes are written on the pages. Each gives "" for None, so that templates need not ask."""

from datetime import datetime

from app.models import now

THIN_SPACE = "\u202f"  # narrow and unbreakable: "1 631"


def thin(number: float | None) -> str:
    """1631 -> "1 631"."""
    return "" if number is None else f"{number:,}".replace(",", THIN_SPACE)


def plural(number: int | None, word: str, words: str | None = None) -> str:
    """(3, "picture") -> "3 pictures"."""
    return "" if number is None else f"{thin(number)} {word if number == 1 else words or word + 's'}"


def filesize(size: int | None) -> str:
    """38_000_000 -> "36 MB"."""
    if size is None:
        return ""
    for unit, factor in (("GB", 2**30), ("MB", 2**20), ("kB", 2**10)):
        if size >= factor:
            value = size / factor
            return f"{value:.1f} {unit}".replace(".0 ", " ") if value < 10 else f"{value:.0f} {unit}"
    return f"{size} bytes"


def duration(seconds: float | None) -> str:
    """100 -> "1 min 40 s". Rounded as far as an estimate deserves."""
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


def day(time: datetime | None) -> str:
    """ "19 Nov", with the year when it is not this one."""
    if time is None:
        return ""
    return f"{time.day} {time:%b}" if time.year == now().year else f"{time.day} {time:%b %Y}"


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
