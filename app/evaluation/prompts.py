"""Which sets are made: styles, each with four objects. The bundled lists are our own, of the paper's form."""

from dataclasses import dataclass
from pathlib import Path

from app.errors import Invalid
from app.languages import gettext as _

LISTS = Path(__file__).parent / "lists"
OBJECTS = 4  # of a set


@dataclass(frozen=True)
class StyleSet:
    """One set: its first object's picture gives the others their look."""

    style: str
    objects: tuple[str, ...]

    def prompts(self, style_in: str) -> list[str]:
        """What the model gets. `style_in` "all", as in the paper, or "first": the others get it by sharing only."""
        return [
            f"{thing}, {self.style}" if style_in == "all" or place == 0 else thing
            for place, thing in enumerate(self.objects)
        ]


def bundled(model: str) -> Path:
    """The list for a model: the demo model has a vocabulary of its own."""
    return LISTS / ("demo.txt" if model == "demo" else "sdxl.txt")


def parse(text: str) -> list[StyleSet]:
    """Read a list: a set a line, as "style | object | object | object | object"; lines with # are comments.

    Raises Invalid, which names the line.
    """
    sets: list[StyleSet] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            style, *objects = (part.strip() for part in line.split("|"))
            if len(objects) != OBJECTS or not all((style, *objects)):
                raise Invalid(
                    "prompts_file",
                    _(
                        "Line %(number)s of the list must be a style and %(count)s objects with | between them.",
                        number=number,
                        count=OBJECTS,
                    ),
                )
            sets.append(StyleSet(style, tuple(objects)))
    if not sets:
        raise Invalid("prompts_file", _("The list has no sets; write one per line."))
    return sets
