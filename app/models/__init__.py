"""The tables, one file per noun: its table, and those of its parts. This package exports them all."""

from app.models.audit import Act, AuditEvent, AuditHead
from app.models.authenticator import Authenticator, RecoveryCode
from app.models.base import Base, now
from app.models.campaign import Campaign
from app.models.damaged_file import DamagedFile, FileReading
from app.models.decision import Decision, Verdict
from app.models.export import Export, ExportFile, ExportState
from app.models.identity import Identity
from app.models.image import Image
from app.models.image_set import ImageSet
from app.models.ingredient import Part, SetRegion, SetStructure, SetSubject
from app.models.invitation import Invitation
from app.models.login_session import LoginSession
from app.models.passkey import Passkey
from app.models.password_reset import PasswordReset
from app.models.reference import Reference
from app.models.reject_reason import RejectReason
from app.models.rights import RightsFile, RightsRecord
from app.models.saved_search import SavedSearch
from app.models.share import Share
from app.models.star import Star
from app.models.state import State
from app.models.structure import MapKind, StructureMap
from app.models.style import ReferenceMethod, Style, StyleReference, StyleVersion
from app.models.subject import Subject, SubjectKind, SubjectPicture, SubjectSample
from app.models.tag import ImageTag, TagUse
from app.models.thread import Comment, Mention, Thread
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
    "Campaign",
    "Comment",
    "DamagedFile",
    "Decision",
    "Export",
    "ExportFile",
    "ExportState",
    "FileReading",
    "Identity",
    "Image",
    "ImageSet",
    "ImageTag",
    "Invitation",
    "LoginSession",
    "MapKind",
    "Mention",
    "Part",
    "Passkey",
    "PasswordReset",
    "RecoveryCode",
    "Reference",
    "ReferenceMethod",
    "RejectReason",
    "RightsFile",
    "RightsRecord",
    "Role",
    "SavedSearch",
    "SetRegion",
    "SetStructure",
    "SetSubject",
    "Share",
    "Star",
    "State",
    "StructureMap",
    "Style",
    "StyleReference",
    "StyleVersion",
    "Subject",
    "SubjectKind",
    "SubjectPicture",
    "SubjectSample",
    "TagUse",
    "Thread",
    "Unit",
    "Usage",
    "User",
    "Verdict",
    "What",
    "now",
]
