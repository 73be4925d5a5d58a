"""Helpers for every command: the two streams, one-sentence refusals, settings, progress bars, the model."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app import private
from app.settings import Settings
from app.text import sentence

out = Console()
err = Console(stderr=True, highlight=False, soft_wrap=True)

T = TypeVar("T")

BROKEN, BAD_INPUT, LOST, INTERRUPTED = 1, 2, 3, 130  # exit statuses
DATABASE = "soroe.sqlite3"  # in the data folder


class CommandRefused(Exception):
    """The request cannot be carried out; the message is one sentence. Ends the command with status 2."""


def opened(make: Callable[[], T]) -> T:
    """Return what `make` makes; raise CommandRefused if the disk refuses."""
    try:
        return make()
    except OSError as error:
        raise CommandRefused(f"{error.filename} cannot be used: {error.strerror}.") from error


def read_settings() -> Settings:
    from pydantic import ValidationError

    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        raise CommandRefused(f"SOROE_{str(first['loc'][0]).upper()} is wrong: {first['msg']}.") from error


def open_data(settings: Settings) -> None:
    """Create the data folder if needed, and close it to other users of the machine. Raises CommandRefused."""
    try:
        opened(lambda: private.use(settings.data))
    except private.NotOurs as error:
        raise CommandRefused(str(error)) from error


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
        raise CommandRefused(str(error)) from error


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
        why = f"{there} is not writable" if there.is_dir() else f"{there} is a file"
        raise CommandRefused(f"Pictures cannot be written to {folder}: {why}.")


@contextmanager
def refusing(folder: Path) -> Iterator[None]:
    """Turn refusals of the method or the disk into a sentence."""
    from app.style_aligned import ModelError, NotFinite  # torch is loaded by now

    try:
        yield
    except ModelError as error:
        raise CommandRefused(str(error)) from error
    except NotFinite as error:
        raise CommandRefused(
            f"{sentence(error)} Lower weights and guidance, or choose another scheduler or precision."
        ) from error
    except ValueError as error:  # in the method's own words
        raise CommandRefused(sentence(error)) from error
    except OSError as error:
        raise CommandRefused(f"The pictures could not be written to {folder}: {error.strerror}.") from error


def progress_bar() -> Progress:
    """A progress bar on a terminal; nothing elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=out, transient=True, disable=not out.is_terminal)


@contextmanager
def loading() -> Iterator[Callable[[str, float], None]]:
    """Show a progress bar while a model loads; yields the callback for its progress."""
    columns = (TextColumn("{task.description}"), BarColumn())
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task("Loading the model", total=1.0)
        yield lambda what, fraction: bar.update(task, description=what, completed=fraction)


def load_studio(model: str, settings: Settings) -> Any:
    from app.style_aligned import ModelError, Studio

    try:
        with loading() as progress:
            return Studio.load(model, settings.device, settings.precision, progress=progress)
    except ModelError as error:
        raise CommandRefused(str(error)) from error
