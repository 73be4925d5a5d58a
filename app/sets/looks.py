"""A style version as an engine takes it."""

from app.engine import events as engine
from app.files import Files, Kind
from app.models import StyleVersion


def engine_references(style: StyleVersion, files: Files) -> tuple[engine.UnitReference, ...]:
    """The references of a style, in their order."""
    return tuple(
        engine.UnitReference(
            path=files.path(Kind.REFERENCES, part.reference.sha256),
            crop=engine.Crop(part.crop_x, part.crop_y, part.crop_width, part.crop_height),
            weight=part.weight,
            prompt=joined(style.reference_prompt, style.text),
        )
        for part in style.references
    )


def joined(prompt: str, text: str) -> str:
    """A prompt with the style's text after it."""
    return ", ".join(part for part in (prompt, text) if part)
