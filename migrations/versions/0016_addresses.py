"""Normalise e-mail addresses that were typed full-width, or with the root's dot."""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("users", "invitations"):
        table = sa.table(name, sa.column("id", sa.Integer), sa.column("email", sa.String))
        rows = op.get_bind().execute(sa.select(table.c.id, table.c.email).where(table.c.email.is_not(None))).all()
        taken = {email for _, email in rows} if name == "users" else set()
        for row_id, email in rows:
            plain = normal(email)
            if plain != email and plain not in taken:  # two accounts of one mailbox stay separate
                taken.add(plain)
                op.execute(table.update().where(table.c.id == row_id).values(email=plain))


def downgrade() -> None:
    """Nothing to do: both forms mean the same mailbox."""


def normal(email: str) -> str:
    return unicodedata.normalize("NFKC", email).lower().replace("。", ".").removesuffix(".")
