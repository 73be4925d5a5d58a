"""Warnings that administrators see at the top of every page, such as that the disk is full.

To add one, write a function that returns its sentence, or None, from the server's state in memory, and list it in
`WARNINGS`. Every page calls all of them, and open pages ask for them again every few seconds.
"""

from collections.abc import Callable, Sequence

from app.models import User
from app.text import filesize, listed, plural, thin
from app.web.deps import Resources

NAMED = 3  # files in a warning


def paused(resources: Resources) -> str | None:
    """Why the queue stands still."""
    pause = resources.pause
    return f"Generation is paused: {pause.reason}. It resumes by itself {pause.remedy}." if pause else None


def damaged_files(resources: Resources) -> str | None:
    """Which stored files are lost or damaged."""
    names = resources.reader.damaged
    if not names:
        return None
    more = [*names[:NAMED], *([plural(len(names) - NAMED, "other")] if len(names) > NAMED else [])]
    files = "1 stored file is" if len(names) == 1 else f"{thin(len(names))} stored files are"
    return f"{files} lost or damaged: {listed(more)}. Run soroe check on the server: it says what to do about each."


def unneeded_files(resources: Resources) -> str | None:
    """That an older database may have been put in the place of a newer one."""
    left = resources.sweeper.left
    if not left:
        return None
    return (
        f"{thin(left)} stored files belong to nothing. If an older database was restored by mistake, they are of the"
        " newer one; otherwise soroe check --repair moves them aside."
    )


def low_disk(resources: Resources) -> str | None:
    """Why it will soon stand still."""
    low = resources.disk.low
    if low is None or resources.storage.pause:
        return None
    return f"The disk is nearly full: {filesize(low)} left. Generation pauses when it is full."


WARNINGS: tuple[Callable[[Resources], str | None], ...] = (paused, low_disk, damaged_files, unneeded_files)


def warnings(resources: Resources, user: User | None) -> Sequence[str]:
    """The sentences for `user`: all that apply for an administrator, none for others."""
    if user is None or user.role != "admin":
        return ()
    return [sentence for warning in WARNINGS if (sentence := warning(resources))]
