"""Files appear completely or not at all."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import atomic


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders and files that were flushed, in order."""
    paths: list[Path] = []
    really = os.fsync

    def fsync(handle: int) -> None:
        really(handle)
        paths.append(Path(f"/dev/fd/{handle}").readlink())

    monkeypatch.setattr(os, "fsync", fsync)
    return paths


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_half(file: Path) -> None:
    with atomic.writing(file) as temporary:
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt


def test_a_file_and_its_folder_are_made(tmp_path: Path) -> None:
    file = tmp_path / "new" / "file"
    atomic.write(file, b"whole")
    assert file.read_bytes() == b"whole"
    assert names(file.parent) == ["file"]


@pytest.mark.parametrize(("mode", "made"), [(0o666, 0o644), (0o600, 0o600)])
def test_mode_minus_the_umask(tmp_path: Path, mode: int, made: int) -> None:
    atomic.write(tmp_path / "file", b"", mode=mode)
    assert (tmp_path / "file").stat().st_mode & 0o777 == made


def test_the_old_content_stays_until_the_new_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    with atomic.writing(file) as temporary:
        temporary.write_bytes(b"new, and longer")
        assert file.read_bytes() == b"old"
    assert file.read_bytes() == b"new, and longer"


def test_what_fails_changes_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        write_half(file)
    assert file.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_folder_is_flushed_into_its_parent(tmp_path: Path, flushed: list[Path]) -> None:
    atomic.make_folder(tmp_path / "a" / "b")
    assert flushed[-2:] == [tmp_path, tmp_path / "a"], "from the top"
    (tmp_path / "a" / "b").rmdir()
    flushed.clear()
    atomic.make_folder(tmp_path / "a" / "b")
    assert flushed == [tmp_path / "a"], "again after it was removed"
    atomic.make_folder(tmp_path / "a" / "b")
    assert flushed == [tmp_path / "a"]


def test_a_folder_of_an_earlier_process_is_flushed_too(tmp_path: Path, flushed: list[Path]) -> None:
    (tmp_path / "old").mkdir()
    atomic.write(tmp_path / "old" / "file", b"whole")
    assert tmp_path in flushed


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        atomic.make_folder(tmp_path / "file")


def test_a_file_of_a_killed_process_is_flushed(tmp_path: Path, flushed: list[Path]) -> None:
    (tmp_path / "file").touch()
    atomic.keep(tmp_path / "file")
    assert flushed[-1] == tmp_path


def test_without_replace_the_first_stays(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with atomic.writing(file, replace=False) as slower:
        atomic.write(file, b"first", replace=False)
        slower.write_bytes(b"second")
    assert file.read_bytes() == b"first"
    assert names(tmp_path) == ["file"]


def test_sweep_removes_what_a_crash_left(tmp_path: Path) -> None:
    atomic.write(tmp_path / "a" / "file", b"whole")
    (tmp_path / "a" / f"file{atomic.UNFINISHED}").write_bytes(b"half")
    atomic.sweep(tmp_path)
    assert names(tmp_path / "a") == ["file"]
    atomic.sweep(tmp_path / "none")
