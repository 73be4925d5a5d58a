"""Whether a data folder holds everything that was acknowledged, whole."""

from contextlib import closing
from hashlib import sha256
from pathlib import Path

from sqlalchemy import select, text

from app.audit import chain
from app.database import Database
from app.files import Files, Kind
from app.models import Decision, Image, ImageSet, Reference, RightsFile, State, StructureMap, Style
from app.settings import Settings
from tests.faults.client import Acknowledged


def lost(data: Path, done: Acknowledged) -> dict[str, int]:
    """How many of each kind of acknowledged thing are missing or damaged, the files of the database, and the chain."""
    files = Files(data / "files")
    with closing(Database(Settings(_env_file=None, data=data))) as database, database.read() as session:
        sets = set(session.scalars(select(ImageSet.id)))
        styles = set(session.scalars(select(Style.code)))
        approved = set(session.scalars(select(Decision.image_id)))
        finished = dict(session.execute(select(Image.id, Image.sha256).where(Image.state == State.FINISHED)).all())
        maps = set(session.scalars(select(StructureMap.id)))
        documents = set(session.scalars(select(RightsFile.sha256)))
        named = [
            *(files.path(Kind.IMAGES, name) for name in finished.values() if name),
            *(files.path(Kind.REFERENCES, name) for name in session.scalars(select(Reference.sha256))),
            *(files.path(Kind.MAPS, name) for name in session.scalars(select(StructureMap.sha256))),
            *(files.path(Kind.SUBJECTS, name) for name in done.subject_pictures),
            *(files.document(name) for name in documents),
        ]
        missing = {
            "styles": len(set(done.styles) - styles),
            "sets": len(set(done.sets) - sets),
            "approvals": len(set(done.approvals) - approved),
            "pictures": sum(finished.get(image) != name for image, name in done.pictures.items()),
            "maps": len(set(done.maps) - maps),
            "documents": len(set(done.documents) - documents),
            "files": sum(not _is_whole(path) for path in named),
            "chain": int(chain.verify(session, done.heads[-1] if done.heads else None).problem is not None),
            "database": int(session.scalar(text("PRAGMA integrity_check")) != "ok"),
        }
    return {what: number for what, number in missing.items() if number}


def _is_whole(path: Path) -> bool:
    return path.is_file() and sha256(path.read_bytes()).hexdigest() == path.stem
