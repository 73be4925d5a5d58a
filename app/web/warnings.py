"""Warnings that administrators see at the top of every page, such as that the disk is full.

To add one, write a function that returns its sentence, or None, from the server's state in memory, and list it in
`WARNINGS`. Every page calls all of them, and open pages ask for them again every few seconds.
"""

from collections.abc import Callable, Sequence

from app.models import User
from app.web.deps import Resources


def paused(resources: Resources) -> str | None:
    """Why the queue stands still."""
    pause = resources.storage.pause
    return f"Generation is paused: {pause.reason}. It resumes by itself {pause.remedy}." if pause else None


WARNINGS: tuple[Callable[[Resources], str | None], ...] = (paused,)


def warnings(resources: Resources, user: User | None) -> Sequence[str]:
    """The sentences for `user`: all that apply for an administrator, none for others."""
    if user is None or user.role != "admin":
        return ()
    return [sentence for warning in WARNINGS if (sentence := warning(resources))]
