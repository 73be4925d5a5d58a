"""Whether anything can be stored, on real disks that fill up, turn read-only or are locked."""

import resource
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import structlog
from sqlalchemy import event, text

from app import slow
from app.database import Database
from app.files import Files, Kind
from app.settings import Settings
from app.storage import CannotSave, NoRoom, Pause, Storage, Trouble, log_change
from tests.disks import Disk, on_small_disk
from tests.factory import png


def trouble(storage: Storage) -> Trouble | None:
    return storage.pause and storage.pause.trouble


def add_words(database: Database, letters: int = 1) -> None:
    with database.write() as session:
        session.execute(text("CREATE TABLE IF NOT EXISTS long (words TEXT)"))
        session.execute(text("INSERT INTO long VALUES (:words)"), {"words": "a" * letters})


def test_a_full_disk_pauses_until_there_is_space_with_a_margin(tmp_path: Path) -> None:
    def story(disk: Disk) -> None:
        storage = Storage(disk.root)
        changes: list[tuple[Pause | None, Pause | None]] = []
        storage.listen(lambda before, now: changes.append((before, now)))
        files = Files(disk.root / "files", storage)
        disk.fill()
        with pytest.raises(NoRoom, match="disk is full, so nothing was saved"):
            files.put(Kind.IMAGES, png())
        assert trouble(storage) is Trouble.FULL
        assert not list(disk.root.rglob("*.png"))
        assert storage.check() == storage.check() == changes[0][1]
        disk.free()
        disk.fill(leave=100 * 1024)  # above the floor, a hundredth, but not by the margin
        assert storage.check()
        disk.free()
        assert storage.check() is None
        assert [(before is None, now is None) for before, now in changes] == [(True, False), (False, True)]
        files.put(Kind.IMAGES, png())

    on_small_disk(tmp_path / "disk", story)


def test_a_disk_below_the_floor_or_without_inodes_is_full(tmp_path: Path) -> None:
    def story(disk: Disk) -> None:
        storage = Storage(disk.root)
        disk.fill(leave=40 * 1024)
        assert storage.check()
        disk.free()
        assert storage.check() is None
        disk.use_up_files()
        with pytest.raises(NoRoom):
            Files(disk.root / "more", storage).put_document(b"a licence")
        assert storage.check()
        disk.free_files()
        assert storage.check() is None

    on_small_disk(tmp_path / "disk", story)


def test_a_full_and_a_read_only_disk_stop_the_database_and_reading_continues(tmp_path: Path, migrated: Path) -> None:
    def story(disk: Disk) -> None:
        shutil.copy(migrated, disk.root)
        database = Database(Settings(data=disk.root))
        storage = database.storage
        add_words(database)
        disk.fill()
        with pytest.raises(NoRoom):
            add_words(database, 1_000_000)
        assert words(database) == 1
        disk.free()
        assert storage.check() is None
        add_words(database)
        close_as_a_kill_does(database)
        disk.remount("ro")
        with pytest.raises(CannotSave, match="read-only"):
            Files(disk.root / "files", storage).put_document(b"a consent")
        with pytest.raises(CannotSave, match="read-only"):
            add_words(database)
        assert trouble(storage) is Trouble.READ_ONLY
        assert storage.check()
        assert words(database) == 2
        database.close()
        disk.remount("rw")
        assert storage.check() is None
        add_words(database)

    on_small_disk(tmp_path / "disk", story)


def close_as_a_kill_does(database: Database) -> None:
    """Close it, since a disk with files open for writing cannot turn read-only on demand, but leave its log."""
    log = [path.with_name(path.name + end) for path in [database.storage.database] for end in ("-wal", "-shm")]
    left = [(path, path.read_bytes()) for path in log]
    database.close()
    for path, data in left:
        path.write_bytes(data)


def words(database: Database) -> int:
    with database.read() as session:
        return session.scalar(text("SELECT count(*) FROM long")) or 0


def test_a_database_locked_for_long_pauses_until_it_is_free(database: Database) -> None:
    storage = database.storage
    event.listen(database.engine, "checkout", lambda connection, *_: connection.execute("PRAGMA busy_timeout = 20"))
    with closing(sqlite3.connect(storage.database, isolation_level=None)) as other, slow.permitted():
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CannotSave, match="busy"):
            add_words(database)
        assert trouble(storage) is Trouble.LOCKED
        assert storage.check()
        other.execute("ROLLBACK")
    assert storage.check() is None


def test_a_limit_on_the_size_of_files_is_a_full_disk(database: Database) -> None:
    size = database.storage.database.stat().st_size
    with file_limit(size + 32 * 1024):
        with pytest.raises(NoRoom):
            Files(database.storage.folder / "files", database.storage).put_document(bytes(2 * size))
        with pytest.raises(NoRoom):
            add_words(database, 2 * size)
        assert database.storage.check()
    assert database.storage.check() is None


def test_while_someone_repeats_a_write_only_its_success_ends_the_pause(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    with storage.holding():
        assert storage.refusal(full)
        assert storage.check()
    assert storage.check() is None


def test_other_errors_are_not_about_storage(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    with pytest.raises(FileNotFoundError), storage.saving():
        (tmp_path / "none").read_bytes()
    assert storage.pause is None


def test_one_line_at_the_pause_and_one_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = structlog.testing.CapturingLogger()
    monkeypatch.setattr("app.storage.log", told)
    storage = Storage(tmp_path)
    storage.listen(log_change)
    for _ in range(3):
        storage.refusal(OSError(28, "No space left on device"))
    storage.check()
    assert [(call.method_name, call.kwargs["reason"]) for call in told.calls] == [
        ("error", "the disk is full"),
        ("warning", "the disk is full"),
    ]


@contextmanager
def file_limit(most: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
