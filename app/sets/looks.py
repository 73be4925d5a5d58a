"""Prepare a style version for an engine."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.engine import events as engine
from app.files import Files, Kind
from app.models import Style, StyleVersion
from app.styles.queries import normal_code


def latest_version(session: Session, code: str) -> StyleVersion | None:
    """The newest version of the style with this code; None if there is no such style, or it is archived."""
    return session.scalar(
        select(StyleVersion)
        .join(Style)
        .where(Style.code == normal_code(code), Style.archived_at.is_(None))
        .order_by(StyleVersion.number.desc())
        .limit(1)
    )


def engine_references(style: StyleVersion, files: Files) -> tuple[engine.UnitReference, ...]:
    """The references of a style, in order. Raises Flawed for one that is lost or damaged."""
    return tuple(
        engine.UnitReference(
            path=files.whole(Kind.REFERENCES, part.reference.sha256, f"the reference {part.reference.original_name}"),
            crop=engine.Crop(part.crop_x, part.crop_y, part.crop_width, part.crop_height),
            weight=part.weight,
            prompt=joined(style.reference_prompt, style.text),
        )
        for part in style.references
    )


def joined(prompt: str, text: str) -> str:
    """Append the style's text to a prompt."""
    return ", ".join(part for part in (prompt, text) if part)
