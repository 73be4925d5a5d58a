"""Drafts of replies are found at the picture of their conversation, so that their links lead to it."""

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

BEFORE = "/review#reply-"
drafts = sa.table("drafts", sa.column("id", sa.Integer), sa.column("place", sa.String))
threads = sa.table("threads", sa.column("id", sa.Integer), sa.column("image_id", sa.Integer))


def upgrade() -> None:
    connection = op.get_bind()
    begun = sa.select(drafts.c.id, drafts.c.place).where(drafts.c.place.startswith(BEFORE))
    pictures = {str(thread_id): image_id for thread_id, image_id in connection.execute(sa.select(threads)).all()}
    for draft_id, place in connection.execute(begun).all():
        thread_id = place.removeprefix(BEFORE)  # as the page sent it: perhaps no number
        if thread_id in pictures:
            now = f"/review?image={pictures[thread_id]}#reply-{thread_id}"
            connection.execute(sa.update(drafts).where(drafts.c.id == draft_id).values(place=now))


def downgrade() -> None:
    connection = op.get_bind()
    for draft_id, place in connection.execute(sa.select(drafts.c.id, drafts.c.place)).all():
        if place.startswith("/review?image=") and (thread_id := place.partition("#reply-")[2]):
            connection.execute(sa.update(drafts).where(drafts.c.id == draft_id).values(place=BEFORE + thread_id))
