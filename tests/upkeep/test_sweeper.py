"""Files without a row are removed, and none that is in use or may be."""

import os
import time
from pathlib import Path

import pytest

from app.atomic import UNFINISHED
from app.files import Kind
from app.upkeep.sweeper import Sweeper
from tests.factory import png
from tests.upkeep.conftest import Data

DAY = 86400.0


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def stored(data: Data) -> set[Path]:
    return {path for path in data.files.root.rglob("*") if path.is_file()}


@pytest.fixture
def sweeper(data: Data) -> Sweeper:
    return Sweeper(data.database, data.files)


def test_what_a_crash_or_a_refused_upload_left_is_removed_and_nothing_else(data: Data, sweeper: Sweeper) -> None:
    before = stored(data)
    for path in before:
        age(path, 400 * DAY)
    name = data.files.put(Kind.REFERENCES, png("navy"))
    lora, document = data.files.put_lora(b"refused"), data.files.put_document(b"refused")
    mask = data.files.put(Kind.MAPS, png("ivory"))
    assert sweeper.sweep() == 0, "uploads in progress"
    for path in stored(data) - before:
        age(path, 2 * 3600)
    assert Sweeper(data.database, data.files).sweep() == 3
    left = stored(data) - before
    assert left == {data.files.path(Kind.MAPS, mask), *(data.files.thumbnail(mask, side) for side in (320, 960))}
    for path in left:
        age(path, 2 * DAY)
    Sweeper(data.database, data.files).sweep()
    assert stored(data) == before
    assert not any(data.files.has(kind, each) for kind in Kind for each in (name, lora, document))


def test_a_clock_that_jumps_removes_nothing(data: Data, sweeper: Sweeper) -> None:
    """Only what two sweeps have seen goes, except at start."""
    sweeper.sweep()
    lora = data.files.put_lora(b"being stored")
    age(data.files.lora(lora), 5 * DAY)
    assert sweeper.sweep() == 0
    assert sweeper.sweep() == 1


def test_content_that_is_stored_again_stays(data: Data) -> None:
    """Its row is about to be committed, however old the file is."""
    lora = data.files.put_lora(b"refused once")
    data.files.put_lora(b"refused once")
    age(data.files.lora(lora), 5 * DAY)
    assert Sweeper(data.database, data.files).sweep() == 0
    assert data.files.has(Kind.LORAS, lora)


def test_many_are_left_alone(data: Data, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.upkeep.sweeper.MOST", 2)
    for number in range(3):
        age(data.files.document(data.files.put_document(b"%d" % number)), DAY)
    assert sweeper.sweep() == 0
    assert sweeper.left == 3


def test_half_written_files_go_at_start(data: Data, sweeper: Sweeper) -> None:
    places = ("files/images/ab", "exports/cache/ab/cd", "exports/made/1", "cache/inversions", "")
    for place in places:
        (data.settings.data / place).mkdir(parents=True, exist_ok=True)
        (data.settings.data / place / f"x{UNFINISHED}").write_bytes(b"half")
    sweeper.recover()
    assert list(data.settings.data.rglob(f"*{UNFINISHED}")) == []


def test_caches_are_bounded(data: Data, sweeper: Sweeper) -> None:
    sweeper.inversion_bytes = 25
    cache = data.settings.data / "cache"
    for days in (0, 2, 3, 4):
        path = cache / "inversions" / f"{days}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(10))
        age(path, days * DAY + 60)
    for subject, days in ((1, 2), (2, 2), (99, 2), (98, 0)):
        (cache / "training" / str(subject)).mkdir(parents=True)
        age(cache / "training" / str(subject), days * DAY + 60)
    sweeper.sweep()
    assert sorted(path.name for path in (cache / "inversions").iterdir()) == ["0.safetensors", "2.safetensors"]
    assert sorted(path.name for path in (cache / "training").iterdir()) == ["2", "98"], "only 2 is still trained"
