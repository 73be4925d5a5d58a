"""The database file: made by migrations, safe for concurrent writers, its history never rewritten."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, delete, func, insert, inspect, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import slow
from app.database import HISTORY, Database, make_engine, migrate
from app.engine.events import UnitSharing
from app.errors import NotFound
from app.files import Files
from app.models import AuditEvent, Base, Campaign, Decision, Draft, Export, Role, StyleVersion, User, now
from app.reviews import service as reviews
from app.sets.looks import engine_sharing
from app.settings import Settings
from tests import reuse
from tests.factory import Factory


def is_ours(name: str | None, *_: object) -> bool:
    """Whether a table belongs to a model; SQLite's full-text search has its own tables."""
    return not (name or "").startswith("image_words")


def tables(settings: Settings) -> list[str]:
    engine = make_engine(settings.database_url)
    names = inspect(engine).get_table_names()
    engine.dispose()
    return list(filter(is_ours, names))


def test_migrated_schema_equals_models(database: Database) -> None:
    with database.engine.connect() as connection:
        compare = {"compare_type": True, "compare_server_default": True, "include_name": is_ours}
        context = MigrationContext.configure(connection, opts=compare)
        assert compare_metadata(context, Base.metadata) == []


def test_constraint_names_equal_models(database: Database) -> None:
    """SQLite can only alter named constraints, and Alembic does not compare the names."""
    found = inspect(database.engine)
    for table in Base.metadata.sorted_tables:
        keys = {key["name"] for key in found.get_foreign_keys(table.name)}
        assert keys == {key.name for key in table.foreign_key_constraints}
        assert found.get_pk_constraint(table.name)["name"] == table.primary_key.name


def test_downgrade_leaves_nothing(settings: Settings) -> None:
    migrate(settings, "base")
    assert tables(settings) == ["alembic_version"]
    migrate(settings)
    assert set(tables(settings)) == {*Base.metadata.tables, "alembic_version"}


def test_migrate_again_keeps_rows(settings: Settings, database: Database) -> None:
    with database.write() as session:
        session.add(User(email="a@example.com", name="A", role=Role.ADMIN, password_hash="-"))
    migrate(settings)
    with database.read() as session:
        assert session.scalar(select(func.count(User.id))) == 1


