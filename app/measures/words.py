"""What the measures are called, and what a flag says, in a sentence."""

from collections.abc import Collection, Mapping
from math import floor, log10

from app.languages import N_, formats, translated
from app.languages import gettext as _
from app.languages.formats import listed
from app.quality.embedder import BUNDLED
from app.quality.measures import DEFINITIONS, Measure

M = Measure

LABELS: Mapping[Measure, str] = {
    M.DINO_REFERENCE: N_("Likeness to the reference (DINO)"),
    M.DINO_SET: N_("Likeness within the set (DINO)"),
    M.CLIP_REFERENCE: N_("Likeness to the reference (CLIP)"),
    M.CLIP_SET: N_("Likeness within the set (CLIP)"),
    M.CSD_REFERENCE: N_("Style likeness to the reference (CSD)"),
    M.CSD_SET: N_("Style likeness within the set (CSD)"),
    M.HUE_REFERENCE: N_("Hue distance from the reference"),
    M.HUE_SET: N_("Hue distance within the set"),
    M.PALETTE_REFERENCE: N_("Palette distance from the reference"),
    M.PALETTE_SET: N_("Palette distance within the set"),
    M.CHROMA_REFERENCE: N_("Colourfulness, difference from the reference"),
    M.LIGHTNESS_REFERENCE: N_("Lightness, difference from the reference"),
    M.CONTRAST_REFERENCE: N_("Contrast, difference from the reference"),
    M.TEXTURE_REFERENCE: N_("Texture distance from the reference"),
    M.TEXTURE_SET: N_("Texture distance within the set"),
    M.STROKE_REFERENCE: N_("Stroke width, difference from the reference"),
    M.TEXT_ALIGNMENT: N_("Match with the prompt’s main subject (CLIP)"),
    M.SUBJECT_FOUND: N_("Main subject found"),
    M.SUBJECT_CUT: N_("Main subject cut off"),
    M.SUBJECT_COUNT: N_("Number of main subjects"),
    M.SUBJECT_SIZE: N_("Size of the main subject"),
    M.SUBJECT_X: N_("Main subject, from the left"),
    M.SUBJECT_Y: N_("Main subject, from the top"),
    M.LEAKAGE: N_("Copied from the reference"),
    M.BLANK: N_("Empty area"),
    M.CLIPPED: N_("Clipped light or dark area"),
    M.NOISE: N_("Added noise"),
    M.NEAREST: N_("Distance to the most similar picture"),
    M.SEAM: N_("Seam"),
}

# Why a picture is flagged: `value` and `bound` come with their units.
REASONS: Mapping[Measure, str] = {
    M.DINO_REFERENCE: N_("Likeness to the reference (DINO) is %(value)s; this style needs at least %(bound)s."),
    M.DINO_SET: N_("Likeness to the rest of the set (DINO) is %(value)s; this style needs at least %(bound)s."),
    M.CLIP_REFERENCE: N_("Likeness to the reference (CLIP) is %(value)s; this style needs at least %(bound)s."),
    M.CLIP_SET: N_("Likeness to the rest of the set (CLIP) is %(value)s; this style needs at least %(bound)s."),
    M.CSD_REFERENCE: N_("Style likeness to the reference (CSD) is %(value)s; this style needs at least %(bound)s."),
    M.CSD_SET: N_("Style likeness to the rest of the set (CSD) is %(value)s; this style needs at least %(bound)s."),
    M.HUE_REFERENCE: N_("Hue is %(value)s from the reference; this style allows %(bound)s."),
    M.HUE_SET: N_("Hue is %(value)s from the rest of the set; this style allows %(bound)s."),
    M.PALETTE_REFERENCE: N_("The palette is %(value)s from the reference; this style allows %(bound)s."),
    M.PALETTE_SET: N_("The palette is %(value)s from the rest of the set; this style allows %(bound)s."),
    M.CHROMA_REFERENCE: N_("Colourfulness differs by %(value)s from the reference; this style allows %(bound)s."),
    M.LIGHTNESS_REFERENCE: N_("Lightness differs by %(value)s from the reference; this style allows %(bound)s."),
    M.CONTRAST_REFERENCE: N_("Contrast differs by %(value)s from the reference; this style allows %(bound)s."),
    M.TEXTURE_REFERENCE: N_("The texture is %(value)s from the reference; this style allows %(bound)s."),
    M.TEXTURE_SET: N_("The texture is %(value)s from the rest of the set; this style allows %(bound)s."),
    M.STROKE_REFERENCE: N_("Stroke width differs by %(value)s from the reference; this style allows %(bound)s."),
    M.TEXT_ALIGNMENT: N_("The match with the prompt’s main subject is %(value)s; this style needs at least %(bound)s."),
    M.SUBJECT_FOUND: N_("The main subject was found by %(value)s only; this style needs at least %(bound)s."),
    M.SUBJECT_CUT: N_("The border cuts off %(value)s of the main subject; this style allows %(bound)s."),
    M.SUBJECT_COUNT: N_("The picture has %(value)s main subjects; this style allows %(bound)s."),
    M.LEAKAGE: N_("Likeness to the reference’s subject is %(value)s; this style allows %(bound)s."),
    M.BLANK: N_("%(value)s of the picture is empty; this style allows %(bound)s."),
    M.CLIPPED: N_("%(value)s more of the picture than usual is clipped; this style allows %(bound)s."),
    M.NOISE: N_("There is %(value)s more noise than usual; this style allows %(bound)s."),
    M.NEAREST: N_("Another picture of the set is only %(value)s away; this style needs at least %(bound)s."),
    M.SEAM: N_("A seam of strength %(value)s is visible; this style allows %(bound)s."),
}

