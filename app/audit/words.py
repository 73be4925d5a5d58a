"""The audit log in words: "Mori Haruka approved picture 3 of Autumn table"."""

from app.models import Act, AuditEvent, AuditHead, Base, Image, ImageSet, Invitation, Share, StyleVersion, User
from app.text import filesize

GROUPS = {  # by the first word of an act
    "account": "Accounts",
    "style": "Styles",
    "set": "Sets",
    "subject": "Subjects",
    "review": "Review",
    "export": "Exports",
    "search": "Searches",
    "rights": "Rights",
    "record": "Audit log",
    "file": "Files",
}

# The words between a person and the subject.
DID = {
    Act.ACCOUNT_CREATE: "created the account of",
    Act.ACCOUNT_CHANGE: "changed the account of",
    Act.FACTOR_ADD: "added a sign-in method to the account of",
    Act.FACTOR_REMOVE: "removed a sign-in method from the account of",
    Act.FACTOR_RESET: "removed the sign-in methods of",
    Act.RECOVERY_CODES: "created recovery codes for",
    Act.IDENTITY_LINK: "linked a sign-in provider to the account of",
    Act.ACCOUNT_INVITE: "created an invite link",
    Act.INVITATION_REVOKE: "revoked an invite link",
    Act.RESET_CREATE: "created a password reset link for",
    Act.RESET_USE: "reset, by link, the password of",
    Act.RESET_REVOKE: "revoked a password reset link for",
    Act.SIGN_IN: "signed in",
    Act.SIGN_OUT: "signed out",
    Act.SIGN_IN_REFUSED: "failed to sign in as",
    Act.CONFIRM: "confirmed their identity",
    Act.CONFIRM_REFUSED: "failed to confirm their identity",
    Act.PASSWORD_REFUSED: "failed to change their password: the current one was wrong",
    Act.REFERENCE_UPLOAD: "uploaded the reference",
    Act.STYLE_CREATE: "created the style",
    Act.STYLE_VERSION: "saved",
    Act.STYLE_ARCHIVE: "archived or restored",
    Act.MAP_UPLOAD: "created the map",
    Act.MASK_UPLOAD: "painted the mask of a region",
    Act.SUBJECT_CREATE: "created the subject",
    Act.SUBJECT_CANCEL: "cancelled the training of",
    Act.SUBJECT_RETRY: "resumed the training of",
    Act.SUBJECT_FINISH: "finished the training of",
    Act.SUBJECT_FAIL: "could not train",
    Act.SUBJECT_HOLD: "held, after the engine stopped, the training of",
    Act.SUBJECT_ARCHIVE: "archived or restored the subject",
    Act.LORA_DOWNLOAD: "downloaded the file of the subject",
    Act.CAMPAIGN_CREATE: "created the campaign",
    Act.CAMPAIGN_CHANGE: "changed the campaign",
    Act.SET_CREATE: "created the set",
    Act.SET_CANCEL: "cancelled the set",
    Act.SET_RETRY: "retried pictures of",
    Act.SET_LOCK: "locked the decisions of",
    Act.SET_UNLOCK: "unlocked the decisions of",
    Act.IMAGE_REDO: "redid",
    Act.IMAGE_DISCARD: "cancelled a new version of",
    Act.IMAGE_MOVE: "moved",
    Act.IMAGE_TAG: "tagged",
    Act.IMAGE_DELETE: "deleted",
    Act.IMAGE_RESTORE: "restored",
    Act.IMAGE_PURGE: "permanently deleted the files of",
    Act.IMAGE_FINISH: "finished",
    Act.UNIT_FAIL: "failed to generate pictures of",
    Act.UNIT_HOLD: "held, after the engine stopped, pictures of",
    Act.HELD_REMOVE: "removed held pictures of",
    Act.DECIDE: "decided on",
    Act.COMMENT: "commented on",
    Act.THREAD_RESOLVE: "resolved a comment on",
    Act.THREAD_REOPEN: "reopened a comment on",
    Act.REASONS_CHANGE: "changed the reasons to reject",
    Act.EXPORT: "downloaded the export",
    Act.EXPORT_CREATE: "created the export",
    Act.EXPORT_READY: "finished the export",
    Act.EXPORT_FAIL: "failed to finish the export",
    Act.EXPORT_REBUILD: "rebuilt the export",
    Act.EXPORT_DELETE: "deleted the export",
    Act.EXPORT_EXPIRE: "expired the export",
    Act.SHARE_CREATE: "created a share link to the export",
    Act.SHARE_REVOKE: "revoked a share link to the export",
    Act.SHARE_SUSPEND: "put on hold, by withdrawing rights, a share link to the export",
    Act.SHARE_RESUME: "resumed a share link to the export",
    Act.SHARE_OPEN: "opened, with its password, a share link to the export",
    Act.SHARE_DOWNLOAD: "downloaded, by share link, the export",
    Act.SHARE_REFUSED: "failed to open a share link to the export",
    Act.CERTIFICATE_MAKE: "created the signing authority",
    Act.CERTIFICATE_RENEW: "renewed the signing certificate",
    Act.SEARCH_SAVE: "shared the search",
    Act.SEARCH_RENAME: "renamed the shared search",
    Act.SEARCH_DELETE: "deleted or stopped sharing the search",
    Act.RIGHTS_SAVE: "recorded the rights to",
    Act.RIGHTS_WITHDRAW: "withdrew the rights to",
    Act.RIGHTS_RESTORE: "restored the rights to",
    Act.RIGHTS_FILE_ADD: "added a rights file to",
    Act.RIGHTS_FILE_REMOVE: "removed a rights file from",
    Act.RIGHTS_FILE_DOWNLOAD: "downloaded a rights file of",
    Act.RECORD_CHECK: "checked the audit log",
    Act.RECORD_DOWNLOAD: "downloaded the audit log",
    Act.FILE_DAMAGE: "noticed a lost or damaged file:",
    Act.FILE_HEAL: "found a file whole again:",
    Act.RETENTION: "removed what was kept for a time only",
    Act.BACKUP: "backed up the data of Soroe",
    Act.BACKUP_RESTORE: "restored the data of Soroe from a backup",
}

