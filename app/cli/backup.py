"""`soroe backup` and `soroe restore`."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.console import BROKEN, CommandRefused, open_data, open_database, out, progress_bar, read_settings
from app.cli.serve import only_one_server

Folder = Annotated[Path, typer.Argument(help="The backup folder, such as a mounted disk.")]


def backup(
    folder: Folder,
    keep: Annotated[int | None, typer.Option(min=1, help="Remove all but this many of the newest snapshots.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Do not read the files that the backup has already.")] = False,
    hard_links: Annotated[
        bool, typer.Option("--hard-links", help="Link files instead of copying them, on the same file system.")
    ] = False,
) -> None:
    """Back up the data folder, while the server runs or not; only what is new is copied.

    Exits with 0 if all is done, 1 if the data folder lacks files or old snapshots stay, 2 if no backup was made.
    """
    from app.upkeep.backup import Way, back_up

    settings = read_settings()
    if not (settings.data / "soroe.sqlite3").exists():
        raise CommandRefused(
            f"There is no database in {settings.data}; SOROE_DATA says where the server keeps its data."
        )
    if folder.is_symlink() and not folder.exists():
        raise CommandRefused(
            f"{folder} is a link that leads nowhere. Mount what it points to, or choose another folder."
        )
    if Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(settings.data)):
        raise CommandRefused("The backup folder is within the data folder. Choose one on another disk.")
    with refusing_disk(folder), opened_backups(folder, create=True) as backups:
        database = open_database(settings)
        try:
            with showing() as progress:
                report = back_up(database, settings, backups, Way(quick, hard_links), progress)
        finally:
            database.close()
        tell(folder, report)
        pruned = not keep or prune(backups, keep)
    if report.missing or not pruned:
        raise typer.Exit(BROKEN)


def tell(folder: Path, report: Any) -> None:
    from app.text import filesize, plural, thin

    say(
        f"Backed up the database and {plural(report.files, 'file')} to {folder} as {report.name};"
        f" {thin(report.copied)} of them ({filesize(report.bytes)}) were new or had changed. Thumbnails, the files of"
        " exports and caches are left out: Soroe makes them again."
    )
    if report.unrecorded:
        say(f"The audit log does not mention this backup. {report.unrecorded}")
    if report.missing:
        say("The data folder lacks these files, or has them damaged. Run `soroe check`.", *report.missing)


def prune(backups: Any, keep: int) -> bool:
    """Remove old snapshots and say so; False if they stay. The new backup is made by then, whatever happens here."""
    from app.errors import UserError
    from app.text import plural

    try:
        snapshots, files = backups.prune(keep)
    except UserError as error:
        say(f"No old snapshot was removed. {error}")
        return False
    except OSError as error:
        say(f"The old snapshots could not all be removed. {error.filename} stays: {error.strerror}.")
        return False
    if snapshots:
        say(f"Removed {plural(snapshots, 'old snapshot')} and {plural(files, 'file')} that only they had.")
    return True


def restore(
    folder: Folder,
    snapshot: Annotated[str | None, typer.Option(help="Its name, as --list prints it; the newest otherwise.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace existing data, which are kept in a folder `replaced-...`.")
    ] = False,
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Restore the rest if files of the backup are missing or damaged.")
    ] = False,
    list_only: Annotated[bool, typer.Option("--list", help="List the snapshots, and restore nothing.")] = False,
) -> None:
    """Restore a backup into the data folder, which must be empty. The server must be stopped.

    Exits with 0 if everything is restored, 1 if files are missing, 2 if nothing was restored.
    """
    from app import wiring
    from app.text import plural
    from app.upkeep.restore import contents
    from app.upkeep.restore import restore as put_back

    settings = read_settings()
    wiring.connect()
    with opened_backups(folder, create=False) as backups:
        names = backups.names()
        if list_only:
            say(*names)
            return
        if not names:
            raise CommandRefused(f"There is no snapshot in {folder}.")
        if snapshot and snapshot not in names:
            raise CommandRefused(f"There is no snapshot {snapshot} in {folder}. The newest is {names[-1]}.")
        open_data(settings)
        with refusing_disk(settings.data), only_one_server(settings, restoring=True):
            if not replace and contents(settings.data):
                raise CommandRefused(
                    f"The data folder {settings.data} is not empty. Set SOROE_DATA to an empty one, or add --replace,"
                    " which keeps what is there in a folder next to the restored data."
                )
            with showing() as progress:
                done = put_back(settings, backups, snapshot or names[-1], progress, skip_damaged=skip_damaged)
    say(f"Restored {snapshot or names[-1]} into {settings.data}: the database and {plural(done.files, 'file')}.")
    if done.aside:
        say(f"What was there is in {done.aside}. Remove it when you no longer need it.")
    say(
        "Soroe makes thumbnails again when someone looks at them. `soroe check --repair` makes all of them, and queues"
        " exports whose files are missing; then start the server."
    )
    if done.missing:
        say("The backup lacks these files, or has them damaged:", *done.missing)
        raise typer.Exit(BROKEN)


def say(*lines: str) -> None:
    for line in lines:
        out.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def opened_backups(folder: Path, *, create: bool) -> Iterator[Any]:
    """The backup folder, locked, and closed to other users of the machine if it is written to."""
    from app import private
    from app.upkeep.snapshots import Backups

    if not create and not folder.is_dir():
        raise CommandRefused(f"There is no backup in {folder}.")
    if create:
        try:
            Backups(folder).create()
        except private.NotOurs as error:
            raise CommandRefused(str(error)) from error
    backups = Backups(folder)
    with backups.alone():
        yield backups


@contextmanager
def refusing_disk(folder: Path) -> Iterator[None]:
    """Turn refusals of the disk into a sentence."""
    try:
        yield
    except OSError as error:
        raise CommandRefused(f"{error.filename or folder} cannot be written: {error.strerror}.") from error


@contextmanager
def showing() -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar for each thing that is copied; yields the callback for it."""
    with progress_bar() as bar:
        tasks: dict[str, Any] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(f"Copying {what}", total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield progress
