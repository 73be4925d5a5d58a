"""`soroe audit`: check that the audit log is intact."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from app.cli.console import BROKEN, LOST, CommandRefused, need_database, open_database, out, progress_bar, read_settings
from app.languages import N_, formats, ngettext, translated
from app.languages import gettext as _


def verify(
    head: Annotated[str | None, typer.Option(help="A hash saved earlier with `soroe audit head`.")] = None,
) -> None:
    """Check that the audit log is intact.

    Exits with 0 if it is, 1 if it is not, and 3 if the saved hash may have been lost when a backup was restored.
    """
    from app.audit import chain

    noted, number = parse_head(head) if head else (None, None)
    with open_record() as session, progress_bar() as bar:
        task = bar.add_task(_("Checking the audit log"), total=None)
        verdict = chain.verify(
            session, noted, lambda done, total: bar.update(task, completed=done, total=total), number
        )
    if verdict.problem:
        out.print(
            _("The audit log was altered. %(problem)s", problem=translated(verdict.problem)),
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(BROKEN)
    told = [
        ngettext(
            "The audit log is intact: %(count)s event.",
            "The audit log is intact: %(count)s events.",
            verdict.count,
            count=f"{verdict.count:,}",
        )
    ]
    if verdict.noted is not None:
        told.append(_("The saved hash is that of event %(number)s.", number=f"{verdict.noted:,}"))
    out.print(formats.sentences(told), markup=False, highlight=False, soft_wrap=True)
    if verdict.lost:
        out.print(verdict.lost, markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(LOST)


def print_head() -> None:
    """Print the latest hash of the audit log, to save outside Soroe, and its event number."""
    from app.audit import chain

    with open_record() as session:
        try:
            head = chain.head(session)
        except chain.BrokenChain as broken:
            raise CommandRefused(str(broken)) from broken
    out.print(f"{head.hash} {head.count}", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def open_record() -> Iterator[Any]:
    """A session that reads the audit log of the settings' database, which it neither creates nor changes."""
    from sqlalchemy import inspect
    from sqlalchemy.exc import DatabaseError

    settings = read_settings()
    need_database(settings, N_("audit log"))
    database = open_database(settings)
    try:
        if not inspect(database.engine).has_table("audit_head"):
            raise CommandRefused(
                _(
                    "The data in %(data)s is from an earlier version of Soroe. Start this version on it once to"
                    " update it.",
                    data=settings.data,
                )
            )
        with database.read() as session:
            yield session
    except DatabaseError as error:
        raise CommandRefused(
            _("The database in %(data)s cannot be read: %(orig)s.", data=settings.data, orig=error.orig)
        ) from error
    finally:
        database.close()


def parse_head(text: str) -> tuple[str, int | None]:
    """Read a noted hash, and the number that `soroe audit head` prints after it, if it was noted too."""
    found = re.search(r"\b([0-9a-f]{64})\b(?:\s+([0-9]{1,15})\b)?", text.lower())
    if not found:
        raise CommandRefused(_("A saved hash has 64 hexadecimal digits; %(text)s was given.", text=text[:80]))
    return found[1], int(found[2]) if found[2] else None