def test_exports_are_prepared_again_when_their_files_get_new_names(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    migrate(settings, "0006")
    engine = make_engine(settings.database_url, foreign_keys=False)
    values = {
        "made_by_id": 1,
        "name": "x",
        "pictures": 1,
        "options": {},
        "content": "c",
        "done": 1,
        "total": 1,
        "lost": 0,
    }
    with engine.execution_options(writes=True).begin() as connection:
        old = MetaData()
        old.reflect(connection, only=["users", "exports"])
        person = {"name": "A", "email": "a@example.com", "password_hash": "-", "role": "admin", "active": True}
        connection.execute(insert(old.tables["users"]), {"id": 1, "created_at": now(), **person})
        for state in ("ready", "failed"):
            connection.execute(insert(old.tables["exports"]), {"state": state, "created_at": now(), **values})
    engine.dispose()
    migrate(settings)
    database = Database(settings)
    with database.read() as session:
        found = session.execute(select(Export.state, Export.done, Export.extras).order_by(Export.id)).all()
        assert [tuple(row) for row in found] == [("queued", 0, None), ("failed", 1, None)]
    database.close()


def test_addresses_are_kept_as_they_are_looked_up(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    migrate(settings, "0015")
    engine = make_engine(settings.database_url, foreign_keys=False)
    emails = ["ａ@example.com", "a@example.com", "ｂ@example.com.", "c@example.com"]
    with engine.execution_options(writes=True).begin() as connection:
        old = MetaData()
        old.reflect(connection, only=["users"])
        rest = {"name": "A", "password_hash": "-", "role": "admin", "active": True, "created_at": now()}
        connection.execute(insert(old.tables["users"]), [{"email": email, **rest} for email in emails])
    engine.dispose()
    migrate(settings)
    database = Database(settings)
    with database.read() as session:
        found = list(session.scalars(select(User.email).order_by(User.id)))
    assert found == ["ａ@example.com", "a@example.com", "b@example.com", "c@example.com"]
    database.close()


def test_styles_from_before_the_options_share_as_they_did(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    migrate(settings, "0040")
    engine = make_engine(settings.database_url, foreign_keys=False)
    rows = {
        "users": {"email": "a@example.com", "name": "A", "password_hash": "-", "role": "admin", "active": True},
        "styles": {"code": "SOR-7K2Q", "name": "Neon", "owner_id": 1},
        "style_versions": {
            **{"style_id": 1, "number": 1, "text": "", "reference_prompt": "", "method": "noise", "created_by_id": 1},
            **{"strength": 1.2, "scale": 0.8, "share_group_norm": True, "adain_values": False},
        },
    }
    with engine.execution_options(writes=True).begin() as connection:
        old = MetaData()
        old.reflect(connection, only=list(rows))
        for table, values in rows.items():
            usual = {"language": "en", "checklist_hidden": False}.items() if table == "users" else ()
            connection.execute(insert(old.tables[table]), {"id": 1, **dict(usual), **values, "created_at": now()})
    engine.dispose()
    migrate(settings)
    database = Database(settings)
    with database.read() as session:
        version = session.scalars(select(StyleVersion)).one()
        assert (version.strength, version.scale, version.adain_values) == (1.2, 0.8, False)
        assert engine_sharing(version) == UnitSharing()
    database.close()


def test_drafts_of_replies_move_to_the_picture_of_their_conversation(settings: Settings, database: Database) -> None:
    with slow.permitted(), database.write() as session:
        make = Factory(session, Files(settings.data / "files"))
        image = make.finished_set(prompts="a fox").images[0]
        thread = reviews.comment(session, image.owner, image.id, "Lighter?").thread_id
        places = [f"/review#reply-{thread}", "/review#reply-99", "/review#reply-x", "/review?image=7#composer"]
        for place in places:
            session.add(Draft(key=place, user_id=image.owner_id, place=place, revision=1, fields=[], length=2))
        session.execute(text("UPDATE alembic_version SET version_num = '0046'"))  # the tables are the same
        moved = f"/review?image={image.id}#reply-{thread}"
    migrate(settings)
    with database.read() as session:
        assert list(session.scalars(select(Draft.place).order_by(Draft.id))) == [moved, *places[1:]]


def test_migrate_keeps_the_folder_private(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "a" / "data")
    migrate(settings)
    assert settings.data.stat().st_mode & 0o077 == 0


def test_connections_have_what_we_rely_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.database.make_engine", reuse.usual_engine)
    names = ("foreign_keys", "journal_mode", "synchronous")
    with closing(Database(settings)) as database, database.read() as session:
        pragmas = {name: session.scalar(text(f"PRAGMA {name}")) for name in names}
        assert pragmas == {"foreign_keys": 1, "journal_mode": "wal", "synchronous": 2}
        assert session.scalar(text("PRAGMA busy_timeout")) >= 5000


def test_foreign_keys_are_enforced(session: Session) -> None:
    session.add(Campaign(name="Autumn", created_by_id=404))
    with pytest.raises(IntegrityError):
        session.flush()


def test_an_error_reveals_nothing_about_people(database: Database) -> None:
    values = {"email": "haruka@contoso.com", "name": "Mori Haruka", "role": Role.ADMIN, "password_hash": "the-hash"}
    with database.write() as session:
        session.add(User(**values))
        session.flush()
        session.add(User(**values))
        with pytest.raises(IntegrityError) as raised:
            session.flush()
        session.rollback()
    assert not any(told in str(raised.value) for told in ("haruka@", "Mori", "the-hash"))


def test_write_keeps_nothing_when_something_is_raised(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as session:  # noqa: PT012
        session.add(User(email="a@example.com", name="A", role=Role.ADMIN, password_hash="-"))
        session.flush()
        raise ZeroDivisionError
    with database.read() as session:
        assert session.scalar(select(func.count(User.id))) == 0


def test_writers_take_turns(database: Database) -> None:
    """Each reads, then writes what it read plus one: a lost update or a refused lock would show."""
    with database.write() as session:
        session.add(User(email="a@example.com", name="0", role=Role.ADMIN, password_hash="-"))

    def add_one(_: int) -> None:
        with database.write() as session:
            user = session.scalars(select(User)).one()
            user.name = str(int(user.name) + 1)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add_one, range(80)))
    with database.read() as session:
        assert session.scalars(select(User.name)).one() == "80"


def test_readers_do_not_wait_or_see_half_of_it(database: Database) -> None:
    with database.write() as writing:
        writing.add(User(email="a@example.com", name="A", role=Role.ADMIN, password_hash="-"))
        writing.flush()
        with database.read() as reading:
            assert reading.scalar(select(func.count(User.id))) == 0


def test_number_too_large_for_a_column_404(session: Session) -> None:
    with pytest.raises(NotFound):
        session.get(User, 2**63)
    assert session.get(User, 2**63 - 1) is None


def test_versions_never_change(session: Session, make: Factory) -> None:
    version = make.style().versions[0]
    version.strength = 0.5
    with pytest.raises(RuntimeError, match="style_versions rows are only ever added"):
        session.flush()


@pytest.mark.parametrize("table", HISTORY)
def test_history_is_not_updated_in_bulk(session: Session, table: type[Base]) -> None:
    column = next(iter(inspect(table).primary_key))
    with pytest.raises(RuntimeError, match="only ever added"):
        session.execute(update(table).values({column: 1}))


def test_history_can_be_added_to(session: Session, make: Factory) -> None:
    image = make.finished_set().images[0]
    reviewer = make.user(Role.REVIEWER)
    for _ in range(2):
        make.decide(image, reviewer=reviewer)
    assert session.scalar(select(func.count(Decision.id))) == 2
    assert session.scalar(select(func.count(StyleVersion.id))) == 1


def test_the_record_is_not_removed(session: Session, make: Factory) -> None:
    make.reference()
    event = session.scalars(select(AuditEvent)).one()
    with pytest.raises(RuntimeError, match="audit_events rows are only ever added"):
        session.execute(delete(AuditEvent))
    session.delete(event)
    with pytest.raises(RuntimeError, match="audit_events rows are only ever added"):
        session.flush()
