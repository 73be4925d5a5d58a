"""Prepare a style version for an engine."""

from typing import Literal, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.engine import events as engine
from app.engine.base import ModelFacts
from app.files import Files, Kind
from app.languages import gettext as _
from app.models import Style, StyleVersion
from app.prompts.reader import Reader
from app.styles.queries import normal_code
from app.styles.spec import SharingSpec, unknown_layers


def latest_version(session: Session, code: str) -> StyleVersion | None:
    """The newest version of the style with this code; None if there is no such style, or it is archived."""
    return session.scalar(
        select(StyleVersion)
        .join(Style)
        .where(Style.code == normal_code(code), Style.archived_at.is_(None), Style.deleted_at.is_(None))
        .order_by(StyleVersion.number.desc())
        .limit(1)
    )


def engine_sharing(style: StyleVersion | SharingSpec) -> engine.UnitSharing:
    """How pictures of a style, or of a command, share other than in the paper."""
    return engine.UnitSharing(
        layers=tuple(style.layers),
        colour=style.calibration,
        colour_start=style.calibration_start,
        colour_end=style.calibration_end,
        reference_queries=style.reference_queries,
        subject_attention=style.subject_attention,
        blend=cast(Literal["weight", "sphere"], str(style.blend)),
    )


def layers_problem(style: StyleVersion, model: ModelFacts) -> str | None:
    """Why a model cannot share as a style says: the style names layers that it does not have. A sentence, or None."""

    if not unknown_layers(style.layers, model.layers):
        return None
    name = style.style.name
    return _("%(name)s shares layers that this model does not have. Save a new version of the style.", name=name)


def engine_references(style: StyleVersion, files: Files, reader: Reader) -> tuple[engine.UnitReference, ...]:
    """The references of a style, in order. Raises Flawed for one that is lost or damaged."""
    return tuple(
        engine.UnitReference(
            path=files.whole(Kind.REFERENCES, part.reference.sha256, f"the reference {part.reference.original_name}"),
            crop=engine.Crop(part.crop_x, part.crop_y, part.crop_width, part.crop_height),
            weight=part.weight,
            prompt=reader.read(style.said(style.reference_prompt), style.said_text).read,
        )
        for part in style.references
    )
