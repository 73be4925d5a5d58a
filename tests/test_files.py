"""Pictures on disk."""

import hashlib
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.atomic import UNFINISHED
from app.files import PICTURES, Files, Kind
from app.storage import NoRoom
from tests.factory import png


def kept(files: Files) -> list[Path]:
    return [path for path in files.root.rglob("*") if path.is_file()]


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file can grow over `size` bytes: the closest to a full disk without one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("kind", PICTURES)
def test_put(files: Files, kind: Kind) -> None:
    data = png()
    sha256 = files.put(kind, data)
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert files.path(kind, sha256).read_bytes() == data
    assert files.path(kind, sha256).relative_to(files.root) == Path(kind, sha256[:2], f"{sha256}.png")
    assert files.thumbnail(sha256, 320).read_bytes()[8:12] == b"WEBP"
    assert files.thumbnail(sha256, 960).exists()


def test_put_again_changes_nothing(files: Files) -> None:
    first = files.put(Kind.IMAGES, png())
    before = {path: path.stat().st_ino for path in kept(files)}
    assert files.put(Kind.IMAGES, png()) == first
    assert {path: path.stat().st_ino for path in kept(files)} == before


def test_put_completes_what_a_crash_left(files: Files) -> None:
    """The picture comes last, so a crash can only have left thumbnails."""
    sha256 = files.put(Kind.IMAGES, png())
    files.path(Kind.IMAGES, sha256).unlink()
    files.thumbnail(sha256, 320).write_bytes(b"")
    files.put(Kind.IMAGES, png())
    assert files.path(Kind.IMAGES, sha256).exists()
    assert files.thumbnail(sha256, 320).stat().st_size > 0


def test_full_disk_507_and_nothing_half_written(files: Files) -> None:
    with room_for(20), pytest.raises(NoRoom, match="disk is full"):
        files.put(Kind.IMAGES, png())
    assert kept(files) == []
    assert files.path(Kind.IMAGES, files.put(Kind.IMAGES, png())).exists()


def test_sweep(files: Files) -> None:
    sha256 = files.put(Kind.IMAGES, png())
    left = files.path(Kind.IMAGES, sha256).with_suffix(UNFINISHED)
    left.write_bytes(b"half")
    files.sweep()
    assert not left.exists()
    assert len(kept(files)) == 3


def test_sweep_of_nothing(tmp_path: Path) -> None:
    Files(tmp_path / "none").sweep()
