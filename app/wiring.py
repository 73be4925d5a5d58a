"""Connect the packages: the one place to add a kind of work, or a consequence of an act.

Imports point one way. If an act must have a consequence in a package above the one that records it, the two are
connected here: withdrawing a right suspends links, and `app.rights` knows nothing of exports.
"""

from app import effects
from app.decoding.pool import pool as decoders
from app.exports import endings
from app.models import Act
from app.sets import units
from app.sets import watched as sets
from app.subjects import training
from app.subjects import watched as subjects
from app.work import kinds
from app.work.notifier import Notice

KINDS = (units.Pictures(), training.Trainings())

# In the same transaction, in this order
FOLLOW_UPS = {
    Act.RIGHTS_SAVE: [endings.resume_held],
    Act.RIGHTS_WITHDRAW: [endings.suspend_withdrawn],
    Act.RIGHTS_RESTORE: [endings.resume_held],
    Act.ACCOUNT_CHANGE: [endings.revoke_lost],
}

NOT_LIVE = "The pages that show this do not update while they are open."
ON_EVERY_PAGE = "Administrators are warned on every page, which asks again every few seconds."
NEW = "Nobody can have its page open yet."
OWN_FORM = "Only the form that sent it shows it."
NOTHING_CHANGED = "It changes nothing that a page shows."
POLLED = "Pages of exports poll while one is being prepared, and do not update otherwise."
SESSION = "Every message to an open page checks the person's session and role again."

# After the commit: which open pages to update. Every act has an entry.
NOTICES: dict[Act, Notice] = {
    Act.SET_CREATE: NEW,
    Act.SET_CANCEL: sets.of_sets,
    Act.SET_RETRY: sets.of_places,
    Act.SET_LOCK: sets.of_sets,
    Act.SET_UNLOCK: sets.of_sets,
    Act.UNIT_FAIL: sets.of_units,
    Act.UNIT_HOLD: sets.of_units,
    Act.HELD_REMOVE: sets.of_places,
    Act.IMAGE_REDO: sets.of_images,
    Act.IMAGE_DISCARD: sets.of_images,
    Act.IMAGE_MOVE: sets.of_images,
    Act.IMAGE_TAG: sets.of_images,
    Act.IMAGE_DELETE: sets.of_images,
    Act.IMAGE_RESTORE: sets.of_images,
    Act.IMAGE_PURGE: sets.of_images,
    Act.IMAGE_FINISH: sets.of_images,
    Act.DECIDE: sets.of_images,
    Act.COMMENT: sets.of_images,
    Act.THREAD_RESOLVE: sets.of_images,
    Act.THREAD_REOPEN: sets.of_images,
    Act.CAMPAIGN_CHANGE: sets.of_campaigns,
    Act.SUBJECT_CREATE: NEW,
    Act.SUBJECT_CANCEL: subjects.of_subjects,
    Act.SUBJECT_RETRY: subjects.of_subjects,
    Act.SUBJECT_FINISH: subjects.of_subjects,
    Act.SUBJECT_FAIL: subjects.of_subjects,
    Act.SUBJECT_HOLD: subjects.of_subjects,
    Act.SUBJECT_ARCHIVE: subjects.of_subjects,
    **dict.fromkeys((Act.CAMPAIGN_CREATE, Act.STYLE_CREATE, Act.ACCOUNT_CREATE), NEW),
    **dict.fromkeys((Act.REFERENCE_UPLOAD, Act.MAP_UPLOAD, Act.MASK_UPLOAD), OWN_FORM),
    **dict.fromkeys((Act.STYLE_VERSION, Act.STYLE_ARCHIVE), NOT_LIVE),
    **dict.fromkeys((Act.REASONS_CHANGE, Act.SEARCH_SAVE, Act.SEARCH_RENAME, Act.SEARCH_DELETE), NOT_LIVE),
    **dict.fromkeys((Act.RIGHTS_SAVE, Act.RIGHTS_WITHDRAW, Act.RIGHTS_RESTORE), NOT_LIVE),
    **dict.fromkeys((Act.RIGHTS_FILE_ADD, Act.RIGHTS_FILE_REMOVE), NOT_LIVE),
    **dict.fromkeys((Act.LORA_DOWNLOAD, Act.RIGHTS_FILE_DOWNLOAD, Act.RECORD_CHECK), NOTHING_CHANGED),
    **dict.fromkeys((Act.RECORD_DOWNLOAD, Act.EXPORT, Act.SHARE_OPEN, Act.SHARE_DOWNLOAD), NOTHING_CHANGED),
    **dict.fromkeys((Act.EXPORT_CREATE, Act.EXPORT_READY, Act.EXPORT_FAIL, Act.EXPORT_REBUILD), POLLED),
    **dict.fromkeys((Act.EXPORT_DELETE, Act.EXPORT_EXPIRE), POLLED),
    **dict.fromkeys((Act.SHARE_CREATE, Act.SHARE_REVOKE, Act.SHARE_SUSPEND, Act.SHARE_RESUME), POLLED),
    **dict.fromkeys((Act.SHARE_REFUSED, Act.SIGN_IN_REFUSED, Act.CONFIRM_REFUSED), NOTHING_CHANGED),
    **dict.fromkeys((Act.FILE_DAMAGE, Act.FILE_HEAL), ON_EVERY_PAGE),
    **dict.fromkeys((Act.BACKUP, Act.BACKUP_RESTORE, Act.RETENTION), NOT_LIVE),
    **dict.fromkeys((Act.PASSWORD_REFUSED, Act.CERTIFICATE_MAKE, Act.CERTIFICATE_RENEW), NOT_LIVE),
    **dict.fromkeys((Act.ACCOUNT_CHANGE, Act.SIGN_IN, Act.SIGN_OUT, Act.CONFIRM), SESSION),
    **dict.fromkeys((Act.FACTOR_ADD, Act.FACTOR_REMOVE, Act.FACTOR_RESET, Act.RECOVERY_CODES), NOT_LIVE),
    **dict.fromkeys((Act.IDENTITY_LINK, Act.ACCOUNT_INVITE, Act.INVITATION_REVOKE), NOT_LIVE),
    **dict.fromkeys((Act.RESET_CREATE, Act.RESET_USE, Act.RESET_REVOKE), NOT_LIVE),
}


def connect() -> None:
    """Connect the packages. Call it before a process's first transaction; a second call changes nothing."""
    kinds.use(*KINDS)
    effects.use(FOLLOW_UPS)
    decoders.use("app.structures.drawing")  # by name: only the decoding processes import it
