"""Check that answers to checklists are as they were recorded."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.customs.sheets import hash_of
from app.languages import gettext as _
from app.models import ChecklistSheet
from app.upkeep.findings import Area, Finding


def check_answers(session: Session) -> Iterator[Finding]:
    """Answers that were changed after a decision was made on them: the audit log names their SHA-256."""
    for sheet in session.scalars(select(ChecklistSheet).order_by(ChecklistSheet.id).execution_options(yield_per=500)):
        if hash_of(sheet.content) != sheet.sha256:
            what = _("The answers %(id)s to checklists are not those that were recorded.", id=sheet.id)
            yield Finding(
                Area.AUDIT, what, _("Restore the database from a backup, or report this as an error in Soroe.")
            )
