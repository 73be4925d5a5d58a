"""A session's notes for after its commit."""

from sqlalchemy.orm import Session

from app.effects import take_notes
from app.work.queue import UnitsStopped


def stopped(session: Session) -> list[int]:
    """The units that an engine will have to stop, each once."""
    return [unit_id for note in take_notes(session) if isinstance(note, UnitsStopped) for unit_id in note.unit_ids]
