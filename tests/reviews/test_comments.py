"""Comments that their writers edit and delete."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Conflict, Forbidden, Invalid
from app.models import Act, AuditEvent, Comment, Image, Mention, Role, User, Verdict
from app.reviews import comments, needs, queries, service
from tests.factory import Factory


@pytest.fixture
def image(make: Factory) -> Image:
    return make.finished_set(make.user(name="Mori Haruka")).images[0]


def said(session: Session, user: User, image: Image, body: str = "The ear") -> Comment:
    comment = service.comment(session, user, image.id, body)
    session.flush()
    return comment


def details(session: Session, act: Act) -> dict[str, object]:
    return session.scalars(select(AuditEvent).where(AuditEvent.act == act)).one().details


def test_its_writer_edits_a_comment_and_the_record_keeps_the_old_text(
    session: Session, make: Factory, image: Image
) -> None:
    writer = make.user()
    comment = said(session, writer, image)
    comments.edit(session, writer, comment.id, " The tail ")
    assert comment.body == "The tail"
    assert comment.edited_at
    assert details(session, Act.COMMENT_EDIT) == {"before": "The ear"}
    comments.edit(session, writer, comment.id, "The tail")
    assert details(session, Act.COMMENT_EDIT), "the same text is no edit"
    with pytest.raises(Invalid, match="Write a comment first"):
        comments.edit(session, writer, comment.id, "  ")


@pytest.mark.parametrize("role", Role)
def test_nobody_else_changes_a_comment(session: Session, make: Factory, image: Image, role: Role) -> None:
    comment, other = said(session, make.user(name="Ito Kenji"), image), make.user(role)
    for act in (lambda: comments.edit(session, other, comment.id, "No"), lambda: comments.delete(session, other, 1)):
        with pytest.raises(Forbidden, match="Only Ito Kenji can"):
            act()


def test_an_edit_mentions_other_people(session: Session, make: Factory, image: Image) -> None:
    ito, sato, writer = make.user(name="Ito"), make.user(name="Sato"), make.user()
    comment = said(session, writer, image, "@Ito the ear")
    comments.edit(session, writer, comment.id, "@Sato the ear")
    assert session.scalars(select(Mention.user_id)).all() == [sato.id]
    assert details(session, Act.COMMENT_EDIT)["mentioned"] == ["Sato"]
    assert [need.kind for need in needs.of_user(session, ito)] == []
    assert [need.kind for need in needs.of_user(session, sato)] == ["mention"]


def test_a_deleted_comment_keeps_its_replies_and_can_be_restored(session: Session, make: Factory, image: Image) -> None:
    ito, writer = make.user(name="Ito"), make.user()
    comment = said(session, writer, image, "@Ito the ear")
    service.reply(session, ito, comment.thread_id, "Which one?")
    comments.delete(session, writer, comment.id)
    session.flush()
    (conversation,) = queries.conversations(session, writer, image)
    assert [bool(each.deleted_at) for each in conversation.thread.comments] == [True, False]
    assert needs.of_user(session, ito) == []
    assert details(session, Act.COMMENT_DELETE) == {"before": "@Ito the ear"}
    with pytest.raises(Conflict, match="already deleted"):
        comments.edit(session, writer, comment.id, "The nose")
    comments.restore(session, writer, comment.id)
    assert [need.comment for need in needs.of_user(session, ito)] == ["@Ito the ear"]


def test_a_conversation_without_comments_is_not_shown(session: Session, make: Factory, image: Image) -> None:
    writer = make.user()
    comments.delete(session, writer, said(session, writer, image).id)
    session.flush()
    assert queries.conversations(session, writer, image) == []


def test_what_was_said_before_a_lock_stays(session: Session, make: Factory, image: Image) -> None:
    writer, manager = make.user(), make.user(Role.MANAGER)
    before, deleted = said(session, writer, image), said(session, writer, image)
    comments.delete(session, writer, deleted.id)
    service.lock(session, manager, image.set_id)
    after = said(session, writer, image)
    for act, done in ((comments.delete, "deleted"), (lambda *who: comments.edit(*who, "No"), "edited")):
        with pytest.raises(Conflict, match=f"comments from before cannot be {done}"):
            act(session, writer, before.id)
    with pytest.raises(Conflict, match="cannot be restored"):
        comments.restore(session, writer, deleted.id)
    comments.edit(session, writer, after.id, "The tail")
    service.unlock(session, manager, image.set_id)
    comments.delete(session, writer, before.id)


def test_a_change_request_names_who_requested_it_and_who_commented(
    session: Session, make: Factory, image: Image
) -> None:
    ito, sato = make.user(Role.REVIEWER, name="Ito Kenji"), make.user(name="Sato Misaki")
    make.decide(image, Verdict.CHANGES_REQUESTED, ito)
    comment = said(session, sato, image, "A lighter sky")
    (need,) = needs.of_user(session, image.owner)
    assert (need.who, need.comment, need.comment_by) == ("Ito Kenji", "A lighter sky", "Sato Misaki")
    comments.delete(session, sato, comment.id)
    (need,) = needs.of_user(session, image.owner)
    assert (need.who, need.comment, need.comment_by) == ("Ito Kenji", None, "")
