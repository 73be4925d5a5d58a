"""Notify the queue and open pages after a commit: update pages, wake the queue, stop running units.

`app.wiring` says for every act who is notified; no route and no service notifies anybody itself.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.database import Database
from app.effects import Happened
from app.models import Act
from app.work.dispatcher import Dispatcher
from app.work.queue import Stopped
from app.work.topics import Topic

Changed = Mapping[Topic, Collection[int] | None]
"""The changed images by watched topic. None: any of them may have changed; empty: something else has."""

Watched = Callable[[Session, Happened], Changed]
"""Finds whose pages show an act. Gets a reading session, which sees the committed act."""


@dataclass(frozen=True)
class Rings:
    """The notifications after an act. If nobody can watch what it changes, `watched` is the reason, in a sentence."""

    watched: Watched | str
    wakes: bool = False  # there is work for the queue


class Bells:
    def __init__(self, database: Database, dispatcher: Dispatcher, rings: Mapping[Act, Rings]) -> None:
        self.database = database
        self.dispatcher = dispatcher
        self.rings = rings
        database.listen(self.ring)

    def ring(self, notes: Sequence[Any]) -> None:
        """Send the notifications for a committed transaction's notes."""
        events = [note for note in notes if isinstance(note, Happened)]
        self.dispatcher.cancel([unit_id for note in notes if isinstance(note, Stopped) for unit_id in note.unit_ids])
        if any(self.rings[event.act].wakes for event in events):
            self.dispatcher.wake()
        with self.database.read() as session:
            for event in events:
                watched = self.rings[event.act].watched
                for topic, image_ids in ({} if isinstance(watched, str) else watched(session, event)).items():
                    self.dispatcher.changed(topic, image_ids)
