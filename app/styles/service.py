"""Make styles: upload a picture, then a style version says which part of it to use, and how strongly."""

import secrets
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts import authority
from app.accounts.service import may_change as may_change
from app.accounts.service import need_active
from app.audit.service import record
from app.errors import Conflict, Forbidden, Invalid
from app.files import Files, Kind, Room
from app.models import Act, Reference, Style, StyleReference, StyleVersion, User, now
from app.pictures import MIN_SIDE, Limits, clean_upload
from app.quotas.service import take_upload
from app.rights.queries import held, references_refusal
from app.rights.service import may_change as may_state
from app.styles.spec import StyleSpec
from app.text import clean_line

# Without 0 O, 1 I L, U V look-alikes and vowels (no accidental words): codes are read aloud and typed from paper.
CODE_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_TRIES = 20


@dataclass(frozen=True)
class KeptPicture:
    """A cleaned picture whose file is stored, but which has no row yet."""

    sha256: str
    width: int  # px
    height: int
    bytes: int
    rights: dict[str, str]
    sent: int  # bytes, as uploaded


def keep_picture(
    user: User, files: Files, data: bytes, limits: Limits | None = None, room: Room | None = None
) -> KeptPicture:
    """Clean an uploaded picture and store its file. Slow, so call it before the transaction.

    Raises Invalid("picture", ...), what `room` raises, and CannotSave.
    """
    need_active(user)
    picture = clean_upload(data, limits, small=True)
    sha256 = files.put(Kind.REFERENCES, picture.png, picture.small, room)
    return KeptPicture(sha256, picture.width, picture.height, len(picture.png), picture.rights, len(data))


def upload_reference(session: Session, user: User, picture: KeptPicture, name: str) -> Reference:
    """Make a reference from a stored picture, or return the existing one for the same picture.

    An existing reference stays with its first uploader; the rights in this copy's metadata only count from people who
    may state them.
    """
    need_active(user)
    sha256 = picture.sha256
    known = session.scalar(select(Reference).where(Reference.sha256 == sha256))
    take_upload(session, user, "picture", picture.sent, 0 if known else picture.bytes)
    if known:
        if may_state(user, known) and held(session, known).standing.kind != "withdrawn":
            known.rights = {**picture.rights, **known.rights}  # the first copy may lack what this one states
        record(session, user, Act.REFERENCE_UPLOAD, known, name=clean_line(name)[:255], again=True)
        return known
    reference = Reference(
        sha256=sha256,
        width=picture.width,
        height=picture.height,
        bytes=picture.bytes,
        original_name=clean_line(name)[:255] or "picture",
        rights=picture.rights,
        uploaded_by_id=user.id,
    )
    session.add(reference)
    record(session, user, Act.REFERENCE_UPLOAD, reference, name=reference.original_name)
    return reference


def create(session: Session, user: User, spec: StyleSpec) -> Style:
    """Make a style with its first version and its own code. Raises Invalid and Forbidden."""
    need_active(user)
    _check_spec(session, spec)
    _check_rights(session, spec)
    style = _with_new_code(session, Style(name=spec.name, owner_id=user.id))
    record(session, user, Act.STYLE_CREATE, style, code=style.code, name=style.name)
    _append_version(session, user, style, spec, 1)
    return style


def add_version(session: Session, user: User, style: Style, spec: StyleSpec) -> StyleVersion:
    """Add the next version of a style; returns the latest one if nothing changes but perhaps the style's name."""
    _need_change(user, style)
    _check_spec(session, spec)
    style.name = spec.name
    latest = style.versions[0]
    if _content(latest) == _content(_version(spec)):
        return latest
    _check_rights(session, spec)
    return _append_version(session, user, style, spec, latest.number + 1)


def archive(session: Session, user: User, style: Style) -> None:
    """Remove a style from the choices for new sets; its sets and versions stay."""
    _need_change(user, style)
    if style.archived_at:
        raise Conflict(f"{style.name} is already archived.")
    style.archived_at, style.archived_as = now(), user.role
    record(session, user, Act.STYLE_ARCHIVE, style, archived=True)


def unarchive(session: Session, user: User, style: Style) -> None:
    """Let new sets choose a style again. Owners cannot restore what a manager archived."""
    _need_change(user, style)
    if not style.archived_at:
        raise Conflict(f"{style.name} is not archived.")
    authority.need_power(user, style.archived_as, f"archived {style.name}", "restore it")
    style.archived_at = style.archived_as = None
    record(session, user, Act.STYLE_ARCHIVE, style, archived=False)


def _need_change(user: User, style: Style) -> None:
    if not may_change(user, style):
        raise Forbidden(
            "Only its owner or a manager can edit this style. Create your own style from its picture instead."
        )


def _check_spec(session: Session, spec: StyleSpec) -> None:
    ids = [wanted.reference_id for wanted in spec.references]
    known = {row.id: row for row in session.scalars(select(Reference).where(Reference.id.in_(ids)))}
    if not ids or set(ids) - set(known):
        raise Invalid("picture", "Upload a picture.")
    for wanted in spec.references:
        crop, picture = wanted.crop, known[wanted.reference_id]
        if crop.x + crop.width > 1 + 1e-6 or crop.y + crop.height > 1 + 1e-6:
            raise Invalid("picture", "The crop reaches beyond the picture. Move or shrink it.")
        width, height = round(crop.width * picture.width), round(crop.height * picture.height)
        if min(width, height) < MIN_SIDE:
            size = f"The crop is {width} × {height} px; each side needs at least {MIN_SIDE} px."
            raise Invalid("picture", f"{size} Choose a larger crop.")


def _check_rights(session: Session, spec: StyleSpec) -> None:
    Invalid.check({"picture": references_refusal(session, [wanted.reference_id for wanted in spec.references])})


def _with_new_code(session: Session, style: Style) -> Style:
    for _ in range(CODE_TRIES):
        style.code = "SOR-" + "".join(secrets.choice(CODE_LETTERS) for _ in range(4))
        try:
            with session.begin_nested():
                session.add(style)
            return style
        except IntegrityError:
            continue  # the code is taken
    raise RuntimeError(f"no free style code was found in {CODE_TRIES} tries")


def _append_version(session: Session, user: User, style: Style, spec: StyleSpec, number: int) -> StyleVersion:
    version = _version(spec)
    version.number, version.created_by_id = number, user.id
    style.versions.insert(0, version)  # newest first, as they are read
    record(session, user, Act.STYLE_VERSION, version, code=style.code, number=number)
    return version


def _version(spec: StyleSpec) -> StyleVersion:
    values = spec.model_dump(exclude={"name", "references"})
    references = [
        StyleReference(
            position=position,
            reference_id=wanted.reference_id,
            weight=wanted.weight,
            crop_x=wanted.crop.x,
            crop_y=wanted.crop.y,
            crop_width=wanted.crop.width,
            crop_height=wanted.crop.height,
        )
        for position, wanted in enumerate(spec.references, start=1)
    ]
    return StyleVersion(**values, references=references)


def _content(version: StyleVersion) -> tuple[object, ...]:
    """Everything that determines a version's look, to compare two versions."""
    looks = ("text", "reference_prompt", "method", "strength", "scale", "share_group_norm", "adain_values")
    parts = ("reference_id", "weight", "crop_x", "crop_y", "crop_width", "crop_height")
    return (
        *(getattr(version, name) for name in looks),
        *(getattr(reference, name) for reference in version.references for name in parts),
    )
