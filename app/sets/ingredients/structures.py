"""Structures of a set: maps that its images follow."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.engine import events as engine
from app.engine.base import ModelFacts
from app.files import Files, Kind
from app.languages import gettext as _
from app.models import ImageSet, SetStructure, StructureMap
from app.sets.ingredients.base import Batch, Redo, SetRequest
from app.sets.spec import SetSpec, StructureChoice, map_word
from app.structures import queries
from app.structures.service import shape_problem
from app.text import listed

name = "structures"


def problem(request: SetRequest) -> str | None:
    spec = request.spec
    known = queries.by_id(request.session, (map_id for part in spec.structures for map_id in part.maps))
    found = (_problem(part, known, spec, request.model) for part in spec.structures)
    return next(filter(None, found), None)


def stored(request: SetRequest) -> tuple[SetStructure, ...]:
    return tuple(SetStructure(**part.model_dump()) for part in request.spec.structures)


def asked(session: Session, image_set: ImageSet) -> list[Mapping[str, Any]]:
    return [part.model_dump(mode="json") for part in image_set.structures]


def redo_problem(redo: Redo) -> str | None:
    """The picture's position already has its map."""
    return None


def for_engine(batch: Batch) -> tuple[engine.UnitStructure, ...]:
    parts = [(part, _maps_of(part, batch)) for part in batch.image_set.structures]
    known = queries.by_id(batch.session, (map_id for _, maps in parts for map_id in maps))
    return tuple(
        engine.UnitStructure(
            control=part.control,
            maps=tuple(_file(known[map_id], batch.files) for map_id in maps),
            weight=part.weight,
            start=part.start,
            end=part.end,
        )
        for part, maps in parts
    )


def _maps_of(part: SetStructure, batch: Batch) -> Sequence[int]:
    """One map for all images, or one per image: that of its prompt."""
    if len(part.maps) == 1:
        return part.maps
    return [part.maps[(image.position - 1) // batch.image_set.count] for image in batch.images]


def _problem(part: StructureChoice, known: dict[int, StructureMap], spec: SetSpec, model: ModelFacts) -> str | None:
    if part.control not in model.controls:
        named = {"control": map_word(part.control[:40]), "known": listed([*map(map_word, model.controls)])}
        if not model.controls:
            return _("The loaded model has no ControlNet; remove the structure of '%(control)s'.", **named)
        return _("The loaded model follows %(known)s only; remove the structure of '%(control)s'.", **named)
    if lost := [map_id for map_id in part.maps if map_id not in known]:
        return _("There is no map %(number)s; remove it and choose another.", number=lost[0])
    if wrong := part.problem(len(part.maps), len(spec.prompts)):
        return wrong
    for given in (known[map_id] for map_id in part.maps):
        if given.kind != part.control:
            return _(
                "The map %(name)s shows %(shown)s, not %(control)s.",
                name=given.original_name,
                shown=map_word(given.kind),
                control=map_word(part.control),
            )
        if wrong := shape_problem(given.original_name, (given.width, given.height), spec.size, model):
            return wrong
    return None


def _file(given: StructureMap, files: Files) -> Path:
    """Raises Flawed."""
    return files.whole(Kind.MAPS, given.sha256, f"the map {given.original_name}")
