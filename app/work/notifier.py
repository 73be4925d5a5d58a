"""After a commit: tell open pages, wake the queue, stop running units.

`app.wiring` says for every act which pages show it. `app.work.queue` notes what was queued and stopped. Routes and
services never notify anyone themselves.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.database import Database
from app.effects import Happened
from app.models import Act
from app.work.dispatcher import Dispatcher
from app.work.queue import UnitsQueued, UnitsStopped
from app.work.topics import Topic

Changed = Mapping[Topic, Collection[int] | None]
"""The ids of changed images, by the topic that pages watch. None: any image may have changed; empty: no image did."""

Watched = Callable[[Session, Happened], Changed]
"""Finds the topics whose pages show an act. Gets a read session, in which the act is committed."""


Notice = Watched | str
"""Whose pages to update after an act; or, in a sentence, why no open page shows it."""


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
        if UnitsQueued() in notes:
            self.dispatcher.wake()
        with self.database.read() as session:
            for event in notes:
                if isinstance(event, Happened):
                    self._show(session, event)

    def _show(self, session: Session, event: Happened) -> None:
        """Update the open pages that show an act."""
        notice = self.notices[event.act]
        for topic, image_ids in ({} if isinstance(notice, str) else notice(session, event)).items():
            self.dispatcher.changed(topic, image_ids)
