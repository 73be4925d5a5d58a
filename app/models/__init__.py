"""The tables, one file per noun: its table, and those of its parts. This package exports them all."""

from app.models.audit import Act, AuditEvent, AuditHead
from app.models.authenticator import Authenticator, RecoveryCode
from app.models.base import Base, now
from app.models.blind import (
    BlindChoice,
    BlindJudge,
    BlindJudgement,
    BlindOutcome,
    BlindPair,
    BlindQuestion,
    BlindTest,
    LeftOut,
)
from app.models.blocked_word import BlockedWord
from app.models.brand import BrandScore, BrandVersion
from app.models.campaign import Campaign
from app.models.checklist import Checklist, ChecklistAnswers, ChecklistSheet, ChecklistVersion, ItemAnswer
from app.models.damaged_file import DamagedFile, FileReading
from app.models.decision import Decision, KeptApproval, Verdict
from app.models.draft import Draft, DraftFile
from app.models.export import Export, ExportFile, ExportState
from app.models.factor_demand import FactorDemand
from app.models.form_template import FormTemplate, RecentPrompt, TemplateKind
from app.models.identity import Identity
from app.models.image import Image
from app.models.image_set import ImageSet
from app.models.ingredient import Part, SetRegion, SetStructure, SetSubject
from app.models.invitation import Invitation
from app.models.login_session import LoginSession
from app.models.measure import (
    FlagsDue,
    PictureFeatures,
    PictureMeasures,
    ReferenceFeatures,
    SetMeasures,
    StyleBounds,
)
from app.models.passkey import Passkey
from app.models.password_reset import PasswordReset
from app.models.policy import PolicyAcceptance, PolicyVersion
from app.models.queue_pause import QueuePause
from app.models.reference import Reference
from app.models.reject_reason import RejectReason
from app.models.report import PictureReport, ReportKind, ReportOutcome
from app.models.rights import RightsFile, RightsRecord, SubjectLikeness
from app.models.safety_flag import SafetyFlag
from app.models.sample import Sample
from app.models.saved_search import SavedSearch
from app.models.share import Share
from app.models.star import Star
from app.models.state import State
from app.models.strip import Strip, StripDraft
from app.models.structure import MapKind, StructureMap
from app.models.style import Blend, ReferenceMethod, Style, StyleReference, StyleVersion
from app.models.style_map import StyleMap
from app.models.subject import Subject, SubjectKind, SubjectPicture, SubjectSample
from app.models.tag import ImageTag, TagUse
from app.models.thread import Comment, Mention, Thread
from app.models.tuning import Tuning, TuningDraft
from app.models.undo import Undo
from app.models.unit import Unit
from app.models.usage import HELD, Usage, What
from app.models.user import Role, User

__all__ = [
    "HELD",
    "Act",
    "AuditEvent",
    "AuditHead",
    "Authenticator",
    "Base",
    "Blend",
    "BlindChoice",
    "BlindJudge",
    "BlindJudgement",
    "BlindOutcome",
    "BlindPair",
    "BlindQuestion",
    "BlindTest",
    "BlockedWord",
    "BrandScore",
    "BrandVersion",
    "Campaign",
    "Checklist",
    "ChecklistAnswers",
    "ChecklistSheet",
    "ChecklistVersion",
    "Comment",
    "DamagedFile",
    "Decision",
    "Draft",
    "DraftFile",
    "Export",
    "ExportFile",
    "ExportState",
    "FactorDemand",
    "FileReading",
    "FlagsDue",
    "FormTemplate",
    "Identity",
    "Image",
    "ImageSet",
    "ImageTag",
    "Invitation",
    "ItemAnswer",
    "KeptApproval",
    "LeftOut",
    "LoginSession",
    "MapKind",
    "Mention",
    "Part",
    "Passkey",
    "PasswordReset",
    "PictureFeatures",
    "PictureMeasures",
    "PictureReport",
    "PolicyAcceptance",
    "PolicyVersion",
    "QueuePause",
    "RecentPrompt",
    "RecoveryCode",
    "Reference",
    "ReferenceFeatures",
    "ReferenceMethod",
    "RejectReason",
    "ReportKind",
    "ReportOutcome",
    "RightsFile",
    "RightsRecord",
    "Role",
    "SafetyFlag",
    "Sample",
    "SavedSearch",
    "SetMeasures",
    "SetRegion",
    "SetStructure",
    "SetSubject",
    "Share",
    "Star",
    "State",
    "Strip",
    "StripDraft",
    "StructureMap",
    "Style",
    "StyleBounds",
    "StyleMap",
    "StyleReference",
    "StyleVersion",
    "Subject",
    "SubjectKind",
    "SubjectLikeness",
    "SubjectPicture",
    "SubjectSample",
    "TagUse",
    "TemplateKind",
    "Thread",
    "Tuning",
    "TuningDraft",
    "Undo",
    "Unit",
    "Usage",
    "User",
    "Verdict",
    "What",
    "now",
]
