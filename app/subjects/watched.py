"""Which subjects' pages show an act."""

from typing import cast

from sqlalchemy.orm import Session

from app.effects import Happened
from app.models import Subject
from app.subjects.training import topic
from app.work.notifier import Changed


def of_subjects(_: Session, event: Happened) -> Changed:
    """Subjects that an act changed."""
    return {topic(subject.id): () for subject in cast(list[Subject], event.rows)}
