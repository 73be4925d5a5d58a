"""`soroe backup` and `soroe restore`."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.console import (
    BROKEN,
    CommandRefused,
    need_database,
    open_data,
    open_database,
    out,
    progress_bar,
    read_settings,
    refused_by_disk,
)
from app.cli.serve import only_one_server
from app.languages import gettext as _
from app.languages import ngettext, translated

if TYPE_CHECKING:
    from app.upkeep.restore import Restored

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
    need_database(settings)
    if folder.is_symlink() and not folder.exists():
        raise CommandRefused(
            _(
                "%(folder)s is a link that leads nowhere. Mount what it points to, or choose another folder.",
                folder=folder,
            )
        )
    if Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(settings.data)):
        raise CommandRefused(_("The backup folder is within the data folder. Choose one on another disk."))
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
    from app.text import filesize, thin

    say(
        ngettext(
            "Backed up the database and %(number)s file to %(folder)s as %(name)s; %(copied)s of them"
            " (%(bytes)s) were new or had changed. Thumbnails, the files of exports and caches are left out:"
            " Soroe makes them again.",
            "Backed up the database and %(number)s files to %(folder)s as %(name)s; %(copied)s of them"
            " (%(bytes)s) were new or had changed. Thumbnails, the files of exports and caches are left out:"
            " Soroe makes them again.",
            report.files,
            folder=folder,
            name=report.name,
            copied=thin(report.copied),
            bytes=filesize(report.bytes),
        )
    )
    if report.unrecorded:
        say(_("The audit log does not mention this backup. %(error)s", error=report.unrecorded))
    if report.missing:
        say(_("The data folder lacks these files, or has them damaged. Run `soroe check`."), *report.missing)


def prune(backups: Any, keep: int) -> bool:
    """Remove old snapshots and say so; False if they stay. The new backup is made by then, whatever happens here."""
    from app.errors import UserError

    try:
        snapshots, files = backups.prune(keep)
    except UserError as error:
        say(_("No old snapshot was removed. %(error)s", error=error))
        return False
    except OSError as error:
        say(
            _(
                "The old snapshots could not all be removed. %(filename)s stays: %(strerror)s.",
                filename=error.filename,
                strerror=error.strerror,
            )
        )
        return False
    if snapshots:
        say(
            _(
                "Removed %(snapshots)s and %(files)s that only they had.",
                snapshots=ngettext("%(number)s old snapshot", "%(number)s old snapshots", snapshots),
                files=ngettext("%(number)s file", "%(number)s files", files),
            )
        )
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
    from app.upkeep.restore import contents
    from app.upkeep.restore import restore as put_back

    settings = read_settings()
    wiring.connect()
    with opened_backups(folder, create=False) as backups:
        names = backups.names()
        if not names:
            raise CommandRefused(
                _("There is no snapshot in %(folder)s. Name the folder that `soroe backup` was given.", folder=folder)
            )
        if list_only:
            say(*names)
            return
        if snapshot and snapshot not in names:
            raise CommandRefused(
                _(
                    "There is no snapshot %(snapshot)s in %(folder)s. The newest is %(newest)s.",
                    snapshot=snapshot,
                    folder=folder,
                    newest=names[-1],
                )
            )
        open_data(settings)
        with refusing_disk(settings.data), only_one_server(settings, restoring=True):
            if not replace and contents(settings.data):
                raise CommandRefused(
                    _(
                        "The data folder %(data)s is not empty. Set SOROE_DATA to an empty one, or add"
                        " --replace, which keeps what is there in a folder next to the restored data.",
                        data=settings.data,
                    )
                )
            with showing() as progress:
                done = put_back(settings, backups, snapshot or names[-1], progress, skip_damaged=skip_damaged)
    tell_restored(done, snapshot or names[-1], settings.data)
    if done.missing:
        say(_("The backup lacks these files, or has them damaged:"), *done.missing)
        raise typer.Exit(BROKEN)


def tell_restored(done: "Restored", snapshot: str, data: Path) -> None:
    """Say what was restored, and what to do next."""
    say(
        ngettext(
            "Restored %(name)s into %(data)s: the database and %(number)s file.",
            "Restored %(name)s into %(data)s: the database and %(number)s files.",
            done.files,
            name=snapshot,
            data=data,
        )
    )
    if done.aside:
        say(_("What was there is in %(aside)s. Remove it when you no longer need it.", aside=done.aside))
    say(
        _(
            "Soroe makes thumbnails again when someone looks at them. `soroe check --repair` makes all of them,"
            " and queues exports whose files are missing; then start the server."
        )
    )


def say(*lines: str) -> None:
    for line in lines:
        out.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def opened_backups(folder: Path, *, create: bool) -> Iterator[Any]:
    """The backup folder, locked, and closed to other users of the machine if it is written to."""
    from app import private
    from app.upkeep.snapshots import Backups

    if not create and not folder.is_dir():
        raise CommandRefused(_("There is no backup in %(folder)s.", folder=folder))
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
        raise refused_by_disk(error, folder, writing=True) from error


@contextmanager
def showing() -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar for each thing that is copied; yields the callback for it."""
    with progress_bar() as bar:
        tasks: dict[str, Any] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(_("Copying %(what)s", what=translated(what)), total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield progress
