"""A session's notes for after its commit."""

from sqlalchemy.orm import Session

from app.effects import take_notes
from app.work.queue import Stopped


def stopped(session: Session) -> list[int]:
    """The units that an engine will have to stop, each once."""
    return [unit_id for note in take_notes(session) if isinstance(note, Stopped) for unit_id in note.unit_ids]
