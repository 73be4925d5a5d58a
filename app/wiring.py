"""Connect the packages: the one place to add a kind of work, or a consequence of an act.

Imports point one way. If an act must have a consequence in a package above the one that records it, the two are
connected here: withdrawing a right suspends links, and `app.rights` knows nothing of exports.
"""

from app import effects, undo
from app.accounts import demands, handed, language, people
from app.blocked import service as blocked
from app.brand import scores as brand_scores
from app.brand import service as brand
from app.customs import service as customs
from app.decoding.pool import pool as decoders
from app.drafts import service as drafts
from app.effects import FollowUp
from app.exports import endings, shares
from app.filing import undoing as filing
from app.gallery import handover
from app.gallery import undoing as gallery
from app.measures import bounds, keeping
from app.models import Act
from app.reviews import comments, reasons, requirements
from app.reviews import undoing as reviews
from app.rights import service as rights
from app.samples import service as samples
from app.scheduling import watched as scheduling
from app.sets import strips, style_maps, tunings, units
from app.sets import watched as sets
from app.styles import service as styles
from app.subjects import service as subjects_service
from app.subjects import training
from app.subjects import watched as subjects
from app.undo import Undoing
from app.work import kinds
from app.work.notifier import Notice

KINDS = (units.Pictures(), training.Trainings(), strips.Strips(), tunings.Tunings(), style_maps.StyleMaps())

# In the same transaction, in this order
FOLLOW_UPS: dict[Act, list[FollowUp]] = {
    Act.RIGHTS_SAVE: [endings.resume_held, endings.suspend_without_consent],
    Act.RIGHTS_WITHDRAW: [endings.suspend_withdrawn],
    Act.RIGHTS_RESTORE: [endings.resume_held, endings.suspend_without_consent],
    Act.IMAGE_PURGE: [keeping.forget, style_maps.forget],
    Act.DECIDE: [brand_scores.forget],
    Act.FILE_HEAL: [keeping.expect_healed],
    Act.ACCOUNT_CREATE: [reasons.translate_first],
    Act.ACCOUNT_CHANGE: [endings.revoke_lost, drafts.discard_of_closed],
}

# What undoes each kind that services offer
UNDO = {
    "role": Undoing(people.undo_role, confirmed=True),
    "active": Undoing(people.undo_active, confirmed=True),
    "language": Undoing(language.undo_language),
    "invitation": Undoing(handed.undo_invitation, confirmed=True),
    "reset": Undoing(handed.undo_reset, confirmed=True),
    "factor demand": Undoing(demands.undo_demand, confirmed=True),
    "brand rules": Undoing(brand.undo_change),
    "blocked word": Undoing(blocked.undo_removal),
    "set owner": Undoing(handover.undo_set, confirmed=True),
    "owners": Undoing(handover.undo_others, confirmed=True),
    "style": Undoing(styles.undo_archive),
    "subject": Undoing(subjects_service.undo_archive),
    "decisions": Undoing(reviews.decisions),
    "approvals": Undoing(reviews.approvals),
    "four eyes": Undoing(reviews.four_eyes),
    "lock": Undoing(reviews.lock),
    "unlock": Undoing(reviews.unlock),
    "bounds": Undoing(bounds.undo_save),
    "reasons": Undoing(reasons.put_back),
    "checklists": Undoing(requirements.undo),
    "checklist items": Undoing(customs.undo_items),
    "checklist name": Undoing(customs.undo_name),
    "checklist": Undoing(customs.undo_deletion),
    "move": Undoing(gallery.move),
    "tag": Undoing(gallery.tag),
    "untag": Undoing(gallery.untag),
    "star": Undoing(gallery.star),
    "deletion": Undoing(gallery.deletion),
    "restoration": Undoing(gallery.restoration),
    "search": Undoing(gallery.search),
    "name": Undoing(filing.name),
    "set campaign": Undoing(filing.campaign),
    "archive": Undoing(filing.archive),
    "bin": Undoing(filing.deletion),
    "comment": Undoing(comments.undo_deletion),
    "rights file": Undoing(rights.undo_removal),
    "share": Undoing(shares.undo_revocation),
    "sample": Undoing(samples.undo_removal),
    "sample export": Undoing(samples.undo_export),
}

