"""Check everything that the server keeps: the database, the audit log, the files, and what is stored twice.

Reads only. On a live server the rows are one snapshot, and files that come and go are looked at twice.
"""

from collections.abc import Callable, Iterator

from sqlalchemy.exc import DatabaseError

from app.audit import chain
from app.database import Database
from app.exports.service import Store
from app.files import Files
from app.languages import N_, translated
from app.languages import gettext as _
from app.upkeep.answered import check_answers
from app.upkeep.exported import check_exports
from app.upkeep.findings import Area, Finding, Progress, silent
from app.upkeep.outcomes import check_outcomes
from app.upkeep.rules import check_rules
from app.upkeep.stored import check_files
from app.upkeep.tables import RESTORE, check_tables


def check(database: Database, files: Files, progress: Progress = silent) -> list[Finding]:
    """Everything that is not as it should be, by area; empty if all is well.

    Takes a minute for 10,000 pictures, nearly all of it to read their files. Exports are looked for in the folder
    `exports` next to that of `files`.
    """
    found: list[Finding] = []
    parts: tuple[Callable[[], Iterator[Finding]], ...] = (
        lambda: check_tables(database),
        lambda: _check_audit(database, progress),
        lambda: _check_rows(database, progress),
        lambda: check_files(database, files, progress),
        lambda: check_exports(database, Store(files.root.parent / "exports"), progress),
    )
    for part in parts:
        try:
            found.extend(part())
        except DatabaseError as error:
            found.append(Finding(Area.DATABASE, _("A table cannot be read: %(orig)s.", orig=error.orig), RESTORE))
    order = list(Area)
    return sorted(dict.fromkeys(found), key=lambda each: order.index(each.area))


def _check_audit(database: Database, progress: Progress) -> Iterator[Finding]:
    with database.read() as session:
        verdict = chain.verify(session, progress=lambda done, total: progress(N_("audit log"), done, total))
    if verdict.problem:
        yield Finding(
            Area.AUDIT,
            _("The audit log was altered. %(problem)s", problem=translated(verdict.problem)),
            _("Find out who did it; restore a backup."),
        )


def _check_rows(database: Database, progress: Progress) -> Iterator[Finding]:
    with database.read() as session:
        yield from check_rules(session)
        yield from check_outcomes(session, progress)
        yield from check_answers(session)
