"""The data folder is closed to other users, even if it was open before."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app import private
from app.files import Files, Kind
from app.main import create_app
from app.settings import Settings
from tests.engine.painter import Painter
from tests.factory import png
from tests.web.server import making, serve, shared_export


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    paths = [folder, *folder.rglob("*")]
    return [f"{path.name} {stat.filemode(path.stat().st_mode)}" for path in paths if path.stat().st_mode & 0o077]


def test_server_files_are_closed_to_others(settings: Settings) -> None:
    """While it runs, including the database's side files, pictures, thumbnails, exports and certificates."""
    settings.data.chmod(0o755)
    (settings.data / "soroe.sqlite3").chmod(0o644)
    private.use(settings.data)
    with serve(create_app(settings, Painter())) as server:
        with making(server) as make:
            made = make.finished_set()
            for image in made.images:
                make.decide(image)
        shared_export(server, made.id)
        names = {path.suffix for path in settings.data.rglob("*") if path.is_file()}
        assert {".sqlite3", ".sqlite3-wal", ".sqlite3-shm", ".png", ".webp", ".pem"} <= names
        assert open_to_others(settings.data) == []


def test_open_files_are_closed_at_start(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    Files(folder / "files").put(Kind.IMAGES, png())
    (folder / "old.sqlite3").touch(mode=0o666)
    outside = tmp_path / "outside"
    outside.touch(mode=0o644)
    (folder / "link").symlink_to(outside)
    assert open_to_others(folder)
    private.use(folder)
    assert [each for each in open_to_others(folder) if not each.startswith("link")] == []
    assert outside.stat().st_mode & 0o777 == 0o644, "what a link leads to is not ours to change"


def test_a_new_folder_and_its_parents_are_closed(tmp_path: Path) -> None:
    private.use(tmp_path / "a" / "data")
    assert open_to_others(tmp_path / "a") == []


def test_another_users_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(private.NotOurs, match=r"belongs to another user .* chown -R\.$"):
        private.use(tmp_path)


def test_an_unreadable_folder_in_it_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as the lost+found of a disk mounted there."""
    folder = tmp_path / "data"
    (folder / "lost+found").mkdir(parents=True)
    (folder / "lost+found").chmod(0o000)
    (folder / "old.sqlite3").touch(mode=0o666)
    monkeypatch.chdir(tmp_path)
    with nobody_special(folder):
        private.use(Path("data"))
    assert open_to_others(folder) == []


@contextmanager
def nobody_special(folder: Path) -> Iterator[None]:
    """Run as a user who owns `folder` and is not root, to whom nothing is closed."""
    if os.geteuid():
        yield
        return
    folder.parent.chmod(0o755)
    for path in (folder, folder / "old.sqlite3"):
        os.chown(path, 4711, 4711)
    os.seteuid(4711)
    try:
        yield
    finally:
        os.seteuid(0)
