"""The basis of most tests: a real SQLite file, migrated by Alembic, and pictures on a real disk."""

import gc
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from sqlalchemy.orm import Session

from app import wiring
from app.database import Database, migrate
from app.files import Files
from app.languages import now
from app.settings import Settings
from tests import renders, reuse, writes
from tests.factory import Factory
from tests.order import pytest_collection_modifyitems as pytest_collection_modifyitems
from tests.order import pytest_ignore_collect as pytest_ignore_collect
from tests.order import pytest_xdist_make_scheduler as pytest_xdist_make_scheduler

# A shell starts background processes with Ctrl-C ignored, and so would be the commands that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Example times mean nothing on a busy machine.
hypothesis.settings.register_profile("soroe", deadline=None, max_examples=50)
hypothesis.settings.load_profile("soroe")

# Imports and tests make many small objects, few of them in cycles; Python would look for those every 700.
gc.set_threshold(20000, 20, 50)

# No test depends on a developer's own settings.
Settings.model_config["env_file"] = None
for name in [name for name in os.environ if name.startswith("SOROE_")]:
    del os.environ[name]

writes.install()
renders.install()
wiring.connect()
reuse.install()


def pytest_collection_finish() -> None:
    """Imported and collected objects stay to the end; Python need not scan them for garbage repeatedly."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def nobody_speaks() -> Iterator[None]:
    """A command that ran in this thread leaves no language to the next test."""
    token = now._speaker.set(None)
    yield
    now._speaker.reset(token)


@pytest.fixture(autouse=True)
def watched() -> Iterator[None]:
    """Fail the test, or the next one, if a write transaction held the lock too long or a template sent a statement."""
    yield
    if problems := writes.watch.take() + renders.watch.take():
        pytest.fail("\n".join(problems), pytrace=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """With -v, list the longest writing transactions; with -n0, because each process watches its own."""
    if config.option.verbose > 0 and (lines := writes.watch.told()):
        terminalreporter.section("longest writing transactions")
        for line in lines:
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database made by Alembic, once per run; tests work on copies."""
    settings = Settings(data=tmp_path_factory.mktemp("migrated"))
    migrate(settings)
    return settings.data / "soroe.sqlite3"


@pytest.fixture(scope="session")
def usual_settings() -> Settings:
    """Reading the environment for each setting takes longer than many tests."""
    return Settings(measures="off")


@pytest.fixture
def settings(tmp_path: Path, migrated: Path, usual_settings: Settings) -> Settings:
    """Settings of a server with a migrated, empty database, whose pictures are measured without models."""
    settings = usual_settings.model_copy(update={"data": tmp_path / "data"})
    settings.data.mkdir()
    shutil.copy(migrated, settings.data)
    return settings


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = Database(settings)
    yield database
    database.close()


@pytest.fixture
def files(settings: Settings) -> Files:
    return Files(settings.data / "files")


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """A writing session. Tests that look from elsewhere commit it themselves."""
    with Session(database.engine.execution_options(writes=True), expire_on_commit=False) as session:
        yield session


@pytest.fixture
def make(session: Session, files: Files) -> Factory:
    return Factory(session, files)
