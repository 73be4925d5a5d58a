"""A backup has the sample campaign, opened and removed, and nothing is wrong with it before and after."""

from pathlib import Path

from sqlalchemy.orm import Session

from app import slow
from app.database import Database
from app.exports.preparer import Preparer
from app.files import Files
from app.models import ImageSet, Sample
from app.samples import queries, service
from app.settings import Settings
from app.upkeep.check import check
from app.upkeep.findings import Area
from tests.command import soroe
from tests.factory import Factory


def test_it_is_backed_up_and_restored(
    settings: Settings, database: Database, files: Files, session: Session, tmp_path: Path
) -> None:
    make = Factory(session, files)
    with slow.permitted():
        keeper, remover = make.user(), make.user()
        kept, _ = (service.open_sample(session, each, service.store(files)) for each in (keeper, remover))
        service.remove(session, remover)
        session.commit()
    assert Preparer(settings, database, files).prepare(kept.export_id or 0)
    assert check(database, files) == []
    soroe("backup", tmp_path / "backup", SOROE_DATA=str(settings.data))
    soroe("restore", tmp_path / "backup", SOROE_DATA=str(tmp_path / "restored"))
    restored = Settings(data=tmp_path / "restored")
    again = Database(restored)
    left_out = Area.THUMBNAILS, Area.EXPORTS  # which the server makes again
    assert [each for each in check(again, Files(restored.data / "files")) if each.area not in left_out] == []
    with again.read() as there:
        assert queries.opened(there, keeper)
        assert not queries.opened(there, remover)
        assert len(there.query(Sample).all()) == 2
        assert there.get_one(ImageSet, kept.set_id).sample
    again.close()
