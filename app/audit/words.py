"""The audit log in words: "Mori Haruka approved picture 3 of Autumn table".

What is stored is English and never changes; here it is said in the language of now.
"""

from app.campaign_names import folder
from app.languages import N_, translated
from app.languages import gettext as _
from app.models import (
    Act,
    AuditEvent,
    AuditHead,
    Base,
    Campaign,
    Checklist,
    FactorDemand,
    Image,
    ImageSet,
    Invitation,
    PolicyVersion,
    QueuePause,
    Share,
    StyleVersion,
    User,
)
from app.text import filesize

GROUPS = {  # by the first word of an act
    "account": N_("Accounts"),
    "policy": N_("Policy"),
    "style": N_("Styles"),
    "set": N_("Sets"),
    "subject": N_("Subjects"),
    "queue": N_("Queue"),
    "review": N_("Review"),
    "export": N_("Exports"),
    "search": N_("Searches"),
    "rights": N_("Rights"),
    "record": N_("Audit log"),
    "file": N_("Files"),
}

# What was done: in English the words between a person and the subject; elsewhere a label before the subject.
DID = {
    Act.ACCOUNT_CREATE: N_("created the account of"),
    Act.ACCOUNT_CHANGE: N_("changed the account of"),
    Act.ACCOUNT_TRANSFER: N_("handed over work of"),
    Act.FACTOR_ADD: N_("added a sign-in method to the account of"),
    Act.FACTOR_REMOVE: N_("removed a sign-in method from the account of"),
    Act.FACTOR_RESET: N_("removed the sign-in methods of"),
    Act.FACTOR_DEMAND: N_("changed which roles need two-step sign-in"),
    Act.RECOVERY_CODES: N_("created recovery codes for"),
    Act.IDENTITY_LINK: N_("linked a sign-in provider to the account of"),
    Act.ACCOUNT_INVITE: N_("created an invite link"),
    Act.INVITATION_REVOKE: N_("revoked an invite link"),
    Act.RESET_CREATE: N_("created a password reset link for"),
    Act.RESET_USE: N_("reset, by link, the password of"),
    Act.RESET_REVOKE: N_("revoked a password reset link for"),
    Act.SIGN_IN: N_("signed in"),
    Act.SIGN_OUT: N_("signed out"),
    Act.SIGN_IN_REFUSED: N_("failed to sign in as"),
    Act.CONFIRM: N_("confirmed their identity"),
    Act.CONFIRM_REFUSED: N_("failed to confirm their identity"),
    Act.PASSWORD_REFUSED: N_("failed to change their password: the current one was wrong"),
    Act.POLICY_PUBLISH: N_("published the usage policy"),
    Act.POLICY_ACCEPT: N_("accepted the usage policy"),
    Act.POLICY_END: N_("ended the usage policy"),
    Act.WORD_ADD: N_("blocked the word"),
    Act.WORD_CHANGE: N_("changed the blocked word"),
    Act.WORD_REMOVE: N_("allowed again the word"),
    Act.REFERENCE_UPLOAD: N_("uploaded the reference"),
    Act.STYLE_CREATE: N_("created the style"),
    Act.STYLE_VERSION: N_("saved"),
    Act.STYLE_ARCHIVE: N_("archived or restored"),
    Act.MAP_UPLOAD: N_("created the map"),
    Act.MASK_UPLOAD: N_("painted the mask of a region"),
    Act.SUBJECT_CREATE: N_("created the subject"),
    Act.SUBJECT_CANCEL: N_("cancelled the training of"),
    Act.SUBJECT_RETRY: N_("resumed the training of"),
    Act.SUBJECT_FINISH: N_("finished the training of"),
    Act.SUBJECT_FAIL: N_("could not train"),
    Act.SUBJECT_HOLD: N_("held, after the engine stopped, the training of"),
    Act.SUBJECT_ARCHIVE: N_("archived or restored the subject"),
    Act.LORA_DOWNLOAD: N_("downloaded the file of the subject"),
    Act.CAMPAIGN_CREATE: N_("created the campaign"),
    Act.CAMPAIGN_CHANGE: N_("changed the campaign"),
    Act.SAMPLE_OPEN: N_("opened the sample campaign"),
    Act.SAMPLE_REMOVE: N_("removed the sample campaign"),
    Act.SET_CREATE: N_("created the set"),
    Act.SET_CANCEL: N_("cancelled the set"),
    Act.SET_RETRY: N_("retried pictures of"),
    Act.STYLE_RENAME: N_("renamed the style"),
    Act.STYLE_DELETE: N_("deleted the style"),
    Act.STYLE_RESTORE: N_("restored the style"),
    Act.STYLE_PURGE: N_("permanently deleted the style"),
    Act.STYLE_BOUNDS: N_("changed the bounds of the style"),
    Act.SUBJECT_RENAME: N_("renamed the subject"),
    Act.SUBJECT_DELETE: N_("deleted the subject"),
    Act.SUBJECT_RESTORE: N_("restored the subject"),
    Act.SUBJECT_PURGE: N_("permanently deleted the subject"),
    Act.CAMPAIGN_RENAME: N_("renamed the campaign"),
    Act.CAMPAIGN_DELETE: N_("deleted the campaign"),
    Act.CAMPAIGN_RESTORE: N_("restored the campaign"),
    Act.CAMPAIGN_PURGE: N_("permanently deleted the campaign"),
    Act.SET_RENAME: N_("renamed the set"),
    Act.SET_DELETE: N_("deleted the set"),
    Act.SET_RESTORE: N_("restored the set"),
    Act.SET_PURGE: N_("permanently deleted the set"),
    Act.REFERENCE_DELETE: N_("deleted the reference"),
    Act.REFERENCE_RESTORE: N_("restored the reference"),
    Act.REFERENCE_PURGE: N_("permanently deleted the files of the reference"),
    Act.SET_MOVE: N_("moved the set"),
    Act.SET_ARCHIVE: N_("archived or restored the set"),
    Act.CAMPAIGN_ARCHIVE: N_("archived or restored the campaign"),
    Act.SET_LOCK: N_("locked the decisions of"),
    Act.SET_UNLOCK: N_("unlocked the decisions of"),
    Act.IMAGE_REDO: N_("redid"),
    Act.IMAGE_DISCARD: N_("cancelled a new version of"),
    Act.IMAGE_MOVE: N_("moved"),
    Act.IMAGE_TAG: N_("tagged"),
    Act.IMAGE_DELETE: N_("deleted"),
    Act.IMAGE_RESTORE: N_("restored"),
    Act.IMAGE_PURGE: N_("permanently deleted the files of"),
    Act.IMAGE_DOWNLOAD: N_("downloaded"),
    Act.IMAGE_FINISH: N_("finished"),
    Act.UNIT_FAIL: N_("failed to generate pictures of"),
    Act.UNIT_HOLD: N_("held, after the engine stopped, pictures of"),
    Act.HELD_REMOVE: N_("removed held pictures of"),
    Act.IMAGE_CANCEL: N_("removed from the queue"),
    Act.WORK_MOVE: N_("moved in the queue"),
    Act.WORK_PAUSE: N_("paused"),
    Act.WORK_RESUME: N_("resumed"),
    Act.QUEUE_PAUSE: N_("paused the queue"),
    Act.QUEUE_RESUME: N_("resumed the queue"),
    Act.DECIDE: N_("decided on"),
    Act.COMMENT: N_("commented on"),
    Act.COMMENT_EDIT: N_("edited a comment on"),
    Act.COMMENT_DELETE: N_("deleted a comment on"),
    Act.COMMENT_RESTORE: N_("restored a comment on"),
    Act.THREAD_RESOLVE: N_("resolved a comment on"),
    Act.THREAD_REOPEN: N_("reopened a comment on"),
    Act.REASONS_CHANGE: N_("changed the reasons to reject"),
    Act.CHECKLIST_CREATE: N_("created the checklist"),
    Act.CHECKLIST_CHANGE: N_("changed the checklist"),
    Act.CHECKLIST_RENAME: N_("renamed the checklist"),
    Act.CHECKLIST_DELETE: N_("deleted the checklist"),
    Act.CHECKLIST_RESTORE: N_("restored the checklist"),
    Act.EXPORT: N_("downloaded the export"),
    Act.BRAND_CHANGE: N_("changed the brand rules of"),
    Act.BLIND_CREATE: N_("created the blind test"),
    Act.BLIND_INVITE: N_("invited people to the blind test"),
    Act.BLIND_LEAVE: N_("left the blind test"),
    Act.BLIND_JOIN: N_("joined, after leaving it, the blind test"),
    Act.BLIND_STOP: N_("stopped, without a result, the blind test"),
    Act.BLIND_FINISH: N_("completed the blind test"),
    Act.EXPORT_CREATE: N_("created the export"),
    Act.EXPORT_READY: N_("finished the export"),
    Act.EXPORT_FAIL: N_("failed to finish the export"),
    Act.EXPORT_REBUILD: N_("rebuilt the export"),
    Act.EXPORT_DELETE: N_("deleted the export"),
    Act.EXPORT_EXPIRE: N_("expired the export"),
    Act.SHARE_CREATE: N_("created a share link to the export"),
    Act.SHARE_REVOKE: N_("revoked a share link to the export"),
    Act.SHARE_SUSPEND: N_("put on hold a share link to the export"),
    Act.SHARE_RESUME: N_("resumed a share link to the export"),
    Act.SHARE_OPEN: N_("opened, with its password, a share link to the export"),
    Act.SHARE_DOWNLOAD: N_("downloaded, by share link, the export"),
    Act.SHARE_REFUSED: N_("failed to open a share link to the export"),
    Act.CERTIFICATE_MAKE: N_("created the signing authority"),
    Act.CERTIFICATE_RENEW: N_("renewed the signing certificate"),
    Act.TEMPLATE_SAVE: N_("saved the template"),
    Act.TEMPLATE_CHANGE: N_("changed the template"),
    Act.TEMPLATE_DELETE: N_("deleted the template"),
    Act.TEMPLATE_RESTORE: N_("restored the template"),
    Act.SEARCH_SAVE: N_("shared the search"),
    Act.SEARCH_RENAME: N_("renamed the shared search"),
    Act.SEARCH_DELETE: N_("deleted or stopped sharing the search"),
    Act.RIGHTS_SAVE: N_("recorded the rights to"),
    Act.RIGHTS_WITHDRAW: N_("withdrew the rights to"),
    Act.RIGHTS_RESTORE: N_("restored the rights to"),
    Act.RIGHTS_FILE_ADD: N_("added a rights file to"),
    Act.RIGHTS_FILE_REMOVE: N_("removed a rights file from"),
    Act.RIGHTS_FILE_DOWNLOAD: N_("downloaded a rights file of"),
    Act.SAFETY_FLAG: N_("flagged"),
    Act.SAFETY_CLEAR: N_("cleared, after the safety check,"),
    Act.REPORT: N_("reported"),
    Act.REPORT_HOLD: N_("held back, because it was reported,"),
    Act.REPORT_RELEASE: N_("no longer holds back"),
    Act.REPORT_DECIDE: N_("decided a report of"),
    Act.LIKENESS_ADD: N_("said whom it shows, of the subject"),
    Act.LIKENESS_REMOVE: N_("removed a real person from the subject"),
    Act.RECORD_CHECK: N_("checked the audit log"),
    Act.RECORD_DOWNLOAD: N_("downloaded the audit log"),
    Act.FILE_DAMAGE: N_("noticed a lost or damaged file:"),
    Act.FILE_HEAL: N_("found a file whole again:"),
    Act.RETENTION: N_("removed what was kept for a time only"),
    Act.BACKUP: N_("backed up the data of Soroe"),
    Act.BACKUP_RESTORE: N_("restored the data of Soroe from a backup"),
}

