"""What is in the sample campaign: its pictures, what they were asked for, and what was said of them.

`scripts/sample_pictures.py` made the pictures once with the bundled model, from these settings and seeds, so that they
can be redone as any others. `app/samples/pictures` has them, a PNG for each thing, and the reference.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from app.languages import N_
from app.models import Verdict
from app.pictures import png_size

PICTURES = Path(__file__).with_name("pictures")
MODEL = "demo"
REFERENCE = "a cat"
LOOK = "risograph print"  # the style text
STEPS = 20
GUIDANCE = 4.0
SCHEDULER = "ddim"
STRENGTH = 1.0
SEED = 2026

CAMPAIGN = N_("Sample campaign")
STYLE = N_("Sample: two inks")
SET = N_("Sample: autumn café")
OWNER = N_("Soroe, as a sample")
LICENCE = N_("Free to use, with Soroe")
ALLOWS = N_("Everything. The picture was drawn for this sample.")
TAG = N_("sample")
SHORTLIST = N_("menu")


@dataclass(frozen=True)
class SampleComment:
    """A comment, with a pin as fractions of the picture's width and height if it is about a spot."""

    words: str  # a message
    x: float | None = None
    y: float | None = None
    resolved: bool = False


@dataclass(frozen=True)
class Thing:
    """One picture. A prompt is a message; in Japanese, the model draws the English one for it."""

    prompt: str
    verdict: Verdict | None  # None: nobody decided yet
    said: tuple[SampleComment, ...] = ()
    shortlisted: bool = False

    @property
    def png(self) -> Path:
        return PICTURES / f"{self.prompt.removeprefix('a ').removeprefix('an ').replace(' ', '-')}.png"


APPROVED, CHANGES, REJECTED = Verdict.APPROVED, Verdict.CHANGES_REQUESTED, Verdict.REJECTED

THINGS = (
    Thing(N_("a teapot"), APPROVED, shortlisted=True),
    Thing(N_("a mushroom"), APPROVED),
    Thing(
        N_("an owl"),
        APPROVED,
        (SampleComment(N_("The best of the set. Let us use it for the poster."), resolved=True),),
    ),
    Thing(N_("a maple leaf"), APPROVED),
    Thing(N_("a coffee cup"), None, shortlisted=True),
    Thing(N_("an umbrella"), APPROVED),
    Thing(N_("a fox"), CHANGES, (SampleComment(N_("There is a white spot on the cheek. Please redo it."), 0.22, 0.5),)),
    Thing(N_("a cupcake"), APPROVED, shortlisted=True),
    Thing(N_("a bell"), None),
    Thing(N_("a house"), APPROVED),
    Thing(N_("a pretzel"), None, shortlisted=True),
    Thing(N_("a snail"), REJECTED),
)


REFERENCE_PNG = PICTURES / "reference.png"


@cache
def reference() -> bytes:
    """The PNG of the reference."""
    return REFERENCE_PNG.read_bytes()


@cache
def side(png: Path) -> int:
    """The side in px of a picture: all are square."""
    return png_size(png)[0]
