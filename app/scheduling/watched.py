"""Which pages show a change of the queue."""

from typing import cast

from sqlalchemy.orm import Session

from app.effects import Happened
from app.models import ImageSet, Subject
from app.sets.queries import topic as set_topic
from app.subjects.training import topic as subject_topic
from app.work import line
from app.work.notifier import Changed


def of_work(_: Session, event: Happened) -> Changed:
    """The set or subject that an act was about."""
    rows = cast(list[ImageSet | Subject], event.rows)
    return {set_topic(row.id) if isinstance(row, ImageSet) else subject_topic(row.id): () for row in rows}


def of_queue(session: Session, _: Happened) -> Changed:
    """Everything that waits or runs: each page says how much comes before it, or why nothing is generated."""
    return dict.fromkeys(line.served_order(session), ())
