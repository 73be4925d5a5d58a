"""After a commit: tell open pages, wake the queue, stop running units.

`app.wiring` says for every act what to do. Routes and services never notify anybody themselves.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.database import Database
from app.effects import Happened
from app.models import Act
from app.work.dispatcher import Dispatcher
from app.work.queue import UnitsStopped
from app.work.topics import Topic

Changed = Mapping[Topic, Collection[int] | None]
"""The ids of changed images, by the topic that pages watch. None: any image may have changed; empty: no image did."""

Watched = Callable[[Session, Happened], Changed]
"""Finds the topics whose pages show an act. Gets a read session, in which the act is committed."""


@dataclass(frozen=True)
class Notice:
    """What to do after an act is committed."""

    watched: Watched | str  # or, in a sentence, why no open page shows it
    wakes: bool = False  # it queues work


class Notifier:
    def __init__(self, database: Database, dispatcher: Dispatcher, notices: Mapping[Act, Notice]) -> None:
        self.database = database
        self.dispatcher = dispatcher
        self.notices = notices
        database.listen(self.notify)

    def notify(self, notes: Sequence[Any]) -> None:
        """Act on the notes of a committed transaction, on the thread that wrote."""
        for note in notes:
            if isinstance(note, UnitsStopped):
                self.dispatcher.cancel(note.unit_ids)
        events = [note for note in notes if isinstance(note, Happened)]
        if any(self.notices[event.act].wakes for event in events):
            self.dispatcher.wake()
        with self.database.read() as session:
            for event in events:
                watched = self.notices[event.act].watched
                for topic, image_ids in ({} if isinstance(watched, str) else watched(session, event)).items():
                    self.dispatcher.changed(topic, image_ids)
