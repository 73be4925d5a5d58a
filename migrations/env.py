"""Run Alembic within a connection that the caller has opened (see `app.database.migrate`).

Run by hand, as in `alembic revision --autogenerate -m "Add rights"`, it opens the database of the settings.
"""

from alembic import context
from sqlalchemy import Connection

from app.database import make_engine
from app.models import Base
from app.settings import Settings


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,  # SQLite alters a table by recreating it
        transactional_ddl=True,  # true of SQLite once sqlite3 leaves transactions to us
        compare_type=True,
        compare_server_default=True,
        include_name=lambda name, *_: not (name or "").startswith("image_words"),  # SQLite's own tables for text search
    )
    with context.begin_transaction():
        context.run_migrations()


if (given := context.config.attributes.get("connection")) is not None:
    run(given)
else:
    engine = make_engine(Settings().database_url, foreign_keys=False)
    with engine.execution_options(writes=True).begin() as opened:
        run(opened)
    engine.dispose()
