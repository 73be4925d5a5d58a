"""Pictures on disk."""

import hashlib
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.atomic import UNFINISHED
from app.files import PICTURES, Files, Flawed, Kind
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


@pytest.mark.parametrize("content", [b"", b"other"])
def test_storing_a_file_again_repairs_it(files: Files, content: bytes) -> None:
    def refuse(size: int) -> None:
        raise AssertionError("what is there already needs no room")

    reference = files.put(Kind.REFERENCES, png("red"))
    lora, document = files.put_lora(b"a lora"), files.put_document(b"a licence")
    paths = {
        files.path(Kind.REFERENCES, reference): png("red"),
        files.lora(lora): b"a lora",
        files.document(document): b"a licence",
        files.thumbnail(reference, 320): files.thumbnail(reference, 320).read_bytes(),
    }
    for path in paths:
        path.write_bytes(content)
    files.put(Kind.REFERENCES, png("red"), room=refuse)
    files.put_lora(b"a lora", room=refuse)
    files.put_document(b"a licence", room=refuse)
    assert {path: path.read_bytes() for path in paths} == paths


def test_what_is_stored_again_is_not_removed(files: Files) -> None:
    """Its row may not be committed yet."""
    sha256 = files.put(Kind.IMAGES, png())
    files.put(Kind.IMAGES, png())
    assert not files.remove(Kind.IMAGES, sha256)
    assert files.has(Kind.IMAGES, sha256)
    assert Files(files.root).remove(Kind.IMAGES, sha256), "an hour later, or after a restart"
    assert kept(files) == []


def test_what_is_read_is_what_its_name_says(files: Files) -> None:
    sha256 = files.put(Kind.IMAGES, png())
    assert files.read(Kind.IMAGES, sha256) == files.whole(Kind.IMAGES, sha256).read_bytes() == png()
    noticed: list[tuple[Kind, str]] = []
    files.noticed = lambda *which: noticed.append(which)
    files.path(Kind.IMAGES, sha256).write_bytes(b"other")
    for read in (files.read, files.whole):
        with pytest.raises(Flawed, match="The file of picture 7 is damaged on the server"):
            read(Kind.IMAGES, sha256, "picture 7")
    files.path(Kind.IMAGES, sha256).unlink()
    with pytest.raises(Flawed, match="The server lost the file of picture 7"):
        files.whole(Kind.IMAGES, sha256, "picture 7")
    assert noticed == [(Kind.IMAGES, sha256)] * 3
