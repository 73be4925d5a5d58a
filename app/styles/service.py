"""Make styles: upload a picture, then a style version says which part of it to use, and how strongly."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import bin, grounds, undo
from app.accounts import authority
from app.accounts.service import may_change as may_change
from app.accounts.service import need_active
from app.audit.service import record
from app.blocked import queries as blocked
from app.errors import Conflict, Forbidden, Invalid
from app.files import Files, Kind, Room
from app.grounds import TransparentPicture
from app.languages import gettext as _
from app.models import Act, Reference, Style, StyleReference, StyleVersion, User, now
from app.pictures import MIN_SIDE, CleanPicture, Limits
from app.quotas.service import take_upload
from app.rights.queries import held, references_refusal
from app.rights.service import may_change as may_state
from app.styles.spec import CropSpec, ReferenceSpec, SharingSpec, StyleSpec
from app.text import clean_line
from app.undo import Undone, changed_since

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
    ground: str = ""  # behind a transparent picture, such as "#ffffff"


def keep_picture(
    user: User,
    files: Files,
    data: bytes,
    limits: Limits | None = None,
    room: Room | None = None,
    *,
    name: str = "",
    ground: str = "",
) -> KeptPicture:
    """Clean an uploaded picture and store its file. Slow, so call it before the transaction.

    Raises Invalid("picture", ...), GroundNeeded for a transparent one without a `ground`, what `room` raises, and
    CannotSave.
    """
    need_active(user)
    picture = grounds.opaque(files, data, name, ground=ground, limits=limits, room=room)
    return _kept(files, picture, len(data), room)


def answer_ground(
    user: User, files: Files, waiting: TransparentPicture, ground: str, room: Room | None = None
) -> KeptPicture:
    """Store a transparent picture on the ground that its uploader chose. Slow. Raises as `keep_picture`."""
    need_active(user)
    picture = grounds.answered(files, waiting, ground)
    return _kept(files, picture, len(picture.png), room)  # while it waited, it was not counted


def _kept(files: Files, picture: CleanPicture, sent: int, room: Room | None) -> KeptPicture:
    sha256 = files.put(Kind.REFERENCES, picture.png, picture.small, room)
    return KeptPicture(sha256, picture.width, picture.height, len(picture.png), picture.rights, sent, picture.ground)


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
        if known.deleted_at:  # its file was just stored again
            bin.take_out(known)
            known.purged_at = None
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
        ground=picture.ground or None,
        uploaded_by_id=user.id,
    )
    session.add(reference)
    record(session, user, Act.REFERENCE_UPLOAD, reference, name=reference.original_name)
    return reference


def create(session: Session, user: User, spec: StyleSpec) -> Style:
    """Make a style with its first version and its own code. Raises Invalid and Forbidden."""
    need_active(user)
    _check_spec(session, spec)
    _check_words(session, user, spec)
    _check_rights(session, user, spec)
    style = with_new_code(session, Style(name=spec.name, owner_id=user.id))
    record(session, user, Act.STYLE_CREATE, style, code=style.code, name=style.name)
    _append_version(session, user, style, spec, 1)
    return style


def add_version(session: Session, user: User, style: Style, spec: StyleSpec) -> StyleVersion:
    """Add the next version of a style; returns the latest one if nothing changes but perhaps the style's name."""
    _need_change(user, style)
    _check_spec(session, spec)
    style.name = spec.name
    latest = style.versions[0]
    if _content(latest) == _content(version_of(spec)):
        return latest
    _check_words(session, user, spec)
    _check_rights(session, user, spec)
    return _append_version(session, user, style, spec, latest.number + 1)


def with_further(style: Style, spec: StyleSpec) -> StyleSpec:
    """A form's spec, which has one picture, with the further references of the style's newest version."""
    first = spec.references[0].reference_id
    further = [each for each in spec_of(style).references[1:] if each.reference_id != first]
    return spec.model_copy(update={"references": (*spec.references[:1], *further)})


def set_sharing(session: Session, user: User, style: Style, strength: float, layers: Sequence[str]) -> StyleVersion:
    """Add a version that differs from the newest in strength and layers only; returns that one if it has both."""
    changed = {"strength": strength, "layers": list(layers)}
    return add_version(session, user, style, spec_of(style).model_copy(update=changed))


def spec_of(style: Style) -> StyleSpec:
    """What the newest version of a style was made from."""
    latest = style.versions[0]
    values = {name: getattr(latest, name) for name in StyleSpec.model_fields if name not in ("name", "references")}
    references = tuple(
        ReferenceSpec(
            reference_id=use.reference_id,
            weight=use.weight,
            crop=CropSpec(x=use.crop_x, y=use.crop_y, width=use.crop_width, height=use.crop_height),
        )
        for use in latest.references
    )
    return StyleSpec.model_validate(values | {"name": style.name, "references": references})


