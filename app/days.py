"""Days as people mean them: when a day starts depends on the server's time zone setting.

Moments are stored and compared in UTC. Only days and times of day that people read or write use the zone.
"""

from datetime import UTC, date, datetime, time, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.languages import formats
from app.languages import gettext as _

_zone: tzinfo = UTC  # of this process, set by `use` at its start


def named(name: str) -> tzinfo:
    """The time zone of an IANA name, such as Asia/Tokyo. Raises ValueError."""
    if name == "UTC":  # needs no time-zone data on the machine
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"it is the name of a time zone, such as Europe/Berlin or Asia/Tokyo; {name!r} is not one that this "
            "machine knows (its package tzdata holds them)"
        ) from None


def use(name: str) -> None:
    """Use the days of this zone from now on. Raises ValueError."""
    global _zone  # noqa: PLW0603  (a process has one)
    _zone = named(name)


def zone() -> str:
    """The name of the zone: "UTC"."""
    return str(_zone)


def local(moment: datetime) -> datetime:
    """The same moment in the zone, with its day and time there."""
    return moment.astimezone(_zone)


def today() -> date:
    return local(datetime.now(UTC)).date()


def begin(day: date) -> datetime:
    """The first moment of a day, in UTC."""
    try:
        return datetime.combine(day, time(), _zone).astimezone(UTC)
    except OverflowError:  # the calendar's first day, east of Greenwich
        return datetime.min.replace(tzinfo=UTC)


def written(day: date | None) -> str:
    """11 December 2026 -> "11 Dec 2026"; "" for None."""
    return formats.day(day, year=True) if day else ""


def stamped(moment: datetime) -> str:
    """For files that people and programs read: the time in the zone, with its offset: "2026-12-11T23:05:31+09:00"."""
    return local(moment).isoformat(timespec="seconds")


def in_names(moment: datetime) -> str:
    """For names of files: the time in the zone, "20261211-230531"."""
    return f"{local(moment):%Y%m%d-%H%M%S}"


def written_exactly(moment: datetime) -> str:
    """The day and time in the zone: "11 Dec 2026 at 14:05 UTC"."""
    at = local(moment)
    return _("%(day)s at %(time)s", day=written(at), time=f"{at:%H:%M %Z}")
