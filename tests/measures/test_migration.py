"""Pictures that were made before there were measures are measured too."""

from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import MetaData, insert, select

from app.database import Database, alembic_config, make_engine, migrate
from app.models import PictureMeasures, SetMeasures, now
from app.settings import Settings


@pytest.mark.parametrize("deleted", [False, True])
def test_old_pictures_are_expected(tmp_path: Path, deleted: bool) -> None:
    settings = Settings(data=tmp_path / "data")
    migrate(settings, "0040")
    engine = make_engine(settings.database_url, foreign_keys=False)
    at = now()
    with engine.execution_options(writes=True).begin() as connection:
        old = MetaData()
        old.reflect(connection, only=["images"])
        picture = {
            "set_id": 3,
            "position": 1,
            "version": 1,
            "owner_id": 1,
            "campaign_id": 1,
            "style_id": 1,
            "prompt": "a fox",
            "seed": 1,
            "state": "finished",
            "measures": {},
            "approvals": 0,
            "superseded": False,
            "shown": not deleted,
            "deleted_at": at if deleted else None,
            "created_at": at,
        }
        connection.execute(insert(old.tables["images"]), [{"id": 7, **picture}])
    engine.dispose()
    engine = make_engine(settings.database_url, foreign_keys=False)

    with engine.execution_options(writes=True).begin() as connection:
        command.upgrade(alembic_config(connection), "0041")  # `migrate` would refuse these few rows without their set
    engine.dispose()
    database = Database(settings)
    with database.read() as session:
        assert [(row.image_id, row.due) for row in session.scalars(select(PictureMeasures))] == (
            [] if deleted else [(7, True)]
        )
        assert [(row.set_id, row.changes) for row in session.scalars(select(SetMeasures))] == (
            [] if deleted else [(3, 1)]
        )
    database.close()
