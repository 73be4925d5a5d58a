"""What the parts of a brand score are called, and what each says of a picture."""

from collections.abc import Mapping

from app.languages import N_, translated
from app.quality.brand import BrandPart

PARTS = {
    BrandPart.PALETTE: N_("Colours of the palette"),
    BrandPart.NEVER: N_("Free of forbidden colours"),
    BrandPart.BACKGROUND: N_("Background colour"),
    BrandPart.SUBJECT_SIZE: N_("Size of the subject"),
    BrandPart.SUBJECT_PLACE: N_("Place of the subject"),
    BrandPart.WORDS: N_("Free of words to avoid"),
    BrandPart.CHECKS: N_("Required checks"),
}


def parts(values: Mapping[str, float]) -> list[tuple[str, int]]:
    """Parts with their words, as pages show them."""
    return [(part(name), round(value)) for name, value in values.items()]


def part(name: str) -> str:
    """The words of a part, by the name that is stored."""
    return translated(PARTS[BrandPart(name)])