# More specific words, by a detail of the event.
DID_EXACTLY: dict[Act, tuple[str, dict[object, str]]] = {
    Act.DECIDE: (
        "verdict",
        {
            "approved": N_("approved"),
            "changes_requested": N_("asked for changes to"),
            "rejected": N_("rejected"),
            "withdrawn": N_("withdrew the decision on"),
            "undone": N_("undid the decision on"),
        },
    ),
    Act.REPORT_DECIDE: (
        "verdict",
        {
            "dismissed": N_("dismissed a report of"),
            "removed": N_("removed, because it was reported,"),
        },
    ),
    Act.STYLE_ARCHIVE: ("archived", {True: N_("archived"), False: N_("restored")}),
    Act.SET_ARCHIVE: ("archived", {True: N_("archived the set"), False: N_("restored the set")}),
    Act.CAMPAIGN_ARCHIVE: ("archived", {True: N_("archived the campaign"), False: N_("restored the campaign")}),
    Act.SUBJECT_ARCHIVE: ("archived", {True: N_("archived the subject"), False: N_("restored the subject")}),
    Act.FACTOR_DEMAND: (
        "demanded",
        {
            True: N_("required two-step sign-in for a role"),
            False: N_("no longer requires two-step sign-in for a role"),
        },
    ),
    Act.ACCOUNT_TRANSFER: ("undone", {True: N_("gave back the work of")}),
    Act.INVITATION_REVOKE: ("undone", {True: N_("let a revoked invite link work again")}),
    Act.RESET_REVOKE: ("undone", {True: N_("let work again, after revoking it, a password reset link for")}),
    Act.SHARE_REVOKE: ("undone", {True: N_("let work again, after revoking it, a share link to the export")}),
    Act.RIGHTS_FILE_REMOVE: ("undone", {True: N_("restored a removed rights file of")}),
    Act.SAMPLE_REMOVE: ("undone", {True: N_("restored, by undoing, the sample campaign")}),
    Act.CAMPAIGN_CREATE: ("undone", {True: N_("removed again, by undoing, the campaign")}),
    Act.STYLE_BOUNDS: ("undone", {True: N_("undid a change of the bounds of the style")}),
    Act.BRAND_CHANGE: ("undone", {True: N_("undid a change of the brand rules of")}),
    Act.REASONS_CHANGE: ("undone", {True: N_("undid a change of the reasons to reject")}),
    Act.CHECKLIST_CHANGE: ("undone", {True: N_("undid a change of the checklist")}),
    Act.RECORD_CHECK: ("problem", {None: N_("checked the audit log and found it intact")}),
}

