"""The progress of a piece of work."""

from enum import StrEnum


class State(StrEnum):
    """The life of an image, a unit and a subject."""

    QUEUED = "queued"
    GENERATING = "generating"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    HELD = "held"  # the engine died several times during it; its owner decides whether to try again
