"""Record, withdraw and restore the rights to a reference, and store the files that prove it.

Nothing is overwritten: each change is the reference's next record, and the newest one counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import PurePath
from typing import Any

from sqlalchemy.orm import Session

from app import undo
from app.accounts import authority
from app.accounts.service import need_active
from app.audit.service import record
from app.days import written_exactly
from app.errors import Conflict, Forbidden, Invalid
from app.files import Files, Kind, Room
from app.languages import ENGLISH, formats, speaking
from app.languages import gettext as _
from app.models import Act, Reference, RightsFile, RightsRecord, Role, User, What, now
from app.quotas.service import take, take_upload
from app.rights import likeness, queries
from app.rights.spec import Reason, RightsSpec
from app.text import file_name, slug
from app.undo import Undone

FILE_BYTES = 20 * 2**20
MOST_RIGHTS_FILES = 50  # per reference
BEGINNINGS = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
)
SUFFIXES = {
    "application/pdf": ".pdf",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "text/plain": ".txt",
}


def may_change(user: User, reference: Reference) -> bool:
    """Whether `user` may record the rights: the uploader of the reference, managers and above.

    Authors of its styles may not: anyone can make a style, and could then restore what was withdrawn.
    """
    return user.active and (reference.uploaded_by_id == user.id or user.can(Role.MANAGER))


def may_restore(user: User, reference: Reference, withdrawal: RightsRecord) -> bool:
    """Whether `user` may reverse a withdrawal."""
    return may_change(user, reference) and authority.may_undo(user, withdrawal.made_as)


def outweighs(user: User, withdrawal: RightsRecord) -> bool:
    """Whether a withdrawal by `user` would need a higher role to reverse than this one does."""
    return authority.outweighs(user.role, withdrawal.made_as)


def need_restorer(user: User, withdrawal: RightsRecord) -> None:
    """Raise Forbidden, with who withdrew and who can restore, if `user` has a lower role than the withdrawal."""
    if words := outweighed_words(user, withdrawal):
        raise Forbidden(words)


def outweighed_words(user: User, withdrawal: RightsRecord) -> str:
    """The refusal as a sentence; "" if `user` may restore."""
    if authority.may_undo(user, withdrawal.made_as):
        return ""
    day = written_exactly(withdrawal.created_at)
    if withdrawal.made_by_id == user.id:  # with a higher role than today's
        return (
            _(
                "You withdrew these rights on %(day)s as an administrator; only administrators can restore them. "
                "Ask one of them.",
                day=day,
            )
            if authority.power(withdrawal.made_as) is Role.ADMIN
            else _(
                "You withdrew these rights on %(day)s as a manager; only managers can restore them. Ask one of them.",
                day=day,
            )
        )
    did = _("withdrew these rights on %(day)s", day=day)
    return authority.refusal(withdrawal.made_as, did, _("restore them"), withdrawal.made_by.name)


def suggested(reference: Reference) -> dict[str, Any]:
    """Initial form values if nothing is recorded: what the file itself says, and who uploaded it."""
    said = reference.rights
    return {
        **dict.fromkeys(RightsSpec.model_fields, ""),
        "supplied_by": said.get("credit") or reference.uploaded_by.name,
        "owned_by": said.get("copyright") or said.get("creator") or "",
    }


def save(session: Session, user: User, reference: Reference, spec: RightsSpec, seen: int | None) -> RightsRecord:
    """Add the next record of a reference; returns the current one if the spec says nothing new.

    `seen` is the id of the record that the form started from, None for none. If another record has been added since,
    raises Conflict, which says who changed what, instead of overwriting it. Also raises Invalid and Forbidden, and
    Conflict while the right is withdrawn.
    """
    _need_change(user, reference)
    before = queries.held(session, reference).record
    if before and before.withdrawn:
        need_restorer(user, before)
        raise Conflict(
            _(
                "%(who)s withdrew these rights on %(day)s. Restore them first, then edit them.",
                who=queries.named(before.made_by, user),
                day=written_exactly(before.created_at),
            )
        )
    if spec.valid_from and spec.valid_until and spec.valid_until < spec.valid_from:
        raise Invalid("valid_until", _("The rights would expire on %(day)s, before they start.", day=spec.valid_until))
    likeness.check(session, spec)
    after = RightsRecord(reference_id=reference.id, made_by_id=user.id, made_as=user.role, **spec.model_dump())
    if before and not queries.differing(before, after):
        return before
    if later := queries.later_changes(session, reference.id, seen):
        raise Conflict(formats.sentences((later.told(user), _("Check the changes, then save again."))))
    session.add(after)
    with speaking(ENGLISH):
        stored = {title: text for title, __, text in queries.changed(before, after)}
    record(session, user, Act.RIGHTS_SAVE, reference, **stored)
    session.flush()
    return after


def withdraw(session: Session, user: User, reference: Reference, reason: Reason) -> RightsRecord:
    """Withdraw the right: nothing new is made from the reference, even within its dates. Raises Forbidden and Conflict.

    Links to exports that contain pictures from it go on hold. A withdrawn right can be withdrawn again with a higher
    role, so that its first withdrawer cannot restore it.
    """
    _need_change(user, reference)
    before = queries.held(session, reference).record
    if before and before.withdrawn and not outweighs(user, before):
        raise Conflict(_("The rights to %(name)s are already withdrawn.", name=reference.original_name))
    record(session, user, Act.RIGHTS_WITHDRAW, reference, reason=reason.reason)
    return _next(session, user, reference, before, withdrawn=True, reason=reason.reason)


def restore(session: Session, user: User, reference: Reference, reason: Reason, seen: int | None) -> RightsRecord:
    """Reverse a withdrawal: the rights apply again as recorded. Raises Forbidden and Conflict.

    `seen` is the id of the withdrawal that `user` means to reverse, so that nobody reverses another one. If a
    manager or an administrator withdrew, only people with at least that role can restore, not the uploader.
    """
    _need_change(user, reference)
    before = queries.held(session, reference).record
    if not before or not before.withdrawn:
        raise Conflict(_("The rights to %(name)s are not withdrawn.", name=reference.original_name))
    need_restorer(user, before)
    if before.id != seen:
        raise Conflict(
            _(
                "%(who)s withdrew these rights again on %(day)s, maybe for another reason. Check it first.",
                who=queries.named(before.made_by, user),
                day=written_exactly(before.created_at),
            )
        )
    after = _next(session, user, reference, before, withdrawn=False, reason=reason.reason)
    record(session, user, Act.RIGHTS_RESTORE, reference, reason=reason.reason)
    return after


@dataclass(frozen=True)
class KeptDocument:
    """A licence or consent whose file is stored, but which has no row yet."""

    sha256: str
    media_type: str
    bytes: int
    is_new: bool = field(default=False, compare=False)  # its file was not here, or damaged


def need_room(session: Session, user: User, reference: Reference) -> Sequence[RightsFile]:
    """The existing files of a reference to which `user` may add one. Raises Invalid("file", ...) and Forbidden."""
    _need_change(user, reference)
    present = queries.files(session, user, reference.id)
    if len(present) >= MOST_RIGHTS_FILES:
        raise Invalid("file", _("A reference has at most %(most)s files; remove one first.", most=MOST_RIGHTS_FILES))
    return present


def keep_document(files: Files, data: bytes, room: Room | None = None) -> KeptDocument:
    """Store the file of a licence or consent, byte for byte. Slow, so call it before the transaction.

    Raises Invalid("file", ...), what `room` raises, and CannotSave.
    """
    media_type, is_new = _media_type(data), files.flaw(Kind.RIGHTS, sha256(data).hexdigest()) is not None
    return KeptDocument(files.put_document(data, room), media_type, len(data), is_new)


def need_new(session: Session, user: User, reference: Reference, kept: KeptDocument) -> None:
    """Refuse a file that a reference has already, or has no room for. Raises Invalid("file", ...) and Forbidden."""
    present = need_room(session, user, reference)
    if twin := next((each for each in present if each.sha256 == kept.sha256), None):
        if kept.is_new:
            raise Invalid("file", _("The server had lost this file. It is back, as %(name)s.", name=twin.name))
        raise Invalid("file", _("This file is already here, as %(name)s.", name=twin.name))


def add_file(
    session: Session, user: User, reference: Reference, kept: KeptDocument, name: str, *, counted: bool = False
) -> RightsFile:
    """Add a stored licence or consent to a reference; `counted`: its upload was, when it was kept for an unsent form.

    Raises Invalid("file", ...), Forbidden, Spent and Full.
    """
    need_new(session, user, reference, kept)
    row = RightsFile(
        reference_id=reference.id,
        name=file_name(name),
        uploaded_by_id=user.id,
        sha256=kept.sha256,
        media_type=kept.media_type,
        bytes=kept.bytes,
    )
    session.add(row)
    if counted:
        take(session, user, "file", {What.STORAGE: kept.bytes})
    else:
        take_upload(session, user, "file", kept.bytes, kept.bytes)
    record(session, user, Act.RIGHTS_FILE_ADD, reference, file=row.name, sha256=row.sha256)
    return row


def remove_file(session: Session, user: User, reference: Reference, file_id: int) -> RightsFile:
    """Hide a file; its bytes stay, and the audit log names them. Raises Forbidden and NotFound."""
    _need_change(user, reference)
    row = queries.file(session, user, reference.id, file_id)
    if not may_remove(user, row):
        raise Forbidden(_("%(name)s added this file; only they and managers can remove it.", name=row.uploaded_by.name))
    row.removed_at = now()
    record(session, user, Act.RIGHTS_FILE_REMOVE, reference, file=row.name, sha256=row.sha256)
    undo.offer(session, user, "rights file", file_id=row.id, at=row.removed_at.isoformat())
    return row


def undo_removal(session: Session, user: User, file_id: int, at: str) -> Undone:
    """Show a removed file again. Raises Forbidden, and Conflict if the reference has as many as it may have."""
    row = session.get_one(RightsFile, file_id)
    present = need_room(session, user, row.reference)
    if row.removed_at != datetime.fromisoformat(at) or any(each.sha256 == row.sha256 for each in present):
        raise Conflict(_("This file was added again since, so it was not undone."))
    row.removed_at = None
    record(session, user, Act.RIGHTS_FILE_REMOVE, row.reference, file=row.name, sha256=row.sha256, undone=True)
    return Undone(_("%(name)s is here again.", name=row.name))


def may_remove(user: User, row: RightsFile) -> bool:
    """Whether someone who may change the right may remove this file: the person who added it, and managers."""
    return row.uploaded_by_id == user.id or user.can(Role.MANAGER)


def note_download(session: Session, user: User, reference: Reference, file_id: int) -> RightsFile:
    """Record that `user` downloads a file. Raises NotFound.

    Raises Forbidden for people who may not change the right: licences and consents contain personal data.
    """
    if not may_change(user, reference):
        name = reference.uploaded_by.name
        raise Forbidden(
            _("Only %(name)s, who uploaded this reference, and managers can read its licences and consents.", name=name)
        )
    row = queries.file(session, user, reference.id, file_id)
    record(session, user, Act.RIGHTS_FILE_DOWNLOAD, reference, file=row.name, sha256=row.sha256)
    return row


def download_name(row: RightsFile) -> str:
    """A file name that any system accepts, with the extension of its content."""
    return (slug(PurePath(row.name).stem) or "file") + SUFFIXES[row.media_type]


def _need_change(user: User, reference: Reference) -> None:
    need_active(user)
    if not may_change(user, reference):
        name = reference.uploaded_by.name
        raise Forbidden(_("Only %(name)s, who uploaded this reference, and managers can change its rights.", name=name))


def _next(
    session: Session, user: User, reference: Reference, before: RightsRecord | None, *, withdrawn: bool, reason: str
) -> RightsRecord:
    """Copy the previous record with a changed withdrawal."""
    said = {name: getattr(before, name) for name in RightsSpec.model_fields} if before else {}
    row = RightsRecord(
        reference_id=reference.id,
        made_by_id=user.id,
        made_as=user.role,
        **{**said, "withdrawn": withdrawn, "reason": reason},
    )
    session.add(row)
    session.flush()
    return row


def _media_type(data: bytes) -> str:
    """Detect a file's type by content. Raises Invalid if it is not accepted."""
    if not data:
        raise Invalid("file", _("The file is empty."))
    if len(data) > FILE_BYTES:
        raise Invalid("file", _("The file is larger than %(most)s MB, the most allowed.", most=FILE_BYTES // 2**20))
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    found = next((kind for beginning, kind in BEGINNINGS if data.startswith(beginning)), None)
    if found or _is_text(data):
        return found or "text/plain"
    raise Invalid("file", _("The file is not a PDF, PNG, JPEG, WebP or plain text in UTF-8. Save it as a PDF."))


def _is_text(data: bytes) -> bool:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return not any(character < " " and character not in "\t\n\r\f" for character in text)