def archive(session: Session, user: User, style: Style) -> None:
    """Remove a style from the choices for new sets; its sets and versions stay."""
    _need_change(user, style)
    if style.archived_at:
        raise Conflict(_("%(name)s is already archived.", name=style.name))
    style.archived_at, style.archived_as = now(), user.role
    record(session, user, Act.STYLE_ARCHIVE, style, archived=True)
    undo.offer(session, user, "style", style_id=style.id, before=None, after=authority.archived(style))


def unarchive(session: Session, user: User, style: Style) -> None:
    """Let new sets choose a style again. Owners cannot restore what a manager archived."""
    _need_change(user, style)
    if not style.archived_at:
        raise Conflict(_("%(name)s is not archived.", name=style.name))
    authority.need_power(user, style.archived_as, _("archived %(name)s", name=style.name), _("restore it"))
    before = authority.archived(style)
    style.archived_at = style.archived_as = None
    record(session, user, Act.STYLE_ARCHIVE, style, archived=False)
    undo.offer(session, user, "style", style_id=style.id, before=before, after=None)


def undo_archive(
    session: Session, user: User, style_id: int, before: list[str] | None, after: list[str] | None
) -> Undone:
    """Archive or restore a style as it was. Raises Forbidden, and Conflict if that was changed since."""
    style = session.get_one(Style, style_id)
    _need_change(user, style)
    if authority.archived(style) != after:
        raise changed_since(session, user, style, style.name)
    authority.archive_as(style, before)
    record(session, user, Act.STYLE_ARCHIVE, style, archived=bool(before))
    return Undone(
        _("%(name)s is archived again.", name=style.name)
        if before
        else _("%(name)s is no longer archived.", name=style.name)
    )


def _need_change(user: User, style: Style) -> None:
    if not may_change(user, style):
        raise Forbidden(
            _("Only its owner or a manager can edit this style. Create your own style from its picture instead.")
        )
    if style.deleted_at:
        raise Conflict(_("%(name)s is in the bin. Restore it first.", name=style.name))


def _check_spec(session: Session, spec: StyleSpec) -> None:
    Invalid.check(spec.sharing_problems())
    ids = [wanted.reference_id for wanted in spec.references]
    known = {row.id: row for row in session.scalars(select(Reference).where(Reference.id.in_(ids)))}
    if not ids or set(ids) - set(known):
        raise Invalid("picture", _("Upload a picture."))
    if binned := next((row for row in known.values() if row.deleted_at), None):
        raise Invalid(
            "picture",
            _("The picture %(name)s is in the bin. Restore it, or upload it again.", name=binned.original_name),
        )
    for wanted in spec.references:
        crop, picture = wanted.crop, known[wanted.reference_id]
        if crop.x + crop.width > 1 + 1e-6 or crop.y + crop.height > 1 + 1e-6:
            raise Invalid("picture", _("The crop reaches beyond the picture. Move or shrink it."))
        width, height = round(crop.width * picture.width), round(crop.height * picture.height)
        if min(width, height) < MIN_SIDE:
            raise Invalid(
                "picture",
                _(
                    "The crop is %(width)s × %(height)s px; each side needs at least %(least)s px. "
                    "Choose a larger crop.",
                    width=width,
                    height=height,
                    least=MIN_SIDE,
                ),
            )


def _check_words(session: Session, user: User, spec: StyleSpec) -> None:
    texts = {"text": spec.text, "reference_prompt": spec.reference_prompt}
    Invalid.check({name: blocked.problem(session, user, [text], spec.drawn_as) for name, text in texts.items()})


def _check_rights(session: Session, user: User, spec: StyleSpec) -> None:
    Invalid.check(
        {"picture": references_refusal(session, [wanted.reference_id for wanted in spec.references], reader=user)}
    )


def with_new_code(session: Session, style: Style) -> Style:
    """Add a style under a code that no other has."""
    for __ in range(CODE_TRIES):
        style.code = "SOR-" + "".join(secrets.choice(CODE_LETTERS) for __ in range(4))
        try:
            with session.begin_nested():
                session.add(style)
            return style
        except IntegrityError:
            continue  # the code is taken
    raise RuntimeError(f"no free style code was found in {CODE_TRIES} tries")


def _append_version(session: Session, user: User, style: Style, spec: StyleSpec, number: int) -> StyleVersion:
    version = version_of(spec)
    version.number, version.created_by_id = number, user.id
    style.versions.insert(0, version)  # newest first, as they are read
    record(session, user, Act.STYLE_VERSION, version, code=style.code, number=number)
    return version


def version_of(spec: StyleSpec) -> StyleVersion:
    """A version with these contents, which has no number and no style yet."""
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
    looks = ("text", "reference_prompt", "drawn_as", "method", "strength", "scale", "share_group_norm", "adain_values")
    options = tuple(SharingSpec.model_fields)
    parts = ("reference_id", "weight", "crop_x", "crop_y", "crop_width", "crop_height")
    return (
        *(getattr(version, name) for name in (*looks, *options)),
        *(getattr(reference, name) for reference in version.references for name in parts),
    )