# More specific words, by a detail of the event.
DID_EXACTLY: dict[Act, tuple[str, dict[object, str]]] = {
    Act.DECIDE: (
        "verdict",
        {
            "approved": "approved",
            "changes_requested": "asked for changes to",
            "rejected": "rejected",
            "withdrawn": "withdrew the decision on",
        },
    ),
    Act.STYLE_ARCHIVE: ("archived", {True: "archived", False: "restored"}),
    Act.SUBJECT_ARCHIVE: ("archived", {True: "archived the subject", False: "restored the subject"}),
    Act.RECORD_CHECK: ("problem", {None: "checked the audit log and found it intact"}),
}

# Acts by people whom Soroe does not know.
STRANGERS = {Act.SIGN_IN_REFUSED, Act.SHARE_OPEN, Act.SHARE_DOWNLOAD, Act.SHARE_REFUSED}


def did(event: AuditEvent) -> str:
    """What was done, as worded between person and subject. For an act that no longer exists: the act itself."""
    if event.act not in DID:
        return event.act
    act = Act(event.act)
    if act is Act.ACCOUNT_CREATE and about_self(event):
        return "created their own account"
    if act is Act.EXPORT and event.subject == ImageSet.__tablename__:  # as written originally, set by set
        return "downloaded the approved pictures of"
    detail, words = DID_EXACTLY.get(act, ("", {}))
    return words.get(event.details.get(detail), DID[act])


def who(event: AuditEvent) -> str:
    if event.user:
        return event.user.name
    return "Someone" if event.act in STRANGERS else "Soroe"


def name_of(row: Base | None) -> str:
    """A row's name; "" if it is gone, or if the act itself names it."""
    match row:
        case None | AuditHead() | Invitation():
            return ""
        case Image():
            return f"picture {row.position} of {row.image_set.name}"
        case StyleVersion():
            return f"version {row.number} of {row.style.name}"
        case Share():
            return f"{row.export.name} for {row.note}" if row.note else row.export.name
    name = getattr(row, "name", None) or getattr(row, "original_name", None)
    return str(name or f"{row.__tablename__} {getattr(row, 'id', '')}".strip())


def more(event: AuditEvent) -> str:
    """The details that the sentence leaves out: `pictures 4, role designer → manager`."""
    told, _ = DID_EXACTLY.get(event.act, ("", {}))
    pairs = [(name, value) for name, value in event.details.items() if name != told and value not in (None, "", [])]
    return ", ".join(f"{name.replace('_', ' ')} {_value(name, value)}" for name, value in pairs)


def _value(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "bytes" and isinstance(value, int):
        return filesize(value)
    if name == "sets" and isinstance(value, list):
        return str(len(value))
    if isinstance(value, list):
        return (" → " if name == "role" else ", ").join(map(str, value))
    return str(value)


def about_self(event: AuditEvent) -> bool:
    """Whether actor and subject are the same person, so that one name is enough."""
    return event.subject == User.__tablename__ and event.subject_id == event.user_id
