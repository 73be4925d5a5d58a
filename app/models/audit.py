"""The record: every act that matters, as `subject:noun:verb`, by whom, when, on what. Rows are only ever added."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.user import User


class Act(StrEnum):
    ACCOUNT_CREATE = "account:user:create"
    ACCOUNT_CHANGE = "account:user:change"
    ACCOUNT_INVITE = "account:invitation:create"
    SIGN_IN = "account:session:create"
    SIGN_OUT = "account:session:end"
    REFERENCE_UPLOAD = "style:reference:upload"
    STYLE_CREATE = "style:style:create"
    STYLE_VERSION = "style:version:create"
    STYLE_ARCHIVE = "style:style:archive"
    MAP_UPLOAD = "set:map:upload"
    SUBJECT_CREATE = "subject:subject:create"
    SUBJECT_CANCEL = "subject:subject:cancel"
    SUBJECT_RETRY = "subject:subject:retry"
    SUBJECT_FINISH = "subject:subject:finish"
    SUBJECT_ARCHIVE = "subject:subject:archive"
    SET_CREATE = "set:set:create"
    SET_CANCEL = "set:set:cancel"
    SET_RETRY = "set:image:retry"
    IMAGE_FINISH = "set:image:finish"
    DECIDE = "review:image:decide"
    COMMENT = "review:image:comment"
    EXPORT = "export:zip:download"


class AuditEvent(Base):
    __tablename__ = "audit_events"
    __table_args__ = (Index("ix_audit_events_subject", "subject", "subject_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now, index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))  # None: the system itself
    act: Mapped[Act] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(40))  # table name
    subject_id: Mapped[int | None]
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)

    user: Mapped[User | None] = relationship()
