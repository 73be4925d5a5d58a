"""Sample references that come with Soroe, for people without a picture at hand, and for the guide.

The texts stay English, because that is what the model reads; a style's name is said in the language of its person.
"""

from dataclasses import dataclass
from pathlib import Path

from app.languages import N_, translated

FOLDER = Path(__file__).parents[2] / "static" / "samples"


@dataclass(frozen=True)
class Sample:
    """A reference, and what the form of a new style is filled in with."""

    key: str  # in addresses: /styles/new?sample=poster
    name: str  # a message: of the style
    label: str  # a message: of the button
    text: str
    shows: str

    @property
    def path(self) -> str:
        """Below `static/`."""
        return f"samples/look-{self.key}.webp"

    @property
    def file_name(self) -> str:
        return f"{self.key}.webp"

    @property
    def values(self) -> dict[str, str]:
        """Fields of the form."""
        return {
            "name": translated(self.name),
            "text": self.text,
            "reference_prompt": self.shows,
            "sample": self.key,
        }

    def read(self) -> bytes:
        return (FOLDER / f"look-{self.key}.webp").read_bytes()


_ALL = (
    Sample("poster", N_("Vintage poster"), N_("Sample: poster"), "vintage poster", "an owl"),
    Sample("sticker", N_("Sticker"), N_("Sample: sticker"), "sticker", "a sushi"),
    Sample("blueprint", N_("Blueprint"), N_("Sample: blueprint"), "blueprint", "a rocket"),
    Sample("riso", N_("Riso print"), N_("Sample: riso"), "risograph print", "a cat"),
    Sample("watercolour", N_("Watercolour"), N_("Sample: watercolour"), "in watercolor", "a tulip"),
    Sample("pencil", N_("Pencil"), N_("Sample: pencil"), "in pencil", "a chair"),
)
SAMPLES = {each.key: each for each in _ALL}
