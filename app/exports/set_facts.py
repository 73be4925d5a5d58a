"""Read what an export says about its pictures' sets."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.exports.contents import CHUNK, batched
from app.exports.provenance import Input
from app.models import (
    ImageSet,
    Reference,
    RightsFile,
    StructureMap,
    StyleReference,
    StyleVersion,
    Subject,
)
from app.rights import queries as rights
from app.rights.standing import Held
from app.styles.spec import SharingSpec


@dataclass(frozen=True)
class SourceRow:
    """A reference behind the pictures of a set, and the current status of its right."""

    sha256: str
    name: str
    weight: float
    rights: dict[str, Any]  # as stated by the file itself
    held: Held
    documents: tuple[RightsFile, ...] = ()


@dataclass(frozen=True)
class SetRow:
    """What all pictures of a set share."""

    id: int
    name: str
    style: str
    code: str
    version: int
    model: str
    width: int  # px
    height: int
    settings: dict[str, Any]  # everything that the pictures were made with, as JSON
    sources: tuple[SourceRow, ...]
    count: int  # pictures per prompt
    maps: tuple[tuple[Input | None, ...], ...]  # per structure: one for all prompts, or one each
    learned: tuple[Input, ...]  # the sources of its subjects
    people: tuple[tuple[Held, tuple[RightsFile, ...]], ...] = ()  # real ones, whom its subjects show

    def inputs(self, place: int) -> tuple[Input, ...]:
        """The inputs of the picture at a position of the set, besides the references."""
        prompt = (place - 1) // self.count
        maps = (given[prompt if len(given) > 1 else 0] for given in self.maps)
        return tuple(dict.fromkeys(given for given in (*maps, *self.learned) if given))


def of_sets(session: Session, set_ids: Iterable[int]) -> dict[int, SetRow]:
    """What the pictures of these sets share, by set id."""
    found: dict[int, SetRow] = {}
    for ids in batched(sorted(set(set_ids)), CHUNK):
        found |= _of_sets(session, ids)
    return found


def _of_sets(session: Session, set_ids: Sequence[int]) -> dict[int, SetRow]:
    version = joinedload(ImageSet.style_version)
    found = session.scalars(
        select(ImageSet).where(ImageSet.id.in_(set_ids)).options(version.joinedload(StyleVersion.style))
    ).all()
    sources = _sources(session, {version_id for each in found for version_id in each.version_ids})
    maps = _maps(session, {map_id for each in found for part in each.structures for map_id in part.maps})
    learned = _learned(session, {part.id for each in found for part in each.subjects})
    return {
        each.id: _set_row(
            each,
            _once(sources[version_id] for version_id in each.version_ids),
            maps,
            learned,
            _people(session, [part.id for part in each.subjects]),
        )
        for each in found
    }


def _people(session: Session, subject_ids: Sequence[int]) -> tuple[tuple[Held, tuple[RightsFile, ...]], ...]:
    helds = rights.of_subjects(session, subject_ids)
    documents = rights.files_of(session, [held.reference_id for held in helds]) if helds else {}
    return tuple((held, tuple(documents.get(held.reference_id, ()))) for held in helds)


def _once(sources: Iterable[tuple[SourceRow, ...]]) -> tuple[SourceRow, ...]:
    """All sources, each reference once."""
    found: dict[str, SourceRow] = {}
    for each in chain.from_iterable(sources):
        found.setdefault(each.sha256, each)
    return tuple(found.values())


def _sources(session: Session, version_ids: Iterable[int]) -> defaultdict[int, tuple[SourceRow, ...]]:
    found: defaultdict[int, tuple[SourceRow, ...]] = defaultdict(tuple)
    rows = session.execute(
        select(
            StyleReference.version_id,
            Reference.id,
            Reference.sha256,
            Reference.original_name,
            StyleReference.weight,
            Reference.rights,
        )
        .join(Reference, Reference.id == StyleReference.reference_id)
        .where(StyleReference.version_id.in_(version_ids))
        .order_by(StyleReference.version_id, StyleReference.position)
    ).all()
    ids = {row[1] for row in rows}
    helds, documents = rights.of_references(session, ids), rights.files_of(session, ids)
    for version_id, reference_id, sha256, name, weight, said in rows:
        proofs = tuple(documents.get(reference_id, ()))
        row = SourceRow(sha256, name, weight, said, helds[reference_id], proofs)
        found[version_id] = (*found[version_id], row)
    return found


def _maps(session: Session, map_ids: Iterable[int]) -> dict[int, Input]:
    rows = session.scalars(select(StructureMap).where(StructureMap.id.in_(map_ids)))
    return {row.id: Input(row.original_name, row.sha256, f"Structure map ({row.kind})") for row in rows}


def _learned(session: Session, subject_ids: Iterable[int]) -> dict[int, list[Input]]:
    """The pictures that each subject was learned from, or the file that someone uploaded."""
    wanted = select(Subject).where(Subject.id.in_(subject_ids)).options(selectinload(Subject.pictures))
    found: dict[int, list[Input]] = {}
    for row in session.scalars(wanted):
        what = f"Subject @{row.handle}"
        pictures = [Input(f"{row.name}, picture {each.position}", each.sha256, what) for each in row.pictures]
        file = [Input(row.name, row.sha256, what, model=True)] if row.sha256 else []
        found[row.id] = pictures or file
    return found


def _options(version: StyleVersion) -> dict[str, Any]:
    """How a style shares other than the paper, if it does."""
    usual, own = SharingSpec(), {name: getattr(version, name) for name in SharingSpec.model_fields}
    return {"sharing": own} if any(value != getattr(usual, name) for name, value in own.items()) else {}


def _set_row(
    image_set: ImageSet,
    sources: tuple[SourceRow, ...],
    maps: Mapping[int, Input],
    learned: Mapping[int, Sequence[Input]],
    people: tuple[tuple[Held, tuple[RightsFile, ...]], ...],
) -> SetRow:
    version = image_set.style_version
    return SetRow(
        id=image_set.id,
        name=image_set.name,
        style=version.style.name,
        code=version.style.code,
        version=version.number,
        model=image_set.model,
        width=image_set.width,
        height=image_set.height,
        settings={
            "size": f"{image_set.width}x{image_set.height}",
            "steps": image_set.steps,
            "guidance": image_set.guidance,
            "scheduler": image_set.scheduler,
            "strength": image_set.strength,
            "scale": version.scale,
            "shared group norm": version.share_group_norm,
            "AdaIN on values": version.adain_values,
            **_options(version),
            "style text": version.text,
            "negative prompt": image_set.negative_prompt,
            **({"drawn as": said} if (said := {**version.drawn_as, **image_set.drawn_as}) else {}),
            "structures": [part.model_dump(mode="json") for part in image_set.structures],
            "subjects": [part.model_dump(mode="json") for part in image_set.subjects],
            "regions": [part.model_dump(mode="json") for part in image_set.regions],
            "seamless": image_set.seamless,
        },
        sources=sources,
        count=image_set.count,
        maps=tuple(tuple(maps.get(each) for each in part.maps) for part in image_set.structures),
        people=people,
        learned=tuple(given for part in image_set.subjects for given in learned.get(part.id, ())),
    )