# Acts by people whom Soroe does not know.
STRANGERS = {Act.REPORT, Act.SIGN_IN_REFUSED, Act.SHARE_OPEN, Act.SHARE_DOWNLOAD, Act.SHARE_REFUSED}


# Details that Soroe itself names.
DETAILS = (
    N_("a"),
    N_("active"),
    N_("added"),
    N_("address"),
    N_("again"),
    N_("answers"),
    N_("approvals"),
    N_("approving own pictures"),
    N_("authority"),
    N_("b"),
    N_("backup"),
    N_("because"),
    N_("before"),
    N_("bounds"),
    N_("browser"),
    N_("browsers"),
    N_("bytes"),
    N_("certificate"),
    N_("changed"),
    N_("checklists"),
    N_("code"),
    N_("codes"),
    N_("correction"),
    N_("crashes"),
    N_("days"),
    N_("email"),
    N_("error"),
    N_("events"),
    N_("export"),
    N_("file"),
    N_("files"),
    N_("filters"),
    N_("flaw"),
    N_("format"),
    N_("handle"),
    N_("invited by"),
    N_("kind"),
    N_("language"),
    N_("lost"),
    N_("made by"),
    N_("mask"),
    N_("mentioned"),
    N_("moved"),
    N_("name"),
    N_("note"),
    N_("number"),
    N_("of"),
    N_("p"),
    N_("pairs"),
    N_("password"),
    N_("people"),
    N_("picture"),
    N_("pictures"),
    N_("place"),
    N_("planned"),
    N_("problem"),
    N_("provider"),
    N_("reason"),
    N_("reference"),
    N_("removed"),
    N_("renamed"),
    N_("reopens"),
    N_("report"),
    N_("restored"),
    N_("role"),
    N_("score"),
    N_("search"),
    N_("set"),
    N_("sets"),
    N_("shared"),
    N_("sizes"),
    N_("style"),
    N_("tag"),
    N_("taken at"),
    N_("ties"),
    N_("to"),
    N_("undone"),
    N_("verdict"),
    N_("version"),
    N_("versions"),
    N_("what"),
)

