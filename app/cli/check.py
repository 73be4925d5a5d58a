"""`soroe check`: find what is wrong with the data, and repair it."""

import json as jsons
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from itertools import groupby
from typing import Annotated, Any

import typer

from app.cli.console import (
    BROKEN,
    DATABASE,
    CommandRefused,
    need_database,
    open_data,
    open_database,
    out,
    progress_bar,
    read_settings,
)
from app.cli.serve import only_one_server
from app.languages import formats, ngettext, translated
from app.languages import gettext as _
from app.settings import Settings

LISTED = 100  # findings of an area that are printed
LISTED_ALIKE = {"thumbnails": 3}  # of these, since after a restore every picture lacks them


def check(
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be mended without loss. The server must be stopped.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check the database, the files and the audit log. Works while the server runs.

    Exits with 0 if all is well, 1 if something is wrong, 2 if it could not be checked.
    """
    from app.logs import configure_logging

    settings = read_settings()
    need_database(settings)
    if repair:  # what is made again has to belong to the server's user
        open_data(settings)
        configure_logging(settings)  # standard output is for the report
    with only_one_server(settings) if repair else nullcontext():
        done = [*rebuilt(settings)] if repair else []
        with opened_data(settings) as (database, files):
            findings = checked(database, files)
            if repair and findings:
                from app.upkeep.repair import repair as mend

                done += mend(database, files, findings)
                findings = checked(database, files)
    tell(findings, done, json)
    if findings:
        raise typer.Exit(BROKEN)


def rebuilt(settings: Settings) -> Iterator[str]:
    """Rebuild a database with a damaged index, and say so. Raises CommandRefused."""
    from app.upkeep.opening import IndexDamaged, UnusableDatabase, look
    from app.upkeep.rebuild import rebuild

    try:
        try:
            look(settings.data / DATABASE)
        except IndexDamaged:
            kept = rebuild(settings.data / DATABASE)
            yield _("Rebuilt the database from its tables; the old file is %(kept)s.", kept=kept)
    except UnusableDatabase as error:
        raise CommandRefused(str(error)) from error


@contextmanager
def opened_data(settings: Settings) -> Iterator[tuple[Any, Any]]:
    """The database, in which an index may be damaged, and the files. Raises CommandRefused."""
    from app.files import Files
    from app.upkeep.opening import is_current

    database = open_database(settings, for_check=True)
    try:
        if not is_current(settings.data / DATABASE):
            raise CommandRefused(
                _(
                    "The data in %(data)s is from an earlier version of Soroe. Start this version on it once to"
                    " update it.",
                    data=settings.data,
                )
            )
        yield database, Files(settings.data / "files")
    finally:
        database.close()


def checked(database: Any, files: Any) -> list[Any]:
    from app.upkeep.check import check as find

    with progress_bar() as bar:
        tasks: dict[str, Any] = {}

        def progress(what: str, done: int, total: int) -> None:
            task = tasks.get(what)
            if task is None:
                task = tasks[what] = bar.add_task(_("Checking %(what)s", what=translated(what)), total=total)
            bar.update(task, completed=done, total=total)

        return find(database, files, progress)


def tell(findings: list[Any], done: list[str], as_json: bool) -> None:
    """Print what was done and found: one line each, grouped, and a summary."""
    if as_json:
        told = ("area", "sentence", "remedy", "repairable")
        listed = [{name: getattr(each, name) for name in told} for each in map(spoken, findings)]
        out.print(
            jsons.dumps({"done": done, "findings": listed}, indent=2), markup=False, highlight=False, soft_wrap=True
        )
        return
    lines = list(done)
    for area, group in groupby(findings, key=lambda each: each.area):
        some = list(group)
        lines.append(_("%(area)s: %(number)s", area=translated(area).capitalize(), number=len(some)))
        most = LISTED_ALIKE.get(area, LISTED)
        lines += [f"  {formats.sentences((each.sentence, each.remedy))}" for each in map(spoken, some[:most])]
        if len(some) > most:
            lines.append("  " + _("and %(number)s more; --json lists all.", number=f"{len(some) - most:,}"))
    for line in lines:
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    out.print(summary(findings, repaired=bool(done)), markup=False, highlight=False, soft_wrap=True)


def spoken(finding: Any) -> Any:
    """With its remedy in the language of now."""
    return replace(finding, remedy=translated(finding.remedy))


def summary(findings: list[Any], *, repaired: bool) -> str:
    if not findings:
        return _("All is well now.") if repaired else _("All is well.")
    repairable = sum(each.repairable for each in findings)
    if not repairable:
        return ngettext("%(number)s thing is wrong.", "%(number)s things are wrong.", len(findings))
    return ngettext(
        "%(number)s thing is wrong; `soroe check --repair` mends %(repairable)s of them.",
        "%(number)s things are wrong; `soroe check --repair` mends %(repairable)s of them.",
        len(findings),
        repairable=repairable,
    )
