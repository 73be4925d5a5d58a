"""The audit log: every act that matters, as `subject:noun:verb`, by whom, when, on what. Append-only.

The events form a chain (see `app.audit.chain`): numbered 1, 2, 3 without gaps, each with the previous one's hash.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base
from app.models.user import User


class Act(StrEnum):
    """The acts. `app.audit.words` has their wording for people."""

    ACCOUNT_CREATE = "account:user:create"
    ACCOUNT_CHANGE = "account:user:change"
    ACCOUNT_TRANSFER = "account:user:transfer"
    FACTOR_ADD = "account:factor:create"
    FACTOR_REMOVE = "account:factor:end"
    FACTOR_RESET = "account:factor:reset"
    FACTOR_DEMAND = "account:factor:demand"
    RECOVERY_CODES = "account:codes:create"
    IDENTITY_LINK = "account:identity:create"
    ACCOUNT_INVITE = "account:invitation:create"
    INVITATION_REVOKE = "account:invitation:revoke"
    RESET_CREATE = "account:reset:create"
    RESET_USE = "account:reset:use"
    RESET_REVOKE = "account:reset:revoke"
    SIGN_IN = "account:session:create"
    SIGN_OUT = "account:session:end"
    SIGN_IN_REFUSED = "account:session:refuse"
    CONFIRM = "account:session:confirm"
    CONFIRM_REFUSED = "account:session:doubt"
    PASSWORD_REFUSED = "account:password:refuse"  # noqa: S105  (no password)
    POLICY_PUBLISH = "policy:version:publish"
    POLICY_ACCEPT = "policy:version:accept"
    POLICY_END = "policy:version:end"
    WORD_ADD = "policy:word:add"
    WORD_CHANGE = "policy:word:change"
    WORD_REMOVE = "policy:word:remove"
    REFERENCE_UPLOAD = "style:reference:upload"
    STYLE_CREATE = "style:style:create"
    STYLE_VERSION = "style:version:create"
    STYLE_ARCHIVE = "style:style:archive"
    STYLE_RENAME = "style:style:rename"
    STYLE_DELETE = "style:style:delete"
    STYLE_RESTORE = "style:style:restore"
    STYLE_PURGE = "style:style:purge"
    STYLE_BOUNDS = "style:bounds:save"
    REFERENCE_DELETE = "style:reference:delete"
    REFERENCE_RESTORE = "style:reference:restore"
    REFERENCE_PURGE = "style:reference:purge"
    MAP_UPLOAD = "set:map:upload"
    MASK_UPLOAD = "set:mask:upload"
    SUBJECT_CREATE = "subject:subject:create"
    SUBJECT_CANCEL = "subject:subject:cancel"
    SUBJECT_RETRY = "subject:subject:retry"
    SUBJECT_FINISH = "subject:subject:finish"
    SUBJECT_FAIL = "subject:subject:fail"
    SUBJECT_HOLD = "subject:subject:hold"
    SUBJECT_ARCHIVE = "subject:subject:archive"
    SUBJECT_RENAME = "subject:subject:rename"
    SUBJECT_DELETE = "subject:subject:delete"
    SUBJECT_RESTORE = "subject:subject:restore"
    SUBJECT_PURGE = "subject:subject:purge"
    LORA_DOWNLOAD = "subject:lora:download"
    CAMPAIGN_CREATE = "set:campaign:create"
    CAMPAIGN_CHANGE = "set:campaign:change"
    CAMPAIGN_RENAME = "set:campaign:rename"
    CAMPAIGN_ARCHIVE = "set:campaign:archive"
    CAMPAIGN_DELETE = "set:campaign:delete"
    CAMPAIGN_RESTORE = "set:campaign:restore"
    CAMPAIGN_PURGE = "set:campaign:purge"
    SAMPLE_OPEN = "set:sample:open"
    SAMPLE_REMOVE = "set:sample:remove"
    SET_CREATE = "set:set:create"
    SET_CANCEL = "set:set:cancel"
    SET_RETRY = "set:image:retry"
    SET_RENAME = "set:set:rename"
    SET_MOVE = "set:set:move"
    SET_ARCHIVE = "set:set:archive"
    SET_DELETE = "set:set:delete"
    SET_RESTORE = "set:set:restore"
    SET_PURGE = "set:set:purge"
    SET_LOCK = "set:set:lock"
    SET_UNLOCK = "set:set:unlock"
    IMAGE_REDO = "set:image:again"
    IMAGE_DISCARD = "set:image:discard"
    IMAGE_MOVE = "set:image:move"
    IMAGE_TAG = "set:image:tag"
    IMAGE_DELETE = "set:image:delete"
    IMAGE_RESTORE = "set:image:restore"
    IMAGE_PURGE = "set:image:purge"
    IMAGE_DOWNLOAD = "set:image:download"
    IMAGE_FINISH = "set:image:finish"
    UNIT_FAIL = "set:unit:fail"
    UNIT_HOLD = "set:unit:hold"
    HELD_REMOVE = "set:image:remove"
    IMAGE_CANCEL = "set:image:cancel"
    WORK_MOVE = "queue:work:move"
    WORK_PAUSE = "queue:work:pause"
    WORK_RESUME = "queue:work:resume"
    QUEUE_PAUSE = "queue:all:pause"
    QUEUE_RESUME = "queue:all:resume"
    DECIDE = "review:image:decide"
    COMMENT = "review:image:comment"
    COMMENT_EDIT = "review:comment:edit"
    COMMENT_DELETE = "review:comment:delete"
    COMMENT_RESTORE = "review:comment:restore"
    THREAD_RESOLVE = "review:thread:resolve"
    THREAD_REOPEN = "review:thread:reopen"
    REASONS_CHANGE = "review:reasons:change"
    CHECKLIST_CREATE = "review:checklist:create"
    CHECKLIST_CHANGE = "review:checklist:change"
    CHECKLIST_RENAME = "review:checklist:rename"
    CHECKLIST_DELETE = "review:checklist:delete"
    CHECKLIST_RESTORE = "review:checklist:restore"
    BRAND_CHANGE = "style:brand:change"
    BLIND_CREATE = "review:blind:create"
    BLIND_INVITE = "review:blind:invite"
    BLIND_LEAVE = "review:blind:leave"
    BLIND_JOIN = "review:blind:join"
    BLIND_STOP = "review:blind:stop"
    BLIND_FINISH = "review:blind:finish"
    EXPORT = "export:zip:download"
    EXPORT_CREATE = "export:zip:create"
    EXPORT_READY = "export:zip:finish"
    EXPORT_FAIL = "export:zip:fail"
    EXPORT_REBUILD = "export:zip:again"
    EXPORT_DELETE = "export:zip:delete"
    EXPORT_EXPIRE = "export:zip:expire"
    SHARE_CREATE = "export:share:create"
    SHARE_REVOKE = "export:share:revoke"
    SHARE_SUSPEND = "export:share:suspend"
    SHARE_RESUME = "export:share:resume"
    SHARE_OPEN = "export:share:open"
    SHARE_DOWNLOAD = "export:share:download"
    SHARE_REFUSED = "export:share:refuse"
    CERTIFICATE_MAKE = "export:certificate:create"
    CERTIFICATE_RENEW = "export:certificate:renew"
    TEMPLATE_SAVE = "set:template:save"
    TEMPLATE_CHANGE = "set:template:change"
    TEMPLATE_DELETE = "set:template:delete"
    TEMPLATE_RESTORE = "set:template:restore"
    SEARCH_SAVE = "search:shared:save"
    SEARCH_RENAME = "search:shared:rename"
    SEARCH_DELETE = "search:shared:delete"
    RIGHTS_SAVE = "rights:record:save"
    RIGHTS_WITHDRAW = "rights:record:withdraw"
    RIGHTS_RESTORE = "rights:record:restore"
    RIGHTS_FILE_ADD = "rights:file:add"
    RIGHTS_FILE_REMOVE = "rights:file:remove"
    RIGHTS_FILE_DOWNLOAD = "rights:file:download"
    SAFETY_FLAG = "policy:image:flag"
    SAFETY_CLEAR = "policy:image:clear"
    REPORT = "policy:image:report"
    REPORT_HOLD = "policy:image:hold"
    REPORT_RELEASE = "policy:image:release"
    REPORT_DECIDE = "policy:image:decide"
    LIKENESS_ADD = "rights:likeness:add"
    LIKENESS_REMOVE = "rights:likeness:remove"
    FILE_DAMAGE = "file:stored:damage"
    FILE_HEAL = "file:stored:heal"
    RECORD_CHECK = "record:chain:check"
    RECORD_DOWNLOAD = "record:csv:download"
    RETENTION = "record:retention:remove"
    BACKUP = "record:backup:create"
    BACKUP_RESTORE = "record:backup:restore"


class AuditEvent(Base):
    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_subject", "subject", "subject_id"),
        Index("ix_audit_events_act_user_id", "act", "user_id"),  # what somebody has done at all
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # position in the chain, from 1
    at: Mapped[datetime] = mapped_column(index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)  # None: the system itself
    act: Mapped[Act] = mapped_column(String(40), index=True)
    subject: Mapped[str] = mapped_column(String(40))  # table name
    subject_id: Mapped[int | None]
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    previous: Mapped[str] = mapped_column(String(64))  # hash of the previous event
    hash: Mapped[str] = mapped_column(String(64))  # SHA-256 of all the other columns

    user: Mapped[User | None] = relationship()


class AuditHead(Base):
    """The end of the chain, in one row: without it, events removed from the end would go unnoticed."""

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    count: Mapped[int]
    hash: Mapped[str] = mapped_column(String(64))  # of the latest event
