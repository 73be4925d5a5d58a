"""What to know about an uploaded picture before a style is made from it: judged when someone asks, and remembered.

Nothing is stored: the picture never changes, and a restart costs one look at it.
"""

import io
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple

from PIL import Image
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from app.accounts.queries import I_AM_ACTIVE, asks
from app.files import Files, Flawed, Kind
from app.models import Reference, User
from app.quality.advice import Judgement, advice, glance, nearest
from app.quality.colour import Floats
from app.quality.looks import look_of
from app.quality.palette import Palette, palette

COMPARED = 300  # other references, the newest
SIDE = 320  # px: their thumbnails
KEPT = 500  # judgements in memory
GLANCES = 4 * COMPARED


class OtherReference(NamedTuple):
    """Another reference."""

    id: int
    sha256: str
    name: str


@dataclass(frozen=True)
class Advice:
    """What was seen in a picture."""

    found: tuple[Judgement, ...]
    palette: Palette
    look: str  # in the bundled model's words, such as "watercolor"; "" if it knows none like it


_OTHERS = (
    select(Reference.id, Reference.sha256, Reference.original_name)
    .where(Reference.id != bindparam("reference_id"), Reference.deleted_at.is_(None), I_AM_ACTIVE)
    .order_by(Reference.id.desc())
    .limit(COMPARED)
)


def others(session: Session, user: User, reference_id: int) -> list[OtherReference]:
    """The newest other references that are not in the bin."""
    return [OtherReference(*row) for row in session.execute(_OTHERS, asks(user) | {"reference_id": reference_id})]


class Advisor:
    """Judges references, and remembers the judgements. For any thread; one picture is looked at at a time."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self._known: OrderedDict[tuple[str, int], Advice] = OrderedDict()
        self._glances: OrderedDict[str, Floats] = OrderedDict()
        self._lock = Lock()

    def knows(self, sha256: str, side: int) -> bool:
        """Whether `of` need not look at the picture."""
        return (sha256, side) in self._known

    def of(self, sha256: str, side: int) -> Advice:
        """What is wrong with the reference for a model trained at `side` px, and its palette. Raises Flawed."""
        with self._lock:
            if (sha256, side) not in self._known:
                with Image.open(io.BytesIO(self.files.read(Kind.REFERENCES, sha256))) as picture:
                    seen = picture.convert("RGB")
                look = look_of(seen)
                judged = Advice(tuple(advice(seen, side)), palette(seen), look.words if look else "")
                _keep(self._known, (sha256, side), judged, KEPT)
            return self._known[sha256, side]

    def same_as(self, sha256: str, known: Sequence[OtherReference]) -> OtherReference | None:
        """The one of `known` that is nearly the same picture, if any."""
        with self._lock:
            own = self._glance(sha256)
            seen = [(each, found) for each in known if (found := self._glance(each.sha256)) is not None]
        if own is None or not seen:
            return None
        place = nearest(own, [found for _, found in seen])
        return None if place is None else seen[place][0]

    def _glance(self, sha256: str) -> Floats | None:
        if sha256 not in self._glances:
            try:
                with Image.open(io.BytesIO(self.files.whole_thumbnail(sha256, SIDE).read_bytes())) as picture:
                    _keep(self._glances, sha256, glance(picture), GLANCES)
            except (Flawed, OSError):
                return None
        self._glances.move_to_end(sha256)
        return self._glances[sha256]


def _keep(kept: OrderedDict[Any, Any], key: Any, value: Any, most: int) -> None:
    kept[key] = value
    while len(kept) > most:
        kept.popitem(last=False)
