"""Edit and delete comments: their writers, and nobody else. The audit log keeps what they said before.

What was said before the decisions of a set were locked stays as it was, because decisions were made on it.
"""

from sqlalchemy import delete as delete_rows
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import undo
from app.accounts.service import need_active
from app.audit.service import record
from app.errors import Conflict, Forbidden
from app.languages import N_, translated
from app.languages import gettext as _
from app.models import Act, Comment, Image, Mention, User, now
from app.reviews import queries
from app.reviews.mentions import mentioned
from app.reviews.service import comment_text
from app.undo import Undone

# By what somebody else would do, or what is too late.
ONLY = {
    "edit": N_("Only %(name)s can edit this comment."),
    "delete": N_("Only %(name)s can delete this comment."),
    "restore": N_("Only %(name)s can restore this comment."),
}
LOCKED = {
    "edit": N_("The decisions of this set are locked, so comments from before cannot be edited."),
    "delete": N_("The decisions of this set are locked, so comments from before cannot be deleted."),
    "restore": N_("The decisions of this set are locked, so comments from before cannot be restored."),
}


def edit(session: Session, user: User, comment_id: int, body: str) -> Comment:
    """Change the text of one's own comment. Raises NotFound, Forbidden, Invalid and Conflict.

    The people it mentions now are told, and those that it no longer mentions are not.
    """
    comment = _own(session, user, comment_id, "edit")
    body, before = comment_text(body), comment.body
    if body == before:
        return comment
    comment.body, comment.edited_at = body, now()
    named = _mention(session, comment)
    names = {"mentioned": named} if named else {}
    record(session, user, Act.COMMENT_EDIT, session.get_one(Image, comment.image_id), before=before, **names)
    return comment


def delete(session: Session, user: User, comment_id: int) -> Comment:
    """Delete one's own comment; replies stay. Raises NotFound, Forbidden and Conflict."""
    comment = _own(session, user, comment_id, "delete")
    comment.deleted_at = now()
    session.execute(delete_rows(Mention).where(Mention.comment_id == comment.id))
    record(session, user, Act.COMMENT_DELETE, session.get_one(Image, comment.image_id), before=comment.body)
    undo.offer(session, user, "comment", comment_id=comment.id)
    return comment


def restore(session: Session, user: User, comment_id: int) -> Comment:
    """The opposite of `delete`."""
    comment = queries.comment(session, user, comment_id)
    _need_writer(user, comment, "restore")
    if not comment.deleted_at:
        raise Conflict(_("This comment is not deleted."))
    _need_unlocked(session, comment, "restore")
    comment.deleted_at = None
    _mention(session, comment)
    record(session, user, Act.COMMENT_RESTORE, session.get_one(Image, comment.image_id))
    return comment


def undo_deletion(session: Session, user: User, comment_id: int) -> Undone:
    restore(session, user, comment_id)
    return Undone(_("Comment restored."))


def _mention(session: Session, comment: Comment) -> list[str]:
    """Bring the mentions of a comment into line with its text, and return the names of those newly mentioned."""
    people = queries.people(session, comment.user)
    named = {person.id: person.name for person in mentioned(comment.body, people) if person.id != comment.user_id}
    known = set(session.scalars(select(Mention.user_id).where(Mention.comment_id == comment.id)))
    gone = Mention.comment_id == comment.id, Mention.user_id.in_(known - {*named})
    session.execute(delete_rows(Mention).where(*gone))
    new = {id: name for id, name in named.items() if id not in known}
    session.add_all(Mention(comment_id=comment.id, user_id=id) for id in new)
    session.flush()
    return list(new.values())


def _own(session: Session, user: User, comment_id: int, act: str) -> Comment:
    """The person's own comment, to be changed."""
    comment = queries.comment(session, user, comment_id)
    _need_writer(user, comment, act)
    if comment.deleted_at:
        raise Conflict(_("This comment was already deleted."))
    _need_unlocked(session, comment, act)
    return comment


def _need_writer(user: User, comment: Comment, act: str) -> None:
    need_active(user)
    if comment.user_id != user.id:
        raise Forbidden(translated(ONLY[act]) % {"name": comment.user.name})


def _need_unlocked(session: Session, comment: Comment, act: str) -> None:
    locked_at = session.get_one(Image, comment.image_id).image_set.locked_at
    if locked_at and comment.created_at < locked_at:
        raise Conflict(translated(LOCKED[act]))
