"""`soroe audit`: check that the audit log is intact."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from app.cli.console import BROKEN, LOST, CommandRefused, open_database, out, progress_bar, read_settings


def verify(
    head: Annotated[str | None, typer.Option(help="A hash saved earlier with `soroe audit head`.")] = None,
) -> None:
    """Check that the audit log is intact.

    Exits with 0 if it is, 1 if it is not, and 3 if the saved hash may have been lost when a backup was restored.
    """
    from app.audit import chain

    noted, number = parse_head(head) if head else (None, None)
    with open_record() as session, progress_bar() as bar:
        task = bar.add_task("Checking the audit log", total=None)
        verdict = chain.verify(
            session, noted, lambda done, total: bar.update(task, completed=done, total=total), number
        )
    if verdict.problem:
        out.print(f"The audit log was altered. {verdict.problem}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(BROKEN)
    events = "1 event" if verdict.count == 1 else f"{verdict.count:,} events"
    where = f" The saved hash is that of event {verdict.noted:,}." if verdict.noted is not None else ""
    out.print(f"The audit log is intact: {events}.{where}", markup=False, highlight=False, soft_wrap=True)
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
    if not (settings.data / "soroe.sqlite3").exists():
        raise CommandRefused(
            f"There is no audit log in {settings.data}; SOROE_DATA says where the server keeps its data."
        )
    database = open_database(settings)
    try:
        if not inspect(database.engine).has_table("audit_head"):
            raise CommandRefused(
                f"The data in {settings.data} is from an earlier version of Soroe. Start this version on it once to"
                " update it."
            )
        with database.read() as session:
            yield session
    except DatabaseError as error:
        raise CommandRefused(f"The database in {settings.data} cannot be read: {error.orig}.") from error
    finally:
        database.close()


def parse_head(text: str) -> tuple[str, int | None]:
    """Read a noted hash, and the number that `soroe audit head` prints after it, if it was noted too."""
    found = re.search(r"\b([0-9a-f]{64})\b(?:\s+(\d{1,15})\b)?", text.lower())
    if not found:
        raise CommandRefused(f"A saved hash has 64 hexadecimal digits; {text[:80]} was given.")
    return found[1], int(found[2]) if found[2] else None
