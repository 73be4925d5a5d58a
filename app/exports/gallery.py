"""The pictures of a shared export, for guests: in order, a page at a time, as small pictures and as their files.

Guests get nothing but what is in the zip, so small pictures are made from its files: a crop shows only the crop.
"""

import io
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock

from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import slow
from app.errors import NotFound
from app.exports import contents
from app.exports.archive import Member
from app.exports.contents import SharedRow
from app.exports.options import PictureFormat
from app.exports.service import Store, options_of
from app.languages import gettext as _
from app.models import Export, ExportFile

PAGE = 60
KEPT = 300  # small pictures in memory, of about 20 kB


@dataclass(frozen=True)
class Shown:
    """A picture, in all its sizes, and its neighbours."""

    picture: SharedRow
    sizes: list[SharedRow]
    previous: int | None  # positions
    next: int | None


def page(session: Session, export: Export, after: int = 0) -> list[SharedRow]:
    """The pictures after a position, one more than a page if there are."""
    return contents.shared(session, export.id, ExportFile.position > after, limit=PAGE + 1)


def image_id(session: Session, export: Export, position: int) -> int:
    """The id of the picture at a position. Raises NotFound."""
    found = session.scalar(select(ExportFile.image_id).filter_by(export_id=export.id, position=position))
    if found is None:
        raise NotFound(_("There is no such picture in this export."))
    return found


def picture(session: Session, export: Export, position: int) -> SharedRow:
    """One picture, by the position of its first file. Raises NotFound."""
    return _at(position, contents.sizes(session, export.id, position)[:1])


def file(session: Session, export: Export, position: int) -> SharedRow:
    """The file at a position: a picture in one of its sizes. Raises NotFound."""
    return _at(position, contents.sizes(session, export.id, position))


def shown(session: Session, export: Export, position: int) -> Shown:
    """One picture with its neighbours. Raises NotFound."""
    sizes = contents.sizes(session, export.id, position)
    before = contents.shared(session, export.id, ExportFile.position < position, limit=1, newest_first=True)
    after = contents.shared(session, export.id, ExportFile.position > position, limit=1)
    at = [each[0].position if each else None for each in (before, after)]
    return Shown(_at(position, sizes[:1]), sizes, *at)


def _at(position: int, files: Iterable[SharedRow]) -> SharedRow:
    found = next((each for each in files if each.position == position), None)
    if not found:
        raise NotFound(_("There is no such picture in this export."))
    return found


def member(row: SharedRow, export: Export, store: Store) -> Member:
    """The file of a picture."""
    form = options_of(export).file_format
    return Member(row.name, store.picture(row.key, row.sha256, form.suffix), row.bytes, 0)


def media_type(export: Export) -> str:
    form: PictureFormat = options_of(export).file_format
    return form.media_type


@dataclass
class SmallPictures:
    """Small pictures of exported files, the most recent in memory."""

    _kept: OrderedDict[tuple[str, int], bytes] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    @slow.outside
    def of(self, made: Member, sha256: str, side: int) -> bytes:
        """A WebP of at most `side` px. Raises NotFound if the file is gone."""
        key = sha256, side
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        content = _small(made, side)
        with self._lock:
            self._kept[key] = content
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return content


def _small(made: Member, side: int) -> bytes:
    written = io.BytesIO()
    try:
        with Image.open(made.path) as opened:
            opened.draft("RGB", (side, side))
            picture = opened.convert("RGB")
    except OSError as error:
        raise NotFound(_("This picture is not available right now.")) from error
    picture.thumbnail((side, side))
    picture.save(written, "WEBP", quality=80)
    return written.getvalue()
