"""Pictures of a set that differ for most people and look alike to those with another colour vision, or in greyscale.

They are compared when someone opens the set's page, by their thumbnails, and the result stays in memory: nothing is
stored, and a restart costs one comparison per set. Prompts with several pictures are compared as series too.
"""

import io
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple

from PIL import Image as Picture
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from app.accounts.queries import I_AM_ACTIVE, asks
from app.files import Files, Flawed
from app.models import Image, User
from app.quality.vision import Confusion, Glance, Vision, confused, glance, mean_glance

MOST = 300  # pictures of a set that are compared, the first ones
SIDE = 320  # px: the thumbnail that is looked at
GLANCES = 20_000  # kept in memory, 192 bytes each
SETS = 200  # whose results are kept


class ComparedPicture(NamedTuple):
    """A picture that is compared."""

    id: int
    position: int
    prompt: str
    sha256: str


_FINISHED = (
    select(Image.id, Image.position, Image.prompt, Image.sha256)
    .where(Image.set_id == bindparam("set_id"), Image.shown, I_AM_ACTIVE)
    .order_by(Image.position)
)


def pictures(session: Session, user: User, set_id: int) -> list[ComparedPicture]:
    """The finished pictures of a set, in its order."""
    rows = session.execute(_FINISHED, asks(user) | {"set_id": set_id})
    return [ComparedPicture(id, position, prompt, sha256) for id, position, prompt, sha256 in rows if sha256]


@dataclass(frozen=True)
class Pair:
    """Two pictures that look alike; or `series`: all pictures of their two prompts."""

    first: ComparedPicture
    second: ComparedPicture
    visions: tuple[Vision, ...]
    series: bool = False


@dataclass(frozen=True)
class Lookalikes:
    """What was found."""

    pairs: tuple[Pair, ...]  # series first, then the most alike
    compared: int  # pictures
    total: int


class Alike:
    """Finds lookalikes, and remembers them. For any thread; one set is compared at a time."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self._glances: OrderedDict[str, Glance] = OrderedDict()  # by the name of the picture, latest used last
        self._known: OrderedDict[tuple[ComparedPicture, ...], Lookalikes] = OrderedDict()
        self._lock = Lock()

    def of(self, shown: Sequence[ComparedPicture]) -> Lookalikes:
        """Compare pictures of one set. A damaged one is left out."""
        key = tuple(shown[:MOST])
        with self._lock:
            if key not in self._known:
                self._known[key] = self._compare(key, len(shown))
                while len(self._known) > SETS:
                    self._known.popitem(last=False)
            self._known.move_to_end(key)
            return self._known[key]

    def _compare(self, shown: Sequence[ComparedPicture], total: int) -> Lookalikes:
        seen = {each: found for each in shown if (found := self._glance(each.sha256)) is not None}
        series = _series(seen)
        told = {frozenset((pair.first.prompt, pair.second.prompt)) for pair in series}
        pairs = _pairs(list(seen), confused(list(seen.values())))
        apart = [pair for pair in pairs if frozenset((pair.first.prompt, pair.second.prompt)) not in told]
        return Lookalikes((*series, *apart), len(seen), total)

    def _glance(self, sha256: str) -> Glance | None:
        if sha256 not in self._glances:
            try:
                content = self.files.whole_thumbnail(sha256, SIDE).read_bytes()
                with Picture.open(io.BytesIO(content)) as picture:
                    self._glances[sha256] = glance(picture)
            except (Flawed, OSError):
                return None
            while len(self._glances) > GLANCES:
                self._glances.popitem(last=False)
        self._glances.move_to_end(sha256)
        return self._glances[sha256]


def _series(seen: Mapping[ComparedPicture, Glance]) -> list[Pair]:
    """Prompts with several pictures that look alike as a whole, each by its first picture."""
    by_prompt: dict[str, list[ComparedPicture]] = {}
    for each in seen:
        by_prompt.setdefault(each.prompt, []).append(each)
    several = [group for group in by_prompt.values() if len(group) > 1]
    means = [mean_glance([seen[each] for each in group]) for group in several]
    return _pairs([group[0] for group in several], confused(means), series=True)


def _pairs(shown: Sequence[ComparedPicture], found: Sequence[Confusion], *, series: bool = False) -> list[Pair]:
    """Each pair once, with all its visions, the most alike first."""
    visions: dict[tuple[int, int], list[Vision]] = {}
    for each in sorted(found, key=lambda each: each.seen):
        visions.setdefault((each.first, each.second), []).append(each.vision)
    return [
        Pair(shown[first], shown[second], tuple(vision for vision in Vision if vision in every), series)
        for (first, second), every in visions.items()
    ]