NOT_LIVE = "The pages that show this do not update while they are open."  # English
ON_EVERY_PAGE = "Administrators are warned on every page, which asks again every few seconds."  # English
NEW = "Nobody can have its page open yet."  # English
OWN_FORM = "Only the form that sent it shows it."  # English
IN_BIN = "It was in the bin, whose page does not update while it is open."  # English
NOTHING_CHANGED = "It changes nothing that a page shows."  # English
POLLED = "Pages of exports poll while one is being prepared, and do not update otherwise."  # English
SESSION = "Every message to an open page checks the person's session and role again."  # English

# After the commit: which open pages to update. Every act has an entry.
NOTICES: dict[Act, Notice] = {
    Act.SET_CREATE: NEW,
    Act.SAMPLE_OPEN: NEW,
    Act.SAMPLE_REMOVE: "What it deletes says so itself.",  # English
    Act.SET_CANCEL: sets.of_sets,
    Act.SET_RETRY: sets.of_places,
    Act.SET_RENAME: sets.of_sets,
    Act.SET_MOVE: sets.of_sets,
    Act.SET_ARCHIVE: sets.of_sets,
    Act.SET_DELETE: sets.of_sets,
    Act.SET_RESTORE: sets.of_sets,
    Act.SET_LOCK: sets.of_sets,
    Act.SET_UNLOCK: sets.of_sets,
    Act.UNIT_FAIL: sets.of_units,
    Act.UNIT_HOLD: sets.of_units,
    Act.HELD_REMOVE: sets.of_places,
    Act.IMAGE_CANCEL: sets.of_images,
    Act.WORK_MOVE: scheduling.of_queue,
    Act.WORK_PAUSE: scheduling.of_work,
    Act.WORK_RESUME: scheduling.of_work,
    Act.QUEUE_PAUSE: scheduling.of_queue,
    Act.QUEUE_RESUME: scheduling.of_queue,
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
    Act.COMMENT_EDIT: sets.of_images,
    Act.COMMENT_DELETE: sets.of_images,
    Act.COMMENT_RESTORE: sets.of_images,
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
    Act.SUBJECT_RENAME: subjects.of_subjects,
    Act.SUBJECT_DELETE: subjects.of_subjects,
    Act.SUBJECT_RESTORE: subjects.of_subjects,
    Act.CAMPAIGN_RENAME: sets.of_campaigns,
    **dict.fromkeys((Act.CAMPAIGN_ARCHIVE, Act.CAMPAIGN_DELETE, Act.CAMPAIGN_RESTORE), NOT_LIVE),
    **dict.fromkeys((Act.STYLE_RENAME, Act.STYLE_DELETE, Act.STYLE_RESTORE, Act.STYLE_BOUNDS), NOT_LIVE),
    **dict.fromkeys((Act.REFERENCE_DELETE, Act.REFERENCE_RESTORE), NOT_LIVE),
    **dict.fromkeys((Act.SET_PURGE, Act.CAMPAIGN_PURGE, Act.STYLE_PURGE, Act.SUBJECT_PURGE), IN_BIN),
    Act.REFERENCE_PURGE: IN_BIN,
    **dict.fromkeys((Act.SAFETY_FLAG, Act.SAFETY_CLEAR), NOT_LIVE),
    **dict.fromkeys((Act.REPORT, Act.REPORT_HOLD, Act.REPORT_RELEASE, Act.REPORT_DECIDE), NOT_LIVE),
    Act.BRAND_CHANGE: NOT_LIVE,
    **dict.fromkeys((Act.BLIND_CREATE, Act.BLIND_INVITE, Act.BLIND_LEAVE, Act.BLIND_JOIN), NOT_LIVE),
    **dict.fromkeys((Act.BLIND_STOP, Act.BLIND_FINISH), NOT_LIVE),
    **dict.fromkeys((Act.LIKENESS_ADD, Act.LIKENESS_REMOVE), NOT_LIVE),
    **dict.fromkeys((Act.WORD_ADD, Act.WORD_CHANGE, Act.WORD_REMOVE), NOT_LIVE),
    **dict.fromkeys((Act.POLICY_PUBLISH, Act.POLICY_ACCEPT, Act.POLICY_END), SESSION),
    **dict.fromkeys((Act.CAMPAIGN_CREATE, Act.STYLE_CREATE, Act.ACCOUNT_CREATE), NEW),
    **dict.fromkeys((Act.REFERENCE_UPLOAD, Act.MAP_UPLOAD, Act.MASK_UPLOAD), OWN_FORM),
    **dict.fromkeys((Act.STYLE_VERSION, Act.STYLE_ARCHIVE, Act.ACCOUNT_TRANSFER), NOT_LIVE),
    **dict.fromkeys((Act.REASONS_CHANGE, Act.SEARCH_SAVE, Act.SEARCH_RENAME, Act.SEARCH_DELETE), NOT_LIVE),
    **dict.fromkeys((Act.CHECKLIST_CREATE, Act.CHECKLIST_CHANGE, Act.CHECKLIST_RENAME), NOT_LIVE),
    **dict.fromkeys((Act.CHECKLIST_DELETE, Act.CHECKLIST_RESTORE), NOT_LIVE),
    **dict.fromkeys((Act.TEMPLATE_SAVE, Act.TEMPLATE_CHANGE, Act.TEMPLATE_DELETE, Act.TEMPLATE_RESTORE), NOT_LIVE),
    **dict.fromkeys((Act.RIGHTS_SAVE, Act.RIGHTS_WITHDRAW, Act.RIGHTS_RESTORE), NOT_LIVE),
    **dict.fromkeys((Act.RIGHTS_FILE_ADD, Act.RIGHTS_FILE_REMOVE), NOT_LIVE),
    **dict.fromkeys((Act.LORA_DOWNLOAD, Act.RIGHTS_FILE_DOWNLOAD, Act.RECORD_CHECK), NOTHING_CHANGED),
    **dict.fromkeys(
        (Act.RECORD_DOWNLOAD, Act.EXPORT, Act.IMAGE_DOWNLOAD, Act.SHARE_OPEN, Act.SHARE_DOWNLOAD), NOTHING_CHANGED
    ),
    **dict.fromkeys((Act.EXPORT_CREATE, Act.EXPORT_READY, Act.EXPORT_FAIL, Act.EXPORT_REBUILD), POLLED),
    **dict.fromkeys((Act.EXPORT_DELETE, Act.EXPORT_EXPIRE), POLLED),
    **dict.fromkeys((Act.SHARE_CREATE, Act.SHARE_REVOKE, Act.SHARE_SUSPEND, Act.SHARE_RESUME), POLLED),
    **dict.fromkeys((Act.SHARE_REFUSED, Act.SIGN_IN_REFUSED, Act.CONFIRM_REFUSED), NOTHING_CHANGED),
    **dict.fromkeys((Act.FILE_DAMAGE, Act.FILE_HEAL), ON_EVERY_PAGE),
    **dict.fromkeys((Act.BACKUP, Act.BACKUP_RESTORE, Act.RETENTION), NOT_LIVE),
    **dict.fromkeys((Act.PASSWORD_REFUSED, Act.CERTIFICATE_MAKE, Act.CERTIFICATE_RENEW), NOT_LIVE),
    **dict.fromkeys((Act.ACCOUNT_CHANGE, Act.SIGN_IN, Act.SIGN_OUT, Act.CONFIRM, Act.FACTOR_DEMAND), SESSION),
    **dict.fromkeys((Act.FACTOR_ADD, Act.FACTOR_REMOVE, Act.FACTOR_RESET, Act.RECOVERY_CODES), NOT_LIVE),
    **dict.fromkeys((Act.IDENTITY_LINK, Act.ACCOUNT_INVITE, Act.INVITATION_REVOKE), NOT_LIVE),
    **dict.fromkeys((Act.RESET_CREATE, Act.RESET_USE, Act.RESET_REVOKE), NOT_LIVE),
}


def connect() -> None:
    """Connect the packages. Call it before a process's first transaction; a second call changes nothing."""
    kinds.use(*KINDS)
    effects.use(FOLLOW_UPS)
    undo.use(UNDO)
    decoders.use("app.structures.drawing")  # by name: only the decoding processes import it
