"""A backup of a data folder in use, and its restore, by the commands that an operator types."""

import resource
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from app.audit import chain
from app.audit.service import record
from app.cli.serve import only_one_server
from app.database import Database, migrate, versions
from app.files import Files, Kind
from app.models import Act, AuditEvent, Image, now
from app.settings import Settings
from app.upkeep.backup import Way, back_up, copy_database
from app.upkeep.check import check
from app.upkeep.copying import hash_of
from app.upkeep.findings import Area, silent
from app.upkeep.restore import BUILDING
from app.upkeep.snapshots import Backups, Manifest
from tests.command import Done, soroe
from tests.factory import png
from tests.upkeep.conftest import Data

Command = Callable[..., Done]


@pytest.fixture
def backup(data: Data, tmp_path: Path) -> Command:
    """`soroe backup` of the data folder, to `tmp_path / "backup"`."""
    return lambda *options: soroe("backup", tmp_path / "backup", *options, SOROE_DATA=str(data.settings.data))


@pytest.fixture
def restore(tmp_path: Path) -> Command:
    """`soroe restore` of it, to `tmp_path / "restored"`."""
    return lambda *options: soroe("restore", tmp_path / "backup", *options, SOROE_DATA=str(tmp_path / "restored"))


def rows(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, except what backing up and restoring itself records."""
    with closing(sqlite3.connect(database)) as opened:
        names = [name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {name: sorted(opened.execute(f'SELECT * FROM "{name}"'), key=repr) for name in names}  # noqa: S608
    found["audit_events"] = [
        row for row in found["audit_events"] if not {str(Act.BACKUP), str(Act.BACKUP_RESTORE)} & {*row}
    ]
    del found["audit_head"]
    return found


def stored(folder: Path) -> dict[str, bytes]:
    """Every stored file but thumbnails."""
    files = (path for path in (folder / "files").rglob("*") if path.is_file() and "thumbs" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def events(data: Path, act: Act) -> list[AuditEvent]:
    with closing(Database(Settings(data=data))) as database, database.read() as session:
        return list(session.query(AuditEvent).filter_by(act=act).order_by(AuditEvent.id))


def test_everything_comes_back(data: Data, backup: Command, restore: Command, tmp_path: Path) -> None:
    source, target = data.settings.data, tmp_path / "restored"
    (source / "keys").mkdir()
    (source / "keys" / "accounts.key").write_bytes(b"a key")
    assert backup().returncode == 0
    done = restore()
    assert done.returncode == 0, done.stderr
    assert rows(target / "soroe.sqlite3") == rows(source / "soroe.sqlite3")
    assert stored(target) == stored(source)
    assert (target / "keys" / "accounts.key").read_bytes() == b"a key"
    loose = [path for path in (*target.rglob("*"), *(tmp_path / "backup").rglob("*")) if path.stat().st_mode & 0o077]
    assert not loose, "other users of the machine may read nothing"
    with closing(Database(Settings(data=target))) as database:
        areas = {each.area for each in check(database, Files(target / "files"))}
    assert areas <= {Area.THUMBNAILS, Area.EXPORTS}, "which Soroe makes again"


def test_a_second_backup_copies_only_what_is_new(data: Data, backup: Command, restore: Command, tmp_path: Path) -> None:
    backup()
    before = {path: path.stat().st_ino for path in (tmp_path / "backup" / "files").rglob("*")}
    sha256 = add_picture(data)
    assert "1 of them" in backup("--quick").stdout
    assert "0 of them" in backup().stdout
    assert {path: path.stat().st_ino for path in before} == before
    assert len(soroe("restore", tmp_path / "backup", "--list").stdout.split()) == 3
    restore()
    assert Files(tmp_path / "restored" / "files").flaw(Kind.IMAGES, sha256) is None


def add_picture(data: Data) -> str:
    """Give a picture that has none a file, as the queue does: the file, then the row."""
    sha256 = data.files.put(Kind.IMAGES, png("orange", (80, 80)))
    with data.database.write() as session:
        session.query(Image).filter(Image.sha256.is_(None)).first().sha256 = sha256  # type: ignore[union-attr]
    return sha256


def test_a_backup_during_work_is_of_one_moment(
    data: Data, restore: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the database is copied, events are added; and after it a picture is removed for good."""
    monkeypatch.setattr("app.upkeep.backup.PAGES", 40)
    copied: list[int] = []
    before = rows(data.settings.data / "soroe.sqlite3")

    def work(what: str, done: int, total: int) -> None:
        if what == "the database":
            copied.append(done)
            with data.database.write() as session:
                make_event(session)
        elif not removed:
            removed.append(purge_one(data))

    removed: list[str] = []
    backups = Backups(tmp_path / "backup")
    report = back_up(data.database, data.settings, backups, Way(), work)
    assert len(copied) > 3, "there was time in between"
    assert len(removed) == 1
    assert report.missing == [], "a file that was removed for good is not missed"
    assert restore().returncode == 0
    assert rows(tmp_path / "restored" / "soroe.sqlite3") == before


def make_event(session: Session) -> None:
    record(session, None, Act.IMAGE_FINISH, session.query(Image).first())  # type: ignore[arg-type]


def purge_one(data: Data) -> str:
    """Remove the last picture that the backup will come to, as the bin does."""
    with data.database.write() as session:
        image = session.query(Image).filter(Image.sha256.is_not(None)).order_by(Image.sha256.desc()).first()
        assert image
        image.purged_at = now()
        sha256 = image.sha256 or ""
    data.files.remove(Kind.IMAGES, sha256)
    return sha256


def test_a_file_that_is_missing_stops_no_backup(data: Data, backup: Command, restore: Command) -> None:
    path = some_picture(data.files.root)
    path.write_bytes(b"damaged")
    done = backup()
    assert done.returncode == 1
    assert str(path.relative_to(data.files.root)) in done.stdout
    assert restore().returncode == 0, "what never was in the backup is not missed"


def some_picture(files: Path) -> Path:
    return next(path for path in sorted((files / "images").rglob("*.png")))


def flip(path: Path) -> None:
    """Damage a file without changing its length."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "pattern", ["files/images/*/*.png", "files/rights/*/*", "snapshots/*/soroe.sqlite3", "snapshots/*/manifest.json"]
)
@pytest.mark.parametrize("harm", [flip, Path.unlink], ids=["damaged", "missing"])
def test_a_damaged_backup_is_named_and_restores_nothing(
    data: Data, backup: Command, restore: Command, tmp_path: Path, pattern: str, harm: Callable[[Path], None]
) -> None:
    backup()
    path = next(iter(sorted((tmp_path / "backup").glob(pattern))))
    harm(path)
    done = restore()
    assert done.returncode == 2
    assert path.name in done.stderr
    assert {each.name for each in (tmp_path / "restored").glob("*")} <= {"server.lock"}, "as before"
    if pattern.startswith("files"):
        assert restore("--skip-damaged").returncode == 1
        assert len(stored(tmp_path / "restored")) == len(stored(data.settings.data)) - 1
        assert "1 of them" in backup().stdout, "the next backup has it again"


def test_existing_data_are_replaced_only_when_told_and_kept_aside(data: Data, backup: Command, tmp_path: Path) -> None:
    backup()
    with data.database.write() as session:
        make_event(session)
        lost = chain.head(session)
    here = {"SOROE_DATA": str(data.settings.data)}
    before = rows(data.settings.data / "soroe.sqlite3")
    refused = soroe("restore", tmp_path / "backup", **here)
    assert (refused.returncode, "--replace" in refused.stderr) == (2, True)
    with only_one_server(data.settings):
        assert "already running" in soroe("restore", tmp_path / "backup", "--replace", **here).stderr
    data.database.close()
    assert soroe("restore", tmp_path / "backup", "--replace", **here).returncode == 0
    (aside,) = data.settings.data.glob("replaced-*")
    assert rows(aside / "soroe.sqlite3") == before
    assert stored(aside) == stored(data.settings.data)
    (event,) = events(data.settings.data, Act.BACKUP_RESTORE)
    assert event.details["lost"] == {"count": lost.count, "hash": lost.hash}


def test_a_hash_lost_by_a_restore_is_told_from_tampering(data: Data, backup: Command, tmp_path: Path) -> None:
    here = {"SOROE_DATA": str(data.settings.data)}
    early = soroe("audit", "head", **here).stdout
    backup()
    late = soroe("audit", "head", **here).stdout
    assert soroe("audit", "verify", "--head", late, **here).returncode == 0
    data.database.close()
    soroe("restore", tmp_path / "backup", "--replace", **here)
    assert soroe("audit", "verify", "--head", early, **here).returncode == 0
    lost = soroe("audit", "verify", "--head", late, **here)
    assert (lost.returncode, "restored the backup" in lost.stdout) == (3, True)
    (number,) = late.split()[1:]
    for never in (f"{'0' * 63}1 {int(number) - 1}", f"{'0' * 63}1 {int(number) + 1}"):
        altered = soroe("audit", "verify", "--head", never, **here)
        assert (altered.returncode, "altered or removed" in altered.stdout) == (1, True), never


def test_old_snapshots_go_with_the_files_that_only_they_had(
    data: Data, backup: Command, restore: Command, tmp_path: Path
) -> None:
    backup()
    with data.database.write() as session:
        for image in session.query(Image).filter(Image.sha256.is_not(None)):
            image.purged_at = now()
    done = backup("--keep", "1")
    assert done.returncode == 0
    assert "Removed 1 old snapshot" in done.stdout
    assert not list((tmp_path / "backup" / "files" / "images").rglob("*.png"))
    assert len(Backups(tmp_path / "backup").names()) == 1
    assert restore().returncode == 0


def test_a_damaged_snapshot_among_those_to_keep_stops_no_backup(data: Data, backup: Command, tmp_path: Path) -> None:
    backups = Backups(tmp_path / "backup")
    backup(), backup()
    (backups.snapshots / ".DS_Store").touch()
    (backups.snapshots / backups.names()[-1] / "manifest.json").write_text("{}")
    done = backup("--keep", "2")
    assert (done.returncode, done.stderr, "Move it away" in done.stdout) == (1, "", True)
    assert len(backups.names()) == 3


def test_an_interrupted_restore_is_not_served(data: Data, backup: Command, restore: Command, tmp_path: Path) -> None:
    backup()
    restore()
    (tmp_path / "restored" / BUILDING).mkdir()
    done = soroe("serve", SOROE_DATA=str(tmp_path / "restored"))
    assert (done.returncode, "interrupted" in done.stderr) == (2, True)
    assert restore("--replace").returncode == 0
    assert not (tmp_path / "restored" / BUILDING).exists()


def test_a_full_disk_leaves_no_snapshot(data: Data, backup: Command, tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, limits[1]))
    try:
        done = backup()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert done.returncode == 2
    assert str(tmp_path / "backup") in done.stderr
    assert list((tmp_path / "backup" / "snapshots").iterdir()) == []


def test_one_backup_at_a_time(data: Data, backup: Command, tmp_path: Path) -> None:
    backup()
    with Backups(tmp_path / "backup").alone():
        assert "Another backup or restore" in backup().stderr


def test_a_backup_of_another_user_is_refused(backup: Command, restore: Command, tmp_path: Path) -> None:
    backup()
    lock = tmp_path / "backup" / "lock"
    lock.unlink()
    lock.mkdir()  # as unreadable as another user's file, for root too
    for done in (backup(), restore()):
        assert (done.returncode, "the user who made" in done.stderr, done.stderr.count("\n")) == (2, True, 1)


def test_a_newer_backup_is_refused(data: Data, backup: Command, restore: Command, tmp_path: Path) -> None:
    backup()
    backups = Backups(tmp_path / "backup")
    (name,) = backups.names()
    newer = replace(backups.manifest(name), tables="9999")
    (backups.snapshots / name / "manifest.json").write_text(newer.to_json())
    done = restore()
    assert (done.returncode, "newer version" in done.stderr) == (2, True)


@pytest.mark.parametrize("folder", ["nothing", "a/b"])
def test_wrong_folders_are_one_sentence(data: Data, tmp_path: Path, folder: str) -> None:
    done = soroe("restore", tmp_path / folder, SOROE_DATA=str(tmp_path / "restored"))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    inside = soroe("backup", data.settings.data / folder, SOROE_DATA=str(data.settings.data))
    assert (inside.returncode, "within the data folder" in inside.stderr) == (2, True)


def test_a_link_that_leads_nowhere_is_no_backup_folder(backup: Command, tmp_path: Path) -> None:
    for target in ("nothing", "backup"):
        (tmp_path / "backup").unlink(missing_ok=True)
        (tmp_path / "backup").symlink_to(target)
        done = backup()
        assert (done.returncode, "leads nowhere" in done.stderr, done.stderr.count("\n")) == (2, True, 1)


def test_hard_links_are_made_where_asked(data: Data, backup: Command, tmp_path: Path) -> None:
    backup("--hard-links")
    path = some_picture(data.files.root)
    assert path.samefile(tmp_path / "backup" / "files" / path.relative_to(data.files.root))


def test_a_folder_with_other_files_is_left_alone(backup: Command, tmp_path: Path) -> None:
    other = tmp_path / "backup" / "letter.txt"
    other.parent.mkdir()
    other.touch()
    other.chmod(0o644)
    done = backup()
    assert (done.returncode, "letter.txt" in done.stderr) == (2, True)
    assert other.stat().st_mode & 0o777 == 0o644


def test_the_database_of_another_version_is_refused(data: Data, backup: Command, tmp_path: Path) -> None:
    with closing(sqlite3.connect(data.settings.data / "soroe.sqlite3")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '0001'")
    done = backup()
    assert (done.returncode, "another version" in done.stderr) == (2, True)
    assert not list((tmp_path / "backup" / "snapshots").iterdir())


def test_a_snapshot_of_an_older_version_is_brought_to_this_one(restore: Command, tmp_path: Path) -> None:
    older = Settings(data=tmp_path / "older")
    migrate(older, versions()[1])
    backups = Backups(tmp_path / "backup")
    with backups.building() as folder:
        copy_database(older.data / "soroe.sqlite3", folder / "soroe.sqlite3", silent)
        manifest = Manifest(
            taken_at="2026-11-28T22:05:01+00:00",
            tables=versions()[1],
            database=hash_of(folder / "soroe.sqlite3"),
            events=0,
            head=chain.BEGINNING,
            secrets={},
            files=[],
            missing=[],
            settings={},
        )
        (folder / "manifest.json").write_text(manifest.to_json())
    assert restore().returncode == 0
    (event,) = events(tmp_path / "restored", Act.BACKUP_RESTORE)
    assert event.details["lost"] is None