PROBLEMS: Mapping[str, str] = {
    "missing": N_("This picture was not measured, because its file is missing."),
    "damaged": N_("This picture was not measured, because its file is damaged."),
    "lost": N_("This picture was not measured, because measuring it failed three times."),
}
NOT_MEASURED = N_("This picture was not measured, because its file cannot be read.")


def label(measure: str) -> str:
    return translated(LABELS[Measure(measure)])


def value(measure: str, number: float) -> str:
    """A number with the digits and the unit of its measure: "31°", "12.4", "40 %"."""
    definition = DEFINITIONS[Measure(measure)]
    written = formats.fixed(number, definition.digits)
    if definition.unit == "%":
        return _("%(number)s %%", number=written)
    return f"{written}{definition.unit}"


def bound(measure: str, number: float) -> str:
    """What a style allows: "at most 40°", "at least 1.5"."""
    told = value(measure, number)
    low = DEFINITIONS[Measure(measure)].worse == "low"
    return _("at least %(value)s", value=told) if low else _("at most %(value)s", value=told)


def reason(measure: str, number: float, bound: float) -> str:
    """Why a picture is flagged, in a sentence."""
    words = {"value": value(measure, number), "bound": value(measure, bound)}
    return translated(REASONS[Measure(measure)]) % words


def reasons(numbers: Mapping[str, float], flags: Mapping[str, float]) -> list[str]:
    """The sentences of a picture's flags, in the order of the measures."""
    return [reason(m, numbers[m], flags[m]) for m in REASONS if m in flags and m in numbers]


def problem(name: str) -> str:
    """Why a picture was not measured, in a sentence."""
    return translated(PROBLEMS.get(name, NOT_MEASURED))


def tick(measure: str, number: float, step: float) -> str:
    """A number at an axis whose numbers are `step` apart: as many digits as tell them apart, and its unit."""
    digits = max(0, -floor(log10(step) + 1e-9))
    unit = DEFINITIONS[Measure(measure)].unit
    return formats.fixed(number, digits) + (unit if unit in ("°", "%") else "")


def embedders(names: Mapping[str, str]) -> str:
    """Which models compared pictures: "DINO: facebook/dino-vitb8, CLIP: the bundled CLIP"."""
    parts = [_("%(role)s: %(name)s", role=role.upper(), name=model(name)) for role, name in names.items()]
    return _(", ").join(parts)


def model(name: str) -> str:
    """The name of an embedding model, as it is written in a sentence."""
    return _("the bundled CLIP") if name == BUNDLED else name


def missing(roles: Collection[str]) -> str:
    """Which likenesses are missing, since their models could not be loaded, in a sentence; "" if none are."""
    if not roles:
        return ""
    return _(
        "Likeness by %(models)s is missing, because the model could not be loaded. It will be measured when it can be.",
        models=listed([role.upper() for role in roles]),
    )
