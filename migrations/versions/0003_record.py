"""The record as a chain: each event carries the previous one's hash and its own, and the head is stored separately.

Existing events are chained in order and numbered without gaps.
"""

import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BEGINNING = "0" * 64
CHUNK = 1000

events = sa.table(
    "audit_events",
    sa.column("id", sa.Integer),
    sa.column("at", sa.DateTime(timezone=True)),
    sa.column("user_id", sa.Integer),
    sa.column("act", sa.String),
    sa.column("subject", sa.String),
    sa.column("subject_id", sa.Integer),
    sa.column("details", sa.JSON),
    sa.column("previous", sa.String),
    sa.column("hash", sa.String),
)
heads = sa.table("audit_head", sa.column("id"), sa.column("count"), sa.column("hash"))


def upgrade() -> None:
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.CheckConstraint("id = 1", name="only_one"),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"),
    )
    # The defaults are for existing events, until they are chained; new ones bring their own values.
    with op.batch_alter_table("audit_events") as table:
        for name in ("previous", "hash"):
            table.add_column(sa.Column(name, sa.String(length=64), nullable=False, server_default=BEGINNING))
        table.create_index("ix_audit_events_user_id", ["user_id"])
        table.create_index("ix_audit_events_act", ["act"])
    with op.batch_alter_table("audit_events") as table:
        for name in ("previous", "hash"):
            table.alter_column(name, server_default=None)
    count, last = chain()
    op.bulk_insert(heads, [{"id": 1, "count": count, "hash": last}])


def chain() -> tuple[int, str]:
    """Number and hash the existing events; returns their count and the last hash."""
    connection = op.get_bind()
    change = (
        sa.update(events)
        .where(events.c.id == sa.bindparam("old_id"))
        .values(id=sa.bindparam("new_id"), previous=sa.bindparam("new_previous"), hash=sa.bindparam("new_hash"))
    )
    number, old_id, last = 0, None, BEGINNING
    while True:
        # A new number is never above the old one, so that none collides with another.
        later = sa.select(events).order_by(events.c.id).limit(CHUNK)
        rows = connection.execute(later if old_id is None else later.where(events.c.id > old_id)).all()
        if not rows:
            return number, last
        changes = []
        for row in rows:
            number, old_id = number + 1, row.id
            previous, last = last, event_hash(number, row, last)
            changes.append({"old_id": row.id, "new_id": number, "new_previous": previous, "new_hash": last})
        connection.execute(change, changes)


def event_hash(number: int, row: Any, previous: str) -> str:
    """As `app.audit.chain` computed it when the chain was introduced."""
    at: datetime = row.at if row.at.tzinfo else row.at.replace(tzinfo=UTC)
    written = {
        "id": number,
        "at": at.astimezone(UTC).isoformat(timespec="microseconds"),
        "user_id": row.user_id,
        "act": row.act,
        "subject": row.subject,
        "subject_id": row.subject_id,
        "details": row.details,
        "previous": previous,
    }
    return sha256(json.dumps(written, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def downgrade() -> None:
    with op.batch_alter_table("audit_events") as table:
        for name in ("ix_audit_events_act", "ix_audit_events_user_id"):
            table.drop_index(name)
        for name in ("hash", "previous"):
            table.drop_column(name)
    op.drop_table("audit_head")
