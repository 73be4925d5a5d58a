"""The record in words: "Mori Haruka approved picture 3 of Autumn table"."""

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
    "record": "The record",
}

# The words between a person and the subject.
DID = {
    Act.ACCOUNT_CREATE: "made the account of",
    Act.ACCOUNT_CHANGE: "changed the account of",
    Act.FACTOR_ADD: "added a way to sign in to the account of",
    Act.FACTOR_REMOVE: "removed a way to sign in from the account of",
    Act.FACTOR_RESET: "reset the sign-in of",
    Act.RECOVERY_CODES: "made recovery codes for",
    Act.IDENTITY_LINK: "linked a sign-in provider to the account of",
    Act.ACCOUNT_INVITE: "made a one-time link",
    Act.INVITATION_REVOKE: "ended a one-time link",
    Act.RESET_CREATE: "made a link to reset the password of",
    Act.RESET_USE: "chose another password, by a link, for",
    Act.RESET_REVOKE: "ended a link to reset the password of",
    Act.SIGN_IN: "signed in",
    Act.SIGN_OUT: "signed out",
    Act.SIGN_IN_REFUSED: "was refused at signing in as",
    Act.CONFIRM: "confirmed who they are",
    Act.CONFIRM_REFUSED: "could not confirm who they are",
    Act.PASSWORD_REFUSED: "was refused another password: the present one was wrong",
    Act.REFERENCE_UPLOAD: "uploaded the reference",
    Act.STYLE_CREATE: "made the style",
    Act.STYLE_VERSION: "saved",
    Act.STYLE_ARCHIVE: "archived or brought back",
    Act.MAP_UPLOAD: "made the map",
    Act.MASK_UPLOAD: "painted the mask of a region",
    Act.SUBJECT_CREATE: "made the subject",
    Act.SUBJECT_CANCEL: "cancelled the training of",
    Act.SUBJECT_RETRY: "trained again",
    Act.SUBJECT_FINISH: "finished the training of",
    Act.SUBJECT_FAIL: "could not train",
    Act.SUBJECT_ARCHIVE: "archived or brought back the subject",
    Act.LORA_DOWNLOAD: "downloaded the file of the subject",
    Act.CAMPAIGN_CREATE: "made the campaign",
    Act.CAMPAIGN_CHANGE: "changed the campaign",
    Act.SET_CREATE: "asked for the set",
    Act.SET_CANCEL: "cancelled the set",
    Act.SET_RETRY: "asked again for pictures of",
    Act.SET_LOCK: "locked the decisions of",
    Act.SET_UNLOCK: "unlocked the decisions of",
    Act.IMAGE_AGAIN: "asked to make again",
    Act.IMAGE_DISCARD: "gave up a new version of",
    Act.IMAGE_MOVE: "moved",
    Act.IMAGE_TAG: "tagged",
    Act.IMAGE_DELETE: "deleted",
    Act.IMAGE_RESTORE: "restored",
    Act.IMAGE_PURGE: "removed for good the files of",
    Act.IMAGE_FINISH: "finished",
    Act.UNIT_FAIL: "could not make pictures of",
    Act.DECIDE: "decided on",
    Act.COMMENT: "commented on",
    Act.THREAD_RESOLVE: "resolved a comment on",
    Act.THREAD_REOPEN: "opened again a comment on",
    Act.REASONS_CHANGE: "changed the reasons to reject",
    Act.EXPORT: "downloaded the export",
    Act.EXPORT_CREATE: "made the export",
    Act.EXPORT_READY: "made ready the export",
    Act.EXPORT_FAIL: "could not make the export",
    Act.EXPORT_AGAIN: "asked to make ready again the export",
    Act.EXPORT_DELETE: "deleted the export",
    Act.EXPORT_EXPIRE: "ended the export",
    Act.SHARE_CREATE: "made a link to the export",
    Act.SHARE_REVOKE: "revoked a link to the export",
    Act.SHARE_SUSPEND: "put on hold, by withdrawing a right, a link to the export",
    Act.SHARE_RESUME: "let open again a link to the export",
    Act.SHARE_OPEN: "opened with its password a link to the export",
    Act.SHARE_DOWNLOAD: "downloaded by a link the export",
    Act.SHARE_REFUSED: "was refused at a link to the export",
    Act.CERTIFICATE_MAKE: "made the authority that signs",
    Act.CERTIFICATE_RENEW: "renewed the certificate that signs",
    Act.SEARCH_SAVE: "shared the search",
    Act.SEARCH_RENAME: "renamed the shared search",
    Act.SEARCH_DELETE: "deleted, or shares no more, the search",
    Act.RIGHTS_SAVE: "stated the rights of",
    Act.RIGHTS_WITHDRAW: "withdrew the right to",
    Act.RIGHTS_RESTORE: "restored the right to",
    Act.RIGHTS_FILE_ADD: "added a file on the rights of",
    Act.RIGHTS_FILE_REMOVE: "removed a file on the rights of",
    Act.RIGHTS_FILE_DOWNLOAD: "downloaded a file on the rights of",
    Act.RECORD_CHECK: "checked the record",
    Act.RECORD_DOWNLOAD: "downloaded the record",
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
    Act.STYLE_ARCHIVE: ("archived", {True: "archived", False: "brought back"}),
    Act.SUBJECT_ARCHIVE: ("archived", {True: "archived the subject", False: "brought back the subject"}),
    Act.RECORD_CHECK: ("problem", {None: "checked the record and found it unbroken"}),
}

# Acts by people whom Soroe does not know.
STRANGERS = {Act.SIGN_IN_REFUSED, Act.SHARE_OPEN, Act.SHARE_DOWNLOAD, Act.SHARE_REFUSED}


def did(event: AuditEvent) -> str:
    """What was done, as worded between person and subject. For an act that no longer exists: the act itself."""
    if event.act not in DID:
        return event.act
    act = Act(event.act)
    if act is Act.ACCOUNT_CREATE and about_self(event):
        return "made their own account"
    if act is Act.EXPORT and event.subject == ImageSet.__tablename__:  # as written originally, set by set
        return "downloaded what is approved of"
    detail, words = DID_EXACTLY.get(act, ("", {}))
    return words.get(event.details.get(detail), DID[act])


def who(event: AuditEvent) -> str:
    if event.user:
        return event.user.name
    return "Somebody" if event.act in STRANGERS else "Soroe"


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
