"""Connect the packages: the one place to add a kind of work, or a consequence of an act.

Imports point one way, from the doors to the models. If an act has a consequence in a package above its own, it is
registered here instead: withdrawing rights knows nothing about exports.
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
from app.work.bells import Rings

KINDS = (units.Pictures(), training.Trainings())

# In the same transaction, in this order.
FOLLOWS = {
    Act.RIGHTS_SAVE: [endings.resume_held],
    Act.RIGHTS_WITHDRAW: [endings.suspend_withdrawn],
    Act.RIGHTS_RESTORE: [endings.resume_held],
    Act.ACCOUNT_CHANGE: [endings.revoke_lost],
}

NO_LIVE_PAGE = "A page about this is not live: it is as it was when it was opened."
NOT_THERE_BEFORE = "It was not there before, so nobody has a page of it open."
OWN_BROWSER = "It shows in the browser that asked, which gets it as the answer."
TAKEN_AWAY = "Something was only taken away or looked at, and is as before."
ASKED_AGAIN = "The pages of exports ask by themselves while one is being prepared, and otherwise are not live."
SIGNED_OUT = "Every message to an open page asks again who is signed in, so nothing needs to be told."

# After the commit: whose open pages to update, and whether there is work. Every act is here.
RINGS = {
    Act.SET_CREATE: Rings(NOT_THERE_BEFORE, wakes=True),
    Act.SET_CANCEL: Rings(sets.of_sets),
    Act.SET_RETRY: Rings(sets.of_places, wakes=True),
    Act.SET_LOCK: Rings(sets.of_sets),
    Act.SET_UNLOCK: Rings(sets.of_sets),
    Act.UNIT_FAIL: Rings(sets.of_units),
    Act.IMAGE_REDO: Rings(sets.of_images, wakes=True),
    Act.IMAGE_DISCARD: Rings(sets.of_images),
    Act.IMAGE_MOVE: Rings(sets.of_images),
    Act.IMAGE_TAG: Rings(sets.of_images),
    Act.IMAGE_DELETE: Rings(sets.of_images),
    Act.IMAGE_RESTORE: Rings(sets.of_images),
    Act.IMAGE_PURGE: Rings(sets.of_images),
    Act.IMAGE_FINISH: Rings(sets.of_images),
    Act.DECIDE: Rings(sets.of_images),
    Act.COMMENT: Rings(sets.of_images),
    Act.THREAD_RESOLVE: Rings(sets.of_images),
    Act.THREAD_REOPEN: Rings(sets.of_images),
    Act.CAMPAIGN_CHANGE: Rings(sets.of_campaigns),
    Act.SUBJECT_CREATE: Rings(NOT_THERE_BEFORE, wakes=True),
    Act.SUBJECT_CANCEL: Rings(subjects.of_subjects),
    Act.SUBJECT_RETRY: Rings(subjects.of_subjects, wakes=True),
    Act.SUBJECT_FINISH: Rings(subjects.of_subjects),
    Act.SUBJECT_FAIL: Rings(subjects.of_subjects),
    Act.SUBJECT_ARCHIVE: Rings(subjects.of_subjects),
    **dict.fromkeys((Act.CAMPAIGN_CREATE, Act.STYLE_CREATE, Act.ACCOUNT_CREATE), Rings(NOT_THERE_BEFORE)),
    **dict.fromkeys((Act.REFERENCE_UPLOAD, Act.MAP_UPLOAD, Act.MASK_UPLOAD), Rings(OWN_BROWSER)),
    **dict.fromkeys((Act.STYLE_VERSION, Act.STYLE_ARCHIVE), Rings(NO_LIVE_PAGE)),
    **dict.fromkeys((Act.REASONS_CHANGE, Act.SEARCH_SAVE, Act.SEARCH_RENAME, Act.SEARCH_DELETE), Rings(NO_LIVE_PAGE)),
    **dict.fromkeys((Act.RIGHTS_SAVE, Act.RIGHTS_WITHDRAW, Act.RIGHTS_RESTORE), Rings(NO_LIVE_PAGE)),
    **dict.fromkeys((Act.RIGHTS_FILE_ADD, Act.RIGHTS_FILE_REMOVE), Rings(NO_LIVE_PAGE)),
    **dict.fromkeys((Act.LORA_DOWNLOAD, Act.RIGHTS_FILE_DOWNLOAD, Act.RECORD_CHECK), Rings(TAKEN_AWAY)),
    **dict.fromkeys((Act.RECORD_DOWNLOAD, Act.EXPORT, Act.SHARE_OPEN, Act.SHARE_DOWNLOAD), Rings(TAKEN_AWAY)),
    **dict.fromkeys((Act.EXPORT_CREATE, Act.EXPORT_READY, Act.EXPORT_FAIL, Act.EXPORT_REBUILD), Rings(ASKED_AGAIN)),
    **dict.fromkeys((Act.EXPORT_DELETE, Act.EXPORT_EXPIRE), Rings(ASKED_AGAIN)),
    **dict.fromkeys((Act.SHARE_CREATE, Act.SHARE_REVOKE, Act.SHARE_SUSPEND, Act.SHARE_RESUME), Rings(ASKED_AGAIN)),
    **dict.fromkeys((Act.SHARE_REFUSED, Act.SIGN_IN_REFUSED, Act.CONFIRM_REFUSED), Rings(TAKEN_AWAY)),
    **dict.fromkeys((Act.PASSWORD_REFUSED, Act.CERTIFICATE_MAKE, Act.CERTIFICATE_RENEW), Rings(NO_LIVE_PAGE)),
    **dict.fromkeys((Act.ACCOUNT_CHANGE, Act.SIGN_IN, Act.SIGN_OUT, Act.CONFIRM), Rings(SIGNED_OUT)),
    **dict.fromkeys((Act.FACTOR_ADD, Act.FACTOR_REMOVE, Act.FACTOR_RESET, Act.RECOVERY_CODES), Rings(NO_LIVE_PAGE)),
    **dict.fromkeys((Act.IDENTITY_LINK, Act.ACCOUNT_INVITE, Act.INVITATION_REVOKE), Rings(NO_LIVE_PAGE)),
    **dict.fromkeys((Act.RESET_CREATE, Act.RESET_USE, Act.RESET_REVOKE), Rings(NO_LIVE_PAGE)),
}


def connect() -> None:
    """Connect the packages. Call it before a process's first transaction; a second call changes nothing."""
    kinds.use(*KINDS)
    effects.use(FOLLOWS)
    decoders.use("app.structures.drawing")  # by its name: only the decoding processes import it
