"""The tables, one file a noun."""

from app.models.audit import Act, AuditEvent
from app.models.base import Base, now
from app.models.image_set import Campaign, Image, ImageSet, State, Unit, Verdict
from app.models.review import Comment, Decision
from app.models.style import Reference, ReferenceMethod, Style, StyleReference, StyleVersion
from app.models.user import Invitation, LoginSession, Role, User

__all__ = [
    "Act",
    "AuditEvent",
    "Base",
    "Campaign",
    "Comment",
    "Decision",
    "Image",
    "ImageSet",
    "Invitation",
    "LoginSession",
    "Reference",
    "ReferenceMethod",
    "Role",
    "State",
    "Style",
    "StyleReference",
    "StyleVersion",
    "Unit",
    "User",
    "Verdict",
    "now",
]
