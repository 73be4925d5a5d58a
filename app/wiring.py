"""Register services with each other: the one place to add a kind of work."""

from app.sets.units import Pictures
from app.subjects.training import Trainings
from app.work import kinds


def connect() -> None:
    """Connect the packages. Call it before a process's first transaction; a second call changes nothing."""
    kinds.use(Pictures(), Trainings())
