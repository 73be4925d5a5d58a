"""The tables, one file a noun."""

from app.models.audit import Act, AuditEvent, AuditHead
from app.models.base import Base, now
from app.models.export import Export, ExportFile, ExportState, Share
from app.models.factor import Authenticator, Passkey, RecoveryCode
from app.models.identity import Identity
from app.models.image_set import (
    Campaign,
    Image,
    ImageSet,
    ImageTag,
    SavedSearch,
    Star,
    State,
    TagUse,
    Unit,
    Verdict,
)
from app.models.review import Comment, Decision, Mention, RejectReason, Thread
from app.models.rights import RightsFile, RightsRecord
from app.models.structure import MapKind, StructureMap
from app.models.style import Reference, ReferenceMethod, Style, StyleReference, StyleVersion
from app.models.subject import Subject, SubjectKind, SubjectPicture, SubjectSample
from app.models.usage import HELD, Usage, What
from app.models.user import Invitation, LoginSession, PasswordReset, Role, User

__all__ = [
    "HELD",
    "Act",
    "AuditEvent",
    "AuditHead",
    "Authenticator",
    "Base",
    "Campaign",
    "Comment",
    "Decision",
    "Export",
    "ExportFile",
    "ExportState",
    "Identity",
    "Image",
    "ImageSet",
    "ImageTag",
    "Invitation",
    "LoginSession",
    "MapKind",
    "Mention",
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
