"""Damage is noticed by itself, recorded once, shown to administrators, and gone when it is healed."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.files import Flawed, Kind
from app.models import Act, AuditEvent, DamagedFile, FileReading, now
from app.upkeep.needed import needed
from app.upkeep.reader import FileReader
from tests.upkeep.conftest import Data


def events(data: Data) -> list[tuple[str, str]]:
    with data.database.read() as session:
        found = session.scalars(select(AuditEvent).where(AuditEvent.act.in_([Act.FILE_DAMAGE, Act.FILE_HEAL])))
        return [(event.act, event.details["file"]) for event in found]


@pytest.fixture
def reader(data: Data) -> FileReader:
    return FileReader(data.database, data.files)


@pytest.fixture
def reference(data: Data) -> str:
    with data.database.read() as session:
        return next(iter(needed(session)[Kind.REFERENCES]))


def test_every_file_is_read_in_turn_and_again_after_a_week(
    data: Data, reader: FileReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    flaw = data.files.flaw
    monkeypatch.setattr(data.files, "flaw", lambda kind, sha256: (read.append(sha256), flaw(kind, sha256))[1])
    with data.database.read() as session:
        wanted = sorted(sha256 for needs in needed(session).values() for sha256 in needs)
    for _ in range(len(wanted) + 1):
        reader.read(seconds=0.0)  # one file, or none
    reader.read()
    assert sorted(read) == wanted, "nothing is read twice, and nothing forgotten"
    reader.read()
    assert len(read) == len(wanted), "the round is over"
    with data.database.write() as session:
        session.get_one(FileReading, 1).begun_at = now() - timedelta(days=8)
    reader.read()
    assert len(read) == 2 * len(wanted)


def test_damage_is_recorded_once_and_heals_when_the_file_is_stored_again(
    data: Data, reader: FileReader, reference: str
) -> None:
    path = data.files.path(Kind.REFERENCES, reference)
    content = path.read_bytes()
    path.write_bytes(b"damaged")
    for _ in range(3):
        reader.read()
    assert reader.damaged == ("the reference 3.png",)
    assert events(data) == [(Act.FILE_DAMAGE, "the reference 3.png")]
    data.files.put(Kind.REFERENCES, content)
    reader.read()
    assert reader.damaged == ()
    assert events(data)[1:] == [(Act.FILE_HEAL, "the reference 3.png")]
    with data.database.read() as session:
        assert session.scalars(select(DamagedFile)).all() == []


def test_what_a_page_meets_is_looked_at_at_once(data: Data, reader: FileReader, reference: str) -> None:
    reader.read()
    data.files.path(Kind.REFERENCES, reference).unlink()
    reader.read()
    assert reader.damaged == (), "the round is over"
    with pytest.raises(Flawed):
        data.files.whole(Kind.REFERENCES, reference)
    with pytest.raises(Flawed):
        data.files.whole(Kind.REFERENCES, "ab" * 32)
    reader.read()
    assert reader.damaged == ("the reference 3.png",)
    assert FileReader(data.database, data.files).damaged == ()
