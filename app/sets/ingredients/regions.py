"""Regions of a set: parts of every image with their own prompt and style."""

from collections.abc import Mapping
from typing import Any, Literal, cast

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.blocked import queries as blocked
from app.engine import events as engine
from app.files import Kind
from app.languages import gettext as _
from app.models import ImageSet, SetRegion, StyleReference, StyleVersion
from app.rights import queries as rights
from app.sets.ingredients.base import Batch, Redo, SetRequest
from app.sets.looks import engine_references, engine_sharing, latest_version, layers_problem
from app.sets.spec import RegionChoice

name = "regions"


class ShownRegion(SetRegion):
    """A region with the name of its style, "" for the set's own."""

    style: str


def problem(request: SetRequest) -> str | None:
    """Looks for masks in `request.files`."""
    for number, region in enumerate(request.spec.regions, start=1):
        if (region.box is None) == (region.mask is None):
            return _("Region %(number)s needs either a box or a painted mask.", number=number)
        if wrong := region.box_problem(number):
            return wrong
        why = blocked.problem(request.session, request.user, [region.prompt], request.spec.drawn_as)
        if why:
            return _("Region %(number)s: %(problem)s", number=number, problem=why)
        if region.mask and request.files and request.files.flaw(Kind.MAPS, region.mask):
            return _("The mask of region %(number)s is not on the server. Paint it again.", number=number)
        if region.style_code and (wrong := _style_problem(request, region.style_code, number)):
            return wrong
    return None


def stored(request: SetRequest) -> tuple[SetRegion, ...]:
    """Replaces the style's code by the id of its current version."""
    return tuple(_stored(request.session, region) for region in request.spec.regions)


def asked(session: Session, image_set: ImageSet) -> list[Mapping[str, Any]]:
    """Includes the code of each style."""
    versions = styles_of(session, image_set)
    return [
        {
            **region.model_dump(mode="json", exclude={"style_version_id"}),
            "style_code": versions[region.style_version_id].style.code if region.style_version_id else "",
        }
        for region in image_set.regions
    ]


def redo_problem(redo: Redo) -> str | None:
    """A region has its own prompt and style, and keeps them: a word of theirs may have been blocked since."""
    own = styles_of(redo.session, redo.image_set)
    for number, region in enumerate(redo.image_set.regions, start=1):
        style = own.get(region.style_version_id)
        why = blocked.problem(redo.session, redo.user, [region.prompt], redo.image_set.drawn_as) or (
            style and blocked.problem(redo.session, redo.user, [style.text], style.drawn_as)
        )
        if why:
            return _("Region %(number)s: %(problem)s", number=number, problem=why)
    return None


def for_engine(batch: Batch) -> tuple[engine.UnitRegion, ...]:
    versions = styles_of(batch.session, batch.image_set)
    return tuple(
        _for_engine(region, versions.get(region.style_version_id), batch) for region in batch.image_set.regions
    )


def shown(session: Session, image_set: ImageSet) -> list[ShownRegion]:
    """The regions as shown on the set's page."""
    versions = styles_of(session, image_set)
    return [
        ShownRegion(
            **region.model_dump(),
            style=versions[region.style_version_id].style.name if region.style_version_id else "",
        )
        for region in image_set.regions
    ]


def styles_of(session: Session, image_set: ImageSet) -> dict[int | None, StyleVersion]:
    """The style versions of a set's regions, by id."""
    wanted = {region.style_version_id for region in image_set.regions} - {None}
    if not wanted:
        return {}
    found = session.scalars(
        select(StyleVersion)
        .where(StyleVersion.id.in_(wanted))
        .options(
            joinedload(StyleVersion.style),
            joinedload(StyleVersion.references).joinedload(StyleReference.reference),
        )
    ).unique()
    return {version.id: version for version in found}


def _style_problem(request: SetRequest, code: str, number: int) -> str | None:
    session = request.session
    version = latest_version(session, code)
    if version is None:
        return _("There is no style '%(code)s' for region %(number)s. It may be archived.", code=code, number=number)
    refusal = (
        rights.refusal(session, version, reader=request.user)
        or blocked.problem(session, request.user, [version.text], version.drawn_as)
        or layers_problem(version, request.model)
    )
    return refusal and _("Region %(number)s: %(problem)s", number=number, problem=refusal)


def _stored(session: Session, region: RegionChoice) -> SetRegion:
    version = latest_version(session, region.style_code) if region.style_code else None
    strength = version.strength if version and region.strength is None else region.strength
    kept = region.model_dump(exclude={"style_code", "strength"})
    return SetRegion(**kept, style_version_id=version.id if version else None, strength=strength)


def _for_engine(region: SetRegion, own: StyleVersion | None, batch: Batch) -> engine.UnitRegion:
    """A region without a style has the set's text and, unless it has its own strength, all of the set's look."""
    style = own or batch.image_set.style_version
    shares = own is not None or region.strength is not None
    return engine.UnitRegion(
        prompt=batch.prompt(region.prompt, style),
        mask=batch.files.whole(Kind.MAPS, region.mask, "a mask of this set") if region.mask else None,
        box=region.box,
        references=engine_references(style, batch.files, batch.reader) if shares else (),
        method=cast(Literal["noise", "ddim"], str(style.method)),
        strength=batch.image_set.strength if region.strength is None else region.strength,
        scale=style.scale,
        share_group_norm=style.share_group_norm,
        adain_values=style.adain_values,
        object=batch.subject(region.prompt),
        options=engine_sharing(style),
    )
