"""Warnings that administrators see at the top of every page, such as that the disk is full.

To add one, write a function that returns its sentence, or None, from the server's state in memory, and list it in
`WARNINGS`. Every page calls all of them, and open pages ask for them again every few seconds.
"""

from collections.abc import Callable, Sequence

from app.languages import gettext as _
from app.languages import ngettext, translated
from app.models import User
from app.text import filesize, listed, thin
from app.web.deps import Resources

NAMED = 3  # files in a warning


def paused(resources: Resources) -> str | None:
    """Why the queue stands still."""
    pause = resources.pause
    if not pause:
        return None
    return _(
        "Generation is paused: %(reason)s. It resumes by itself %(remedy)s.",
        reason=translated(pause.reason),
        remedy=translated(pause.remedy),
    )


def damaged_files(resources: Resources) -> str | None:
    """Which stored files are lost or damaged."""
    names = resources.reader.damaged
    if not names:
        return None
    others = len(names) - NAMED
    more = [ngettext("%(number)s other", "%(number)s others", others)] if others > 0 else []
    return ngettext(
        "%(number)s stored file is lost or damaged: %(names)s. Run soroe check on the server: it says what to do about"
        " each.",
        "%(number)s stored files are lost or damaged: %(names)s. Run soroe check on the server: it says what to do"
        " about each.",
        len(names),
        names=listed([*names[:NAMED], *more]),
    )


def damaged_database(resources: Resources) -> str | None:
    """What the check of a large database found after the start."""
    return resources.whole.fault


def unneeded_files(resources: Resources) -> str | None:
    """That an older database may have been put in the place of a newer one."""
    left = resources.sweeper.left
    if not left:
        return None
    return _(
        "%(number)s stored files belong to nothing. If an older database was restored by mistake, they are of the newer"
        " one; otherwise soroe check --repair moves them aside.",
        number=thin(left),
    )


def low_disk(resources: Resources) -> str | None:
    """Why it will soon stand still."""
    low = resources.disk.low
    if low is None or resources.storage.pause:
        return None
    return _("The disk is nearly full: %(size)s left. Generation pauses when it is full.", size=filesize(low))


WARNINGS: tuple[Callable[[Resources], str | None], ...] = (
    paused,
    low_disk,
    damaged_database,
    damaged_files,
    unneeded_files,
)


def warnings(resources: Resources, user: User | None) -> Sequence[str]:
    """The sentences for `user`: all that apply for an administrator, none for others."""
    if user is None or user.role != "admin":
        return ()
    return [sentence for warning in WARNINGS if (sentence := warning(resources))]