# Values of details that Soroe itself chooses, and those details: what people typed stays as it is.
CHOSEN = {
    "approving_own_pictures",
    "because",
    "changed",
    "flaw",
    "kind",
    "language",
    "reason",
    "role",
    "sizes",
    "verdict",
    "what",
}
VALUES = {
    N_("admin"),
    N_("allowed"),
    N_("another person"),
    N_("another sign-in has this address"),
    N_("approved"),
    N_("authenticator app"),
    N_("background"),
    N_("browser"),
    N_("changes_requested"),
    N_("checks"),
    N_("closed account"),
    N_("confirmed"),
    N_("damaged"),
    N_("depth"),
    N_("designer"),
    N_("edges"),
    N_("manager"),
    N_("missing"),
    N_("never"),
    N_("no file"),
    N_("no group"),
    N_("not allowed"),
    N_("its sample was removed"),
    N_("nothing uses it"),
    N_("original"),
    N_("palette"),
    N_("passkey"),
    N_("password"),
    N_("prompt"),
    N_("rejected"),
    N_("reviewer"),
    N_("seed"),
    N_("silhouette"),
    N_("strength"),
    N_("subject_place"),
    N_("subject_size"),
    N_("the account was closed"),
    N_("the account was opened again"),
    N_("the role was changed"),
    N_("too many tries"),
    N_("undone"),
    N_("unreadable"),
    N_("withdrawn"),
    N_("words"),
    N_("wrong code"),
    N_("wrong passkey"),
    N_("wrong password"),
}


