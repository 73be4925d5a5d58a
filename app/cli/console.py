"""Helpers for every command: the two streams, one-sentence refusals, settings, progress bars, the model."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app import days, private
from app.languages import N_, formats, translated
from app.languages import gettext as _
from app.settings import Settings
from app.text import sentence

out = Console()
err = Console(stderr=True, highlight=False, soft_wrap=True)

T = TypeVar("T")

BROKEN, BAD_INPUT, LOST, INTERRUPTED = 1, 2, 3, 130  # exit statuses
DATABASE = "soroe.sqlite3"  # in the data folder


class CommandRefused(Exception):
    """The request cannot be carried out; the message is one sentence. Ends the command with status 2."""


REMEDIES = {
    errno.EEXIST: N_("There is a file in the place of a folder. Move it away, or choose another folder."),
    errno.ENOTDIR: N_("There is a file in the place of a folder. Move it away, or choose another folder."),
    errno.EISDIR: N_("There is a folder in the place of a file. Move it away."),
    errno.EACCES: N_("Run Soroe as the user it belongs to, or give it to this one with chown."),
    errno.EPERM: N_("Run Soroe as the user it belongs to, or give it to this one with chown."),
    errno.EROFS: N_("Mount the disk so that it can be written."),
    errno.ENOSPC: N_("Free some space."),
    errno.EDQUOT: N_("Free some space, or ask for a larger quota."),
}


def refused_by_disk(error: OSError, what: object = None, *, writing: bool = False) -> CommandRefused:
    """What the disk refused, in a sentence, and what to do about it, in another."""
    named = {"what": error.filename or what, "error": error.strerror}
    if writing:
        said = _("%(what)s cannot be written: %(error)s.", **named)
    else:
        said = _("%(what)s cannot be used: %(error)s.", **named)
    return CommandRefused(formats.sentences((said, translated(REMEDIES.get(error.errno or 0, "")))))


def opened(make: Callable[[], T]) -> T:
    """Return what `make` makes; raise CommandRefused if the disk refuses."""
    try:
        return make()
    except OSError as error:
        raise refused_by_disk(error) from error


def need_database(settings: Settings, what: str = N_("database")) -> None:
    """Raise CommandRefused, which says that there is no such thing, if there is no database."""
    need_no_unfinished_restore(settings)
    if not (settings.data / DATABASE).exists():
        raise CommandRefused(
            _(
                "There is no %(what)s in %(data)s; SOROE_DATA says where the server keeps its data.",
                what=translated(what),
                data=settings.data,
            )
        )


def need_no_unfinished_restore(settings: Settings) -> None:
    """Raise CommandRefused while the data folder is only partly restored."""
    from app.upkeep.restore import BUILDING

    if (settings.data / BUILDING).exists():
        raise CommandRefused(
            _("A restore into %(data)s was interrupted. Run `soroe restore` again.", data=settings.data)
        )


def read_settings() -> Settings:
    """Read the settings, and use their time zone. Raises CommandRefused."""
    from pydantic import ValidationError

    try:
        settings = Settings()
        days.use(settings.time_zone)
        return settings
    except ValidationError as error:
        first = error.errors()[0]
        raise CommandRefused(
            _("SOROE_%(name)s is wrong: %(why)s.", name=str(first["loc"][0]).upper(), why=first["msg"])
        ) from error


def open_data(settings: Settings) -> None:
    """Create the data folder if needed, and close it to other users of the machine. Raises CommandRefused."""
    try:
        opened(lambda: private.use(settings.data))
    except private.NotOurs as error:
        raise CommandRefused(translated(str(error))) from error


def look_at_database(settings: Settings, *, for_check: bool = False) -> bool:
    """Raise CommandRefused unless the database is ours and whole, before anything writes to it.

    `for_check`: it may be read-only, and have a damaged index. Returns False if it is too large to check all of it now.
    """
    from app.upkeep.opening import IndexDamaged, UnusableDatabase, look

    try:
        return look(settings.data / DATABASE, writing=not for_check)
    except UnusableDatabase as error:
        if for_check and isinstance(error, IndexDamaged):
            return True
        raise CommandRefused(translated(str(error))) from error


def open_database(settings: Settings, *, for_check: bool = False) -> Any:
    """The database for a command, connected so that acts have the same consequences as on the server.

    Raises CommandRefused as `look_at_database`.
    """
    from app import wiring
    from app.database import Database

    look_at_database(settings, for_check=for_check)
    wiring.connect()
    return Database(settings)


def check_folder(folder: Path) -> None:
    """Raise CommandRefused for a folder without write access, before minutes are spent on pictures."""
    there = next(path for path in (folder, *folder.absolute().parents) if os.access(path, os.F_OK))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = _("%(there)s is not writable", there=there) if there.is_dir() else _("%(there)s is a file", there=there)
        raise CommandRefused(_("Pictures cannot be written to %(folder)s: %(why)s.", folder=folder, why=why))


@contextmanager
def refusing(folder: Path) -> Iterator[None]:
    """Turn refusals of the method or the disk into a sentence."""
    from app.style_aligned import ModelError, NotFinite  # torch is loaded by now

    try:
        yield
    except ModelError as error:
        raise CommandRefused(translated(str(error))) from error
    except NotFinite as error:
        what = translated(str(error))
        raise CommandRefused(
            _(
                "%(what)s. Lower weights and guidance, or choose another scheduler or precision.",
                what=what[:1].upper() + what[1:],
            )
        ) from error
    except ValueError as error:  # in the method's own words
        raise CommandRefused(sentence(error)) from error
    except OSError as error:
        raise CommandRefused(
            _("The pictures could not be written to %(folder)s: %(strerror)s.", folder=folder, strerror=error.strerror)
        ) from error


def progress_bar() -> Progress:
    """A progress bar on a terminal; nothing elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=out, transient=True, disable=not out.is_terminal)


@contextmanager
def loading() -> Iterator[Callable[[str, float], None]]:
    """Show a progress bar while a model loads; yields the callback for its progress."""
    columns = (TextColumn("{task.description}"), BarColumn())
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task(_("Loading the model"), total=1.0)
        yield lambda what, fraction: bar.update(task, description=translated(what), completed=fraction)


def load_studio(model: str, settings: Settings) -> Any:
    from app.style_aligned import ModelError, Studio

    try:
        with loading() as progress:
            return Studio.load(model, settings.device, settings.precision, progress=progress)
    except ModelError as error:
        raise CommandRefused(translated(str(error))) from error
