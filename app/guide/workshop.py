"""The workshop: two hours for a team. What its slides show is in `templates/guide/<language>/workshop.html`."""

from dataclasses import dataclass
from itertools import accumulate

from app.languages import N_


@dataclass(frozen=True)
class Slide:
    title: str  # a message
    minutes: int
    exercise: bool = False


SLIDES = (
    Slide(N_("One look, many pictures"), 5),
    Slide(N_("What we do today"), 5),
    Slide(N_("How it works"), 5),
    Slide(N_("Exercise 1: a first set"), 15, True),
    Slide(N_("Good and bad references"), 10),
    Slide(N_("Exercise 2: our own reference"), 10, True),
    Slide(N_("Strength, and what leaks"), 5),
    Slide(N_("Exercise 3: find the strength"), 10, True),
    Slide(N_("Break"), 10),
    Slide(N_("Four questions for every picture"), 10),
    Slide(N_("Exercise 4: decide in pairs"), 15, True),
    Slide(N_("Rights in five questions"), 5),
    Slide(N_("Our pilot"), 10, True),
    Slide(N_("What happens next"), 5),
)


def starts() -> list[int]:
    """The minute in which each slide begins."""
    return [0, *accumulate(slide.minutes for slide in SLIDES)][: len(SLIDES)]
