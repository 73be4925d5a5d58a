from collections.abc import Callable

import pytest
from sqlalchemy.orm import Session

from app.database import Database
from app.exports import service
from app.exports.options import ExportOptions
from app.exports.preparer import Preparer
from app.files import Files
from app.models import Export, User
from app.settings import Settings

Make = Callable[..., Export]


@pytest.fixture
def preparer(settings: Settings, database: Database, files: Files) -> Preparer:
    return Preparer(settings, database, files)


@pytest.fixture
def ready(session: Session, preparer: Preparer) -> Make:
    """Make an export of a set, a campaign or pictures, and prepare it as the server does."""

    def make(user: User, options: ExportOptions | None = None, **wanted: object) -> Export:
        subject = service.selection(session, user, **wanted)  # type: ignore[arg-type]
        export = service.create(session, user, service.plan(session, user, subject, options or ExportOptions()))
        session.commit()
        assert preparer.prepare(export.id)
        session.refresh(export)
        return export

    return make