def did(event: AuditEvent) -> str:
    """What was done, as worded between person and subject. For an act that no longer exists: the act itself."""
    if event.act not in DID:
        return event.act
    act = Act(event.act)
    if act is Act.ACCOUNT_CREATE and about_self(event):
        return _("created their own account")
    if act is Act.EXPORT and event.subject == ImageSet.__tablename__:  # as written originally, set by set
        return _("downloaded the approved pictures of")
    detail, words = DID_EXACTLY.get(act, ("", {}))
    return translated(words.get(event.details.get(detail), DID[act]))


def who(event: AuditEvent) -> str:
    if event.user:
        return event.user.name
    return _("Someone") if event.act in STRANGERS else "Soroe"


def name_of(row: Base | None) -> str:
    """A row's name; "" if it is gone, or if the act itself names it."""
    match row:
        case None | AuditHead() | FactorDemand() | Invitation() | PolicyVersion() | QueuePause():
            return ""
        case Campaign():
            return folder(row.name)
        case Checklist():
            return translated(row.name) if row.market else row.name
        case Image():
            return _("picture %(number)s of %(name)s", number=row.position, name=row.image_set.name)
        case StyleVersion():
            return _("version %(number)s of %(name)s", number=row.number, name=row.style.name)
        case Share():
            return _("%(name)s for %(note)s", name=row.export.name, note=row.note) if row.note else row.export.name
    name = getattr(row, "name", None) or getattr(row, "original_name", None)
    return str(name or f"{row.__tablename__} {getattr(row, 'id', '')}".strip())


def more(event: AuditEvent) -> str:
    """The details that the sentence leaves out: `pictures 4, role designer → manager`."""
    told = DID_EXACTLY.get(event.act, ("", {}))[0]
    pairs = [(name, value) for name, value in event.details.items() if name != told and value not in (None, "", [])]
    if event.subject == Campaign.__tablename__ or event.act in (Act.SET_MOVE, Act.IMAGE_MOVE):
        pairs = [(name, folder(value) if isinstance(value, str) else value) for name, value in pairs]
    return _(", ").join(
        _("%(name)s %(value)s", name=translated(name.replace("_", " ")), value=_value(name, value))
        for name, value in pairs
    )


def _value(name: str, value: object) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if name == "bytes" and isinstance(value, int):
        return filesize(value)
    if name == "sets" and isinstance(value, list):
        return str(len(value))
    if isinstance(value, list):
        return (" → " if name in ("name", "role", "language") else _(", ")).join(_word(name, each) for each in value)
    return _word(name, value)


def _word(name: str, value: object) -> str:
    word = str(value)
    if name in CHOSEN and word in VALUES:
        return translated(word).replace("_", " ")
    return translated(word) if name == "problem" else word


def about_self(event: AuditEvent) -> bool:
    """Whether actor and subject are the same person, so that one name is enough."""
    return event.subject == User.__tablename__ and event.subject_id == event.user_id
