"""Data with something of everything, made once and copied for each test, which may damage its copy."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from app import slow
from app.database import Database
from app.exports import service as exports
from app.exports.options import ExportOptions
from app.exports.preparer import Preparer
from app.files import Files, Kind
from app.gallery import service as gallery
from app.models import Role, Verdict
from app.rights import service as rights
from app.settings import Settings
from tests.factory import Factory, png


@dataclass(frozen=True)
class Data:
    """A data folder, opened."""

    settings: Settings
    database: Database
    files: Files


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Path:
    """A data folder with at least one of everything that has a file, and nothing wrong."""
    settings = Settings(data=tmp_path_factory.mktemp("whole") / "data")
    settings.data.mkdir()
    shutil.copy(migrated, settings.data)
    database, files = Database(settings), Files(settings.data / "files")
    with slow.permitted(), database.write() as session:
        fill(session, Factory(session, files))
    export(settings, database, files)
    database.close()
    return settings.data


def fill(session: Session, make: Factory) -> None:
    manager = make.user(Role.MANAGER)
    style = make.style()
    reference = style.versions[0].references[0].reference
    document = rights.keep_document(make.files, b"%PDF-1.7 a licence")
    rights.add_file(session, reference.uploaded_by, reference, document, "licence.pdf")
    mask = make.files.put(Kind.MAPS, png("white", (64, 64)))
    chosen = make.finished_set(style=style, prompts="a fox\na teapot\na boat", count=2)
    for image in chosen.images[:4]:
        make.decide(image, reviewer=manager)
    make.decide(chosen.images[4], Verdict.REJECTED)
    gallery.tag(session, manager, [image.id for image in chosen.images[:2]], "spring")
    gallery.delete(session, manager, [chosen.images[5].id])
    regions = f'[{{"prompt": "a sun", "mask": "{mask}"}}]'
    make.image_set(
        style=style, regions=regions, structures=f'[{{"control": "edges", "maps": [{make.structure_map().id}]}}]'
    )
    make.finished_subject()
    make.subject(name="Red mug")


def export(settings: Settings, database: Database, files: Files) -> None:
    preparer = Preparer(settings, database, files)
    with database.write() as session:
        manager = session.query(exports.User).filter_by(role=Role.MANAGER).first()
        assert manager
        wanted = exports.selection(session, manager, set_id=1)
        made = exports.create(session, manager, exports.plan(session, manager, wanted, ExportOptions()))
    assert preparer.prepare(made.id)


@pytest.fixture
def data(whole: Path, tmp_path: Path) -> Iterator[Data]:
    settings = Settings(data=shutil.copytree(whole, tmp_path / "copy"))
    database = Database(settings)
    yield Data(settings, database, Files(settings.data / "files"))
    database.close()
