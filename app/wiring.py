"""Who registers what with whom: the one place to add a kind of work."""

from app.sets.units import Pictures
from app.subjects.training import Trainings
from app.work import kinds


def connect() -> None:
    """Let the rooms know of each other. Before the first transaction of a process; a second call changes nothing."""
    kinds.use(Pictures(), Trainings())
