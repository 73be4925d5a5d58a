"""Regions of a set: parts of every image with a prompt and a style of their own."""

from typing import Any, Literal, cast

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.audit.service import record
from app.engine import events as engine
from app.engine.base import ModelFacts
from app.errors import Invalid
from app.files import Files, Kind, Room
from app.models import Act, ImageSet, StyleReference, StyleVersion, User
from app.pictures import Limits, clean_upload
from app.quotas.service import take_upload
from app.rights import queries as rights
from app.sets.looks import engine_references, joined, latest_version
from app.sets.spec import RegionChoice, SetSpec

LEAST = 0.05  # of the picture's side: a smaller box is a slip of the hand
ROUNDING = 1e-3  # of a side: the page sends shares with four places
SEEN = 128  # of 255: a mask that is nowhere this white shows nothing


def problem(session: Session, spec: SetSpec, model: ModelFacts, files: Files | None = None) -> str | None:
    """Why the regions of a set cannot be used, in a sentence; None when they can. `files` are asked for masks."""
    for number, region in enumerate(spec.regions, start=1):
        if (region.box is None) == (region.mask is None):
            return f"Region {number} needs either a box or a painted mask."
        if region.box and (wrong := _box_problem(region.box)):
            return f"Region {number} {wrong}."
        if region.mask and files and not files.path(Kind.MAPS, region.mask).is_file():
            return f"The mask of region {number} is not on the server. Paint it again."
        if region.style_code and (wrong := _style_problem(session, region.style_code, number)):
            return wrong
    return None


def stored(session: Session, spec: SetSpec) -> list[dict[str, Any]]:
    """The regions as the set keeps them: the style's code became the id of its present version, None for the set's."""
    return [_stored(session, region) for region in spec.regions]


def for_engine(session: Session, image_set: ImageSet, files: Files) -> tuple[engine.UnitRegion, ...]:
    """The regions as an engine takes them."""
    versions = styles_of(session, image_set)
    return tuple(
        _for_engine(region, versions.get(region["style_version_id"]), image_set, files) for region in image_set.regions
    )


def styles_of(session: Session, image_set: ImageSet) -> dict[int | None, StyleVersion]:
    """The style versions that a set's regions name, by id."""
    wanted = {region["style_version_id"] for region in image_set.regions} - {None}
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


def asked(session: Session, image_set: ImageSet) -> list[dict[str, Any]]:
    """The regions as a form would ask for them again: with the code of each style."""
    versions = styles_of(session, image_set)
    return [
        {
            **{name: region[name] for name in ("prompt", "box", "mask", "strength")},
            "style_code": versions[region["style_version_id"]].style.code if region["style_version_id"] else "",
        }
        for region in image_set.regions
    ]


def shown(session: Session, image_set: ImageSet) -> list[dict[str, Any]]:
    """The regions as the set's page shows them: with the name of each style, "" for the set's own."""
    versions = styles_of(session, image_set)
    return [
        {**region, "style": versions[region["style_version_id"]].style.name if region["style_version_id"] else ""}
        for region in image_set.regions
    ]


def keep_mask(files: Files, data: bytes, limits: Limits, room: Room | None = None) -> str:
    """Keep a painted mask, white where the region is; the SHA-256 of its PNG.

    Raises Invalid, what `room` raises, and NoRoom.
    """
    mask = clean_upload(data, limits, grey=True, small=True)
    if mask.lightest < SEEN:
        raise Invalid("picture", "The mask is empty. Paint the area of the region.")
    return files.put(Kind.MAPS, mask.png, mask.small, room)


def note_mask(session: Session, user: User, mask: str, size: int, held: int) -> None:
    """Write down that `user` uploaded a painted mask of `size` bytes, and `held` are kept of it. Raises Spent, Full."""
    take_upload(session, user, "picture", size, held)
    record(session, user, Act.MASK_UPLOAD, user, mask=mask)


def _style_problem(session: Session, code: str, number: int) -> str | None:
    version = latest_version(session, code)
    if version is None:
        return f"There is no style {code!r} for region {number}. It may be archived."
    refusal = rights.refusal(session, version)
    return refusal and f"Region {number}: {refusal}"


def _box_problem(box: tuple[float, float, float, float]) -> str | None:
    left, top, width, height = box
    if left + width > 1 + ROUNDING or top + height > 1 + ROUNDING:
        return "reaches beyond the picture"
    if min(width, height) < LEAST:
        return f"is too small: a box is at least {100 * LEAST:g} % of the picture wide and high"
    return None


def _stored(session: Session, region: RegionChoice) -> dict[str, Any]:
    version = latest_version(session, region.style_code) if region.style_code else None
    strength = version.strength if version and region.strength is None else region.strength
    kept = region.model_dump(mode="json", exclude={"style_code", "strength"})
    return {**kept, "style_version_id": version.id if version else None, "strength": strength}


def _for_engine(
    region: dict[str, Any], own: StyleVersion | None, image_set: ImageSet, files: Files
) -> engine.UnitRegion:
    """A region without a style has the set's text and, unless it has a strength of its own, all of the set's look."""
    style = own or image_set.style_version
    shares = own is not None or region["strength"] is not None
    return engine.UnitRegion(
        prompt=joined(region["prompt"], style.text),
        mask=files.path(Kind.MAPS, region["mask"]) if region["mask"] else None,
        box=tuple(region["box"]) if region["box"] else None,
        references=engine_references(style, files) if shares else (),
        method=cast(Literal["noise", "ddim"], str(style.method)),
        strength=image_set.strength if region["strength"] is None else region["strength"],
        scale=style.scale,
        share_group_norm=style.share_group_norm,
        adain_values=style.adain_values,
    )
