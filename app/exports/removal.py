"""Removes exports: their links end immediately, and the rows of their files go in parts, so that others can write."""

from collections.abc import Sequence

from sqlalchemy import delete, select

from app.database import Database
from app.exports import endings, queries
from app.models import Act, Export, ExportFile, ExportState, User

ROWS = 10_000  # removed per transaction


def remove(database: Database, user: User | None, export_id: int, act: Act, because: str = "") -> None:
    """Remove an export, as `endings.end`. Does nothing if it is gone."""
    with database.write() as session:
        export = session.get(Export, export_id)
        if not export:
            return
        if export.total <= ROWS:
            endings.end(session, user, export, act, because)
            return
        export.state = ExportState.LISTING  # incomplete from now on; the next start removes what a crash leaves
        endings.revoke_links(session, user, export)
    last = ROWS
    while last < export.total + ROWS:
        with database.write() as session:
            theirs = ExportFile.export_id == export_id, ExportFile.position <= last
            session.execute(delete(ExportFile).where(*theirs))
        last += ROWS
    with database.write() as session:
        if rest := session.get(Export, export_id):
            endings.end(session, user, rest, act, because)


def remove_holding(database: Database, image_ids: Sequence[int]) -> None:
    """Remove the exports that contain one of these pictures, which are about to be removed for good."""
    holding = select(ExportFile.export_id).where(ExportFile.image_id.in_(image_ids)).distinct()
    with database.read() as session:
        found = list(session.scalars(holding))
    for export_id in found:
        remove(database, None, export_id, Act.EXPORT_EXPIRE, "a picture was removed for good")


def remove_unlisted(database: Database, export_id: int | None = None) -> None:
    """Remove exports whose list of files is incomplete because the server was stopped; or only one."""
    with database.read() as session:
        found = queries.unlisted(session, export_id)
    for each in found:
        remove(database, None, each, Act.EXPORT_EXPIRE, "it was interrupted")
