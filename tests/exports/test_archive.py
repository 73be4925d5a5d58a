"""The zip read from its files, starting anywhere."""

import io
import shutil
import subprocess
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import days
from app.exports.archive import Archive, FileChanged, Member

MADE = datetime(2026, 11, 23, 15, 45, 52, tzinfo=UTC)


class Reading(io.RawIOBase):
    """An archive as a seekable file, each read its own range."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.place = 0
        self.read_bytes = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self.place = offset + (0, self.place, self.archive.length)[whence]
        return self.place

    def tell(self) -> int:
        return self.place

    def read(self, size: int = -1) -> bytes:
        end = self.archive.length if size < 0 else self.place + size
        data = b"".join(self.archive.read(self.place, end))
        self.place += len(data)
        self.read_bytes += len(data)
        return data


@pytest.fixture(scope="module")
def contents() -> dict[str, bytes]:
    return {
        "a.png": bytes(range(256)) * 3,
        "empty.txt": b"",
        "folder/露のついた.webp": b"\x00" * 70_000,
        "manifest.csv": b"file\r\n",
    }


@pytest.fixture(scope="module")
def archive(contents: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("archive")
    members = []
    for number, (name, data) in enumerate(contents.items()):
        path = folder / str(number)
        path.write_bytes(data)
        members.append(Member(name, path, len(data), crc32(data)))
    return Archive(members, MADE)


def test_it_is_a_zip_that_others_read(archive: Archive, contents: dict[str, bytes], tmp_path: Path) -> None:
    whole = b"".join(archive.read())
    assert len(whole) == archive.length
    with zipfile.ZipFile(io.BytesIO(whole)) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in opened.namelist()} == contents
        assert opened.infolist()[0].date_time == (2026, 11, 23, 15, 45, 52)
    path = tmp_path / "it.zip"
    path.write_bytes(whole)
    if unzip := shutil.which("unzip"):
        subprocess.run([unzip, "-tqq", path], check=True)


@given(st.integers(0, 72_500), st.integers(0, 72_500))
def test_any_part_is_that_part_of_the_whole(archive: Archive, start: int, end: int) -> None:
    assert b"".join(archive.read(start, end)) == b"".join(archive.read())[start:end]


def test_the_same_zip_each_time(archive: Archive) -> None:
    again = Archive(archive.members, MADE)
    assert b"".join(again.read()) == b"".join(archive.read())


def test_large_files_and_far_places_have_64_bits(tmp_path: Path) -> None:
    """Five gigabytes that take no space on disk; only requested parts are read."""
    huge, last = tmp_path / "huge", tmp_path / "last"
    with huge.open("wb") as file:
        file.truncate(5 * 2**30)
    last.write_bytes(b"the last one")
    members = [Member("huge.bin", huge, 5 * 2**30, 0), Member("last.txt", last, 12, crc32(b"the last one"))]
    reading = Reading(Archive(members, MADE))
    with zipfile.ZipFile(reading) as opened:
        assert opened.getinfo("huge.bin").file_size == 5 * 2**30
        assert opened.read("last.txt") == b"the last one"
    assert reading.read_bytes < 2**20


def test_more_files_than_16_bits_count(tmp_path: Path) -> None:
    path = tmp_path / "one"
    path.write_bytes(b"1")
    archive = Archive([Member(f"{n}.txt", path, 1, crc32(b"1")) for n in range(70_000)], MADE)
    with zipfile.ZipFile(Reading(archive)) as opened:
        assert len(opened.namelist()) == 70_000
        assert opened.read("69999.txt") == b"1"


def test_nothing_in_it_is_a_zip_too() -> None:
    with zipfile.ZipFile(io.BytesIO(b"".join(Archive([], MADE).read()))) as opened:
        assert opened.namelist() == []


def test_a_file_that_shrank_breaks_off_the_download(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    archive = Archive([Member("file", path, 5, crc32(b"12345"))], MADE)
    path.write_bytes(b"123")
    with pytest.raises(FileChanged):
        list(archive.read())


def test_members_have_the_time_of_the_configured_zone(archive: Archive) -> None:
    days.use("Asia/Tokyo")
    try:
        in_tokyo = Archive(archive.members, MADE)
    finally:
        days.use("UTC")
    for each in zipfile.ZipFile(Reading(in_tokyo)).infolist():  # type: ignore[arg-type]
        assert each.date_time == (2026, 11, 24, 0, 45, 52)
